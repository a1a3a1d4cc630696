import { invariant } from "#base/invariant.ts";
import { CompactedError, FutureRevisionError, type Key, type KeyRange, type Revision } from "./contract.ts";
import { compareKeys } from "./key-order.ts";
import { createSortedList } from "./sorted-list.ts";
import type { Version } from "./version.ts";

/** One commit: what it made and what it replaced. */
export interface Logged {
  readonly version: Version;
  /** The live version before; undefined when there was none. */
  readonly previous: Version | undefined;
}

export interface Selection {
  readonly versions: readonly Version[];
  readonly remaining: number;
  readonly revision: Revision;
}

/**
 * Every readable version of every key, by key and by revision, in memory.
 *
 * I1. Versions are applied in revision order without a gap; the log holds each revision above `forgotten`.
 * I2. `compactRevision` moves at once; `forget` then drops what is unreadable, a bounded number of commits at a time, and never
 *     what a pin still needs.
 */
export interface VersionIndex {
  readonly revision: Revision;
  readonly compactRevision: Revision;
  /** Sum of the sizes of all versions held. */
  readonly bytes: number;
  /** The live version of `key` now. */
  head(key: Key): Version | undefined;
  /** The live version of `key` just after `at`. Throws CompactedError and FutureRevisionError. */
  find(key: Key, at: Revision | undefined): Version | undefined;
  select(range: KeyRange, at: Revision | undefined, limit: number | undefined): Selection;
  count(range: KeyRange): number;
  apply(version: Version): Logged;
  /** The commit that made `revision`, undefined above the newest. */
  logged(revision: Revision): Logged | undefined;
  setCompactRevision(revision: Revision): void;
  /** Keeps states at `revision` and later, and commits after it, until released. */
  pin(revision: Revision): Pin;
  /** Drops up to `limit` unreadable commits; answers the versions dropped, or undefined when nothing is left to drop. */
  forget(limit: number): readonly Version[] | undefined;
}

export interface Pin {
  /** Moves to a later revision. */
  advance(revision: Revision): void;
  release(): void;
}

/** The versions of one key, oldest first. */
interface KeyHistory {
  readonly key: Key;
  readonly versions: Version[];
}

/** Where an index begins that is loaded from elsewhere. */
export interface LoadedVersions {
  readonly revision: Revision;
  readonly compactRevision: Revision;
  /** In revision order, readable ones only: for each key its newest version at `compactRevision`, and all later ones. */
  readonly versions: readonly Version[];
}

export function createVersionIndex(loaded?: LoadedVersions): VersionIndex {
  const histories = new Map<Key, KeyHistory>();
  let compactRevision = loaded?.compactRevision ?? (0 as Revision);
  let revision = compactRevision;
  let forgotten: number = compactRevision; // commits at or below are not in the log
  let log: (Logged | undefined)[] = []; // log[i] is revision logStart + i
  let logStart = forgotten + 1;
  let bytes = 0;
  const pins = new Set<{ revision: number }>();

  for (const version of loaded?.versions ?? []) {
    if (version.revision > compactRevision) load(version);
    else {
      histories.set(version.key, { key: version.key, versions: [version] });
      bytes += version.size;
    }
  }
  if (loaded !== undefined) {
    invariant(revision <= loaded.revision, "loaded versions are not newer than the revision");
    revision = loaded.revision;
  }
  const sorted = [...histories.values()].sort((a, b) => compareKeys(a.key, b.key));
  /** Keys whose newest version is live, and those whose newest is a deletion: each key with history is in exactly one. */
  const live = createSortedList(sorted.filter(({ versions }) => versions.at(-1)?.deleted === false));
  const gone = createSortedList(sorted.filter(({ versions }) => versions.at(-1)?.deleted === true));

  const index: VersionIndex = {
    get revision() {
      return revision;
    },
    get compactRevision() {
      return compactRevision;
    },
    get bytes() {
      return bytes;
    },
    head: (key) => liveOrUndefined(histories.get(key)?.versions.at(-1)),
    find(key, at) {
      if (at === undefined) return index.head(key);
      checkReadable(at);
      return versionAt(histories.get(key), at);
    },
    select({ from, to }, at, limit = Infinity) {
      if (limit <= 0) limit = Infinity;
      if (at !== undefined) checkReadable(at);
      if (at === undefined || at === revision) {
        const versions: Version[] = [];
        for (const history of live.slice(from, to, limit)) {
          const head = history.versions[history.versions.length - 1];
          if (head !== undefined) versions.push(head);
        }
        const remaining = versions.length < limit ? 0 : live.count(from, to) - versions.length;
        return { versions, remaining, revision };
      }
      const versions: Version[] = [];
      let remaining = 0;
      for (const history of merge(live.slice(from, to), gone.slice(from, to))) {
        const version = versionAt(history, at);
        if (version === undefined) continue;
        if (versions.length < limit) versions.push(version);
        else remaining++;
      }
      return { versions, remaining, revision: at };
    },
    count: ({ from, to }) => live.count(from, to),
    apply(version) {
      const history = histories.get(version.key);
      const wasLive = history?.versions.at(-1)?.deleted === false;
      const logged = load(version);
      if (version.deleted === wasLive || history === undefined) {
        const now = histories.get(version.key);
        if (now !== undefined) (version.deleted ? gone : live).set(now);
        if (history !== undefined) (version.deleted ? live : gone).delete(version.key);
      }
      return logged;
    },
    logged: (at) => log[at - logStart],
    setCompactRevision(at) {
      invariant(at >= compactRevision && at <= revision, "compact revision only grows, up to the newest");
      compactRevision = at;
    },
    pin(at) {
      const pin = { revision: at as number };
      pins.add(pin);
      return {
        advance: (to) => {
          pin.revision = to;
        },
        release: () => void pins.delete(pin),
      };
    },
    forget(limit) {
      let target: number = compactRevision;
      for (const pin of pins) target = Math.min(target, pin.revision);
      if (forgotten >= target) return undefined;
      const end = Math.min(target, forgotten + limit);
      const dropped: Version[] = [];
      while (forgotten < end) {
        forgotten++;
        const logged = log[forgotten - logStart];
        if (logged === undefined) continue;
        log[forgotten - logStart] = undefined;
        const history = histories.get(logged.version.key);
        invariant(history !== undefined, "a logged commit has a key history");
        // Everything this commit superseded is unreadable now, and so is the deletion itself.
        while (history.versions[0] !== undefined && history.versions[0].revision < forgotten) drop(history, dropped);
        if (logged.version.deleted) drop(history, dropped);
        if (history.versions.length === 0) {
          histories.delete(history.key);
          gone.delete(history.key);
        }
      }
      if (forgotten - logStart > log.length / 2) {
        log = log.slice(forgotten + 1 - logStart);
        logStart = forgotten + 1;
      }
      return dropped;
    },
  };
  return index;

  /** Adds to history and log, not to the sorted lists. */
  function load(version: Version): Logged {
    invariant(version.revision === revision + 1, "versions are applied without a gap"); // I1
    revision = version.revision;
    let history = histories.get(version.key);
    if (history === undefined) {
      history = { key: version.key, versions: [] };
      histories.set(version.key, history);
    }
    const logged: Logged = { version, previous: liveOrUndefined(history.versions[history.versions.length - 1]) };
    history.versions.push(version);
    bytes += version.size;
    log.push(logged);
    return logged;
  }

  function drop(history: KeyHistory, dropped: Version[]): void {
    const version = history.versions.shift();
    if (version === undefined) return;
    bytes -= version.size;
    dropped.push(version);
  }

  function checkReadable(at: Revision): void {
    if (at < compactRevision) throw new CompactedError(at, compactRevision);
    if (at > revision) throw new FutureRevisionError(at, revision);
  }
}

function liveOrUndefined(version: Version | undefined): Version | undefined {
  return version === undefined || version.deleted ? undefined : version;
}

/** The live version just after revision `at`. */
function versionAt(history: KeyHistory | undefined, at: Revision): Version | undefined {
  const versions = history?.versions ?? [];
  let i = versions.length - 1;
  while (i >= 0 && (versions[i]?.revision ?? 0) > at) i--; // most reads are near the end
  return liveOrUndefined(versions[i]);
}

function* merge(a: readonly KeyHistory[], b: readonly KeyHistory[]): Generator<KeyHistory> {
  let i = 0;
  let j = 0;
  for (;;) {
    const x = a[i];
    const y = b[j];
    if (x !== undefined && (y === undefined || compareKeys(x.key, y.key) < 0)) {
      yield x;
      i++;
    } else if (y !== undefined) {
      yield y;
      j++;
    } else return;
  }
}
