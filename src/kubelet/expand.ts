/**
 * Replaces `$(NAME)` by its value, as upstream does for env, command and args: an unknown name stays as written, `$$(NAME)` is a
 * literal `$(NAME)`, and any other `$` stays.
 */
export function expand(text: string, value: (name: string) => string | undefined): string {
  let out = "";
  for (let at = 0; at < text.length; at++) {
    const rest = text[at + 1];
    if (text[at] !== "$" || rest === undefined) out += text[at];
    else if (rest === "$") {
      out += "$";
      at++;
    } else if (rest === "(") {
      const end = text.indexOf(")", at + 2);
      if (end < 0) {
        out += "$(";
        at++;
        continue;
      }
      const name = text.slice(at + 2, end);
      out += value(name) ?? `$(${name})`;
      at = end;
    } else {
      out += `$${rest}`;
      at++;
    }
  }
  return out;
}
