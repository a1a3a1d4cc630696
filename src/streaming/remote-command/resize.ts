import type { Readable } from "node:stream";
import type { TerminalSize } from "./contract.ts";

/** A resize event is some forty bytes; a client that sends this much without completing one sends none. */
const MAX_PENDING = 4096;

/** The terminal sizes in a stream of JSON objects. What is no size is skipped. Ends when the stream ends or breaks. */
export async function* readTerminalSizes(readable: Readable): AsyncGenerator<TerminalSize, void> {
  let pending = "";
  try {
    for await (const chunk of readable as AsyncIterable<Buffer>) {
      pending += chunk.toString();
      for (let end = pending.indexOf("}"); end >= 0; end = pending.indexOf("}")) {
        const size = parseTerminalSize(pending.slice(0, end + 1));
        pending = pending.slice(end + 1);
        if (size !== undefined) yield size;
      }
      if (pending.length > MAX_PENDING) pending = "";
    }
  } catch (cause) {
    if (!readable.destroyed) throw cause; // a stream cut off by its connection has only ended
  }
}

function parseTerminalSize(text: string): TerminalSize | undefined {
  const width = /"Width"\s*:\s*(\d{1,5})\b/.exec(text);
  const height = /"Height"\s*:\s*(\d{1,5})\b/.exec(text);
  if (width === null || height === null) return undefined;
  return { Width: Math.min(65535, Number(width[1])), Height: Math.min(65535, Number(height[1])) };
}

export function formatTerminalSize({ Width, Height }: TerminalSize): string {
  return `${JSON.stringify({ Width, Height })}\n`;
}
