import type { Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../../../scripts/free-ports.ts";
import { secretsOf } from "../../src/identity/browser-sessions/session-secrets.ts";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";
import type { Browser, Page } from "./browser.ts";
import {
  flowCookie,
  flowsOf,
  type Instance,
  me,
  person,
  secret,
  sessionCookie,
  signedIn,
  signIn,
  startInstance,
} from "./session-server.ts";

const mallory = { email: "mallory@example.com", password: "battery staple horse" };

describe("sessions: attacks on a sign-in", () => {
  let all: TestStores;
  let storage: Storage;
  let at: Instance;
  let port: number;
  let clock = Date.now();

  beforeAll(async () => {
    all = await embeddedStores();
    storage = await all.open();
    port = await freePort();
    at = await startInstance(storage, [port], port, { now: () => clock });
    await at.identity.accounts.signUp(person.email, person.password);
    await at.identity.accounts.signUp(mallory.email, mallory.password);
  });
  afterAll(async () => {
    expect(at.errors).toEqual([]);
    await at.close();
    await all.stop();
  });

  beforeEach(() => at.forgiveLimits());

  /** Goes as far as the issuer's answer, and keeps it. */
  async function untilCallback(who = person): Promise<{ readonly browser: Browser; readonly answer: URL }> {
    const browser = at.browser((url) => url.pathname === "/auth/callback");
    at.forgiveLimits();
    const { url } = await signIn(browser, "/notes/today", who);
    expect(url.pathname).toBe("/auth/callback");
    return { browser, answer: url };
  }
  /** The same cookies in a browser that goes all the way. */
  function onwards({ cookies }: Browser): Browser {
    const next = at.browser();
    for (const [name, value] of cookies) next.cookies.set(name, value);
    return next;
  }
  async function refuses(browser: Browser, answer: URL | string): Promise<void> {
    const page: Page = await browser.open(answer);
    expect(page.status).toBe(400);
    expect(page.text).toContain("You are not signed in");
    expect(browser.cookies.has(sessionCookie)).toBe(false);
    expect(at.events.at(-1)).toMatchObject({ type: "sign-in-refused" });
  }

  it("goes on where nothing was changed", async () => {
    const { browser, answer } = await untilCallback();
    const end = onwards(browser);
    expect((await end.open(answer)).url.pathname).toBe("/notes/today");
    expect(await me(at.origin, end.cookies.get(sessionCookie))).toBe(200);
  });

  it("fixation: a planted cookie is never the session's, and a new sign-in ends the session before it", async () => {
    const planted = "A".repeat(43);
    const browser = at.browser();
    browser.cookies.set(sessionCookie, planted);
    const cookie = await signedIn(at, browser);
    expect(cookie).not.toBe(planted);
    expect(await me(at.origin, planted)).toBe(401);
    const second = await signedIn(at, browser);
    expect(second).not.toBe(cookie);
    expect(await me(at.origin, second)).toBe(200);
    expect(await me(at.origin, cookie)).toBe(401);
  });

  it("login CSRF: a stranger's answer signs nobody in, in a browser that began nothing or something else", async () => {
    const { answer } = await untilCallback(mallory);
    await refuses(at.browser(), answer);
    const { browser } = await untilCallback();
    await refuses(onwards(browser), answer);
  });

  it("login CSRF: a flow cookie of somebody's own making is none", async () => {
    const { answer, browser } = await untilCallback(mallory);
    const [name = ""] = flowsOf(browser);
    const own = browser.cookies.get(name) ?? "";
    for (const forged of ["", "x", own.slice(0, -4), `${own.slice(0, 20)}A${own.slice(21)}`, `${own}AAAA`]) {
      const victim = at.browser();
      victim.cookies.set(name, forged);
      await refuses(victim, answer);
    }
  });

  describe("several at once", () => {
    /** Tabs of one browser share its cookies, and stand where each of them was sent. */
    async function begin(browser: Browser, returnTo: string): Promise<Page> {
      at.forgiveLimits();
      return browser.open(`/auth/sign-in?returnTo=${encodeURIComponent(returnTo)}`);
    }
    const paths = [1, 2, 3, 4, 5].map((tab) => `/notes/${tab}`);

    it("five tabs that begin one after the other are each signed in and end where they began", async () => {
      const browser = at.browser();
      const tabs = [];
      for (const path of paths) tabs.push(await begin(browser, path));
      expect(flowsOf(browser)).toHaveLength(5);
      for (const [tab, page] of tabs.entries()) {
        at.forgiveLimits();
        expect((await browser.submit(page, person)).url.pathname).toBe(paths[tab]);
        expect(await me(at.origin, browser.cookies.get(sessionCookie))).toBe(200);
      }
      expect(flowsOf(browser)).toEqual([]);
    });

    it("five tabs that begin at the same moment do not take each other's place", async () => {
      const browser = at.browser();
      const tabs = await Promise.all(paths.map((path) => begin(browser, path)));
      for (const [tab, page] of tabs.entries()) {
        at.forgiveLimits();
        expect((await browser.submit(page, person)).url.pathname).toBe(paths[tab]);
      }
    });

    it("the sixth drops the oldest, and a browser that is made to begin twenty keeps five cookies", async () => {
      const browser = at.browser();
      const [first, ...others] = [await begin(browser, "/notes/first"), await begin(browser, "/notes/second")];
      for (let more = 0; more < 4; more++) {
        clock += 1;
        await begin(browser, "/notes/more");
      }
      expect((await browser.submit(others[0] ?? first, person)).url.pathname).toBe("/notes/second");
      const dropped = await browser.submit(first, person);
      expect([dropped.status, dropped.text.includes("expired")]).toEqual([404, true]);
      const stuffed = at.browser();
      const quotes = await begin(stuffed, `/notes/${'"'.repeat(493)}`);
      expect([quotes.status, stuffed.cookies.size]).toEqual([400, 0]);
      for (let more = 0; more < 20; more++) await begin(stuffed, `/notes/${"'".repeat(493)}`);
      expect(flowsOf(stuffed)).toHaveLength(5);
      const carried = [...stuffed.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      // Proxies take a line of 8 KiB; beyond it nothing of the service would open any more.
      expect(carried.length).toBeLessThan(7000);
    });

    it("a stranger's answer ends none of those under way", async () => {
      const stranger = await untilCallback(mallory);
      const browser = at.browser();
      const page = await begin(browser, "/notes/mine");
      await refuses(browser, stranger.answer);
      expect((await browser.submit(page, person)).url.pathname).toBe("/notes/mine");
    });

    it("what came back once does not come back again while another is under way", async () => {
      const { browser, answer } = await untilCallback();
      await begin(browser, "/notes/other");
      expect(flowsOf(browser)).toHaveLength(2);
      expect((await onwards(browser).open(answer)).url.pathname).toBe("/notes/today");
      const again = onwards(browser);
      await refuses(again, answer);
      expect(flowsOf(again)).toHaveLength(1);
    });
  });

  it("forced sign-in: a link from elsewhere begins no session for whoever is signed in at the issuer; a person does", async () => {
    const browser = at.browser();
    await signedIn(at, browser);
    const op = "__Host-portcullis-op";
    browser.cookies.delete(sessionCookie);
    const cookie = `${op}=${browser.cookies.get(op)}`;
    const path = "/auth/sign-in?returnTo=%2Fnotes%2Ftoday";
    const follow = async (site: string | undefined, more: Record<string, string> = { cookie }) => {
      const headers = { ...more, ...(site === undefined ? {} : { "sec-fetch-site": site }) };
      return fetch(`${at.origin}${path}`, { headers, redirect: "manual" });
    };
    // Browsers say "none" of a link in a mail, and of every site that it redirects through.
    for (const site of ["cross-site", "same-site", "none", "nonsense", undefined]) {
      const asked = await follow(site);
      expect([site, asked.status, asked.headers.getSetCookie()]).toEqual([site, 200, []]);
      const text = await asked.text();
      expect(text).toContain("<h1>Sign in to Notes?</h1>");
      expect(text).toContain(`value="/notes/today">Continue as ${person.email}</button>`);
    }
    expect((await follow("same-origin")).status).toBe(303);
    // Who is signed in nowhere is asked for a password anyway.
    for (const site of ["cross-site", "none"]) expect((await follow(site, {})).status).toBe(303);
    const post = (site: string) =>
      fetch(`${at.origin}/auth/sign-in`, {
        method: "POST",
        body: new URLSearchParams({ returnTo: "/notes/today" }),
        headers: { cookie, "sec-fetch-site": site, origin: "https://evil.example" },
      });
    expect([(await post("cross-site")).status, (await post("same-site")).status]).toEqual([403, 403]);
    const asked: Page = {
      url: new URL(path, at.origin),
      status: 200,
      text: await (await follow("cross-site")).text(),
      headers: new Headers(),
    };
    expect((await browser.submit(asked, { returnTo: "//evil.example" })).status).toBe(400);
    expect((await browser.submit(asked, { returnTo: "/notes/today" })).url.pathname).toBe("/notes/today");
    expect(await me(at.origin, browser.cookies.get(sessionCookie))).toBe(200);
  });

  it("asks for the scopes of the app's own API and for no others that the issuer has", async () => {
    const begun = await fetch(`${at.origin}/auth/sign-in`, { redirect: "manual" });
    const { searchParams } = new URL(begun.headers.get("location") ?? "", at.origin);
    expect([searchParams.get("scope"), searchParams.getAll("resource")]).toEqual([
      "openid email notes:read",
      [`${at.origin}/api`],
    ]);
  });

  it("code injection: a code that was begun elsewhere is not redeemed here", async () => {
    const stolen = await untilCallback();
    const { browser, answer } = await untilCallback(mallory);
    answer.searchParams.set("code", stolen.answer.searchParams.get("code") ?? "");
    await refuses(onwards(browser), answer);
  });

  it("mix-up: another issuer's answer, or one that names none, is refused", async () => {
    for (const iss of ["https://evil.example", `${at.origin}/`, undefined]) {
      const { browser, answer } = await untilCallback();
      if (iss === undefined) answer.searchParams.delete("iss");
      else answer.searchParams.set("iss", iss);
      await refuses(onwards(browser), answer);
    }
  });

  it("an answer without state, with another, or with an error, is refused", async () => {
    for (const state of ["x", undefined]) {
      const { browser, answer } = await untilCallback();
      if (state === undefined) answer.searchParams.delete("state");
      else answer.searchParams.set("state", state);
      await refuses(onwards(browser), answer);
    }
    const { browser, answer } = await untilCallback();
    answer.searchParams.delete("code");
    answer.searchParams.set("error", "access_denied");
    await refuses(onwards(browser), answer);
  });

  it("replay: the same answer comes back once, even at the same moment", async () => {
    const { browser, answer } = await untilCallback();
    const both = [onwards(browser), onwards(browser), onwards(browser)];
    const pages = await Promise.all(both.map((one) => one.open(answer)));
    expect(pages.map(({ status }) => status).toSorted()).toEqual([400, 400, 404]);
    expect(both.filter(({ cookies }) => cookies.has(sessionCookie))).toHaveLength(1);
    await refuses(onwards(browser), answer);
    // The issuer ends what a code began that is shown to it again; it was not.
    const winner = both.find(({ cookies }) => cookies.has(sessionCookie));
    expect(await me(at.origin, winner?.cookies.get(sessionCookie))).toBe(200);
  });

  it("a sign-in that takes longer than ten minutes is over, however fresh its code is", async () => {
    const browser = at.browser((url) => url.pathname === "/auth/callback");
    const asked = await browser.open("/auth/sign-in");
    clock += 599_000;
    const { url } = await browser.submit(asked, person);
    expect(url.pathname).toBe("/auth/callback");
    clock += 2_000;
    await refuses(onwards(browser), url);
  });

  it.each([
    "//evil.example",
    "/\\evil.example",
    "https://evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    "/notes/../admin",
    "/notes/%2e%2e/admin",
    "/notes/./x",
    "/notes",
    "/admin",
    "/notes/\u0000",
    "/notes/ x",
    "notes/x",
    `/notes/${"x".repeat(500)}`,
  ])("open redirect: nobody comes back to %j", async (returnTo) => {
    const browser = at.browser();
    const page = await browser.open(`/auth/sign-in?returnTo=${encodeURIComponent(returnTo)}`);
    expect(page.status).toBe(400);
    expect(browser.cookies.size).toBe(0);
  });

  it("goes to the first path where none is asked for, and takes a query along", async () => {
    const browser = at.browser();
    expect((await browser.submit(await browser.open("/auth/sign-in"), person)).url.pathname).toBe("/");
    const end = await signIn(at.browser(), "/notes/x?y=1#z");
    expect(end.url.href).toBe(`${at.origin}/notes/x?y=1#z`);
  });

  it("csrf: no other site renews or signs out, and none writes with the cookie", async () => {
    const cookie = `${sessionCookie}=${await signedIn(at)}`;
    for (const path of ["/auth/refresh", "/auth/sign-out", "/auth/sign-out?everywhere=true", "/api/notes"]) {
      for (const site of ["cross-site", "same-site"]) {
        const headers = { cookie, "sec-fetch-site": site, origin: "https://evil.example" };
        expect((await fetch(`${at.origin}${path}`, { method: "POST", headers })).status).toBe(403);
      }
      expect((await fetch(`${at.origin}${path}`, { method: "POST", headers: { cookie } })).status).toBe(403);
    }
    const ours = { method: "POST", headers: { cookie, "sec-fetch-site": "same-origin" } };
    expect((await fetch(`${at.origin}/api/notes`, ours)).status).toBe(200);
  });

  it("a cookie that is there twice, unquoted or not, names nobody", async () => {
    const cookie = await signedIn(at);
    const planted = `${sessionCookie}=${"B".repeat(43)}`;
    for (const sent of [
      `${sessionCookie}=${cookie}; ${planted}`,
      `${planted}; ${sessionCookie}=${cookie}`,
      `${sessionCookie}="${cookie}"`,
      `portcullis-session=${cookie}`,
    ]) {
      const { status } = await fetch(`${at.origin}/api/me`, { headers: { cookie: sent } });
      expect([400, 401]).toContain(status);
    }
  });

  it("every cookie is __Host-, HttpOnly and Secure; the session's is Strict, the sign-in's Lax for ten minutes", async () => {
    const { browser, answer } = await untilCallback();
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(answer, { headers: { cookie }, redirect: "manual" });
    // A page and no redirect, or a browser that comes from another site would keep the cookie back.
    expect([response.status, response.headers.get("location")]).toEqual([200, null]);
    expect(await response.text()).toMatch(/<meta http-equiv="refresh" content="0;url=\/notes\/today">/);
    const set = response.headers.getSetCookie();
    expect(set.find((one) => one.startsWith(sessionCookie))).toMatch(
      /^__Host-portcullis-session=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
    expect(set.find((one) => one.startsWith(flowCookie))).toContain("=; Path=/; Max-Age=0;");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const begun = await fetch(`${at.origin}/auth/sign-in`, { redirect: "manual" });
    expect(begun.headers.get("set-cookie")).toMatch(
      /^__Host-portcullis-sign-in-[1-5]=[\w-]+; Path=\/; Max-Age=600; Secure; HttpOnly; SameSite=Lax$/,
    );
    const location = new URL(begun.headers.get("location") ?? "", at.origin);
    expect(location.searchParams.get("code_challenge_method")).toBe("S256");
  });

  it("theft: neither the tables nor a cookie give tokens, and a cookie is of no use beside another secret", async () => {
    const cookie = await signedIn(at);
    const rows = await storage.db.selectFrom("browser_session").selectAll().execute();
    const dump = JSON.stringify([rows, await storage.db.selectFrom("refresh_token").selectAll().execute()]);
    expect(dump).not.toContain(cookie);
    expect(dump).not.toMatch(/eyJ[\w-]+\.eyJ/);
    expect(dump).not.toContain(person.email);
    for (const path of ["/auth/session", "/api/me"]) {
      const response = await fetch(`${at.origin}${path}`, { headers: { cookie: `${sessionCookie}=${cookie}` } });
      expect(await response.text()).not.toMatch(/eyJ|refresh/);
    }
    // Who has the tables and the cookie lacks the server's secret.
    const [own, elsewhere] = [secret, `another ${secret}`].map((one) => secretsOf(cookie, one));
    const sealed = rows.find(({ hash }) => hash === own?.hash)?.sealed ?? "";
    expect([own?.open(sealed)?.claims.email, elsewhere?.open(sealed)]).toEqual([person.email, undefined]);
    // A row put under another cookie's hash opens for nobody.
    const [stolen] = rows.filter(({ sealed, ended_at }) => sealed !== "" && ended_at === null).slice(-1);
    const other = await signedIn(at);
    await storage.db
      .updateTable("browser_session")
      .set({ sealed: stolen?.sealed ?? "" })
      .where("created_at", "=", clock)
      .execute();
    expect([await me(at.origin, other), await me(at.origin, cookie)].filter((status) => status === 200)).toHaveLength(
      1,
    );
  });

  it("withdrawing what the app was allowed ends its sessions", async () => {
    const cookie = await signedIn(at);
    const account = await at.identity.accounts.findByEmail(person.email);
    await at.identity.withdraw(account?.id ?? "", "browser-sessions");
    expect(await me(at.origin, cookie)).toBe(401);
  });

  // The last one: oidc-provider has a clock of its own, and nobody signs in days ahead of it.
  it("a session ends after 8 hours without a request, and after 7 days however busy", async () => {
    const idle = await signedIn(at);
    const busy = await signedIn(at);
    const begun = clock;
    clock += 7.9 * 3_600_000;
    expect([await me(at.origin, idle), await me(at.origin, busy)]).toEqual([200, 200]);
    clock += 7.9 * 3_600_000;
    expect([await me(at.origin, idle), await me(at.origin, busy)]).toEqual([200, 200]);
    while (clock < begun + 7 * 86_400_000 - 6 * 3_600_000) {
      clock += 6 * 3_600_000;
      expect(await me(at.origin, busy)).toBe(200);
    }
    expect(await me(at.origin, idle)).toBe(401);
    clock = begun + 7 * 86_400_000;
    expect(await me(at.origin, busy)).toBe(401);
  });
});
