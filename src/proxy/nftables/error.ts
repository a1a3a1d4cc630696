/** What nft's stderr means for us. */
export type NftProblem =
  | { readonly kind: "out of step"; readonly detail: string } // the table is not as we left it: replace it whole
  | { readonly kind: "unsupported"; readonly detail: string } // the kernel lacks a feature
  | { readonly kind: "busy"; readonly detail: string } // another transaction won: try again
  | { readonly kind: "unknown"; readonly detail: string };

export function classifyNftError(stderr: string): NftProblem {
  const detail = stderr.trim().split("\n")[0] ?? "";
  if (/Device or resource busy|Resource temporarily unavailable|Interrupted system call/.test(stderr)) return { kind: "busy", detail };
  if (/No such file or directory|File exists/.test(stderr)) return { kind: "out of step", detail };
  if (/Operation not supported|Protocol not supported|Not supported|syntax error/.test(stderr)) return { kind: "unsupported", detail };
  return { kind: "unknown", detail };
}
