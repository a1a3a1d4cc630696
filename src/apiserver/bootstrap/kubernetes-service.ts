import type { Endpoints, Service } from "#machinery/api/core-v1.ts";
import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { BlockList } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { EndpointsKind } from "#kinds/core/endpoints.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import { erased } from "#kinds/kind.ts";
import type { KubeObject } from "#machinery/object.ts";
import { parseIpRange } from "../service-allocator/ranges.ts";
import type { Served } from "../served.ts";
import { reconcileObject } from "./ensure.ts";

export interface Advertised {
  /** The address that pods reach this server at. Nobody else reaches one of the loopback range: then there are no endpoints. */
  readonly address: string;
  readonly port: number;
  readonly serviceCidr: string;
}

const NAME = "kubernetes";
const NAMESPACE = "default";
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");
const LABELS = { component: "apiserver", provider: "kubernetes" };

/** Service default/kubernetes with the first service address, and its endpoints, which follow the server's address. */
export async function ensureKubernetesService(
  served: Served,
  { address, port, serviceCidr }: Advertised,
  signal: AbortSignal,
): Promise<void> {
  const metadata = { name: NAME, namespace: NAMESPACE, labels: LABELS };
  const { at, family } = parseIpRange(serviceCidr);
  await reconcileObject(
    served,
    erased(ServiceKind),
    {
      metadata,
      spec: {
        type: "ClusterIP",
        clusterIP: at(0),
        clusterIPs: [at(0)],
        ipFamilies: [family],
        ipFamilyPolicy: "SingleStack",
        sessionAffinity: "None",
        ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: port }],
      },
    },
    (current, wanted) => {
      const [own, service] = [(current as Service).spec, (wanted as Service).spec];
      return isDeepStrictEqual(own.ports, service.ports) ? current : ({ ...current, spec: { ...own, ports: service.ports } } as KubeObject);
    },
    signal,
  );
  const reachable = !LOOPBACK.check(address, address.includes(":") ? "ipv6" : "ipv4");
  const skipMirror = { "endpointslice.kubernetes.io/skip-mirror": "true" };
  await reconcileObject(
    served,
    erased(EndpointsKind),
    {
      metadata: { name: NAME, namespace: NAMESPACE, labels: skipMirror },
      subsets: reachable ? [{ addresses: [{ ip: address }], ports: [{ name: "https", port, protocol: "TCP" }] }] : [],
    },
    (current, wanted) =>
      isDeepStrictEqual((current as Endpoints).subsets ?? [], (wanted as Endpoints).subsets)
        ? current
        : ({ ...current, subsets: (wanted as Endpoints).subsets } as KubeObject),
    signal,
  );
  await reconcileObject(
    served,
    erased(EndpointSliceKind),
    {
      metadata: { name: NAME, namespace: NAMESPACE, labels: { "kubernetes.io/service-name": NAME } },
      addressType: address.includes(":") ? "IPv6" : "IPv4",
      endpoints: reachable ? [{ addresses: [address], conditions: { ready: true } }] : [],
      ports: [{ name: "https", port, protocol: "TCP" }],
    },
    (current, wanted) => {
      const [own, slice] = [current as EndpointSlice, wanted as EndpointSlice];
      const same = isDeepStrictEqual(own.endpoints, slice.endpoints) && isDeepStrictEqual(own.ports, slice.ports);
      return same ? current : ({ ...own, endpoints: slice.endpoints, ports: slice.ports } as KubeObject);
    },
    signal,
  );
}
