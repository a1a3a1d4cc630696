/** What the stderr of iptables-restore means for us. */
export type IptablesProblem =
  | { readonly kind: "out of step"; readonly detail: string } // the rules are not as we left them: replace them whole
  | { readonly kind: "unsupported"; readonly detail: string } // the kernel or the program lacks a feature
  | { readonly kind: "busy"; readonly detail: string } // another program holds the lock: try again
  | { readonly kind: "unknown"; readonly detail: string };

export function classifyIptablesError(stderr: string): IptablesProblem {
  const detail =
    stderr
      .split("\n")
      .find((line) => line.trim() !== "" && !line.startsWith("#"))
      ?.trim() ?? "";
  if (/Another app is currently holding the xtables lock|Resource temporarily unavailable|Device or resource busy/.test(stderr))
    return { kind: "busy", detail };
  if (
    /Couldn't load (match|target)|No chain\/target\/match|can't initialize|Operation not supported|unknown option|Extension \S+ revision/.test(
      stderr,
    )
  )
    return { kind: "unsupported", detail };
  if (
    /does a matching rule exist|Chain '\S+' does not exist|Bad rule|No such file or directory|File exists|line \d+ failed|RULE_DELETE failed/.test(
      stderr,
    )
  )
    return { kind: "out of step", detail };
  return { kind: "unknown", detail };
}
