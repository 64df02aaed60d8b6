import { createHash } from "node:crypto";
import type { Mail } from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { freePort } from "../../../../scripts/free-ports.ts";
import { browserSessionStore } from "../../src/storage/browser-sessions.ts";
import { embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";
import type { Browser } from "./browser.ts";
import {
  flowsOf,
  handedOn,
  type Instance,
  me,
  person,
  sessionCookie,
  signedIn,
  signIn,
  startInstance,
  withToken,
} from "./session-server.ts";

const Who = z.object({
  session: z.object({
    subject: z.string(),
    email: z.string(),
    emailVerified: z.boolean(),
    idleExpiresAt: z.string(),
    expiresAt: z.string(),
  }),
});

describe.each([
  ["the embedded store", embeddedStores],
  ["PostgreSQL", postgresStores],
])("sessions: browsers on %s", (_which, stores) => {
  let all: TestStores;
  let storage: Storage;
  let at: Instance;
  const clock = Date.now();
  let laterMs = 0;
  const mails: Mail[] = [];

  beforeAll(async () => {
    all = await stores();
    storage = await all.open();
    const port = await freePort();
    at = await startInstance(storage, [port], port, { now: () => clock + laterMs, mails });
    expect(await at.identity.accounts.signUp(person.email, person.password)).toBeUndefined();
  });
  afterAll(async () => {
    expect(at.errors).toEqual([]);
    await at.close();
    await all.stop();
  });
  const ask = async (method: string, path: string, cookie?: string, more: Record<string, string> = {}) => {
    const response = await fetch(`${at.origin}${path}`, {
      method,
      redirect: "manual",
      headers: { ...(cookie === undefined ? {} : { cookie }), "sec-fetch-site": "same-origin", ...more },
    });
    return { status: response.status, text: await response.text(), headers: response.headers };
  };

  const carried = (browser: Browser) => [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  /** As the account's page names the session of a browser. */
  const named = (browser: Browser) =>
    createHash("sha256")
      .update(browser.cookies.get(sessionCookie) ?? "")
      .digest("base64url");
  /** Presses the button that ends it. */
  const end = (browser: Browser, session: string, site = "same-origin") =>
    post(browser, "/account/end-session", { session }, site);
  const post = (browser: Browser, path: string, body: Record<string, string>, site = "same-origin") =>
    fetch(`${at.origin}${path}`, {
      method: "POST",
      body: new URLSearchParams(body),
      headers: { "sec-fetch-site": site, cookie: carried(browser) },
      redirect: "manual",
    });
  const keepCookies = (browser: Browser, { headers }: Response) => {
    for (const cookie of headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      browser.cookies.set(name, value);
    }
  };

  it("signs in, says who it is, renews, and signs out", async () => {
    const browser = at.browser();
    expect(await ask("GET", "/auth/session")).toMatchObject({ status: 200, text: '{"session":null}' });
    const end = await signIn(browser);
    expect(end.url.pathname).toBe("/notes/today");
    const cookie = browser.cookies.get(sessionCookie);
    expect(flowsOf(browser)).toEqual([]);
    const carried = `${sessionCookie}=${cookie}`;
    const { session } = Who.parse(JSON.parse((await ask("GET", "/auth/session", carried)).text));
    expect(session).toMatchObject({ email: person.email, emailVerified: false });
    expect(Date.parse(session.idleExpiresAt) - clock).toBe(8 * 3_600_000);
    expect(Date.parse(session.expiresAt) - clock).toBe(7 * 86_400_000);
    expect(JSON.parse((await ask("GET", "/api/me", carried)).text)).toEqual({
      subject: session.subject,
      scopes: ["notes:read"],
      token: true,
    });
    expect((await ask("POST", "/auth/refresh", carried)).status).toBe(200);
    const out = await ask("POST", "/auth/sign-out", carried);
    expect(out.status).toBe(204);
    expect(out.headers.get("set-cookie")).toContain(`${sessionCookie}=; Path=/; Max-Age=0`);
    expect(await me(at.origin, cookie)).toBe(401);
    expect(at.events.map(({ type }) => type)).toEqual(["session-started", "session-renewed", "session-ended"]);
  });

  it("knows of an address that was confirmed since as confirmed, without another sign-in", async () => {
    const late = { email: "late@example.com", password: person.password };
    await at.identity.accounts.signUp(late.email, late.password);
    const browser = at.browser();
    at.forgiveLimits();
    await signIn(browser, "/notes/today", late);
    const isVerified = async () =>
      Who.parse(JSON.parse((await ask("GET", "/auth/session", carried(browser))).text)).session.emailVerified;
    expect(await isVerified()).toBe(false);
    const mail = await vi.waitFor(() => mails.find(({ to }) => to === late.email) ?? expect.unreachable(), 10_000);
    const [, token = ""] = /\/account\/verify\/([\w-]+)/.exec(mail.text) ?? [];
    expect(await at.identity.accounts.verifyEmail(token, late.email, late.password)).toBeUndefined();
    expect(await isVerified()).toBe(true);
    expect((await ask("POST", "/auth/refresh", carried(browser))).text).toContain('"emailVerified":true');
    expect((await ask("POST", "/auth/sign-out", carried(browser))).status).toBe(204);
  });

  it("ends one browser's session from the account page of another, and that browser has to sign in again", async () => {
    const [mine, theirs, strangers] = [at.browser(), at.browser(), at.browser()];
    for (const browser of [mine, theirs]) await signedIn(at, browser);
    const account = await at.identity.accounts.findByEmail(person.email);
    const listed = await at.sessions.list(account?.id ?? "");
    const [own, other] = [named(mine), named(theirs)];
    expect(listed.map(({ name }) => name)).toEqual(expect.arrayContaining([own, other]));

    const { text } = await mine.open("/account");
    expect(text).toContain(`action="/account/end-session"><button class="second" name="session" value="${other}"`);
    expect(text.match(/this browser, since/g)).toHaveLength(1);
    // It comes first.
    expect(text.indexOf(own)).toBeLessThan(text.indexOf(other));
    const api = (browser: typeof mine) => me(at.origin, browser.cookies.get(sessionCookie));
    for (const site of ["cross-site", "same-site"]) expect((await end(mine, other, site)).status).toBe(403);
    expect((await end(strangers, other)).headers.get("location")).toBe("/account/sign-in");
    expect((await end(mine, "x".repeat(43))).status).toBe(303);
    expect([await api(mine), await api(theirs)]).toEqual([200, 200]);
    expect((await end(mine, other)).headers.get("location")).toBe("/account");
    expect([await api(mine), await api(theirs)]).toEqual([200, 401]);
    at.forgiveLimits();
    expect((await theirs.open("/auth/sign-in")).text).toContain("Sign in to Notes");
    expect((await mine.open("/account")).text).not.toContain(other);
    await at.sessions.endAll(account?.id ?? "");
  });

  it("ends the issuer's session of the one browser it ends, and of all others where it is not known which that is", async () => {
    const browsers = [at.browser(), at.browser(), at.browser(), at.browser()] as const;
    const [mine, theirs, third, older] = browsers;
    for (const browser of browsers) await signedIn(at, browser);
    // Typing the password again begins the issuer's session anew, and is the same browser still.
    at.forgiveLimits();
    const again = await post(theirs, "/account/sign-in", person);
    expect(again.status).toBe(200);
    keepCookies(theirs, again);
    const atIssuer = async () => {
      at.forgiveLimits();
      const titles = [];
      for (const browser of browsers) titles.push((await browser.open("/account")).url.pathname);
      return titles.map((path) => path === "/account");
    };
    expect(await atIssuer()).toEqual([true, true, true, true]);
    expect((await end(mine, named(theirs))).status).toBe(303);
    expect(await atIssuer()).toEqual([true, false, true, true]);
    // As a row from before sessions had a link.
    await storage.db
      .updateTable("browser_session")
      .set({ issuer_session: null })
      .where("hash", "=", named(older))
      .execute();
    expect((await end(mine, named(older))).status).toBe(303);
    expect(await atIssuer()).toEqual([true, false, false, false]);
    // What they are signed in to stays.
    expect(await me(at.origin, third.cookies.get(sessionCookie))).toBe(200);
    await at.sessions.endAll((await at.identity.accounts.findByEmail(person.email))?.id ?? "");
  });

  it("ends nothing else with a cookie alone that was given more than ten minutes ago: it takes the password, with the one budget of guesses", async () => {
    const [mine, theirs] = [at.browser(), at.browser()];
    for (const browser of [mine, theirs]) await signedIn(at, browser);
    const isTheirs = async () => (await me(at.origin, theirs.cookies.get(sessionCookie))) === 200;
    laterMs = 11 * 60_000;
    try {
      const asked = await end(mine, named(theirs));
      expect([asked.status, await asked.text()]).toEqual([200, expect.stringContaining("Sign out A browser?")]);
      const withdrawn = await post(mine, "/account/withdraw", { application: "web" });
      expect(await withdrawn.text()).toContain("Withdraw web?");
      expect(await isTheirs()).toBe(true);
      const confirm = (password: string, browser = mine, email = person.email) =>
        post(browser, "/account/end-session/confirmed", { session: named(theirs), email, password });
      at.forgiveLimits();
      for (let guess = 0; guess < 5; guess++) expect((await confirm(`wrong ${guess}`)).status).toBe(401);
      expect((await confirm(person.password)).status).toBe(429);
      // Another form gives no second budget.
      expect((await post(mine, "/account/sign-in", person)).status).toBe(429);
      at.forgiveLimits();
      expect((await confirm(person.password, at.browser())).headers.get("location")).toBe("/account/sign-in");
      const other = { email: "bob@example.com", password: "staple battery horse" };
      await at.identity.accounts.signUp(other.email, other.password);
      expect((await confirm(other.password, mine, other.email)).status).toBe(401);
      expect(await isTheirs()).toBe(true);
      const done = await confirm(person.password);
      expect([done.status, await isTheirs()]).toEqual([200, false]);
      // Asked once: what follows within ten minutes asks nothing, and the cookie of before opens nothing.
      const before = at.browser();
      for (const [name, value] of mine.cookies) before.cookies.set(name, value);
      keepCookies(mine, done);
      expect((await end(mine, named(theirs))).headers.get("location")).toBe("/account");
      expect((await end(before, named(mine))).headers.get("location")).toBe("/account/sign-in");
    } finally {
      laterMs = 0;
      await at.sessions.endAll((await at.identity.accounts.findByEmail(person.email))?.id ?? "");
    }
  });

  it("says which sessions a person has, and ends one of them or all but one", async () => {
    const cookies = [await signedIn(at), await signedIn(at), await signedIn(at)];
    const account = await at.identity.accounts.findByEmail(person.email);
    const subject = account?.id ?? "";
    const sessions = await at.sessions.list(subject);
    expect(sessions).toHaveLength(3);
    for (const one of sessions)
      expect(one).toMatchObject({ subject, startedAt: clock, expiresAt: clock + 7 * 86_400_000 });
    const [first] = sessions;
    expect(await at.sessions.end("somebody else", first?.name ?? "")).toBe(false);
    expect(await at.sessions.end(subject, first?.name ?? "")).toBe(true);
    expect(await at.sessions.end(subject, first?.name ?? "")).toBe(false);
    const statuses = await Promise.all(cookies.map((cookie) => me(at.origin, cookie)));
    expect(statuses.toSorted()).toEqual([200, 200, 401]);
    const [stays] = await at.sessions.list(subject);
    expect(await at.sessions.endAll(subject, stays?.name)).toBe(1);
    expect(await at.sessions.list(subject)).toEqual([stays]);
    await at.sessions.sweep();
    expect((await storage.db.selectFrom("browser_session").select("hash").execute()).map(({ hash }) => hash)).toEqual([
      stays?.name,
    ]);
  });

  const subject = async () => (await at.identity.accounts.findByEmail(person.email))?.id ?? "";
  const nameOf = (cookie: string) => createHash("sha256").update(cookie).digest("base64url");
  it.each([
    ["that is ended by name", async (cookie: string) => void (await at.sessions.end(await subject(), nameOf(cookie)))],
    ["that is ended with all of a person's", async () => void (await at.sessions.endAll(await subject()))],
    [
      "that signs out",
      async (cookie: string) => void (await ask("POST", "/auth/sign-out", `${sessionCookie}=${cookie}`)),
    ],
    [
      "that runs out",
      async (cookie: string) => {
        const name = nameOf(cookie);
        const row = () => storage.db.updateTable("browser_session").where("hash", "=", name);
        await row().set({ idle_expires_at: clock }).execute();
        await at.sessions.sweep();
      },
    ],
  ])("an access token that the app handed on ends with the session %s, and no other's", async (_which, end) => {
    const [stays, ends] = [await signedIn(at), await signedIn(at)];
    const isAll = _which.includes("all");
    const [kept, over] = [await handedOn(at.origin, stays), await handedOn(at.origin, ends)];
    expect([await withToken(at.origin, kept), await withToken(at.origin, over)]).toEqual([200, 200]);
    await end(ends);
    expect([await withToken(at.origin, kept), await withToken(at.origin, over)]).toEqual([isAll ? 401 : 200, 401]);
    expect(await me(at.origin, stays)).toBe(isAll ? 401 : 200);
    await at.sessions.endAll(await subject());
  });

  it("a session that ran out takes nothing with it that the same browser signed in to since", async () => {
    const browser = at.browser();
    const before = await signedIn(at, browser);
    browser.cookies.delete(sessionCookie);
    const since = await signedIn(at, browser);
    expect(since).not.toBe(before);
    const token = await handedOn(at.origin, since);
    await storage.db
      .updateTable("browser_session")
      .set({ idle_expires_at: clock })
      .where("hash", "=", nameOf(before))
      .execute();
    await at.sessions.sweep();
    expect([await me(at.origin, since), await withToken(at.origin, token)]).toEqual([200, 200]);
    // Nor does one that another sign-in takes the place of.
    const last = await signedIn(at, browser);
    expect([await me(at.origin, since), await me(at.origin, last)]).toEqual([401, 200]);
    await at.sessions.endAll(await subject());
  });

  it("keeps a hundred sessions of a person, and ends the oldest for one more", async () => {
    const store = browserSessionStore(storage);
    const row = (number: number) => ({
      hash: `hash ${number}`,
      issuer: at.origin,
      subject: "somebody",
      sealed: "x",
      created_at: clock + number,
      idle_expires_at: clock + 1e6,
      expires_at: clock + 1e6,
      user_agent: null,
      issuer_session: null,
      grant_id: null,
    });
    for (let number = 0; number < 102; number++) await store.insert(row(number));
    const sessions = await at.sessions.list("somebody");
    expect(sessions).toHaveLength(100);
    expect(sessions.at(-1)?.name).toBe("hash 2");
  });
});
