import type { Clock } from "#base/clock.ts";
import { isSpdyUpgrade, isWebSocketUpgrade, refuseUpgrade, type Upgrade } from "../upgrade.ts";
import type { RemoteCommandOptions, RemoteCommandStreams } from "./contract.ts";
import { acceptSpdyCommand } from "./spdy.ts";
import { acceptWebSocketCommand } from "./websocket.ts";

/**
 * The server's side of exec and attach: completes the upgrade (WebSocket v5, v4 and older, binary or base64; SPDY v4 to v1) and
 * waits until the client has opened its streams. When nothing was agreed on the client has been told so, and undefined
 * comes back.
 */
export async function acceptRemoteCommand(
  upgrade: Upgrade,
  options: RemoteCommandOptions,
  deps: { readonly clock: Clock },
): Promise<RemoteCommandStreams | undefined> {
  if (isWebSocketUpgrade(upgrade.request)) return acceptWebSocketCommand(upgrade, options, deps);
  if (isSpdyUpgrade(upgrade.request)) return acceptSpdyCommand(upgrade, options, deps);
  refuseUpgrade(upgrade, { code: 400, body: "unable to upgrade: missing upgrade headers in request\n" });
  return undefined;
}
