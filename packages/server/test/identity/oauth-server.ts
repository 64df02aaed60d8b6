import { createHash, randomBytes } from "node:crypto";
import { type ClientOptions, type Identity, type IdentityOptions, openIdentity } from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import { anyCaller, type Api, createApi, memorySink, type SecurityEvent } from "portcullis";
import { expect } from "vitest";
import { z } from "zod";
import { freePort } from "../../../../scripts/free-ports.ts";
import { type Browser, createBrowser, type Page } from "./browser.ts";

/** An identity server with an API behind it, as a team would run them in one process. */
export interface OAuthServer {
  readonly issuer: string;
  /** Where this instance listens: the issuer, unless it is one of several. */
  readonly base: string;
  /** The resource tokens are for. */
  readonly resource: string;
  readonly identity: Identity;
  readonly api: Api;
  /** What the API recorded of security; records are written in batches, so a moment later. */
  events(): readonly SecurityEvent[];
  /** The account that can sign in. */
  readonly alice: string;
  browser(): Browser;
  /** Goes through an authorization as a person does: signs in and allows where asked. */
  authorize(browser: Browser, over?: Readonly<Record<string, string | undefined>>, as?: Person): Promise<Authorization>;
  /** Asks the token endpoint. */
  token(form: Readonly<Record<string, string | undefined>>): Promise<Answer>;
  /** Authorizes and redeems the code. */
  tokens(client?: string, over?: Readonly<Record<string, string | undefined>>, browser?: Browser): Promise<Tokens>;
  refresh(token: string, over?: Readonly<Record<string, string | undefined>>): Promise<Answer>;
  revoke(form: Readonly<Record<string, string | undefined>>): Promise<Answer>;
  /** What the API says to a token: 200 with the subject, or a refusal. */
  call(accessToken: string, path?: string): Promise<Answer>;
  /** Lets time pass for limits, which are none of most tests' matter. @param ms  default an hour */
  forgiveLimits(ms?: number): void;
  close(): Promise<void>;
}

export interface Person {
  readonly email: string;
  readonly password: string;
}

/** How an authorization ended. */
export interface Authorization {
  /** Where the person stands at the end: the client's address, or a page of the server. */
  readonly page: Page;
  /** Parameters the client was sent. */
  readonly params: URLSearchParams;
  /** Titles of the pages that asked something on the way. */
  readonly asked: readonly string[];
  readonly verifier: string;
  readonly redirectUri: string;
  readonly state: string;
}

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Tokens {
  readonly access: string;
  readonly refresh: string;
  readonly id: string;
  readonly scope: string;
  readonly code: string;
  readonly verifier: string;
}

export const secret = "tests-only: 48 characters of nothing in particular";
export const alice: Person = { email: "alice@example.com", password: "correct horse battery" };
export const bob: Person = { email: "bob@example.com", password: "staple battery horse" };

/** A kind of client each. */
export const clients = {
  /** On the device, of others. */
  app: {
    id: "app",
    name: "Notes App",
    redirectUris: ["http://127.0.0.1/callback", "com.example.notes:/callback"],
    scopes: ["notes:read", "notes:write"],
  },
  /** On a server, of others. */
  web: {
    id: "web",
    name: "Web Notes",
    redirectUris: ["https://web.example.com/callback"],
    secret: "web-secret-that-is-only-for-tests-0123456789",
    scopes: ["notes:read", "notes:write"],
  },
  /** In the browser, part of the service. */
  spa: {
    id: "spa",
    name: "Notes",
    redirectUris: ["https://spa.example.com/callback?from=here"],
    origins: ["https://spa.example.com"],
    scopes: ["notes:read", "files:read"],
    isFirstParty: true,
  },
  machine: {
    id: "machine",
    name: "Night job",
    secret: "machine-secret-that-is-only-for-tests-0123456789",
    scopes: ["notes:read"],
    callsAsItself: true,
  },
} as const satisfies Record<string, ClientOptions>;

export const files = "https://files.example.com";

/** Starts one; `over` replaces options of the identity server. */
export async function startOAuthServer(
  storage: Storage,
  over: Partial<IdentityOptions> & { readonly port?: number; readonly tokensFor?: string } = {},
): Promise<OAuthServer> {
  const { port = await freePort(), tokensFor, ...options } = over;
  const base = `http://localhost:${port}`;
  const issuer = options.issuer ?? base;
  const resource = `${issuer}/api`;
  const identity = await openIdentity({
    issuer,
    serviceName: "Notes",
    storage,
    secret,
    clients: Object.values(clients),
    resources: { [resource]: ["notes:read", "notes:write"], [files]: ["files:read"] },
    sendMail: () => {},
    // Asked each time, so that a test may set the clock.
    now: () => Date.now(),
    ...options,
  });
  let skew = 0;
  const sink = memorySink(10_000);
  const api = createApi({
    name: "notes",
    hosts: [...new Set([`localhost:${port}`, new URL(issuer).host])],
    credentials: [
      identity.tokensFor(tokensFor ?? resource),
      ...(options.keys === undefined ? [] : [identity.keys().credential]),
      ...(options.browserSessions === undefined ? [] : [identity.sessions().credential]),
    ],
    origins: identity.origins,
    version: { none: "deployed with what calls it" },
    audit: { sinks: [sink] },
    clock: { now: () => Date.now(), monotonic: () => performance.now() + skew },
  });
  api.route(
    {
      path: "GET /me",
      access: anyCaller,
      output: z.strictObject({ subject: z.string().max(100), scopes: z.array(z.string().max(100)).max(20) }),
      limit: { rate: "10000/s", by: "caller" },
    },
    ({ caller }) => ({ subject: caller.subject, scopes: [...caller.scopes] }),
  );
  api.route(
    {
      path: "GET /notes",
      access: { scopes: ["notes:write"] },
      output: z.strictObject({ ok: z.boolean() }),
      limit: { rate: "10000/s", by: "caller" },
    },
    () => ({ ok: true }),
  );
  identity.mount(api);
  const listening = await api.listen({ port, handleSignals: false });
  for (const { email, password } of [alice, bob]) {
    if ((await identity.accounts.findByEmail(email)) === undefined) await identity.accounts.signUp(email, password);
  }
  const account = await identity.accounts.findByEmail(alice.email);

  async function post(path: string, form: Readonly<Record<string, string | undefined>>): Promise<Answer> {
    skew += 1_000;
    const body = new URLSearchParams();
    for (const [name, value] of Object.entries(form)) if (value !== undefined) body.set(name, value);
    return read(await fetch(`${base}${path}`, { method: "POST", body }));
  }

  const server: OAuthServer = {
    issuer,
    base,
    resource,
    identity,
    api,
    events: () => sink.entries.flatMap((entry) => (entry.kind === "event" ? [entry] : [])),
    alice: account?.id ?? "",
    browser: () => createBrowser(base),
    async authorize(browser, params = {}, as = alice) {
      const verifier = randomBytes(32).toString("base64url");
      const state = randomBytes(16).toString("base64url");
      const url = new URL("/oauth/authorize", base);
      const all: Readonly<Record<string, string | undefined>> = {
        client_id: "web",
        redirect_uri: "https://web.example.com/callback",
        response_type: "code",
        scope: "openid email notes:read",
        state,
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256",
        ...params,
      };
      for (const [name, value] of Object.entries(all)) if (value !== undefined) url.searchParams.set(name, value);
      skew += 120_000;
      let page = await browser.open(url);
      const asked: string[] = [];
      while (page.url.origin === base && page.status === 200) {
        const title = /<h1>([^<]*)/.exec(page.text)?.[1] ?? "";
        asked.push(title);
        if (asked.length > 4) break;
        page = await browser.submit(page, title.startsWith("Sign in") ? { ...as } : { decision: "allow" });
      }
      const params_ = page.url.origin === base ? new URLSearchParams() : page.url.searchParams;
      return { page, params: params_, asked, verifier, redirectUri: all["redirect_uri"] ?? "", state };
    },
    token: (form) => post("/oauth/token", form),
    async tokens(client = "web", params = {}, browser = server.browser()) {
      const known = Object.values(clients).find(({ id }) => id === client);
      const [redirectUri] = known !== undefined && "redirectUris" in known ? known.redirectUris : [];
      const done = await server.authorize(browser, { client_id: client, redirect_uri: redirectUri, ...params });
      expect([done.asked, done.page.status, done.page.text]).toEqual([done.asked, 0, ""]);
      const code = done.params.get("code") ?? "";
      const answer = await server.token({
        grant_type: "authorization_code",
        code,
        code_verifier: done.verifier,
        redirect_uri: redirectUri,
        client_id: client,
        client_secret: known !== undefined && "secret" in known ? known.secret : undefined,
      });
      expect([answer.status, answer.body["error"], done.params.get("error")]).toEqual([200, undefined, null]);
      const text = (name: string) => textOf(answer.body[name]);
      return {
        access: text("access_token"),
        refresh: text("refresh_token"),
        id: text("id_token"),
        scope: text("scope"),
        code,
        verifier: done.verifier,
      };
    },
    refresh: (token, form = {}) =>
      post("/oauth/token", {
        grant_type: "refresh_token",
        refresh_token: token,
        client_id: "web",
        client_secret: clients.web.secret,
        ...form,
      }),
    revoke: (form) => post("/oauth/revoke", form),
    async call(accessToken, path = "/me") {
      return read(await fetch(`${base}${path}`, { headers: { authorization: `Bearer ${accessToken}` } }));
    },
    forgiveLimits(ms = 3_600_000) {
      skew += ms;
    },
    async close() {
      await listening.close();
      await identity.close();
    },
  };
  return server;
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  const body: unknown = text === "" ? {} : JSON.parse(text);
  return { status: response.status, body: Object.fromEntries(Object.entries(body ?? {})) };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** What a token says, unproved. */
export function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  return Object.fromEntries(Object.entries(claims ?? {}));
}
