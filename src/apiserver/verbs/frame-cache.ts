import type { HubEvent } from "#store/watch-hub.ts";
import type { Format } from "../http/negotiate.ts";
import type { Resource } from "../resource.ts";

/** Events whose frames are kept: watchers that keep up all read within the last few. */
const KEPT = 64;

type Frames = (event: HubEvent, type: string, make: () => Uint8Array) => Uint8Array;

/** Frames an event once for all watchers of the same resource and format. */
export function frameCacheOf(resource: Resource, format: Format): Frames {
  let byFormat = caches.get(resource);
  if (byFormat === undefined) {
    byFormat = new Map();
    caches.set(resource, byFormat);
  }
  let frames = byFormat.get(format);
  if (frames === undefined) {
    frames = createFrameCache();
    byFormat.set(format, frames);
  }
  return frames;
}

const caches = new WeakMap<Resource, Map<Format, Frames>>();

function createFrameCache(): Frames {
  const kept = new Map<HubEvent, Map<string, Uint8Array>>();
  return (event, type, make) => {
    let byType = kept.get(event);
    if (byType === undefined) {
      byType = new Map();
      kept.set(event, byType);
      if (kept.size > KEPT) {
        const oldest = kept.keys().next().value;
        if (oldest !== undefined) kept.delete(oldest);
      }
    }
    let frame = byType.get(type);
    if (frame === undefined) {
      frame = make();
      byType.set(type, frame);
    }
    return frame;
  };
}
