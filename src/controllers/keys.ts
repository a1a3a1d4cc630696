/** The reverse of machinery's `keyOf`. */
export function splitKey(key: string): { readonly name: string; readonly namespace: string | undefined } {
  const slash = key.indexOf("/");
  return slash === -1 ? { name: key, namespace: undefined } : { name: key.slice(slash + 1), namespace: key.slice(0, slash) };
}
