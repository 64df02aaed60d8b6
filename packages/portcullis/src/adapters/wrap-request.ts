import type { Caller } from "../caller.ts";
import type { RequestFacts } from "../policy.ts";
import type { Answering } from "./wrap-answering.ts";
import type { Declared } from "./wrap-declared.ts";

/** What a handler is given by the gates, as far as a wrapped one shows it. */
export interface Proved {
  readonly caller: Caller | undefined;
  readonly params: unknown;
  readonly query: unknown;
  readonly headers: unknown;
  readonly cookies: unknown;
  readonly body: unknown;
  readonly page: unknown;
  readonly delivery: unknown;
  readonly request: RequestFacts;
}

/** What a wrapped handler sees of a request: proved values in the places Express has them. May be added to. */
export interface WrappedRequest<G extends Proved = Proved> {
  readonly params: G["params"];
  readonly query: G["query"];
  readonly body: G["body"];
  readonly caller: G["caller"];
  /** The caller in the shape most sessions have; undefined on a public route without one. */
  readonly user: WrappedUser | undefined;
  /** The loaded objects of the route, by the names of its policy. */
  readonly objects: Omit<G, keyof Proved>;
  /** The page that was asked for; undefined on routes without paging. */
  readonly page: G["page"];
  /** The headers the policy names, by their lower-case names. */
  readonly headers: G["headers"];
  /** The cookies the policy names; reading them where it names none is a misuse. */
  readonly cookies?: G["cookies"];
  /** Our request id, as in the records. */
  readonly id: string;
  /** The client's address, or `unknown`; as the trusted proxies tell it. */
  readonly ip: string;
  /** Aborted when the client is gone or the handler's time is over. */
  readonly signal: AbortSignal;
  /** A header the policy names; undefined where it was not sent. */
  get(name: string): string | undefined;
  header(name: string): string | undefined;
}

/** A caller as handlers of Express usually know one. */
export interface WrappedUser extends Pick<Caller, "subject" | "tenant" | "scopes" | "roles"> {
  /** The subject. */
  readonly id: string;
  /** The subject, by its name in tokens. */
  readonly sub: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Makes the request of one call. Reading what nobody proved is a misuse. */
export function makeRequest(given: Proved, answering: Answering, declared: Declared): WrappedRequest {
  const { caller, params, query, headers, cookies, body, page, delivery: _delivery, request, ...objects } = given;
  const get = (name: string): string | undefined => {
    const value: unknown =
      typeof headers === "object" && headers !== null ? Reflect.get(headers, name.toLowerCase()) : undefined;
    return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
      ? `${value}`
      : undefined;
  };
  const req: WrappedRequest = {
    params,
    query,
    body,
    caller,
    user: userOf(caller),
    objects,
    page,
    headers,
    ...(declared.cookies ? { cookies } : {}),
    id: request.id,
    ip: request.address,
    get signal() {
      return request.signal;
    },
    get,
    header: get,
  };
  Object.setPrototypeOf(req, unproved);
  answeringOf.set(req, answering);
  return req;
}

function userOf(caller: Caller | undefined): WrappedUser | undefined {
  if (caller === undefined) return undefined;
  const { subject, tenant, scopes, roles, proof } = caller;
  return { id: subject, sub: subject, subject, tenant, scopes, roles, claims: proof.claims };
}

const fixes = {
  cookies: "a session credential proves the caller, read req.user; name any other in input.cookies",
  signedCookies: "a session credential proves the caller; read req.user",
  session: "a session credential proves the caller; read req.user",
  rawHeaders: "name the header in input.headers and read req.get(name)",
  hostname: "the host gate has checked it; write the address of the service into its configuration",
  host: "the host gate has checked it; write the address of the service into its configuration",
  protocol: "the transport gate has checked it",
  secure: "the transport gate has checked it",
  ips: "read req.ip, which counts trusted proxies only",
  subdomains: "the host gate has checked the name",
  url: "read req.params and req.query",
  originalUrl: "read req.params and req.query",
  baseUrl: "read req.params and req.query",
  path: "read req.params and req.query",
  file: "uploads are not built yet",
  files: "uploads are not built yet",
  rawBody: "bodies are read once and matched; for signatures of deliveries see webhook(…)",
  socket: "read req.ip and req.signal",
  connection: "read req.ip and req.signal",
  on: "bodies are read once and matched; read req.body, and req.signal for a client that has gone",
  once: "bodies are read once and matched; read req.body, and req.signal for a client that has gone",
  pipe: "bodies are read once and matched; read req.body",
  app: "import what you need instead",
  res: "use the handler's own res",
  is: "input has checked the content type",
  accepts: "answers are JSON",
} as const;

const answeringOf = new WeakMap<object, Answering>();

/** Behind every request: what Express has and nobody proved. A handler may write over it, as middleware does. */
const unproved: object = Object.defineProperties(
  {},
  Object.fromEntries(
    Object.entries(fixes).map(([name, fix]): [string, PropertyDescriptor] => [
      name,
      {
        get(this: object) {
          answeringOf.get(this)?.misuse(`req.${name} is not proved by any gate: ${fix}`);
        },
        set(this: object, value: unknown) {
          Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
        },
      },
    ]),
  ),
);
