import type { AlertsOptions } from "./alerts/watch.ts";
import type { Caller } from "./caller.ts";
import type { Credential } from "./credential.ts";
import type { Clock } from "./environment.ts";
import type { SecurityEvent } from "./events/event.ts";
import type { AuditSink } from "./events/sink.ts";
import type { PlatformName } from "./lib/platforms.ts";
import type { MakeLimiter } from "./limits/make-limiter.ts";
import type { RateOption } from "./policy.ts";

/** One API: who may come in at all. Everything left out has a safe default; what is missing stops the start. */
export interface ApiConfig {
  /** Name of the service, in records and in the manifest. */
  readonly name: string;
  /** Host names served, as clients send them: `api.example.com`, `localhost:8443`. Anything else is 421. */
  readonly hosts: readonly string[];
  /** Exact origins of browsers that may read answers. Default: none. */
  readonly origins?: readonly string[];
  /**
   * Proxies in front and the one header family they write, or the platform whose front stands there. Default: none, the
   * socket's address counts.
   */
  readonly proxies?: ProxyOptions | PlatformName;
  /**
   * Why requests whose socket nobody can see, such as those of `next dev`, count as this machine's own where their Host
   * is a loopback name. Whoever reaches the port can write that Host: for development only. A named platform and
   * NODE_ENV=production stop the start.
   */
  readonly dangerouslyAllowLoopback?: string;
  /** Kinds of credential accepted. An API where every route is public has none. */
  readonly credentials: readonly Credential[];
  /** The caller's roles, asked for on every request, so that a taken role is gone at once. Throwing refuses. */
  readonly roles?: (caller: Caller) => readonly string[] | Promise<readonly string[]>;
  readonly limits?: ApiLimits;
  /** Which headers tell a client its limits. Default `draft` (RateLimit, RateLimit-Policy). */
  readonly rateLimitHeaders?: "draft" | "legacy" | "both" | "none";
  readonly body?: {
    /** Largest accepted body in bytes. Default 102_400 (100 KiB); a route may say less or more. */
    readonly maxBytes?: number;
    /** For the whole body, in milliseconds. Default 30_000. */
    readonly timeoutMs?: number;
  };
  /** Where a route's version stands. Default: in its path (`/v1/…`). */
  readonly version?: "path" | { readonly header: string; readonly default: string } | { readonly none: string };
  /** Longest run of a handler in milliseconds, then 503. Default 30_000. */
  readonly handlerTimeoutMs?: number;
  readonly problem?: {
    /** More members for every problem document, such as `{ error: r.title }`. Must not throw; gets public values only. */
    readonly members?: (refusal: {
      readonly code: string;
      readonly status: number;
      readonly title: string;
      readonly requestId: string;
    }) => Readonly<Record<string, string | number | boolean>>;
  };
  readonly cursors?: {
    /** At least 32 bytes; seals cursors so that they open on every instance. Default: random at each start. */
    readonly secret: string | Uint8Array;
  };
  readonly audit?: AuditOptions;
  /** What somebody is told of. Default: every detector, among the records; `none` where something else watches. */
  readonly alerts?: AlertsOptions | "none";
  /**
   * Oldest TLS version that `api.listen` may speak. Default 1.3. This permits 1.2 and lets the manifest show it; to be
   * spoken, 1.2 also has to be the `minTls` option of `listen`. Said there alone it stops the start (`StartRefused`).
   *
   * @see RFC 8446 (1.3), RFC 9325 (what is left of 1.2)
   */
  readonly minTls?: "1.3" | "1.2";
  /** Injected time, for tests. */
  readonly clock?: Clock;
  /** Injected randomness for request ids and hashing seeds, for tests. Cryptographically strong by default. */
  readonly randomBytes?: (count: number) => Uint8Array;
  /** Outgoing requests (JWKS). Default: the platform's `fetch`. */
  readonly fetch?: typeof fetch;
}

/** Who stands in front and what they write. */
export interface ProxyOptions {
  /** CIDRs of the proxies, such as `10.0.0.0/8`; `/0` is refused. */
  readonly trusted: readonly string[];
  /** The one forwarded header that is read; the others are never looked at. */
  readonly header:
    | "x-forwarded-for"
    | "forwarded"
    | "x-real-ip"
    | "cf-connecting-ip"
    | "fly-client-ip"
    | "true-client-ip";
  /** Whether the host is read from the proxy too (X-Forwarded-Host, or `host=` in Forwarded). Default false: Host is passed on. */
  readonly forwardedHost?: boolean;
  /**
   * Why every request comes through one of these proxies although the adapter cannot see the socket, as behind a Next.js
   * server. Whoever reaches the server past the proxy can then write any address.
   */
  readonly dangerouslyAssumeProxy?: string;
}

/** Limits of the whole API; each also bounds what one route's own limit leaves open. */
export interface ApiLimits {
  /** All requests together. Default 2000/s. */
  readonly global?: RateOption;
  /** One address (IPv6: /64) that has proved nothing. Default 300/min. */
  readonly address?: RateOption;
  /** A /48 that has proved nothing, and an address whose callers are proved. Default four times `address`. */
  readonly wideAddress?: RateOption;
  /** One proved caller. Default 600/min. */
  readonly caller?: RateOption;
  /** One tenant. Default: none. */
  readonly tenant?: RateOption;
  /** Answers 401, 403, 404, 405, 421 per address or, once proved, per caller. Default 60 per 5 minutes. */
  readonly failures?: RateOption;
  /** Part of `global` that unproved requests may hold, 0 .. 1. Default 0.5. */
  readonly unprovedShare?: number;
  /** How many processes share these limits. Default 1. More than one need a `limiter`, or the start stops. */
  readonly instances?: number;
  /**
   * Where counts are kept: `redisLimiter` of `portcullis/redis` for several processes, or `dangerouslyDivideLimits` with a
   * reason. Default: fixed memory of this process.
   */
  readonly limiter?: MakeLimiter;
}

/** What happens to records and events. */
export interface AuditOptions {
  /** Default: one line of JSON per record on standard output. `[]` is a start-up problem. */
  readonly sinks?: readonly AuditSink[];
  /** Keys the hash of account names; at least 32 bytes. Default: random at each start, so hashes do not compare across starts. */
  readonly accountKey?: string | Uint8Array;
  /** Called with what a handler threw and what a sink failed with. Must not throw. */
  readonly onError?: (error: unknown, context: ErrorContext) => void;
  /** Called with every security event, sign-ins and alerts among them, when it happens. What it throws goes to `onError`. */
  readonly onEvent?: (event: SecurityEvent) => void;
}

/** Where an error came from; nothing of the request's content. */
export interface ErrorContext {
  readonly requestId: string | undefined;
  readonly route: string | undefined;
  readonly stage: string;
}
