/** A local port behind which endpoints are. */
export interface Listener {
  readonly port: number;
  /** The balancer's endpoints have changed: flows to those that are gone end where the protocol allows. */
  changed(): void;
  /** Takes no more clients; connections that stand go on, and the last one resolves it. */
  stop(): Promise<void>;
  /** Ends everything. */
  close(): Promise<void>;
}
