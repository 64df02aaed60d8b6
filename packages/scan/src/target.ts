import type { Header } from "./identities.ts";
import type { JsonRecord } from "./json.ts";
import type { Scheme } from "./schemes.ts";
import type { Unguarded } from "./unguarded.ts";

/**
 * What the prover knows of an API before it sends anything: the operations and, where a manifest says so, the policy of
 * each. Everything a probe decides by is read from here.
 */
export interface Target {
  readonly name: string;
  /**
   * `manifest`: the oracle is exact. `openapi`, `requests` (inferred from recorded ones) and `discovered` (nothing
   * describes it): what is left open is assumed, and said.
   */
  readonly source: "manifest" | "openapi" | "requests" | "discovered";
  readonly operations: readonly Operation[];
  /** Operations whose caller is a sender that signs; apart, because nobody the scan can be may call them. */
  readonly webhooks: readonly Operation[];
  /** Routes that pass the API by for now; they stand in the ledger, and nothing is proved of them. */
  readonly unguarded: readonly Unguarded[];
  /** Operations the scan leaves alone, and why; they stand in the ledger, and nothing is proved of them. */
  readonly untouched: readonly { readonly operation: string; readonly why: string }[];
  readonly policy: Policy;
  /** How credentials travel, where the description says it. */
  readonly schemes: readonly Scheme[];
  /**
   * Origins a browser was seen to call it from, or that it is said to live at: of recorded requests and of the servers a
   * description names. Nobody says that they may read answers.
   */
  readonly seenOrigins: readonly string[];
  /** What had to be assumed because the description does not say it; shown in the report. */
  readonly assumptions: readonly string[];
}

/** What holds for the whole API. Members the description does not speak about are undefined or empty. */
export interface Policy {
  /** Values of the Host header that are served. */
  readonly hosts: readonly string[];
  /** Browser origins that may read answers, and no others; undefined where nobody says. */
  readonly origins: readonly string[] | undefined;
  readonly transport: { readonly tls?: string; readonly plainHttp?: string; readonly hsts?: string };
  readonly proxies: { readonly trusted: readonly string[]; readonly header: string | undefined };
  readonly credentials: readonly CredentialKind[];
  /** Where versions travel in a header: its name in lower case, and the version of requests without it. */
  readonly version: { readonly header: string; readonly default: string } | undefined;
  readonly limits: {
    readonly global?: Limit;
    readonly address?: Limit;
    readonly wideAddress?: Limit;
    readonly caller?: Limit;
    readonly tenant?: Limit;
    readonly failures?: Limit;
  };
  readonly bodyMaxBytes: number | undefined;
  readonly json: { readonly maxDepth?: number; readonly maxKeys?: number };
  readonly resources: Readonly<Record<string, ResourcePolicy>>;
  /** What the API's adapter cannot see, because a framework in front keeps it: `raw target`, `duplicate headers`. */
  readonly unknown: readonly string[];
}

/** A way to prove who calls. */
export interface CredentialKind {
  readonly kind: "jwt" | "api-keys" | "sessions";
  readonly name: string;
  readonly scheme: string | undefined;
  /** Header that carries it where it is not Authorization. */
  readonly header: string | undefined;
  readonly cookies: readonly string[];
  readonly prefix: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
  readonly types: readonly string[];
  readonly maxAgeSeconds: number | undefined;
  /** How long a revoked one may still be accepted. */
  readonly revocationSeconds: number | undefined;
}

/** At most `limit` requests inside any interval of `windowMs` milliseconds. */
export interface Limit {
  readonly limit: number;
  readonly windowMs: number;
}

/** A limit of one route and what it counts by. */
export interface RouteLimit extends Limit {
  readonly name: string;
  /** `caller`, `address`, or an input field such as `body.email`. */
  readonly by: string;
  readonly counts: "requests" | "failures";
}

/** What a kind of object promises. */
export interface ResourcePolicy {
  readonly owner: boolean;
  readonly tenant: boolean;
  readonly grant: boolean;
  readonly serverSet: readonly string[];
  readonly parent: string | undefined;
  /** Why everybody may see it; then nobody's access is a finding. */
  readonly shared: string | undefined;
}

/** One method on one path. */
export interface Operation {
  /** As its author wrote it: `GET /v1/projects/:id`. */
  readonly id: string;
  /** Upper case. */
  readonly method: string;
  /** With parameters in braces: `/v1/projects/{id}`. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Headers every request of it carries, such as the one that selects its version. */
  readonly headers: readonly Header[];
  readonly body: RequestBody | undefined;
  /** Schema of each answer by status; undefined where an answer has no body. */
  readonly responses: ReadonlyMap<number, JsonRecord | undefined>;
  readonly access: Access;
  /** Names of the credentials it takes; empty where it is public or nothing is said. */
  readonly credentials: readonly string[];
  readonly objects: readonly ObjectUse[];
  /** Fields that look like ids and are none. */
  readonly notObjects: readonly string[];
  readonly outputs: readonly Output[];
  readonly limits: readonly RouteLimit[];
  readonly page: Page | undefined;
  readonly bodyMaxBytes: number | undefined;
  readonly startsSession: boolean;
  /** Cookies without one of which it begins no session: somebody comes back to it from an issuer. */
  readonly begunBy: readonly string[];
  readonly deprecated: boolean;
  /** When it stops answering; Unix milliseconds. */
  readonly sunsetAt: number | undefined;
}

/** Who may call an operation. `unknown`: the description does not say. */
export type Access =
  | { readonly kind: "public"; readonly reason: string }
  | {
      readonly kind: "caller";
      readonly scopes: readonly string[];
      readonly roles: readonly string[];
      readonly objectRole: Readonly<Record<string, readonly string[]>>;
    }
  | { readonly kind: "webhook"; readonly scheme: string }
  | { readonly kind: "unknown" };

/** A value of the path, the query or a header. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header" | "cookie";
  readonly required: boolean;
  readonly schema: JsonRecord;
}

/** What an operation wants to be sent. */
export interface RequestBody {
  readonly required: boolean;
  readonly mediaType: string;
  readonly schema: JsonRecord;
}

/** Where an operation names an object. */
export interface ObjectUse {
  readonly name: string;
  readonly resource: string;
  readonly in: "path" | "query" | "body" | "header";
  readonly field: string;
  readonly within: string | undefined;
}

/** What an answer of an operation shows. */
export interface Output {
  readonly status: number;
  readonly kind: string;
  readonly resource: string | undefined;
  /** Why it shows objects of every owner, where it does. */
  readonly everyOwner: string | undefined;
  readonly shared: string | undefined;
}

/** How a list is cut into pages. */
export interface Page {
  readonly kind: "cursor" | "pages";
  readonly size: number;
  readonly max: number;
}

/** True where calling it changes nothing by the meaning of its method (RFC 9110 section 9.2.1). */
export function isSafe(operation: Operation): boolean {
  return operation.method === "GET" || operation.method === "HEAD";
}

/** True where the operation has passed its sunset and answers nothing any more. */
export function isGone(operation: Operation, now: number): boolean {
  return operation.sunsetAt !== undefined && operation.sunsetAt <= now;
}

/**
 * Why an operation's own limits leave no room for that many requests; undefined where they do. What counts failures only
 * is left to the pacer, since an honest request is none.
 *
 * @param patienceMs  how long those requests may take, milliseconds
 */
export function tightLimit(operation: Operation, requests: number, patienceMs: number): string | undefined {
  for (const limit of operation.limits) {
    const room = limit.limit * Math.max(1, patienceMs / limit.windowMs);
    if (limit.counts === "requests" && room * 0.8 < requests) {
      return `Its limit of ${limit.limit} per ${limit.windowMs / 1000} s leaves no room for the ${requests} requests this takes (--patience <minutes>).`;
    }
  }
  return undefined;
}

/** The names in braces of a path template, in order. */
export function pathParameters(path: string): readonly string[] {
  return [...path.matchAll(/\{([^{}]+)\}/g)].map((match) => match[1] ?? "");
}
