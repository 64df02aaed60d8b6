import type { Caller } from "./caller.ts";
import type { LimitKey } from "./limits/key.ts";
import type { Admitted, Decision } from "./limits/limiter.ts";
import type { Refusal } from "./refusal.ts";
import type { AnswerOptions } from "./output.ts";
import type { ClientAddress } from "./lib/forwarded.ts";
import type { Reached } from "./lib/reach.ts";
import type { PassedOn } from "./passing.ts";
import type { PlannedVerifier, RoutePlan } from "./plan.ts";
import type { VerifiedDelivery } from "./webhooks/verify-delivery.ts";
import type { Delivery } from "./webhooks/webhook-access.ts";

/** A fact an adapter may be unable to know. `unknown` never counts as https and never as an address. */
export type Known<T> = T | "unknown";

/** Why a body could not be read. */
export type BodyFailure = "too-large" | "timeout" | "aborted";

/**
 * What an adapter tells about a request: facts with nothing interpreted. Everything a client can forge stays raw here
 * until a gate has read it.
 */
export interface Arrival {
  readonly method: string;
  /** The request target exactly as sent, or as near to it as the framework lets one see. */
  readonly target: string;
  /** Header names and values in turn, as received, duplicates included. */
  readonly headers: readonly string[];
  /** Address of the socket's other end, as text; a proxy's where one stands in front. */
  readonly peer: Known<string>;
  /** What the socket itself shows; never what a header says. */
  readonly scheme: Known<"https" | "http">;
  /** Whether any body bytes were announced. */
  readonly hasBody: boolean;
  /**
   * Reads the body once, counting bytes as they arrive.
   *
   * @param maxBytes   largest accepted body; one byte more ends the reading
   * @param timeoutMs  for the whole body
   */
  readBody(maxBytes: number, timeoutMs: number): Promise<Uint8Array | BodyFailure>;
  /** Aborted when the client has gone; made on first use. */
  signal(): AbortSignal;
}

/** What an adapter sends: nothing is left to decide. */
export interface Answer {
  readonly status: number;
  /** Names and values in turn. No content-length: the adapter counts. */
  readonly headers: readonly string[];
  readonly body: string | undefined;
  /** True where the connection has to close afterwards, because a body was left unread. */
  readonly close: boolean;
}

/** An answer that a gate gives itself without being a refusal: a preflight, an OPTIONS. */
export class EarlyAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  constructor(status: number, headers: readonly string[]) {
    this.status = status;
    this.headers = headers;
  }
}

/** A credential that was sent, and who can prove it. */
export interface SentCredential {
  readonly verifier: PlannedVerifier;
  readonly value: string;
  /** The caller, where this value was proved before and still holds; see `CredentialVerifier.cached`. */
  readonly known: Caller | undefined;
}

/** What a step of the pipeline decides: undefined admits the request to the next step. */
export type Outcome = Refusal | EarlyAnswer | PassedOn | undefined;

const noHeaders: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
const noneReached: Readonly<Record<string, Reached>> = Object.freeze(Object.create(null));
const nothing: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null));

/**
 * One request on its way. Each gate reads what earlier gates established and adds its own; the order is pipeline.ts.
 * All fields exist from the start, so that the shape never changes on the way.
 */
export class Exchange {
  readonly arrival: Arrival;
  /** Our own request id, 22 characters; a client's is never taken over. */
  readonly id: string;
  /** Monotonic milliseconds at arrival. */
  readonly startedMs: number;
  /** Unix milliseconds at arrival. */
  readonly timeMs: number;

  /** Place of the step that comes next; the pipeline's own. */
  place = 0;

  // canonical-request
  /** GET for a HEAD request: HEAD runs as GET and its body is dropped at the end. */
  method = "";
  isHead = false;
  path = "";
  segments: readonly string[] = [];
  query: Readonly<Record<string, string>> = noHeaders;
  /** Lower-case names, one value each. */
  headers: Readonly<Record<string, string>> = noHeaders;

  // host, transport
  address: ClientAddress | undefined = undefined;
  /** The socket's own other end is this machine; whatever a header says. */
  peerIsLoopback = false;
  /** How the client reached us: the socket's own https, or what a trusted proxy says. */
  scheme: Known<"https" | "http"> = "unknown";
  /** What a trusted proxy said; `unknown` where none spoke. */
  forwardedScheme: Known<"https" | "http"> = "unknown";
  host = "";

  // cors
  /** The Origin header, if it is one of the configured origins. */
  allowedOrigin: string | undefined = undefined;

  // rate-limit
  addressKey: LimitKey | undefined = undefined;
  wideAddressKey: LimitKey | undefined = undefined;
  callerKey: LimitKey | undefined = undefined;
  reservation: Admitted | undefined = undefined;
  /** The address has no failures or no requests left; its refusals are counted instead of written one by one. */
  isFlooding = false;
  /** The decision that bound this request, for the RateLimit headers. */
  decision: Decision | undefined = undefined;
  /** Taken now and given back if the answer is no failure. */
  tries: Admitted[] | undefined = undefined;

  // versioning
  route: RoutePlan | undefined = undefined;
  /** Methods of the path, for OPTIONS only. */
  allowedMethods: readonly string[] = [];
  pathValues: readonly string[] = [];

  // rate-limit, authentication
  /** The one credential of the request, or why there is no telling; undefined where none was sent. */
  credential: SentCredential | Refusal | undefined | "unread" = "unread";

  // authentication
  caller: Caller | undefined = undefined;
  /** Cookies that proved nobody, for the answer to clear; none where whoever set them renews them. */
  clearedCookies: readonly string[] | undefined = undefined;

  // body-size, input
  body: Uint8Array | undefined = undefined;
  /** Headers are readable and the body, if any, has been read to its end. */
  bodyConsumed = false;
  params: unknown = nothing;
  queryInput: unknown = nothing;
  headerInput: unknown = nothing;
  cookieInput: unknown = nothing;
  bodyInput: unknown = undefined;
  /** The body as it was sent, before the schema made something of it; only to see that no id got lost in between. */
  bodySent: unknown = undefined;
  page: unknown = undefined;

  // webhook-receive
  /** A delivery whose signature was checked on its bytes. */
  verified: VerifiedDelivery | undefined = undefined;
  delivery: Delivery | undefined = undefined;
  /** Held while the handler runs; neither done nor given back yet. */
  claim: { readonly key: string; readonly token: string } | undefined = undefined;

  // object-access
  objects: Record<string, unknown> = nothing;
  /** The same objects as they passed their rule, with the caller's roles in each. */
  reached: Record<string, Reached> = noneReached;

  // handler, output
  /** What the handler returned, unwrapped from `answer()`. */
  result: unknown = undefined;
  answerOptions: AnswerOptions | undefined = undefined;
  bodyText: string | undefined = undefined;
  /** The answer is a page, under this Content-Security-Policy. */
  pagePolicy: string | undefined = undefined;
  answerHeaders: readonly string[] = [];

  // on the way out
  refusal: Refusal | undefined = undefined;
  /** Somebody else answers it: a listed route of the framework behind, or everything in shadow mode. */
  passedOn: PassedOn | undefined = undefined;
  status = 0;

  constructor(arrival: Arrival, id: string, startedMs: number, timeMs: number) {
    this.arrival = arrival;
    this.id = id;
    this.startedMs = startedMs;
    this.timeMs = timeMs;
  }
}
