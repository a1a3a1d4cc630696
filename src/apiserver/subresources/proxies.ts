import type { Pod } from "#machinery/api/core-v1.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import { badRequest, notFound, serviceUnavailable } from "#machinery/status.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { forwardRequest, forwardUpgrade } from "../proxy/forward.ts";
import { kubeletTarget, type ProxyTarget } from "../proxy/target.ts";
import type { Served } from "../served.ts";

/** nodes/x/proxy/...: the node agent's own port. */
export async function nodeProxy(served: Served, exchange: Exchange): Promise<Answer> {
  const { name } = splitName(exchange.info.name, "nodes");
  return forward(served, exchange, await kubeletTarget(served.kubelet, name));
}

/** pods/[scheme:]x[:port]/proxy/...: a port of the pod. */
export async function podProxy(served: Served, exchange: Exchange): Promise<Answer> {
  const { info } = exchange;
  const { scheme, name, port } = splitName(info.name, "pods");
  const pod = await served.objects.get(PodKind, info.namespace, name);
  if (pod === undefined) throw notFound({ group: "", plural: "pods" }, name);
  const ip = pod.status?.podIP ?? "";
  if (ip === "") throw badRequest("address not allowed");
  return forward(served, exchange, targetOf(scheme, ip, port === "" ? firstPort(pod) : port));
}

/** services/[scheme:]x[:port]/proxy/...: one ready endpoint of the Service, at random. */
export async function serviceProxy(served: Served, exchange: Exchange): Promise<Answer> {
  const { info } = exchange;
  const { scheme, name, port } = splitName(info.name, "services");
  const service = await served.objects.get(ServiceKind, info.namespace, name);
  if (service === undefined) throw notFound({ group: "", plural: "services" }, name);
  const ports = service.spec?.ports ?? [];
  const wanted =
    port === "" ? (ports.length === 1 ? ports[0] : undefined) : ports.find((own) => own.name === port || String(own.port) === port);
  if (wanted === undefined) throw serviceUnavailable(`no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`);
  const slices = (await served.objects.list(EndpointSliceKind, info.namespace)).filter(
    ({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === name,
  );
  const targets = slices.flatMap(({ endpoints, ports: own }) => {
    const number = (own ?? []).find((candidate) => (candidate.name ?? "") === (wanted.name ?? ""))?.port;
    if (number === undefined) return [];
    return (endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) => addresses.map((address) => ({ address, number })));
  });
  const chosen = targets[Math.floor(served.entropy.fraction() * targets.length)];
  if (chosen === undefined) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  return forward(served, exchange, targetOf(scheme, chosen.address, String(chosen.number)));
}

async function forward(served: Served, exchange: Exchange, target: ProxyTarget): Promise<Answer> {
  const query = exchange.query.toString();
  const path = `${exchange.info.rest === "" ? "/" : exchange.info.rest}${query === "" ? "" : `?${query}`}`;
  if (exchange.upgrade !== undefined) return forwardUpgrade(exchange, target, path, served.clock);
  return forwardRequest(exchange, target, { path });
}

/** `name`, `name:port`, `scheme:name:port`. */
function splitName(text: string, resource: string): { readonly scheme: string; readonly name: string; readonly port: string } {
  const parts = text.split(":");
  const [first = "", second = "", third = ""] = parts;
  if (parts.length === 1) return { scheme: "http", name: first, port: "" };
  if (parts.length === 2) return { scheme: "http", name: first, port: second };
  if (parts.length === 3 && ["", "http", "https"].includes(first)) return { scheme: first || "http", name: second, port: third };
  throw badRequest(`invalid ${resource} request ${JSON.stringify(text)}`);
}

/** Certificates of pods are the pods' own business: the API server does not check them, as upstream. */
function targetOf(scheme: string, address: string, port: string): ProxyTarget {
  const base = new URL(`${scheme}://${address.includes(":") ? `[${address}]` : address}${port === "" ? "" : `:${port}`}`);
  return scheme === "https" ? { base, tls: { rejectUnauthorized: false } } : { base };
}

function firstPort({ spec }: Pod): string {
  const port = (spec?.containers ?? []).flatMap(({ ports }) => ports ?? [])[0]?.containerPort;
  return port === undefined ? "" : String(port);
}
