import type { Answer, Arrival } from "./exchange.ts";
import type { Problem } from "./environment.ts";
import type { Passing } from "./passing.ts";
import type { EventType } from "./events/event.ts";
import type { RefusalCode } from "./refusal.ts";

/** What an adapter needs of an API. */
export interface Served {
  readonly name: string;
  /** Throws with every problem where there is one; called before the first request. */
  start(facts: AdapterFacts): void;
  handle(arrival: Arrival): Handled | Promise<Handled>;
  /** An answer to what never became a request: a parse error, a flood, a tunnel. Recorded like any refusal. */
  refuse(code: RefusalCode, reason: string, peer: string, scheme: "https" | "http"): Answer;
  /** Whether an address is a trusted proxy's, which carries everybody's requests. */
  isProxy(address: string): boolean;
  /** A connection was closed before anything was read of it; told in one event a second, with a count. */
  turnedAway(address: string, reason: string): void;
  /** The declared routes, as their authors wrote them: `GET /v1/notes/:id`. */
  routes(): readonly string[];
  /** Records what the adapter itself has to tell whoever operates the service. */
  note(type: EventType, reason: string): void;
  /** Writes what is waiting and closes the sinks. */
  stop(): Promise<void>;
}

/** An answer together with what has to be told when it has been sent. */
export interface Handled {
  readonly answer: Answer;
  /** HEAD: send the headers only. */
  readonly isHead: boolean;
  /** There is nothing to send: the framework behind answers. Only where the adapter's facts name what passes. */
  readonly passes: boolean;
  /** What to send instead where the answer holds something that cannot be sent, such as a character no header has. */
  unsendable(error: unknown): Answer;
  /**
   * Called exactly once, after the last byte or the abort.
   *
   * @param status  what the framework behind answered, where the request went on
   */
  finished(aborted: boolean, status?: number): void;
}

/** What an adapter knows at start, for the start-up checks. */
export interface AdapterFacts {
  readonly adapter: string;
  /** How the socket is protected. */
  readonly tls: "1.3" | "1.2" | "none" | "unknown";
  /** True where only this machine can connect. */
  readonly loopbackOnly: boolean;
  /** Facts that cannot be known, for the manifest: `peer` where no socket can be seen. */
  readonly unknown: readonly string[];
  /** True where nothing will be served, only built: what shows at run time alone, such as a platform's marks, is not asked for. */
  readonly building?: boolean;
  /** Which requests go on to a framework behind; undefined: none, the API answers everything. */
  readonly passing?: Passing;
}

/** How to serve an API on sockets of our own. */
export interface ListenOptions {
  /** TCP port, 0 .. 65535; 0 lets the system choose. */
  readonly port: number;
  /** Address to bind. Default `127.0.0.1` without `tls`, else `::`, which is every address of the machine. */
  readonly host?: string;
  /** Certificate and key in PEM. Without them only a trusted proxy or loopback may speak plain http. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Oldest TLS version spoken. Default 1.3; 1.2 also has to stand in createApi as minTls. */
  readonly minTls?: "1.3" | "1.2";
  /** Port of the health answers, never the API's own; undefined: none. Bound to loopback unless `healthHost` says so. */
  readonly healthPort?: number;
  readonly healthHost?: string;
  /** Milliseconds for the request line and headers, and for the TLS handshake. Default 10_000. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds a client has to read an answer that does not fit into the system's buffers. Default 30_000. */
  readonly sendTimeoutMs?: number;
  /** Milliseconds for requests under way when stopping. Default 10_000. */
  readonly drainTimeoutMs?: number;
  /** Most connections at once; more are closed with 503, beyond twice as many without an answer. Default 10_000. */
  readonly maxConnections?: number;
  /**
   * Most connections of one address at once (IPv6: /64), those of trusted proxies excepted; more are closed at once,
   * before TLS. Default 256.
   */
  readonly maxConnectionsPerAddress?: number;
  /** Stop gracefully on SIGTERM and SIGINT. Default true. */
  readonly handleSignals?: boolean;
}

/** A served API. */
export interface Listening {
  readonly port: number;
  readonly host: string;
  /**
   * Scheme, name and port, without a path: `https://localhost:8443`. The name is `localhost` where a loopback address or
   * `::` is bound, else the bound address; the `hosts` of the API do not matter.
   */
  readonly url: string;
  readonly healthPort: number | undefined;
  /** Stops accepting, lets requests under way end, writes the last records. */
  close(): Promise<void>;
}

/** What stands in a start that was refused: all problems at once. */
export class StartRefused extends Error {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    const lines = problems.map((p) => `  ${p.where}\n    ${p.field}: ${p.problem}\n    fix: ${p.fix}`);
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super(`This API does not start: ${count} in its policies.\n${lines.join("\n")}`);
    this.name = "StartRefused";
    this.problems = problems;
    // The message says it all; printed once more as a list it would bury itself, and the stack leads into this library.
    Object.defineProperty(this, "problems", { enumerable: false });
    this.stack = `${this.name}: ${this.message}`;
  }
}
