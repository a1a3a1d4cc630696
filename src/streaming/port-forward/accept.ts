import type { Duplex } from "node:stream";
import { createWebSocketStream } from "ws";
import type { Clock } from "#base/clock.ts";
import { linger } from "../linger.ts";
import {
  acceptSpdy,
  acceptWebSocket,
  isSpdyUpgrade,
  isWebSocketUpgrade,
  offeredSubprotocols,
  refuseUpgrade,
  type Upgrade,
} from "../upgrade.ts";
import { type PortConnect, servePairs } from "./pairs.ts";
import { CHANNEL_PROTOCOLS, parsePorts, serveChannels } from "./websocket-channels.ts";

const SPDY_PROTOCOL = "portforward.k8s.io";
/** SPDY frames inside WebSocket messages. */
const TUNNEL_PROTOCOL = `SPDY/3.1+${SPDY_PROTOCOL}`;

/**
 * The server's side of port-forward: SPDY, SPDY inside a WebSocket, and the older WebSocket channels with the ports in the
 * query. Calls `connect` for every connection the client makes; a rejection's message travels on that connection's error
 * stream. Resolves when the client has gone and every connection has ended, or the request has been refused.
 */
export async function acceptPortForward(upgrade: Upgrade, connect: PortConnect, deps: PortForwardDeps): Promise<void> {
  const transport = await acceptTransport(upgrade, connect, deps);
  if (transport === undefined) return;
  await servePairs(transport, connect, deps);
  await linger(upgrade.socket, deps.clock);
}

export interface PortForwardDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

async function acceptTransport(upgrade: Upgrade, connect: PortConnect, deps: PortForwardDeps): Promise<Duplex | undefined> {
  const { request } = upgrade;
  if (isWebSocketUpgrade(request)) {
    if (offeredSubprotocols(request).includes(TUNNEL_PROTOCOL)) {
      const accepted = await acceptWebSocket(upgrade, [TUNNEL_PROTOCOL]);
      return accepted && createWebSocketStream(accepted.webSocket);
    }
    const ports = parsePorts(new URL(request.url ?? "/", "http://node").searchParams);
    if (typeof ports === "string") {
      refuseUpgrade(upgrade, { code: 400, body: `${ports}\n` });
      return undefined;
    }
    const accepted = await acceptWebSocket(upgrade, Object.keys(CHANNEL_PROTOCOLS));
    if (accepted === undefined) return undefined;
    await serveChannels(accepted, ports, connect, deps);
    await linger(upgrade.socket, deps.clock);
    return undefined;
  }
  if (isSpdyUpgrade(request)) return acceptSpdy(upgrade, [SPDY_PROTOCOL]) === undefined ? undefined : upgrade.socket;
  refuseUpgrade(upgrade, { code: 400, body: "unable to upgrade: missing upgrade headers in request\n" });
  return undefined;
}
