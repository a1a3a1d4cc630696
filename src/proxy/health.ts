import { createServer, type Server } from "node:http";
import type { Log } from "#base/log.ts";
import type { HealthCheck } from "./service-map.ts";

/**
 * Answers load balancers on the health check node ports of Services with external policy Local: 200 where a pod of the Service is ready
 * on this node and the rules are in step, 503 elsewhere.
 */
export interface HealthServer extends AsyncDisposable {
  /** Undefined: the Service has no health check any more. A port that someone else holds is logged and tried again at the next update. */
  update(service: string, check: HealthCheck | undefined): Promise<void>;
  setHealthy(healthy: boolean): void;
}

export function createHealthServer({ log }: { readonly log: Log }): HealthServer {
  const serving = new Map<string, { check: HealthCheck; readonly server: Server }>();
  let healthy = true;

  return {
    async update(service, check) {
      const now = serving.get(service);
      if (now !== undefined && check !== undefined && now.check.port === check.port) {
        now.check = check;
        return;
      }
      serving.delete(service);
      if (now !== undefined) await close(now.server);
      if (check === undefined) return;
      const server = createServer((_request, response) => {
        const current = serving.get(service)?.check ?? check;
        response.writeHead(current.localEndpoints > 0 && healthy ? 200 : 503, {
          "Content-Type": "application/json",
          "X-Content-Type-Options": "nosniff",
          "X-Load-Balancing-Endpoint-Weight": String(current.localEndpoints),
        });
        response.end(formatHealth(current, healthy));
      });
      try {
        await new Promise<void>((resolve, reject) => server.once("error", reject).listen(check.port, resolve));
        serving.set(service, { check, server });
      } catch (cause) {
        log.error("Health check node port could not be opened", { service, port: check.port, cause });
      }
    },
    setHealthy(now) {
      healthy = now;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...serving.values()].map(({ server }) => close(server)));
    },
  };
}

/** The body that upstream's proxy answers with. */
export function formatHealth({ namespace, name, localEndpoints }: HealthCheck, serviceProxyHealthy: boolean): string {
  return JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, null, "\t");
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
