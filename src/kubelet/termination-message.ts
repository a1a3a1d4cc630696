import type { Container, Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import type { NodeHost } from "./contract.ts";
import { terminationLogPath } from "./perform-container.ts";
import type { RuntimeContainer } from "./pod-runtime.ts";

const MAX_MESSAGE_BYTES = 4096;
const MAX_LOG_BYTES = 2048;
const MAX_LOG_LINES = 80;

/** What a container left behind at its end: its message file, or the end of its log where it asks for that. */
export async function readTerminationMessage(
  host: NodeHost,
  {
    pod,
    container,
    ended,
    rootDirectory,
    signal,
  }: {
    readonly pod: Stored<Pod>;
    readonly container: Container | undefined;
    readonly ended: RuntimeContainer;
    readonly rootDirectory: string;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const path = terminationLogPath(rootDirectory, pod.metadata.uid, ended.name, ended.restartCount);
  const message = (await host.readTail(path, MAX_MESSAGE_BYTES, signal)) ?? "";
  if (message !== "" || ended.exitCode === 0 || container?.terminationMessagePolicy !== "FallbackToLogsOnError") return message;
  return logTail((await host.readTail(ended.logPath, 2 * MAX_LOG_BYTES, signal)) ?? "");
}

/** The words of the last lines of a CRI log, without time, stream and tag. */
export function logTail(text: string): string {
  const lines = text
    .split("\n")
    .filter((line) => /^\S+ (stdout|stderr) [FP]/.test(line))
    .slice(-MAX_LOG_LINES);
  const words = lines.map((line) => {
    const [, tag = "", rest = ""] = /^\S+ \S+ ([FP]\S*) ?(.*)$/.exec(line) ?? [];
    return tag.startsWith("F") ? `${rest}\n` : rest;
  });
  return Buffer.from(words.join("")).subarray(-MAX_LOG_BYTES).toString();
}
