/** The Kubernetes version whose API and behaviour this server has. */
export const KUBERNETES_VERSION = "v1.36.0";

export interface VersionAnswer {
  readonly major: string;
  readonly minor: string;
  readonly emulationMajor: string;
  readonly emulationMinor: string;
  readonly minCompatibilityMajor: string;
  readonly minCompatibilityMinor: string;
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  readonly goVersion: string;
  readonly compiler: string;
  readonly platform: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** GET /version. The names of Go stay, because clients read them; they say what runs here instead. */
export function versionAnswer(navarchVersion: string, machine: { readonly arch: string; readonly runtime: string }): VersionAnswer {
  return {
    major: "1",
    minor: "36",
    emulationMajor: "1",
    emulationMinor: "36",
    minCompatibilityMajor: "1",
    minCompatibilityMinor: "35",
    gitVersion: `${KUBERNETES_VERSION}+navarch${navarchVersion}`,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: machine.runtime,
    compiler: "v8",
    platform: `linux/${ARCHITECTURES[machine.arch] ?? machine.arch}`,
  };
}
