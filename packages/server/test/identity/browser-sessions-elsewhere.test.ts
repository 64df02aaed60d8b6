import { existsSync } from "node:fs";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { openBrowserSessions } from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import { decodeJwt, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { freePort } from "../../../../scripts/free-ports.ts";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";
import { type OtherIssuer, startOtherIssuer } from "./other-issuer.ts";
import { type Instance, me, secret, sessionCookie, startInstance } from "./session-server.ts";

const clientSecret = "tests-only: a secret of the client at the other issuer";

describe("sessions: people of an issuer elsewhere", () => {
  let all: TestStores;
  let storage: Storage;
  let at: Instance;
  let other: OtherIssuer;
  let clock = Date.now();
  /** What an attacker makes of an ID token on its way. */
  let tamper: ((claims: JWTPayload) => Promise<string>) | undefined;
  /** What an attacker makes of the issuer's metadata. */
  let metadata: Readonly<Record<string, string>> | undefined;
  let isDown = false;
  const known = getCACertificates();

  beforeAll(async () => {
    // The other issuer says how it would be set up for others than tests.
    for (const name of ["warn", "info"] as const) vi.spyOn(console, name).mockReturnValue();
    all = await embeddedStores();
    storage = await all.open();
    const port = await freePort();
    other = await startOtherIssuer(`http://localhost:${port}/auth/callback`, clientSecret);
    setDefaultCACertificates([...known, other.ca]);
    at = await startInstance(storage, [port], port, {
      elsewhere: (events, errors) =>
        openBrowserSessions({
          origin: `http://localhost:${port}`,
          issuer: { url: other.url, clientId: "notes", clientSecret, scopes: ["email", "offline_access"] },
          storage,
          secret,
          serviceName: "Notes",
          returnTo: ["/", "/notes/*", "/api/me"],
          now: () => clock,
          onEvent: (event) => void events.push(event),
          onError: (error) => void errors.push(error),
          fetch: onTheWay,
        }),
    });
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    await at.close();
    await other.close();
    setDefaultCACertificates(known);
    await all.stop();
  });
  beforeEach(() => {
    tamper = undefined;
    at.forgiveLimits();
  });

  async function onTheWay(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    if (isDown) throw new TypeError("fetch failed");
    const response = await fetch(input, init);
    if (metadata !== undefined && response.url.endsWith("/.well-known/openid-configuration")) {
      const known: object = await response.json();
      return Response.json({ ...known, ...metadata });
    }
    if (tamper === undefined || !response.url.endsWith("/token")) return response;
    const body: Record<string, unknown> = await response.json();
    return Response.json({ ...body, id_token: await tamper(decodeJwt(String(body["id_token"]))) });
  }
  async function signIn() {
    const browser = at.browser();
    const { url } = await browser.open("/auth/sign-in?returnTo=/notes/today");
    expect(url.origin).toBe(other.url);
    const answer = await other.authorize(url.href);
    return { page: await browser.open(answer), cookie: browser.cookies.get(sessionCookie) };
  }
  const sign = (claims: JWTPayload, key = other.key, kid = other.kid) =>
    new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid }).sign(key);

  it("signs in, and knows people by what the issuer signed", async () => {
    const { page, cookie } = await signIn();
    expect(page.url.pathname).toBe("/notes/today");
    const response = await fetch(`${at.origin}/auth/session`, { headers: { cookie: `${sessionCookie}=${cookie}` } });
    expect(await response.json()).toMatchObject({
      session: { subject: "carol", email: "carol@elsewhere.example", emailVerified: true },
    });
  });

  it("asks for the scopes that were configured, and for nothing else", async () => {
    const { url } = await at.browser().open("/auth/sign-in");
    expect([...url.searchParams.keys()].toSorted().join(" ")).toBe(
      "client_id code_challenge code_challenge_method nonce prompt redirect_uri response_type scope state",
    );
    expect(url.searchParams.get("scope")).toBe("openid email offline_access");
  });

  it("are not of another issuer that has its sessions in the same tables, under the same secret", async () => {
    const { cookie } = await signIn();
    const port = await freePort();
    const another = await startInstance(storage, [port], port, {
      elsewhere: () =>
        openBrowserSessions({
          origin: `http://localhost:${port}`,
          issuer: { url: "https://id.example.com", clientId: "notes", clientSecret },
          storage,
          secret,
          serviceName: "Notes",
          returnTo: ["/"],
          now: () => clock,
        }),
    });
    try {
      expect([await me(at.origin, cookie), await me(another.origin, cookie)]).toEqual([200, 401]);
    } finally {
      await another.close();
    }
  });

  it("passes over what the issuer sends besides, and reads no answer that says something twice", async () => {
    const browser = at.browser();
    const answer = async () => {
      const { url } = await browser.open("/auth/sign-in?returnTo=/notes/today");
      return new URL(await other.authorize(url.href));
    };
    const twice = await answer();
    twice.searchParams.append("code", "another");
    expect((await browser.open(twice)).status).toBe(400);
    const more = await answer();
    for (const [name, value] of Object.entries({
      locale: "en",
      userState: "x".repeat(3000),
      "accounts-server": "https://eu.example",
    })) {
      more.searchParams.set(name, value);
    }
    expect((await browser.open(more)).url.pathname).toBe("/notes/today");
  });

  it("leaves one session to a browser, however many sign-ins it had under way", async () => {
    const browser = at.browser();
    const tabs = [];
    for (let tab = 0; tab < 3; tab++) tabs.push((await browser.open("/auth/sign-in?returnTo=/notes/today")).url.href);
    const cookies = [];
    for (const tab of tabs) {
      // SameSite=Strict: a browser that the issuer sends brings none.
      browser.cookies.delete(sessionCookie);
      expect((await browser.open(await other.authorize(tab))).url.pathname).toBe("/notes/today");
      cookies.push(browser.cookies.get(sessionCookie));
    }
    const [first, second, third] = cookies;
    expect([await me(at.origin, first), await me(at.origin, second), await me(at.origin, third)]).toEqual([
      401, 401, 200,
    ]);
  });

  it("is signed in at the page it goes on to, in a browser that comes from the issuer's site", async () => {
    const chrome = await chromium.launch({
      timeout: 120_000,
      executablePath: ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync) ?? "chromium",
      args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"].concat([
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ]),
    });
    try {
      const page = await (await chrome.newContext({ ignoreHTTPSErrors: true })).newPage();
      // An address that was typed in may be one that another site redirected from; so the person is asked.
      await page.goto(`${at.origin}/auth/sign-in?returnTo=/api/me`);
      await page.click("button");
      // On a page of the issuer's: whatever follows is begun by its site.
      await page.click("text=I am Carol");
      await page.waitForURL(`${at.origin}/api/me`);
      expect(JSON.parse(await page.innerText("body"))).toMatchObject({ subject: "carol" });
    } finally {
      await chrome.close();
    }
  }, 90_000);

  it("takes an ID token as it was signed on the way", async () => {
    tamper = (claims) => sign(claims);
    expect((await signIn()).page.url.pathname).toBe("/notes/today");
  });

  it.each<[string, (claims: JWTPayload) => Promise<string>]>([
    ["of another sign-in (nonce)", (claims) => sign({ ...claims, nonce: "another" })],
    ["without a nonce", ({ nonce: _gone, ...claims }) => sign(claims)],
    ["for another client (aud)", (claims) => sign({ ...claims, aud: "others" })],
    ["of another issuer (iss)", (claims) => sign({ ...claims, iss: "https://evil.example" })],
    ["that has run out", (claims) => sign({ ...claims, exp: Math.floor(clock / 1000) - 60 })],
    ["without a subject", ({ sub: _gone, ...claims }) => sign(claims)],
    ["that somebody else signed", async (claims) => sign(claims, (await generateKeyPair("RS256")).privateKey)],
    [
      "that nobody signed",
      (claims) => {
        const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
        return Promise.resolve(`${part({ alg: "none" })}.${part(claims)}.`);
      },
    ],
  ])("refuses an ID token %s", async (_which, change) => {
    tamper = change;
    const { page, cookie } = await signIn();
    expect(page.status).toBe(400);
    expect(cookie).toBeUndefined();
    expect(at.events.at(-1)).toMatchObject({ type: "sign-in-refused" });
  });

  it("renews tokens there once for all that ask, and lives through an issuer that is away for a moment", async () => {
    const { cookie } = await signIn();
    const before = other.asked.length;
    clock += 270_000;
    expect(new Set(await Promise.all(Array.from({ length: 30 }, () => me(at.origin, cookie))))).toEqual(new Set([200]));
    expect(other.asked.slice(before)).toEqual([{ grant: "refresh_token", status: 200 }]);
    // By one of them, which the event names.
    const request = {
      id: expect.stringMatching(/^[\w-]{22}$/),
      address: expect.stringMatching(/^(?:127\.0\.0\.1|::1)$/),
    };
    expect(at.events.at(-1)).toMatchObject({ type: "session-renewed", subject: "carol", request });
    clock += 270_000;
    isDown = true;
    // The tokens hold for half a minute more.
    expect(await me(at.origin, cookie)).toBe(200);
    clock += 31_000;
    // Now nobody can say whether the person may still be here.
    expect(await me(at.origin, cookie)).toBe(503);
    isDown = false;
    expect(await me(at.origin, cookie)).toBe(200);
  });

  it("asks whoever follows a link from elsewhere, who may be signed in at the issuer, and goes there when told to", async () => {
    const link = `${at.origin}/auth/sign-in?returnTo=%2Fnotes%2Ftoday`;
    const asked = await fetch(link, { headers: { "sec-fetch-site": "cross-site" }, redirect: "manual" });
    expect([asked.status, asked.headers.getSetCookie()]).toEqual([200, []]);
    expect(await asked.text()).toContain('value="/notes/today">Continue</button>');
    // A page's form leads nowhere but to its own host: browsers would not follow a redirect to the issuer.
    const begun = await fetch(`${at.origin}/auth/sign-in`, {
      method: "POST",
      body: new URLSearchParams({ returnTo: "/notes/today" }),
      headers: { "sec-fetch-site": "same-origin" },
    });
    expect([begun.status, await begun.text()]).toEqual([
      200,
      expect.stringContaining(`content="0;url=${other.url}/auth?`),
    ]);
  });

  it("says that it cannot decide while the issuer is away, and signs nobody in", async () => {
    const browser = at.browser();
    const answer = await other.authorize((await browser.open("/auth/sign-in")).url.href);
    isDown = true;
    expect((await browser.open(answer)).status).toBe(503);
    expect(browser.cookies.has(sessionCookie)).toBe(false);
    isDown = false;
    expect((await signIn()).page.url.pathname).toBe("/notes/today");
  });

  it("signs out here whatever the issuer says, and takes the refresh token back there", async () => {
    for (const down of [false, true]) {
      const { cookie } = await signIn();
      const before = other.takenBack();
      isDown = down;
      const headers = { cookie: `${sessionCookie}=${cookie}`, "sec-fetch-site": "same-origin" };
      expect((await fetch(`${at.origin}/auth/sign-out`, { method: "POST", headers })).status).toBe(204);
      expect([await me(at.origin, cookie), other.takenBack() - before]).toEqual([401, down ? 0 : 1]);
      isDown = false;
    }
  });

  it.each([
    { issuer: "https://evil.example" },
    { issuer: "" },
    { authorization_endpoint: "http://evil.example/authorize" },
  ])("sends nobody anywhere by metadata that says %j", async (changed) => {
    // What was read before is good for an hour.
    clock += 3_600_000;
    metadata = changed;
    const headers = { "sec-fetch-site": "same-origin" };
    const begun = () => fetch(`${at.origin}/auth/sign-in`, { redirect: "manual", headers });
    const refused = await begun();
    expect([refused.status, refused.headers.get("location"), refused.headers.getSetCookie()]).toEqual([503, null, []]);
    metadata = undefined;
    clock += 3_600_000;
    expect((await begun()).headers.get("location")).toMatch(new RegExp(`^${other.url}/auth[?]`));
  });

  it("ends a session whose refresh token the issuer knows no more", async () => {
    clock = Date.now();
    const { cookie } = await signIn();
    expect(await me(at.origin, cookie)).toBe(200);
    await other.forgetEverybody();
    expect(await me(at.origin, cookie)).toBe(200);
    clock += 299_000;
    expect(await me(at.origin, cookie)).toBe(401);
    expect(at.events.at(-1)).toMatchObject({ type: "session-ended", subject: "carol", why: "the issuer ended it" });
    clock = Date.now();
    expect(await me(at.origin, cookie)).toBe(401);
  });
});
