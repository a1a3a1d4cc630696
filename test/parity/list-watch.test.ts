import { request } from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, type TestServer } from "#apiserver/testing.ts";
import { type Caller, callerOf, failure } from "./call.ts";

let server: TestServer;
let call: Caller;
beforeAll(async () => {
  server = await startTestServer();
  call = callerOf(server);
  for (const [i, tier] of ["front", "back", "front", "back", "front"].entries()) {
    await call("POST", CONFIG_MAPS, { body: { metadata: { name: `c${i}`, labels: { tier } } } });
  }
});
afterAll(async () => {
  call[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const CONFIG_MAPS = "/api/v1/namespaces/kube-public/configmaps";
const MERGE = { "content-type": "application/merge-patch+json" };

interface List {
  readonly kind: string;
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string; readonly remainingItemCount?: number };
  readonly items: readonly { readonly kind?: string; readonly metadata: { readonly name: string } }[];
}
const names = (body: unknown) => (body as List).items.map(({ metadata }) => metadata.name);

interface Event {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly metadata: { readonly name?: string; readonly resourceVersion: string; readonly annotations?: object };
  };
}

/** Events of a watch until `enough` says so; the connection is then closed. */
function watch(
  query: string,
  enough: (events: readonly Event[]) => boolean,
  started: () => Promise<void> = async () => undefined,
): Promise<Event[]> {
  return new Promise((resolve, reject) => {
    const { certPem, keyPem } = server.admin;
    const url = new URL(`${CONFIG_MAPS}?watch=true&${query}`, server.url);
    const sent = request(url, { ca: server.ca.certPem, cert: certPem, key: keyPem }, (response) => {
      let text = "";
      let events: Event[] = [];
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        events = text
          .split("\n")
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Event);
        if (!enough(events)) return;
        sent.destroy();
        resolve(events);
      });
      response.on("end", () => resolve(events));
      started().catch(reject);
    });
    sent.on("error", (cause) => {
      if (!sent.destroyed) reject(cause);
    });
    sent.end();
  });
}

describe("list", () => {
  test("has items without kind, as upstream's typed lists", async () => {
    const { body } = await call("GET", CONFIG_MAPS);
    expect(names(body)).toEqual(["c0", "c1", "c2", "c3", "c4"]);
    const { kind, items } = body as List;
    expect([kind, items[0]?.kind]).toEqual(["ConfigMapList", undefined]);
  });

  test("selects by labels and fields", async () => {
    expect(names((await call("GET", `${CONFIG_MAPS}?labelSelector=tier%20in%20(back)`)).body)).toEqual(["c1", "c3"]);
    expect(names((await call("GET", `${CONFIG_MAPS}?fieldSelector=metadata.name%3Dc2`)).body)).toEqual(["c2"]);
  });

  test("refuses fields that cannot be selected by", async () => {
    const { code, body } = await call("GET", "/api/v1/pods?fieldSelector=spec.nothing%3Dx");
    expect([code, body]).toEqual([400, failure(400, "BadRequest", "field label not supported: spec.nothing")]);
  });

  test("in parts shows one state, whatever happens between them", async () => {
    const first = (await call("GET", `${CONFIG_MAPS}?limit=2`)).body as List;
    expect([names(first), first.metadata.remainingItemCount]).toEqual([["c0", "c1"], 3]);
    await call("POST", CONFIG_MAPS, { body: { metadata: { name: "c11" } } });
    await call("DELETE", `${CONFIG_MAPS}/c4`);
    const second = (await call("GET", `${CONFIG_MAPS}?limit=2&continue=${first.metadata.continue ?? ""}`)).body as List;
    expect([names(second), second.metadata.resourceVersion]).toEqual([["c2", "c3"], first.metadata.resourceVersion]);
    const third = (await call("GET", `${CONFIG_MAPS}?limit=2&continue=${second.metadata.continue ?? ""}`)).body as List;
    expect([names(third), third.metadata.continue]).toEqual([["c4"], undefined]);
  });

  test("from a state that is gone says so, with a way to go on", async () => {
    const first = (await call("GET", `${CONFIG_MAPS}?limit=2`)).body as List;
    await call("POST", CONFIG_MAPS, { body: { metadata: { name: "later" } } });
    await server.store.compact(await server.store.revision());
    const { code, body } = await call("GET", `${CONFIG_MAPS}?limit=2&continue=${first.metadata.continue ?? ""}`);
    expect([code, (body as { reason: string }).reason]).toEqual([410, "Expired"]);
    const token = (body as List).metadata.continue ?? "";
    expect(names((await call("GET", `${CONFIG_MAPS}?limit=50&continue=${token}`)).body)).toContain("c2");
  });

  test("from the future times out", async () => {
    const { code, body } = await call("GET", `${CONFIG_MAPS}?resourceVersion=999999`);
    expect(code).toBe(504);
    expect(body).toMatchObject({
      reason: "Timeout",
      message: expect.stringMatching(/^Timeout: Too large resource version: 999999, current: [0-9]+$/),
      details: { causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }], retryAfterSeconds: 1 },
    });
  });

  test("is a table where kubectl asks for one", async () => {
    const accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
    const { body } = await call("GET", `${CONFIG_MAPS}?labelSelector=tier%3Dback`, { headers: { accept } });
    expect(body).toMatchObject({
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      columnDefinitions: [{ name: "Name", type: "string", format: "name" }, { name: "Data" }, { name: "Age" }],
      rows: [
        { cells: ["c1", 0, expect.any(String)], object: { kind: "PartialObjectMetadata", metadata: { name: "c1" } } },
        { cells: ["c3", 0, expect.any(String)] },
      ],
    });
  });

  test("is metadata only where the garbage collector asks for it", async () => {
    const accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    const { body } = await call("GET", CONFIG_MAPS, { headers: { accept } });
    expect((body as List).kind).toBe("PartialObjectMetadataList");
    expect(Object.keys((body as List).items[0] ?? {})).toEqual(["kind", "apiVersion", "metadata"]);
  });

  test("cannot be had in a format that is not spoken", async () => {
    const { code, body } = await call("GET", CONFIG_MAPS, { headers: { accept: "text/html" } });
    expect([code, (body as { message: string }).message]).toEqual([
      406,
      "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    ]);
  });
});

describe("watch", () => {
  test("continues exactly where a list ended", async () => {
    const { metadata } = (await call("GET", CONFIG_MAPS)).body as List;
    const events = await watch(
      `resourceVersion=${metadata.resourceVersion}`,
      (seen) => seen.length >= 3,
      async () => {
        await call("POST", CONFIG_MAPS, { body: { metadata: { name: "w1" } } });
        await call("PATCH", `${CONFIG_MAPS}/w1`, { body: { data: { a: "1" } }, headers: MERGE });
        await call("DELETE", `${CONFIG_MAPS}/w1`);
      },
    );
    expect(events.map(({ type, object }) => [type, object.metadata.name])).toEqual([
      ["ADDED", "w1"],
      ["MODIFIED", "w1"],
      ["DELETED", "w1"],
    ]);
    const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    expect(new Set(versions).size).toBe(3);
  });

  test("shows an object that enters or leaves the selection as added or deleted", async () => {
    const { metadata } = (await call("GET", CONFIG_MAPS)).body as List;
    const events = await watch(
      `resourceVersion=${metadata.resourceVersion}&labelSelector=tier%3Dback`,
      (seen) => seen.length >= 2,
      async () => {
        await call("PATCH", `${CONFIG_MAPS}/c0`, { body: { metadata: { labels: { tier: "back" } } }, headers: MERGE });
        await call("PATCH", `${CONFIG_MAPS}/c0`, { body: { metadata: { labels: { tier: "front" } } }, headers: MERGE });
      },
    );
    expect(events.map(({ type, object }) => [type, object.metadata.name])).toEqual([
      ["ADDED", "c0"],
      ["DELETED", "c0"],
    ]);
  });

  test("with sendInitialEvents ends the present state with an annotated bookmark", async () => {
    const query = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    const events = await watch(query, (seen) => seen.some(({ type }) => type === "BOOKMARK"));
    const last = events.at(-1);
    expect(events.slice(0, -1).every(({ type }) => type === "ADDED")).toBe(true);
    expect(last).toMatchObject({
      type: "BOOKMARK",
      object: { kind: "ConfigMap", metadata: { annotations: { "k8s.io/initial-events-end": "true" } } },
    });
  });

  test("with sendInitialEvents alone is refused", async () => {
    const { code, body } = await call("GET", `${CONFIG_MAPS}?watch=true&sendInitialEvents=true`);
    expect([code, (body as { message: string }).message]).toEqual([
      422,
      'ListOptions.meta.k8s.io "" is invalid: [resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, allowWatchBookmarks: Forbidden: sendInitialEvents requires setting allowWatchBookmarks to true]',
    ]);
  });

  test("from a version that is forgotten ends with an error event", async () => {
    const events = await watch("resourceVersion=1", () => false);
    expect(events).toMatchObject([{ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } }]);
  });

  test("ends after timeoutSeconds", async () => {
    const { metadata } = (await call("GET", CONFIG_MAPS)).body as List;
    expect(await watch(`resourceVersion=${metadata.resourceVersion}&timeoutSeconds=1`, () => false)).toEqual([]);
  });
});
