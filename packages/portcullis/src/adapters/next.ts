import type { Api } from "../api.ts";
import type { AdapterFacts } from "../listen.ts";
import { OptionsError } from "../lib/options-error.ts";
import { unknownToFetch } from "./fetch.ts";
import { runtime } from "#runtime";

export { portcullisHeaders, usualPagePolicy } from "./next-headers.ts";
export type { HeaderRule, PortcullisHeadersOptions } from "./next-headers.ts";

/** A handler as Next.js calls it. */
export type NextHandler = (request: Request) => Promise<Response>;

/** Every method a `route.ts` may export. Next.js answers for one that is left out by itself, past the gates. */
export type NextHandlers = Readonly<
  Record<"GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS", NextHandler>
>;

/** What `toNext` cannot read from a request. */
export interface ToNextOptions {
  /** The `basePath` of next.config, which Next.js takes out of every request; paths are declared with it. Default none. */
  readonly basePath?: string;
}

/**
 * Serves an API from one catch-all of a Next.js App Router, on the Node.js runtime:
 *
 *     // app/api/[[...path]]/route.ts
 *     export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = toNext(api);
 *
 * Routes are declared by their public path, with the folder the catch-all stands in and with a `basePath`:
 * `GET /api/projects/:id`. Next.js hides the socket and the request's own target, so who stands in front has to be said
 * in `proxies`, or `dangerouslyAllowLoopback` for `next dev`.
 *
 * Records are written before the process may freeze: through the `waitUntil` of whatever runs Next.js where it offers
 * one, else before the answer on platforms that freeze, else within a tenth of a second; what waits when the process
 * ends is handed to the sinks, and those that write at once, as standard output does, write it.
 *
 * @throws StartRefused while Next.js builds, and when the module is loaded, where there are problems
 * @throws OptionsError where `basePath` is no path
 * @see docs/next.md for what Next.js answers by itself, and `portcullisHeaders` for the headers of those answers
 */
export function toNext(api: Api, { basePath = "" }: ToNextOptions = {}): NextHandlers {
  if (basePath !== "" && !/^(?:\/[^/?#\s]+)+$/.test(basePath)) {
    throw new OptionsError(`toNext: basePath is "${basePath}".`, 'Write it as in next.config, such as "/shop".');
  }
  const building = runtime.variable("NEXT_PHASE") === "phase-production-build";
  api.start(building ? { ...facts, building } : facts);
  if (!building) writeBeforeTheEnd(api);

  async function throughTheGates(request: Request): Promise<Response> {
    // An answer made while building would be everybody's until the next build.
    if (building) throw new Error("no route of this API can be answered ahead of time, while Next.js builds");
    const target = publicTarget(request, basePath);
    const waitUntil = keptAliveBy();
    return api.fetch(withItsOwnHost(request), waitUntil === undefined ? { target } : { target, waitUntil });
  }

  return {
    GET: throughTheGates,
    HEAD: throughTheGates,
    POST: throughTheGates,
    PUT: throughTheGates,
    PATCH: throughTheGates,
    DELETE: throughTheGates,
    OPTIONS: throughTheGates,
  };
}

const facts: AdapterFacts = Object.freeze({
  adapter: "next",
  tls: "unknown",
  loopbackOnly: false,
  unknown: Object.freeze(["peer", "raw target", ...unknownToFetch]),
});

/** What was asked for, rewrites or not; only the `basePath` is missing in `request.url`. */
function publicTarget(request: Request, basePath: string): string {
  const { pathname, search } = new URL(request.url);
  return `${basePath}${pathname}${search}`;
}

/** `request.url` names the server's own host, not the one that was asked for: a request without Host has none. */
function withItsOwnHost(request: Request): Request {
  if (request.headers.has("host")) return request;
  const headers = new Headers(request.headers);
  headers.set("host", "");
  return new Request(request, { headers });
}

type WaitUntil = (work: Promise<unknown>) => void;

/**
 * What keeps the process alive after an answer: whoever hosts Next.js hands it over under this symbol, as it does for
 * `after`. On a server of one's own there is none, and none is needed.
 *
 * @see https://nextjs.org/docs/app/api-reference/functions/after (reference: supporting `after` for serverless platforms)
 */
function keptAliveBy(): WaitUntil | undefined {
  const context = member(globalThis, Symbol.for("@next/request-context"));
  const get = member(context, "get");
  if (typeof get !== "function") return undefined;
  const waitUntil = member(Reflect.apply(get, context, []), "waitUntil");
  if (typeof waitUntil !== "function") return undefined;
  return (work) => void Reflect.apply(waitUntil, undefined, [work]);
}

/** APIs by name: a module that `next dev` loads again takes the place of the one before. */
const served = new Map<string, Api>();

/** Next.js ends the process itself, and tells nobody; where there is no process, there is no end of it. */
function writeBeforeTheEnd(api: Api): void {
  const isFirst = served.size === 0;
  served.set(api.name, api);
  const host = member(globalThis, "process");
  const once = member(host, "once");
  if (!isFirst || typeof once !== "function") return;
  Reflect.apply(once, host, ["exit", () => served.forEach((one) => void one.stop())]);
}

function member(value: unknown, name: string | symbol): unknown {
  return (typeof value === "object" && value !== null) || typeof value === "function"
    ? Reflect.get(value, name)
    : undefined;
}
