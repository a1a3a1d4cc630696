/** What the stderr of conntrack means for us. */
export type ConntrackProblem =
  | { readonly kind: "nothing there"; readonly detail: string } // no flow matched: it ended by itself
  | { readonly kind: "unsupported"; readonly detail: string } // the kernel lacks ctnetlink, or we may not use it
  | { readonly kind: "unknown"; readonly detail: string };

export function classifyConntrackError(stderr: string): ConntrackProblem {
  const detail = stderr.trim().split("\n").at(-1) ?? "";
  if (/\b0 flow entries have been deleted|No such file or directory/.test(stderr)) return { kind: "nothing there", detail };
  if (/Operation not permitted|Operation not supported|Protocol not supported|Can't open handler/.test(stderr))
    return { kind: "unsupported", detail };
  return { kind: "unknown", detail };
}
