import type { IncomingMessage } from "node:http";
import { inject } from "light-my-request";
import type { Provider } from "oidc-provider";
import type { CookieToSet } from "portcullis";
import type { Asker } from "../events.ts";

/** A request for oidc-provider, made of values that passed our gates. */
export interface BridgedRequest {
  readonly method: "GET" | "POST";
  /** Path of one of its endpoints. */
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly form?: Readonly<Record<string, unknown>>;
  readonly cookies?: Readonly<Record<string, string | undefined>>;
  /** The request behind it; undefined where this server asks for itself. */
  readonly asker?: Asker | undefined;
}

/** What it answered. */
export interface BridgedAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly cookies: readonly CookieToSet[];
  /** Undefined where the answer is no JSON. */
  readonly json: unknown;
}

/** Asks the provider without a socket in between. */
export async function ask(provider: Provider, issuer: string, request: BridgedRequest): Promise<BridgedAnswer> {
  const { host } = new URL(issuer);
  const cookie = Object.entries(request.cookies ?? {})
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .join("; ");
  const handle = provider.callback();
  const response = await inject(
    (incoming, outgoing) => {
      if (request.asker !== undefined) askers.set(incoming, request.asker);
      void handle(incoming, outgoing);
    },
    {
      method: request.method,
      url: `${request.path}${request.query === undefined ? "" : `?${encoded(request.query)}`}`,
      headers: {
        host,
        // Our gates have seen to the transport; on loopback without TLS its Secure cookies are set all the same.
        "x-forwarded-proto": "https",
        accept: "application/json",
        ...(cookie === "" ? {} : { cookie }),
        ...(request.form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
      },
      ...(request.form === undefined ? {} : { payload: encoded(request.form) }),
    },
  );
  const { location } = response.headers;
  const isJson = /^application\/(?:[\w.-]+\+)?json/.test(response.headers["content-type"]?.toString() ?? "");
  const json: unknown = isJson && response.payload !== "" ? JSON.parse(response.payload) : undefined;
  return {
    status: response.statusCode,
    location: typeof location === "string" ? location : undefined,
    cookies: response.cookies.map(cookieOf),
    json,
  };
}

const askers = new WeakMap<IncomingMessage, Asker>();

/** Whose request the provider answers; listeners of the provider have it as `context.req`. */
export function askerOf(incoming: IncomingMessage): Asker | undefined {
  return askers.get(incoming);
}

function encoded(values: Readonly<Record<string, unknown>>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === "string" || typeof value === "number") params.set(name, String(value));
  }
  return params.toString();
}

interface SetCookie {
  readonly name: string;
  readonly value: string;
  readonly maxAge?: number;
  readonly expires?: Date;
}

/** As ours are written: on the whole host, HttpOnly, Secure; Lax, because other sites send people here. */
function cookieOf({ name, value, maxAge, expires }: SetCookie): CookieToSet {
  const seconds = maxAge ?? (expires === undefined ? undefined : Math.round((expires.getTime() - Date.now()) / 1000));
  return {
    name,
    value,
    sameSite: "Lax",
    ...(seconds === undefined ? {} : { maxAgeSeconds: Math.max(0, Math.trunc(seconds)) }),
  };
}
