import type { Caller } from "./caller.ts";
import { defaults } from "./defaults.ts";
import type { AnySchema, InferOutput } from "./lib/standard-schema.ts";
import type { Rate, RateText } from "./limits/rate.ts";
import type { HandlerResult, OutputPolicy } from "./output.ts";
import type { Refusal } from "./refusal.ts";
import type { ById, ByEach, NotAnObject } from "./resource.ts";
import type { StartsSession } from "./starts-session.ts";
import type { Delivery, WebhookAccess } from "./webhooks/webhook-access.ts";

/** How many requests in how long: `"60/min"`, `"400/s"`, `"5/2s"`, or the numbers. */
export type RateOption = RateText | Rate;

/** A route's address: method, blank, path with `:names`. */
export type RoutePath = `${Method} /${string}`;

/** Methods a route may have; HEAD comes with GET, OPTIONS is answered for every path. */
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Who may call a route. */
export type AccessPolicy = PublicAccess | CallerAccess | WebhookAccess;

/** Everybody, for a written reason. */
export interface PublicAccess {
  readonly kind: "public";
  readonly reason: string;
}

/** A proved caller; each named demand must hold. Say {@link anyCaller} where being proved is enough. */
export interface CallerAccess {
  /** All of these scopes. */
  readonly scopes?: readonly string[];
  /** One of these roles. */
  readonly roles?: readonly string[];
  /** One of these roles in the route's innermost object, or per object. `owner` is the owner's. */
  readonly objectRole?: string | readonly string[] | Readonly<Record<string, readonly string[]>>;
  /** True only in {@link anyCaller}: nothing is demanded but a proved caller. */
  readonly any?: true;
}

/** Every proved caller may call it. */
export const anyCaller: CallerAccess = Object.freeze({ any: true });

/**
 * No caller needs to be proved. A credential that is sent all the same is checked: a bad one in a header is refused with
 * 401 here too, a bad cookie counts as absent.
 *
 * @param reason  why everybody may call it, for the reviewer of the manifest; a blank one stops the start (`StartRefused`)
 * @see OWASP API2:2023
 */
export function publicAccess(reason: string): PublicAccess {
  return Object.freeze({ kind: "public", reason });
}

/**
 * The places input comes from; each is a closed schema. What is left out of the first, second and last must be empty; of
 * headers and cookies only what is declared is looked at.
 */
export interface InputPolicy {
  readonly params?: AnySchema;
  readonly query?: AnySchema;
  readonly headers?: AnySchema;
  /**
   * Cookies that prove nobody, such as the state of a sign-in under way; those of a credential are the gates' own. Each
   * name begins with `__Host-`.
   */
  readonly cookies?: AnySchema;
  /** JSON, or a browser's form where the schema is wrapped by `form(…)`. */
  readonly body?: AnySchema;
}

/** The input of a route that takes none. */
export interface NoInputs extends InputPolicy {
  readonly params?: never;
  readonly query?: never;
  readonly headers?: never;
  readonly cookies?: never;
  readonly body?: never;
}

/** One limit of a route. */
export interface RouteLimit {
  readonly rate: RateOption;
  /** Who is counted. `body.<field>`: the value of an input field, such as the account of a sign-in. Default `caller`. */
  readonly by?: "caller" | "address" | "tenant" | `body.${string}`;
  /**
   * Counts a `body.<field>` apart for each address (IPv6: /48) it is sent from, so that one stranger's failures close an
   * account for himself and not for its owner. Default: from wherever it comes.
   */
  readonly and?: "address";
  /** `failures`: only answers of 400 and above count. Default `requests`. */
  readonly counts?: "requests" | "failures";
  /**
   * Routes whose limits have the same name, rate and `by` count in one place, so that whoever guesses gains nothing by
   * trying one form after the other. Default: each route counts by itself.
   */
  readonly sharedAs?: string;
}

/** How a list is paged. */
export type PagePolicy =
  | { readonly kind: "cursor"; readonly size: number; readonly max: number }
  | { readonly kind: "pages"; readonly size: number; readonly max: number; readonly maxPage: number };

/**
 * Pages by a sealed cursor: the query takes `limit` and `cursor`. A limit outside 1 .. max is refused with
 * `invalid-input` (400), a cursor that is not ours or was sealed for another list or caller with `bad-cursor` (400), and
 * a handler that returns more than the limit with `unbounded-list` (500).
 *
 * @param options  `size`: items where no limit is sent, default 20; `max`: largest limit, default 100. The start is
 *   refused (`StartRefused`) unless they are whole numbers with 1 <= size <= max <= 1000
 * @see OWASP API4:2023
 */
export function cursorPages(options: { readonly size?: number; readonly max?: number } = {}) {
  return Object.freeze({
    kind: "cursor",
    size: options.size ?? defaults.pageSize,
    max: options.max ?? defaults.pageMax,
  } as const);
}

/**
 * Pages by number, with a bounded depth: the query takes `limit` and `page`. Either outside its bounds is refused with
 * `invalid-input` (400), a handler that returns more than the limit with `unbounded-list` (500), and one that tells no
 * total with `undeclared-output` (500).
 *
 * @param options  `size`: items where no limit is sent, default 20; `max`: largest limit, default 100; `maxPage`:
 *   largest page number, default 1000. The start is refused (`StartRefused`) unless they are whole numbers with
 *   1 <= size <= max <= 1000 and 1 <= maxPage <= 1,000,000
 * @see OWASP API4:2023
 */
export function pages(options: { readonly size?: number; readonly max?: number; readonly maxPage?: number } = {}) {
  return Object.freeze({
    kind: "pages",
    size: options.size ?? defaults.pageSize,
    max: options.max ?? defaults.pageMax,
    maxPage: options.maxPage ?? 1000,
  } as const);
}

/** What one route demands. `access` and `output` and a rule for every id have no default. */
export interface RoutePolicy<
  Path extends RoutePath = RoutePath,
  Access extends AccessPolicy = AccessPolicy,
  Input extends InputPolicy = InputPolicy,
  Objects extends ObjectsPolicy = ObjectsPolicy,
  Output extends OutputPolicy = OutputPolicy,
  Paging extends PagePolicy | undefined = PagePolicy | undefined,
> {
  readonly path: Path;
  readonly access: Access;
  readonly input?: Input;
  readonly objects?: Objects;
  readonly output: Output;
  /** Default: the preset `read` (60/min) or `write` (10/min) per caller, by the method; `signIn` where an account is named. */
  readonly limit?: RateOption | RouteLimit | readonly RouteLimit[];
  readonly page?: Paging;
  /** Largest body of this route in bytes; default the API's. */
  readonly bodyMaxBytes?: number;
  /** The route signs somebody in: csrf applies although no cookie proved anybody, and events say signed-in. */
  readonly startsSession?: StartsSession;
  /** Deprecation (RFC 9745) and Sunset (RFC 8594); after the sunset the route answers 410. */
  readonly deprecated?: { readonly since: string | Date; readonly sunset?: string | Date; readonly link?: string };
  /**
   * Version of this route where the API's version travels in a header. `{ none: "reason" }`: this route has no version,
   * wherever that of the others stands, and answers whatever version is asked for.
   */
  readonly version?: string | { readonly none: string };
  /** Cache-Control of a public GET; everything else is `no-store`. */
  readonly cache?: string;
  /** Longest run of this handler in milliseconds, then 503; default the API's `handlerTimeoutMs`. */
  readonly timeoutMs?: number;
}

/** Objects of a route by the name the handler sees. */
export type ObjectsPolicy = Readonly<Record<string, ById | ByEach | NotAnObject>>;

/** The objects of a route that loads none. */
export type NoObjects = { readonly [K in never]: never };

/** Names of the `:ids` in a path. */
export type PathNames<Path extends string> = Path extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Tail}`
    ? Name | PathNames<`/${Tail}`>
    : Rest
  : never;

/** What a handler is given: proved values only. */
export type Given<Path extends string, Access, Input, Objects, Paging extends PagePolicy | undefined> = {
  readonly caller: Access extends PublicAccess ? Caller | undefined : Caller;
  readonly params: Input extends { readonly params: infer S extends AnySchema }
    ? InferOutput<S>
    : { readonly [K in PathNames<Path>]: string };
  readonly query: Input extends { readonly query: infer S extends AnySchema } ? InferOutput<S> : NoInput;
  readonly headers: Input extends { readonly headers: infer S extends AnySchema } ? InferOutput<S> : NoInput;
  readonly cookies: Input extends { readonly cookies: infer S extends AnySchema } ? InferOutput<S> : NoInput;
  readonly body: Input extends { readonly body: infer S extends AnySchema } ? InferOutput<S> : undefined;
  readonly page: Paging extends PagePolicy ? AskedPage<Paging> : undefined;
  /** Which delivery this is, on a route whose access is `webhook(…)`. */
  readonly delivery: Access extends WebhookAccess ? Delivery : undefined;
  readonly request: RequestFacts;
} & { readonly [K in keyof Objects as Objects[K] extends NotAnObject ? never : K]: Loaded<Objects[K], Input> };

type NoInput = Readonly<Record<string, never>>;

type Loaded<O, Input> =
  O extends ById<infer Field, infer T>
    ? T | IfNotSent<Input, Field>
    : O extends ByEach<infer Field, infer T>
      ? readonly T[] | IfNotSent<Input, Field>
      : never;

/** An optional id that was not sent names nothing: `undefined`, unless its schema says that it always stands there. */
type IfNotSent<Input, Field> = Field extends `${infer Place}.${infer Path}`
  ? undefined extends ValueAt<SchemaAt<Input, Place>, Path>
    ? undefined
    : never
  : never;

type SchemaAt<Input, Place> = Input extends {
  readonly [P in Place extends "header" ? "headers" : Place & string]: infer S extends AnySchema;
}
  ? InferOutput<S>
  : unknown;

type ValueAt<V, Path> = Path extends keyof V
  ? V[Path]
  : Path extends `*.${string}`
    ? V extends readonly unknown[]
      ? V
      : unknown
    : Path extends `${infer Name}.${infer Rest}`
      ? Name extends keyof V
        ? ValueAt<V[Name], Rest>
        : unknown
      : unknown;

/** The page a caller asked for, inside the route's bounds. */
export type AskedPage<P> = P extends { readonly kind: "cursor" }
  ? {
      /** How many items, 1 .. max. */
      readonly limit: number;
      /** What the previous page's handler gave as `next`; undefined on the first page. Proved to be ours. */
      readonly after: unknown;
    }
  : {
      readonly limit: number;
      /** 1 .. maxPage. */
      readonly page: number;
      /** `(page - 1) * limit`. */
      readonly offset: number;
    };

/** Facts about the request a handler may want; nothing raw. */
export interface RequestFacts {
  /** Our request id, as in the records. */
  readonly id: string;
  /** Unix milliseconds at arrival. */
  readonly timeMs: number;
  /** The client's address as text, or `unknown`. */
  readonly address: string;
  /**
   * What the browser says of where this came from: a page of this origin, another host of the same site, or elsewhere;
   * `no-page` for an address typed in, a bookmark or a link in a mail, behind which any site may have redirected here;
   * `unknown` where it does not say. For what a GET should only do when a person means it.
   *
   * @see Fetch Metadata Request Headers, section 2.3 (Sec-Fetch-Site)
   */
  readonly sentFrom: "own-page" | "same-site" | "elsewhere" | "no-page" | "unknown";
  /** Aborted when the client is gone or the handler's time is over. */
  readonly signal: AbortSignal;
}

/** The application's own code behind a route. May throw or return a refusal. */
export type Handler<G, O> = (given: G) => HandlerResult<O> | Promise<HandlerResult<O>> | Refusal;
