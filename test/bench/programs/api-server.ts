import { startTestServer } from "#apiserver/testing.ts";
import { silentLog } from "#base/log.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { openLmdbStore } from "#store/lmdb.ts";
import type { Access } from "../http.ts";
import { answerJob } from "../processes.ts";

export interface ApiServerJob {
  readonly storePath: string;
}

/** The API server on its durable store and nothing else, like the peer it is set against. Runs until it is killed. */
answerJob(async ({ storePath }: ApiServerJob): Promise<Access> => {
  const store = await openLmdbStore({ path: storePath, clock: systemClock, log: silentLog });
  const { url, ca, admin } = await startTestServer({ store });
  return { url, ca: ca.certPem, cert: admin.certPem, key: admin.keyPem };
});
