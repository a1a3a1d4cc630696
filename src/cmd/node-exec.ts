import { spawn } from "node:child_process";
import { findNodeNetwork } from "./nodes/network.ts";
import { type ClusterPlace, CommandError, nameFlag, requireCluster } from "./cluster.ts";

/** Runs a program inside a node's network namespace with our own terminal; resolves with its exit code. */
export async function runOnNode(place: ClusterPlace, node: string, argv: readonly string[], signal: AbortSignal): Promise<number> {
  const config = await requireCluster(place);
  if (config.simulate) throw new CommandError(`Cannot run a program on ${node}: nodes of cluster "${place.name}" are simulated`);
  const network = await findNodeNetwork(place.name, signal);
  const found = network?.nodes.find(({ name }) => name === node);
  if (found === undefined) {
    const names = network?.nodes.map(({ name }) => name).join(", ");
    throw new CommandError(
      `Cannot find node "${node}": ${names === undefined ? `cluster "${place.name}" does not run, run "navarch up${nameFlag(place.name)}"` : `wanted one of ${names}`}`,
    );
  }
  return new Promise((resolve, reject) => {
    const child = spawn("nsenter", [`--net=${found.netnsPath}`, "--", ...argv], { stdio: "inherit" });
    signal.addEventListener("abort", () => child.kill("SIGTERM"), { once: true });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 128));
  });
}
