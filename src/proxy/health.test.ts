import { createServer } from "node:net";
import { expect, test } from "vitest";
import { silentLog } from "#base/log.ts";
import { createHealthServer, formatHealth } from "./health.ts";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

test("a health check answers 200 while a local endpoint is ready and rules are in step, and closes with its Service", async () => {
  await using health = createHealthServer({ log: silentLog });
  const check = { namespace: "default", name: "web", port: await freePort(), localEndpoints: 2 };
  const ask = () => fetch(`http://127.0.0.1:${check.port}/`);
  await health.update("default/web", check);
  const good = await ask();
  expect(good.status).toBe(200);
  expect(good.headers.get("x-load-balancing-endpoint-weight")).toBe("2");
  expect(await good.text()).toBe(
    '{\n\t"service": {\n\t\t"namespace": "default",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}',
  );
  health.setHealthy(false);
  expect((await ask()).status).toBe(503);
  health.setHealthy(true);
  await health.update("default/web", { ...check, localEndpoints: 0 });
  const none = await ask();
  expect(none.status).toBe(503);
  expect(await none.text()).toBe(formatHealth({ ...check, localEndpoints: 0 }, true));
  await health.update("default/web", undefined);
  await expect(ask()).rejects.toThrow("fetch failed");
});
