import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStorage, type Storage } from "@portcullis/server/storage";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openSigningKeys } from "../../src/identity/oauth/signing-keys.ts";
import { signingKeyStore } from "../../src/storage/signing-keys.ts";
import { alice, claimsOf, clients, files, bob, type OAuthServer, secret, startOAuthServer } from "./oauth-server.ts";

const hour = 3_600_000;
const day = 24 * hour;

const folder = mkdtempSync(join(tmpdir(), "portcullis-authorization-"));
let storage: Storage;
let server: OAuthServer;

beforeAll(async () => {
  storage = await openStorage({ folder });
  server = await startOAuthServer(storage);
});
afterAll(async () => {
  await server.close();
  await storage.close();
  rmSync(folder, { recursive: true });
});

/** Whether the person is sent away with an answer, or told here that the link cannot be used. */
async function answered(over: Readonly<Record<string, string | undefined>>): Promise<string> {
  const { page, params } = await server.authorize(server.browser(), over);
  if (page.url.origin === server.issuer) return `page ${page.status}`;
  // Who asks for tokens in a fragment is told there that there are none.
  const inFragment = new URLSearchParams(page.url.hash.slice(1));
  return params.get("error") ?? inFragment.get("error") ?? (params.has("code") ? "code" : "nothing");
}

describe("oauth: where answers go", () => {
  it.each([
    "https://web.example.com/callback/",
    "https://web.example.com/Callback",
    "https://web.example.com/callback/../evil",
    "https://web.example.com/callback%2F",
    "https://web.example.com/%63allback",
    "https://web.example.com/callback?next=https://evil.example",
    "https://web.example.com/callback#fragment",
    "https://web.example.com:443/callback",
    "https://web.example.com:8443/callback",
    "http://web.example.com/callback",
    "https://WEB.example.com/callback",
    "https://web.example.com.evil.example/callback",
    "https://web.example.com@evil.example/callback",
    "https://evil.example/callback",
    "//web.example.com/callback",
    "https://web.example.com/callback ",
    "javascript:alert(1)",
    "",
  ])("sends nothing to %s, and says so on a page of its own", async (redirect_uri) => {
    expect(await answered({ redirect_uri })).toMatch(/^page 400$/);
  });

  it.each([
    ["http://127.0.0.1:49152/callback", "code"],
    ["http://127.0.0.1/callback", "code"],
    ["com.example.notes:/callback", "code"],
    ["http://127.0.0.1:49152/callback/", "page 400"],
    ["http://127.0.0.1:49152/callback?x=1", "page 400"],
    ["http://127.0.0.1:49152/", "page 400"],
    ["http://localhost:49152/callback", "page 400"],
    ["http://[::1]:49152/callback", "page 400"],
    ["http://127.0.0.1.evil.example:1/callback", "page 400"],
    ["http://127.0.0.1:49152@evil.example/callback", "page 400"],
    ["https://127.0.0.1:49152/callback", "page 400"],
    ["com.example.notes:/callback/more", "page 400"],
    ["com.example.notes.evil:/callback", "page 400"],
  ])("an application on the device, %s: %s", async (redirect_uri, outcome) => {
    expect(await answered({ client_id: "app", redirect_uri })).toBe(outcome);
  });

  it.each([
    ["with a secret", { secret: clients.web.secret }],
    ["in the browser", { origins: ["http://127.0.0.1:3000"] }],
  ])("an application %s has the loopback address it registered, with that port and no other", async (_what, kind) => {
    const at = (port: number) => `http://127.0.0.1:${port}/callback`;
    const client = { id: "local", name: "Local", redirectUris: [at(3000)], scopes: ["notes:read"], ...kind };
    const own = await startOAuthServer(storage, { clients: [client] });
    const ask = (port: number) => own.authorize(own.browser(), { client_id: "local", redirect_uri: at(port) });
    const [right, wrong] = [await ask(3000), await ask(3001)];
    expect([right.params.has("code"), wrong.page.url.origin, wrong.page.status]).toEqual([true, own.issuer, 400]);
    await own.close();
  });

  it("an unknown client gets no answer whatever the address is", async () => {
    expect(await answered({ client_id: "nobody" })).toBe("page 400");
    expect(await answered({ client_id: "machine" })).toBe("page 400");
    expect(await answered({ client_id: undefined })).toBe("page 400");
  });

  it("adds to a registered query and replaces none of it", async () => {
    const spa = clients.spa.redirectUris[0];
    const { page } = await server.authorize(server.browser(), { client_id: "spa", redirect_uri: spa });
    expect(page.url.href).toMatch(/^https:\/\/spa\.example\.com\/callback\?from=here&/);
  });

  it("says who answers and gives the state back, with a code and with an error", async () => {
    const state = "a+b c&d=e%41\u{1F511}é";
    const good = await server.authorize(server.browser(), { state });
    expect([good.params.get("iss"), good.params.get("state")]).toEqual([server.issuer, state]);
    const bad = await server.authorize(server.browser(), { state, scope: "openid files:read" });
    expect([bad.params.get("error"), bad.params.get("iss"), bad.params.get("state")]).toEqual([
      "invalid_scope",
      server.issuer,
      state,
    ]);
  });

  it("refuses what is too long to give back", async () => {
    expect(await answered({ state: "x".repeat(1001) })).toBe("page 400");
    expect(await answered({ nonce: "x".repeat(501) })).toBe("page 400");
    expect(await answered({ state: "x".repeat(1000), nonce: "x".repeat(500) })).toBe("code");
  });

  it("answers in the query alone: no fragment, no form that sends itself", async () => {
    for (const response_mode of ["fragment", "form_post", "jwt", "web_message", "x"]) {
      const { page, params } = await server.authorize(server.browser(), { response_mode });
      expect([params.get("error"), page.url.hash]).toEqual(["unsupported_response_mode", ""]);
    }
    expect(await answered({ response_mode: "query" })).toBe("code");
  });

  it.each([
    [{ response_type: "token" }, "unsupported_response_type"],
    [{ response_type: "id_token" }, "unsupported_response_type"],
    [{ response_type: "code token" }, "unsupported_response_type"],
    [{ response_type: undefined }, "invalid_request"],
    [{ request: "e30.e30." }, "request_not_supported"],
    [{ request_uri: "https://web.example.com/request" }, "request_uri_not_supported"],
    [{ registration: "{}" }, "registration_not_supported"],
    [{ prompt: "create" }, "invalid_request"],
    [{ prompt: "none login" }, "invalid_request"],
  ])("answers %j with %s", async (over, error) => {
    expect(await answered(over)).toBe(error);
  });
});

describe("oauth: proof key for code exchange", () => {
  it.each([
    [{ code_challenge: undefined, code_challenge_method: undefined }],
    [{ code_challenge_method: "plain" }],
    [{ code_challenge_method: undefined }],
    [{ code_challenge: undefined }],
    [{ code_challenge: "short" }],
  ])("gives no code for %j", async (over) => {
    expect(await answered(over)).toBe("invalid_request");
  });
});

describe("oauth: what a token is for", () => {
  it("says which resource does not exist, at both endpoints", async () => {
    for (const resource of ["https://elsewhere.example", `${server.resource}/`, "not an address", "__proto__"]) {
      expect(await answered({ resource })).toBe("invalid_target");
      const spa = { client_id: "spa", redirect_uri: clients.spa.redirectUris[0], resource };
      expect(await answered(spa)).toBe("invalid_target");
    }
    const { params, verifier, redirectUri } = await server.authorize(server.browser());
    const form = { grant_type: "authorization_code", code: params.get("code") ?? "", code_verifier: verifier };
    const asked = { ...form, redirect_uri: redirectUri, client_id: "web", client_secret: clients.web.secret };
    expect((await server.token({ ...asked, resource: files })).body["error"]).toBe("invalid_target");
  });

  it("names one resource with that resource's scopes alone", async () => {
    const { access, scope, refresh } = await server.tokens("spa", {
      scope: "openid notes:read files:read",
      resource: files,
    });
    expect([claimsOf(access)["aud"], claimsOf(access)["scope"], scope]).toEqual([files, "files:read", "files:read"]);
    expect((await server.call(access)).status).toBe(401);
    const spa = { client_id: "spa", client_secret: undefined };
    const again = await server.refresh(refresh, { ...spa, resource: server.resource });
    expect(again.body["error"]).toBe("invalid_target");
  });

  it("gives an application that wants to know who somebody is nothing to call as that person", async () => {
    const { access, refresh, id } = await server.tokens("web", { scope: "openid email" });
    expect(claimsOf(id)["email"]).toBe("alice@example.com");
    expect((await server.call(access)).status).toBe(401);
    expect(refresh).toBe("");
    expect(await answered({ scope: "openid email", resource: server.resource })).toBe("invalid_target");
  });

  it("gives no scope the client may not have", async () => {
    expect(await answered({ scope: "openid files:read" })).toBe("invalid_scope");
    const { scope, access } = await server.tokens("web", { scope: "openid notes:read admin superuser" });
    expect([scope, claimsOf(access)["scope"]]).toEqual(["notes:read", "notes:read"]);
    expect((await server.call(access, "/notes")).status).toBe(403);
  });

  it("names subject, client, grant, session and epoch in an access token, and keeps inner names out of the ID token", async () => {
    const { access, id } = await server.tokens();
    expect(claimsOf(access)).toMatchObject({
      iss: server.issuer,
      sub: server.alice,
      client_id: "web",
      aud: server.resource,
      epoch: 0,
    });
    expect(Object.keys(claimsOf(access)).toSorted()).toEqual(
      ["aud", "client_id", "epoch", "exp", "grant", "iat", "iss", "jti", "scope", "sid", "sub"].toSorted(),
    );
    expect(claimsOf(id)["acr"]).toBeUndefined();
    expect(JSON.stringify(claimsOf(id))).not.toContain("epoch");
    expect((await server.call(id)).status).toBe(401);
  });

  it("is told by its type: whatever else the same keys signed opens nothing", async () => {
    const { access } = await server.tokens();
    const lifetimes = { signsMs: 30 * day, announcedMs: hour, keptMs: 2 * hour };
    const store = signingKeyStore(storage.db);
    const keys = await openSigningKeys({ store, secret, algorithm: "EdDSA", lifetimes, now: Date.now });
    const { kid, key } = keys.signer();
    const statusAs = async (header: { readonly typ?: string }) => {
      const token = new SignJWT(claimsOf(access)).setProtectedHeader({ alg: "EdDSA", kid, ...header });
      return (await server.call(await token.sign(key))).status;
    };
    expect(await statusAs({ typ: "at+jwt" })).toBe(200);
    for (const header of [{}, { typ: "JWT" }, { typ: "logout+jwt" }, { typ: "dpop+jwt" }]) {
      expect([header, await statusAs(header)]).toEqual([header, 401]);
    }
  });
});

describe("oauth: signing in and being asked", () => {
  const web = { client_id: "web", redirect_uri: clients.web.redirectUris[0] };
  const signIn = "Sign in to Notes";
  const consent = "Allow Web Notes?";

  it("remembers what a person allowed an application, in every browser, and asks for what is new", async () => {
    await server.identity.withdraw(server.alice, "web");
    const first = server.browser();
    expect((await server.authorize(first, web)).asked).toEqual([signIn, consent]);
    expect((await server.authorize(first, web)).asked).toEqual([]);
    const second = server.browser();
    expect((await server.authorize(second, web)).asked).toEqual([signIn]);
    const more = { ...web, scope: "openid email notes:read notes:write" };
    expect((await server.authorize(second, more)).asked).toEqual([consent]);
    expect((await server.authorize(first, more)).asked).toEqual([consent]);
    expect((await server.authorize(server.browser(), more)).asked).toEqual([signIn]);
  });

  it("asks again, and ends what was given, when a person takes it back", async () => {
    const browser = server.browser();
    const { access, refresh } = await server.tokens("web", {}, browser);
    expect((await server.call(access)).status).toBe(200);
    await server.identity.withdraw(server.alice, "web");
    expect((await server.call(access)).status).toBe(401);
    expect((await server.refresh(refresh)).body["error"]).toBe("invalid_grant");
    expect((await server.authorize(browser, web)).asked).toEqual([consent]);
  });

  it("says once what is asked for, and says no where the person does", async () => {
    await server.identity.withdraw(server.alice, "web");
    const browser = server.browser();
    await server.authorize(browser, { client_id: "spa", redirect_uri: clients.spa.redirectUris[0] });
    const url = new URL("/oauth/authorize", server.issuer);
    url.search = new URLSearchParams({
      ...web,
      response_type: "code",
      scope: "openid notes:write",
      code_challenge: "x".repeat(43),
      code_challenge_method: "S256",
    }).toString();
    const page = await browser.open(url);
    expect([...page.text.matchAll(/<li>([^<]*)/g)].map(([, text]) => text)).toEqual([
      "know that it is you",
      "use notes:write for you",
    ]);
    // Who asks, whom, and for how long.
    expect(page.text).toContain("<strong>Web Notes</strong> asks to:");
    expect(page.text).toContain(`signed in as <strong>${alice.email}</strong>. You are asked again within a year`);
    const { url: back } = await browser.submit(page, { decision: "deny" });
    expect(back.searchParams.get("error")).toBe("access_denied");
    expect((await server.authorize(browser, web)).asked).toEqual([consent]);
  });

  it("records nobody as signed in because a person was asked, whatever the answer was", async () => {
    await server.identity.withdraw(server.alice, "web");
    const browser = server.browser();
    expect((await server.authorize(browser, web)).asked).toEqual([signIn, consent]);
    server.api.tell({ type: "account-enabled", subject: server.alice, request: { id: "asked", address: "::1" } });
    await vi.waitFor(() => expect(server.events().map(({ requestId }) => requestId)).toContain("asked"), 10_000);
    const routes = server.events().flatMap(({ type, route = "" }) => (type === "signed-in" ? [route] : []));
    expect(routes.filter((route) => route.endsWith("/consent"))).toEqual([]);
    expect(routes.filter((route) => route.endsWith("/sign-in")).length).toBeGreaterThan(0);
  });

  it("asks nobody for a client of the service itself, and always for one on the device, which anybody may claim to be", async () => {
    const browser = server.browser();
    const spa = { client_id: "spa", redirect_uri: clients.spa.redirectUris[0] };
    expect((await server.authorize(browser, spa)).asked).toEqual([signIn]);
    expect((await server.authorize(browser, { ...spa, scope: "openid files:read", resource: files })).asked).toEqual(
      [],
    );
    const app = { client_id: "app", redirect_uri: "http://127.0.0.1:1/callback" };
    expect((await server.authorize(browser, app)).asked).toEqual(["Allow Notes App?"]);
    expect((await server.authorize(browser, app)).asked).toEqual(["Allow Notes App?"]);
  });

  it("takes a request as a form from another site, and goes on with who is signed in here", async () => {
    const browser = server.browser();
    await server.authorize(browser, web);
    const request = {
      ...web,
      response_type: "code",
      scope: "openid email notes:read",
      code_challenge: "x".repeat(43),
      code_challenge_method: "S256",
      state: "a+b c&d",
      max_age: "600",
    };
    // As a browser sends it: a form of another site brings none of the cookies.
    const headers = { "sec-fetch-site": "cross-site", origin: "https://web.example.com" };
    const send = (over: Readonly<Record<string, string>>) =>
      fetch(`${server.base}/oauth/authorize`, {
        method: "POST",
        body: new URLSearchParams({ ...request, ...over }),
        headers,
        redirect: "manual",
      });
    const sent = await send({});
    expect([sent.status, sent.headers.getSetCookie()]).toEqual([303, []]);
    const { url } = await browser.open(new URL(sent.headers.get("location") ?? "", server.base));
    expect([url.searchParams.has("code"), url.searchParams.get("state")]).toEqual([true, "a+b c&d"]);
    expect((await send({ nonsense: "1" })).status).toBe(400);
    // No proxy would pass the header on.
    expect((await send({ request: "\u20ac".repeat(1000) })).status).toBe(414);
    const elsewhere = await send({ redirect_uri: "https://evil.example" });
    expect((await browser.open(new URL(elsewhere.headers.get("location") ?? "", server.base))).status).toBe(400);
  });

  it("shows no page with prompt=none, and says what is missing", async () => {
    await server.identity.withdraw(server.alice, "web");
    const browser = server.browser();
    const silent = async (over = {}) => {
      const { asked, params } = await server.authorize(browser, { ...web, prompt: "none", ...over });
      expect(asked).toEqual([]);
      return params.get("error") ?? "code";
    };
    expect(await silent()).toBe("login_required");
    await server.authorize(browser, { client_id: "spa", redirect_uri: clients.spa.redirectUris[0] });
    expect(await silent()).toMatch(/^(?:consent|interaction)_required$/);
    await server.authorize(browser, web);
    expect(await silent()).toBe("code");
    expect(await silent({ scope: "openid notes:write" })).toMatch(/^(?:consent|interaction)_required$/);
  });

  it("asks who is signed in to sign in again with prompt=login and where max_age is over", async () => {
    const browser = server.browser();
    await server.authorize(browser, web);
    expect((await server.authorize(browser, { ...web, prompt: "login" })).asked).toEqual([signIn]);
    expect((await server.authorize(browser, { ...web, max_age: "3600" })).asked).toEqual([]);
    expect((await server.authorize(browser, { ...web, max_age: "0" })).asked).toEqual([signIn]);
    expect((await server.authorize(browser, { ...web, prompt: "consent" })).asked).toEqual([consent]);
  });

  it("lets somebody else sign in over it, and the session before is over", async () => {
    const browser = server.browser();
    await server.authorize(browser, web);
    const before = new Map(browser.cookies);
    const other = await server.authorize(browser, { ...web, prompt: "login" }, bob);
    expect(other.asked).toEqual([signIn, consent]);
    expect(other.params.has("code")).toBe(true);
    const earlier = server.browser();
    for (const [name, value] of before) earlier.cookies.set(name, value);
    expect((await server.authorize(earlier, web)).asked[0]).toBe(signIn);
  });

  it("names the session anew when somebody signs in, so that nobody can put a known one there", async () => {
    const browser = server.browser();
    const name = "__Host-portcullis-op";
    browser.cookies.set(name, "chosen-by-somebody-else");
    await server.authorize(browser, web);
    const first = browser.cookies.get(name);
    expect(first).not.toBe("chosen-by-somebody-else");
    await server.authorize(browser, { ...web, prompt: "login" });
    expect(browser.cookies.get(name)).not.toBe(first);
  });

  it("lets nobody go on with a sign-in that another browser began", async () => {
    const [mine, theirs] = [server.browser(), server.browser()];
    const url = new URL("/oauth/authorize", server.issuer);
    url.search = new URLSearchParams({
      ...web,
      response_type: "code",
      scope: "openid",
      code_challenge: "x".repeat(43),
      code_challenge_method: "S256",
    }).toString();
    const page = await mine.open(url);
    const seen = await theirs.open(page.url);
    expect([seen.status, seen.text.includes("expired")]).toEqual([404, true]);
    expect((await theirs.submit(page, { email: "bob@example.com", password: bob.password })).status).toBe(404);
    expect((await mine.submit(page, { decision: "allow" })).status).toBe(400);
  });

  it("gives whoever saw the address of a sign-in neither its pages nor, once it is done, the code and the session", async () => {
    const [mine, thief] = [server.browser(), server.browser()];
    const flow = (cookies: ReadonlyMap<string, string>) =>
      [...cookies].find(([name]) => name.startsWith("__Host-portcullis-interaction-")) ?? ["", ""];
    const url = new URL("/oauth/authorize", server.issuer);
    url.search = new URLSearchParams({
      client_id: "spa",
      redirect_uri: clients.spa.redirectUris[0],
      response_type: "code",
      scope: "openid notes:read",
      code_challenge: "x".repeat(43),
      code_challenge_method: "S256",
    }).toString();
    const page = await mine.open(url);
    await thief.open(url);
    const uid = page.url.pathname.split("/").at(-1) ?? "";
    const [name, own] = flow(thief.cookies);
    const [, began = "", proof = ""] = own.split(".");
    const [, value] = flow(mine.cookies);
    expect([proof.length, value.split(".")[0]]).toEqual([43, uid]);
    const tries = [
      [name, uid],
      [name, `${uid}.${began}.${proof}`],
      // The right one, with another time and in a cookie of another name.
      [name, value.replace(/\.\w+\./, ".zzzzzz.")],
      ["__Host-portcullis-resume", value],
      ["__Host-portcullis-interaction", value],
    ] as const;
    const asThief = (cookie: string, content: string) => {
      thief.cookies.clear();
      thief.cookies.set(cookie, content);
      server.forgiveLimits();
    };
    for (const [cookie, content] of tries) {
      asThief(cookie, content);
      expect((await thief.open(page.url)).status).toBe(404);
    }
    const signedIn = await fetch(`${page.url.href}/sign-in`, {
      method: "POST",
      body: new URLSearchParams({ ...alice }),
      headers: {
        "sec-fetch-site": "same-origin",
        cookie: [...mine.cookies].map(([name, value]) => `${name}=${value}`).join("; "),
      },
    });
    expect(signedIn.status).toBe(200);
    const onward = `/oauth/authorize/${uid}`;
    for (const [cookie, content] of tries) {
      asThief(cookie, content);
      const taken = await thief.open(onward);
      expect([taken.status, thief.cookies.has("__Host-portcullis-op")]).toEqual([400, false]);
    }
    expect((await mine.open(onward)).url.searchParams.has("code")).toBe(true);
  });

  it("lets several applications sign in at once in one browser, each with its own answer", async () => {
    await server.identity.withdraw(server.alice, "web");
    const browser = server.browser();
    const ask = (over: Readonly<Record<string, string>>, state: string) => {
      const url = new URL("/oauth/authorize", server.issuer);
      const rest = { response_type: "code", code_challenge: "x".repeat(43), code_challenge_method: "S256", state };
      url.search = new URLSearchParams({ ...rest, ...over }).toString();
      server.forgiveLimits();
      return browser.open(url);
    };
    const spa = { client_id: "spa", redirect_uri: clients.spa.redirectUris[0], scope: "openid notes:read" };
    const [first, second] = await Promise.all([
      ask(spa, "first"),
      ask({ ...web, scope: "openid notes:write" }, "second"),
    ]);
    const consenting = await browser.submit(second, { ...alice });
    const done = await browser.submit(first, { ...alice });
    expect([done.url.searchParams.get("state"), done.url.searchParams.has("code")]).toEqual(["first", true]);
    expect(consenting.text).toContain(consent);
    const allowed = await browser.submit(consenting, { decision: "allow" });
    expect([allowed.url.searchParams.get("state"), allowed.url.searchParams.has("code")]).toEqual(["second", true]);
    expect([...browser.cookies.keys()]).toEqual(["__Host-portcullis-op"]);
    // Whoever begins a hundred has five; the sixth drops the oldest.
    const pages = [];
    for (let more = 0; more < 6; more++) pages.push(await ask({ ...spa, prompt: "login" }, `${more}`));
    expect([...browser.cookies.keys()]).toHaveLength(6);
    const statuses = [];
    for (const { url } of pages) statuses.push((await browser.open(url)).status);
    expect(statuses).toEqual([404, 200, 200, 200, 200, 200]);
  });

  it("lets somebody else sign in in one of two tabs, and ends the session the other tab began", async () => {
    const browser = server.browser();
    const begin = (state: string) => {
      const url = new URL("/oauth/authorize", server.issuer);
      const spa = { client_id: "spa", redirect_uri: clients.spa.redirectUris[0], scope: "openid notes:read" };
      const rest = { response_type: "code", code_challenge: "x".repeat(43), code_challenge_method: "S256", state };
      url.search = new URLSearchParams({ ...rest, ...spa }).toString();
      return browser.open(url);
    };
    const tabs = [await begin("first"), await begin("second")] as const;
    await browser.submit(tabs[0], { ...alice });
    const before = new Map(browser.cookies);
    const done = await browser.submit(tabs[1], { ...bob });
    expect([done.url.searchParams.get("state"), done.url.searchParams.has("code")]).toEqual(["second", true]);
    const earlier = server.browser();
    for (const [name, value] of before) earlier.cookies.set(name, value);
    expect((await server.authorize(earlier, web)).asked[0]).toBe(signIn);
  });

  it("lets a page of a client agree for nobody, though it may call the API: asking belongs to pages of the server", async () => {
    await server.identity.withdraw(server.alice, "web");
    const browser = server.browser();
    await server.authorize(browser, { client_id: "spa", redirect_uri: clients.spa.redirectUris[0] });
    const url = new URL("/oauth/authorize", server.issuer);
    url.search = new URLSearchParams({
      ...web,
      response_type: "code",
      scope: "openid notes:write",
      code_challenge: "x".repeat(43),
      code_challenge_method: "S256",
    }).toString();
    const page = await browser.open(url);
    const agree = (site: string | undefined, origin: string) =>
      fetch(`${page.url.href}/consent`, {
        method: "POST",
        body: new URLSearchParams({ decision: "allow" }),
        headers: {
          origin,
          ...(site === undefined ? {} : { "sec-fetch-site": site }),
          cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; "),
        },
      });
    const spa = "https://spa.example.com";
    for (const [site, origin] of [
      ["same-site", spa],
      ["cross-site", spa],
      ["cross-site", "https://evil.example"],
      [undefined, "https://evil.example"],
      [undefined, spa],
    ] as const) {
      const { status } = await agree(site, origin);
      expect([site, origin, status >= 400]).toEqual([site, origin, true]);
    }
    expect((await agree("same-origin", server.issuer)).status).toBe(200);
  });
});
