export interface KubeconfigInput {
  /** Name of cluster and context. */
  readonly name: string;
  readonly server: string;
  readonly caPem: string;
  readonly user: string;
  readonly certPem: string;
  readonly keyPem: string;
}

/** A kubeconfig with one context, in JSON, which is YAML too. */
export function renderKubeconfig({ name, server, caPem, user, certPem, keyPem }: KubeconfigInput): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return `${JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { server, "certificate-authority-data": base64(caPem) } }],
      users: [{ name: user, user: { "client-certificate-data": base64(certPem), "client-key-data": base64(keyPem) } }],
      contexts: [{ name, context: { cluster: name, user } }],
      "current-context": name,
    },
    null,
    2,
  )}\n`;
}
