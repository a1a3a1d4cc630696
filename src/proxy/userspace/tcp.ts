import { createServer, type Server, type Socket, connect } from "node:net";
import type { Log } from "#base/log.ts";
import type { Backend } from "../service-map.ts";
import type { Balancer } from "./balancer.ts";
import type { Listener } from "./listener.ts";

export interface TcpOptions {
  readonly address: string;
  /** How long one endpoint may take to accept before the next is asked. @default 5_000 */
  readonly connectMs?: number;
  /** A connection on which nothing moves for so long is closed. @default 7_200_000 */
  readonly idleMs?: number;
}

/** Listens on a free port of `address` and joins each client to an endpoint; half-closed connections stay half-closed. */
export async function listenTcp(
  { balancer, log }: { readonly balancer: Balancer; readonly log: Log },
  { address, connectMs = 5_000, idleMs = 7_200_000 }: TcpOptions,
): Promise<Listener> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, keepAlive: true, noDelay: true }, (client) => {
    track(client);
    join(client, new Set());
  });
  await listening(server, address);
  const bound = server.address();
  const port = bound !== null && typeof bound === "object" ? bound.port : 0;
  server.on("error", (cause) => log.warn("Listener of a Service failed", { port, cause }));

  return {
    port,
    changed: () => undefined, // established connections end when their endpoint ends them
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      });
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };

  function join(client: Socket, refused: Set<Backend>) {
    const backend = client.destroyed ? undefined : balancer.choose(client.remoteAddress ?? "", refused);
    if (backend === undefined) return void client.resetAndDestroy();
    const upstream = connect({ host: backend.ip, port: backend.port, allowHalfOpen: true, noDelay: true, keepAlive: true });
    track(upstream);
    upstream.setTimeout(connectMs, () => upstream.destroy(new Error(`no answer within ${connectMs} ms`)));
    const failed = (cause: Error) => {
      log.debug("Endpoint did not accept", { ip: backend.ip, port: backend.port, cause });
      join(client, refused.add(backend));
    };
    upstream.once("error", failed);
    client.once("close", () => upstream.destroy());
    upstream.once("connect", () => {
      upstream.removeAllListeners("timeout");
      upstream.off("error", failed);
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        from.on("error", () => to.resetAndDestroy());
        from.on("close", () => to.destroySoon());
        from.setTimeout(idleMs, () => from.destroy());
        from.pipe(to);
      }
    });
  }

  function track(socket: Socket) {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
  }
}

function listening(server: Server, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port: 0, backlog: 1024 }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
