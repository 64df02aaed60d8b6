import {
  type BrowserSessionEvent,
  type BrowserSessions,
  type BrowserSessionSettings,
  type Identity,
  type Mail,
  openIdentity,
} from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import { anyCaller, type Api, type Clock, createApi, type Credential, memorySink } from "portcullis";
import { expect } from "vitest";
import { z } from "zod";
import { type Browser, createBrowser, type Page } from "./browser.ts";

/** Name of the cookie, as people see it in their browser. */
export const sessionCookie = "__Host-portcullis-session";
/** Each has one of several names, because several may be under way. */
export const flowCookie = "__Host-portcullis-sign-in-";
/** Those a browser has. */
export const flowsOf = ({ cookies }: Browser) => [...cookies.keys()].filter((name) => name.startsWith(flowCookie));
export const secret = "tests-only: 48 characters of nothing in particular";
export const person = { email: "alice@example.com", password: "correct horse battery" };

/** One instance: identity server, sessions and an API behind one port. */
export interface Instance {
  readonly origin: string;
  readonly identity: Identity;
  readonly sessions: BrowserSessions;
  readonly events: readonly BrowserSessionEvent[];
  readonly errors: readonly unknown[];
  browser(isEnd?: (url: URL) => boolean): Browser;
  /** Lets time pass for limits, which are none of these tests' matter. */
  forgiveLimits(): void;
  close(): Promise<void>;
}

/** Starts one. @param ports  of all instances; the first is the issuer's address */
export async function startInstance(
  storage: Storage,
  ports: readonly number[],
  port: number,
  options: {
    readonly now?: () => number;
    readonly settings?: Partial<BrowserSessionSettings>;
    readonly mails?: Mail[];
    readonly elsewhere?: (events: BrowserSessionEvent[], errors: unknown[]) => BrowserSessions;
  } = {},
): Promise<Instance> {
  const issuer = `http://localhost:${ports[0]}`;
  const events: BrowserSessionEvent[] = [];
  const errors: unknown[] = [];
  const identity = await openIdentity({
    issuer,
    serviceName: "Notes",
    storage,
    secret,
    clients: [],
    // Sessions are for the first.
    resources: { [`${issuer}/api`]: ["notes:read"], [`${issuer}/files`]: ["files:read"] },
    browserSessions: { returnTo: ["/", "/notes/*"], ...options.settings },
    sendMail: (mail) => void options.mails?.push(mail),
    onError: (error) => void errors.push(error),
    onEvent: (event) => {
      if (event.type.startsWith("session-") || event.type === "sign-in-refused") {
        if ("issuer" in event) events.push(event);
      }
    },
    ...(options.now === undefined ? {} : { now: options.now }),
  });
  const elsewhere = options.elsewhere?.(events, errors);
  const sessions = elsewhere ?? identity.sessions();
  let forgivenMs = 0;
  const clock = { now: () => Date.now(), monotonic: () => performance.now() + forgivenMs };
  const tokens = elsewhere === undefined ? [identity.tokensFor(`${issuer}/api`)] : [];
  const api = notesApi(ports, sessions, tokens, errors, clock);
  if (elsewhere === undefined) identity.mount(api);
  else elsewhere.mount(api);
  const listening = await api.listen({ port, handleSignals: false });
  const origin = `http://localhost:${port}`;
  return {
    origin,
    identity,
    sessions,
    events,
    errors,
    browser: (isEnd) => createBrowser(origin, isEnd),
    forgiveLimits: () => void (forgivenMs += 3_600_000),
    async close() {
      await listening.close();
      await elsewhere?.close();
      await identity.close();
    },
  };
}

function notesApi(
  ports: readonly number[],
  sessions: BrowserSessions,
  tokens: readonly Credential[],
  errors: unknown[],
  clock: Clock,
): Api {
  const api = createApi({
    name: "notes",
    hosts: ports.map((one) => `localhost:${one}`),
    credentials: [sessions.credential, ...tokens],
    version: { none: "deployed with what calls it" },
    limits: { address: "100000/min", caller: "100000/min", failures: "100000/min", global: "100000/s" },
    audit: { sinks: [memorySink(1000)], onError: (error) => void errors.push(error) },
    alerts: "none",
    clock,
  });
  const Me = z.object({
    subject: z.string().max(300),
    scopes: z.array(z.string().max(50)).max(10),
    token: z.boolean(),
  });
  api.route({ path: "GET /api/me", access: anyCaller, output: Me, limit: "100000/min" }, ({ caller }) => ({
    subject: caller.subject,
    scopes: [...caller.scopes],
    token: sessions.accessToken(caller) !== undefined,
  }));
  // An app would call another API with it.
  api.route(
    { path: "GET /api/handed-on", access: anyCaller, output: z.object({ token: z.string().max(4000) }) },
    ({ caller }) => ({ token: sessions.accessToken(caller) ?? "" }),
  );
  api.route({ path: "POST /api/notes", access: anyCaller, output: Me, limit: "100000/min" }, ({ caller }) => ({
    subject: caller.subject,
    scopes: [],
    token: false,
  }));
  return api;
}

/** Goes through a sign-in as a person does. @returns where the browser stands at its end */
export async function signIn(browser: Browser, returnTo = "/notes/today", who = person): Promise<Page> {
  const asked = await browser.open(`/auth/sign-in?returnTo=${encodeURIComponent(returnTo)}`);
  if (!asked.text.includes("Sign in to")) return asked;
  return browser.submit(asked, who);
}

/** What the API says to a cookie. */
export async function me(origin: string, cookie: string | undefined): Promise<number> {
  const response = await fetch(`${origin}/api/me`, {
    headers: cookie === undefined ? {} : { cookie: `${sessionCookie}=${cookie}` },
  });
  await response.body?.cancel();
  return response.status;
}

/** The access token that the app has of a session and hands on to another API. */
export async function handedOn(origin: string, cookie: string): Promise<string> {
  const response = await fetch(`${origin}/api/handed-on`, { headers: { cookie: `${sessionCookie}=${cookie}` } });
  return z.object({ token: z.string().min(1) }).parse(await response.json()).token;
}

/** What an API says to an access token. */
export async function withToken(origin: string, token: string): Promise<number> {
  const response = await fetch(`${origin}/api/me`, { headers: { authorization: `Bearer ${token}` } });
  await response.body?.cancel();
  return response.status;
}

/** The cookie of somebody who has just signed in. */
export async function signedIn(instance: Instance, browser = instance.browser()): Promise<string> {
  instance.forgiveLimits();
  await signIn(browser);
  const cookie = browser.cookies.get(sessionCookie);
  expect(cookie).toMatch(/^[\w-]{43}$/);
  return cookie ?? "";
}
