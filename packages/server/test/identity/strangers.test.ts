import { request } from "node:http";
import type { Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";
import type { Browser, Page } from "./browser.ts";
import { alice, clients, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

type Form = Readonly<Record<string, string>>;

describe("accounts: what strangers can do to somebody from outside", () => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  beforeAll(async () => {
    stores = await embeddedStores();
    storage = await stores.open();
    server = await startOAuthServer(storage);
  });
  afterAll(async () => {
    await server.close();
    await stores.stop();
  });
  beforeEach(() => server.forgiveLimits());

  it("is no guess, where a page of another site has its visitors send the form of a mailed link", async () => {
    const body = new URLSearchParams({ email: alice.email, password: "not the password" });
    for (const path of ["/account/email/none", "/account/verify/none"]) {
      for (let time = 0; time < 6; time++) {
        const headers = { "sec-fetch-site": "cross-site", origin: "https://other.example" };
        expect((await fetch(`${server.base}${path}`, { method: "POST", body, headers })).status).toBe(403);
      }
    }
    await signedIn();
  });

  it("leaves its owner the mails that another address and another link take", async () => {
    const browser = await signedIn();
    for (let time = 0; time < 5; time++) {
      server.forgiveLimits(61_000);
      await elsewhere("/account/email", { ...alice, newEmail: `stranger-${time}@example.com` });
      await elsewhere("/account/verify-again", { account: server.alice });
    }
    server.forgiveLimits(61_000);
    const asked = await browser.submit(await browser.open("/account/email"), { ...alice, newEmail: "new@example.com" });
    expect([asked.status, asked.text.includes("Look at your mail")]).toEqual([200, true]);
    const { text, ...page } = await browser.open("/account");
    const [form = "", account = ""] = /<form[^>]*verify-again.*?value="([^"]*)"/.exec(text) ?? [];
    expect((await browser.submit({ ...page, text: form }, { account })).status).toBe(200);
  });

  it("leaves its owner the mails that a forgotten password and a sign-up take", async () => {
    const email = "somebody.new@example.com";
    for (let time = 0; time < 6; time++) {
      server.forgiveLimits(61_000);
      const statuses = [
        await elsewhere("/account/forgotten", { email: alice.email }),
        await elsewhere("/account/sign-up", { email, password: alice.password }),
      ];
      expect(statuses).toEqual(time < 5 ? [200, 200] : [429, 429]);
    }
    for (const [path, form] of [
      ["/account/forgotten", { email: alice.email }],
      ["/account/sign-up", { email, password: alice.password }],
    ] as const) {
      server.forgiveLimits(61_000);
      const browser = server.browser();
      const { status, text } = await browser.submit(await browser.open(path), form);
      expect([path, status, text.includes("Look at your mail")]).toEqual([path, 200, true]);
    }
  });

  it("is no text of theirs on the page that asks for permission, or in the records", async () => {
    const browser = server.browser();
    const redirect_uri = "http://127.0.0.1/callback";
    await server.tokens("app", { redirect_uri }, browser);
    const scope = "openid notes:read CALL-0800-123-AND-SAY-YOUR-PASSWORD";
    const page = await asked(browser, { client_id: "app", redirect_uri, scope });
    expect([page.text.includes("use notes:read for you"), page.text.includes("0800")]).toEqual([true, false]);
    await browser.submit(page, { decision: "deny" });
    const account = await browser.open("/account");
    const withdraw = { ...account, text: '<form method="post" action="/account/withdraw"' };
    await browser.submit(withdraw, { application: "all-is-well-says-the-operator" });
    await browser.submit(withdraw, { application: "app" });
    await vi.waitFor(() => {
      const told = server.events().filter(({ type }) => type.startsWith("consent-"));
      expect(told.at(-2)).toMatchObject({ type: "consent-refused", reason: "openid notes:read" });
      expect(told.at(-1)).toMatchObject({ type: "consent-withdrawn", client: "app" });
    }, 10_000);
  });

  it("is no permission for an application, which whoever comes next gives in a browser that was signed out", async () => {
    const browser = await signedIn();
    const web = { client_id: "web", redirect_uri: "https://web.example.com/callback", scope: "openid notes:write" };
    const left = await asked(browser, web);
    expect(left.text).toContain("Allow Web Notes?");
    const account = await browser.open("/account");
    await browser.submit({ ...account, text: '<form method="post" action="/account/sign-out"' }, {});
    expect((await browser.submit(left, { decision: "allow" })).status).toBe(404);
    server.forgiveLimits();
    expect((await asked(await signedIn(), web)).text).toContain("Allow Web Notes?");
  });

  it("is one revocation, however often a client hands in the same access token", async () => {
    const { access } = await server.tokens();
    const { id, secret } = clients.web;
    const before = await revoked();
    for (let time = 0; time < 5; time++) {
      expect((await server.revoke({ token: access, client_id: id, client_secret: secret })).status).toBe(200);
    }
    expect([await revoked(), (await server.call(access)).status]).toEqual([before + 1, 401]);
  });

  async function revoked(): Promise<number> {
    return (await storage.db.selectFrom("revocation").select("seq").execute()).length;
  }

  /** What the server shows to a browser that an application sends. */
  function asked(browser: Browser, params: Form): Promise<Page> {
    const url = new URL("/oauth/authorize", server.base);
    const all = { ...params, response_type: "code", code_challenge: "a".repeat(43), code_challenge_method: "S256" };
    for (const [name, value] of Object.entries(all)) url.searchParams.set(name, value);
    return browser.open(url);
  }

  async function signedIn() {
    const browser = server.browser();
    await browser.submit(await browser.open("/account/sign-in"), { ...alice });
    expect((await browser.open("/account")).url.pathname).toBe("/account");
    return browser;
  }

  /** From another network, without a cookie. */
  async function elsewhere(path: string, form: Form): Promise<number> {
    const { host, port } = new URL(server.base);
    return new Promise<number>((resolve, reject) => {
      const sent = request({
        host: "127.0.0.1",
        localAddress: "127.0.0.9",
        port,
        path,
        method: "POST",
        headers: { host, "content-type": "application/x-www-form-urlencoded" },
      });
      sent.once("response", (answer) => answer.resume().once("end", () => resolve(answer.statusCode ?? 0)));
      sent.once("error", reject);
      sent.end(new URLSearchParams(form).toString());
    });
  }
});
