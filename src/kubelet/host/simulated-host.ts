import type { NodeFacts, NodeHost, Prober } from "../contract.ts";

export interface SimulatedHostOptions extends Partial<NodeFacts> {}

/** A machine that is not there: it keeps no file, and every path it is asked for exists. */
export function createSimulatedHost(options: SimulatedHostOptions = {}): NodeHost {
  const facts: NodeFacts = {
    cpus: 32,
    memoryBytes: 256 * 2 ** 30,
    ephemeralStorageBytes: 2 ** 40,
    architecture: "amd64",
    kernelVersion: "simulated",
    osImage: "Navarch simulated node",
    machineId: "",
    systemUuid: "",
    bootId: "",
    pidMax: 4_194_304,
    ...options,
  };
  return {
    facts: async () => facts,
    pressure: async () => ({
      memoryAvailableBytes: facts.memoryBytes,
      diskAvailableBytes: facts.ephemeralStorageBytes,
      diskCapacityBytes: facts.ephemeralStorageBytes,
      pidsUsed: 1,
    }),
    resolvConf: async () => "",
    makeDirectory: async () => undefined,
    writeFile: async () => undefined,
    readTail: async () => undefined,
    fileSize: async () => undefined,
    rename: async () => undefined,
    list: async () => [],
    removeTree: async () => undefined,
    volumes: {
      emptyDirectory: async () => undefined,
      project: async () => undefined,
      hostPath: async () => undefined,
      subPath: async (volume, subPath) => `${volume}/${subPath}`,
    },
    cgroups: { apply: async () => undefined, remove: async () => undefined },
  };
}

/** Simulated pods answer every probe. */
export const simulatedProber: Prober = {
  http: async () => ({ outcome: "success", output: "" }),
  tcp: async () => ({ outcome: "success", output: "" }),
  grpc: async () => ({ outcome: "success", output: "" }),
};
