import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/contract.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";

const RETRY_MS = 500;
const REFRESH_MS = 60_000;

/** Keeps this node's DNS among the endpoints of the Service kube-system/kube-dns, as a slice of its own. */
export async function runDnsEndpoint(
  { client, clock, log }: { readonly client: Client; readonly clock: Clock; readonly log: Log },
  { nodeName, nodeIp, port }: { readonly nodeName: string; readonly nodeIp: string; readonly port: number },
  signal: AbortSignal,
): Promise<void> {
  const slice: EndpointSlice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `kube-dns-${nodeName}`,
      namespace: "kube-system",
      labels: { "kubernetes.io/service-name": "kube-dns", "endpointslice.kubernetes.io/managed-by": "navarch-dns" },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [nodeIp], nodeName, conditions: { ready: true, serving: true, terminating: false } }],
    ports: [
      { name: "dns", protocol: "UDP", port },
      { name: "dns-tcp", protocol: "TCP", port },
    ],
  };
  while (!signal.aborted) {
    try {
      const ref = { name: `kube-dns-${nodeName}`, namespace: "kube-system" };
      await client.patch(EndpointSliceKind, ref, { type: "apply", body: slice, fieldManager: "navarch-dns", force: true }, {}, signal);
      await clock.sleep(REFRESH_MS, signal);
    } catch (cause) {
      if (signal.aborted) return;
      log.warn("DNS endpoint could not be published yet", { cause });
      await clock.sleep(RETRY_MS, signal);
    }
  }
}
