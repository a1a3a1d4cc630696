import type { ServicePort } from "../service-map.ts";

/** A UDP flow that the kernel remembers: where it was sent, and who answers. */
export interface Flow {
  readonly destination: string;
  readonly port: number;
  readonly answers: string;
  readonly answersPort: number;
}

/** Reads `conntrack -L -p udp`. */
export function parseFlows(listed: string): Flow[] {
  return listed.split("\n").flatMap((line) => {
    const [there, back] = [...line.matchAll(/src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g)];
    if (there === undefined || back === undefined) return [];
    return [{ destination: there[2] ?? "", port: Number(there[4]), answers: back[1] ?? "", answersPort: Number(back[3]) }];
  });
}

/** An endpoint of a service port; port 0 stands for every port of the address. */
export interface Answering {
  readonly ip: string;
  readonly port: number;
}

/**
 * Flows to a Service that nothing of it answers any more: the kernel would go on sending them there for as long as the client does. A flow
 * that began before the first endpoint came is one too: it is answered by the service address itself. Each is listed once.
 */
export function staleFlows(
  flows: readonly Flow[],
  ports: readonly { readonly port: ServicePort; readonly answering: readonly Answering[] }[],
  nodeAddresses: readonly string[],
): Flow[] {
  const byAddress = new Map<string, readonly Answering[]>();
  for (const { port, answering } of ports) {
    for (const ip of [port.clusterIP, ...port.externalIPs, ...port.loadBalancerIPs]) byAddress.set(`${ip} ${port.port}`, answering);
    if (port.nodePort !== 0) for (const ip of nodeAddresses) byAddress.set(`${ip} ${port.nodePort}`, answering);
  }
  const stale = new Map<string, Flow>();
  for (const flow of flows) {
    const answering = byAddress.get(`${flow.destination} ${flow.port}`);
    if (answering === undefined) continue;
    if (answering.some(({ ip, port }) => ip === flow.answers && (port === 0 || port === flow.answersPort))) continue;
    stale.set(`${flow.destination} ${flow.port} ${flow.answers} ${flow.answersPort}`, flow);
  }
  return [...stale.values()];
}
