import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { bytesAnswer } from "./http/answer.ts";
import type { Answer } from "./http/exchange.ts";
import type { RequestInfo } from "./http/request-info.ts";

export interface Metrics {
  observe(info: RequestInfo, code: number, seconds: number): void;
  /** Counts a watch from now until the returned function is called. */
  watching(info: RequestInfo): () => void;
  answer(): Promise<Answer>;
}

const SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];

/** Request metrics under upstream's names, and the process's own. */
export function createMetrics(isKnown: (info: RequestInfo) => boolean): Metrics {
  const registry = new Registry();
  let collecting = false;
  const labels = ["verb", "group", "version", "resource", "subresource", "scope"] as const;
  const total = new Counter({
    name: "apiserver_request_total",
    help: "Requests by verb, resource and answer code.",
    labelNames: [...labels, "code"],
    registers: [registry],
  });
  const duration = new Histogram({
    name: "apiserver_request_duration_seconds",
    help: "Time until the answer was made, without watches and streams.",
    labelNames: [...labels],
    buckets: SECONDS,
    registers: [registry],
  });
  const watches = new Gauge({
    name: "apiserver_longrunning_requests",
    help: "Watches and streams that are open.",
    labelNames: [...labels],
    registers: [registry],
  });
  return {
    observe(info, code, seconds) {
      const of = labelsOf(info);
      total.inc({ ...of, code: String(code) });
      if (info.verb !== "watch") duration.observe(of, seconds);
    },
    watching(info) {
      const of = labelsOf(info);
      watches.inc(of);
      return () => watches.dec(of);
    },
    async answer() {
      if (!collecting) collectDefaultMetrics({ register: registry }); // watches the event loop from the first question on
      collecting = true;
      return bytesAnswer(200, registry.contentType, Buffer.from(await registry.metrics()));
    },
  };

  /** A client must not make series at will: what it invents has no labels. */
  function labelsOf(info: RequestInfo) {
    const { verb, group, version, resource, subresource, namespace, name } = info;
    if (!isKnown(info)) return { verb: verb.toUpperCase(), group: "", version: "", resource: "", subresource: "", scope: "" };
    const scope = name !== "" ? "resource" : namespace !== "" ? "namespace" : "cluster";
    return { verb: verb.toUpperCase(), group, version, resource, subresource, scope };
  }
}
