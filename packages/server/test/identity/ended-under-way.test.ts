import { setTimeout as wait } from "node:timers/promises";
import type { Storage } from "@portcullis/server/storage";
import type { KyselyPlugin } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cookieNames } from "../../src/identity/oauth/provider.ts";
import { embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";
import type { Browser } from "./browser.ts";
import {
  alice,
  type Answer,
  type Authorization,
  clients,
  type OAuthServer,
  startOAuthServer,
  type Tokens,
} from "./oauth-server.ts";

const sessionCookie = cookieNames.session;

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("oauth: what is under way while something ends, %s", (_kind, start) => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  const holding = holdingReads();
  beforeAll(async () => {
    stores = await start();
    storage = await stores.open();
    server = await startOAuthServer({ ...storage, db: storage.db.withPlugin(holding.plugin) });
  });
  afterAll(async () => {
    await server.close();
    await stores.stop();
  });
  beforeEach(() => server.forgiveLimits());

  it.each([
    ["an authorization", "web", 1],
    ["an authorization that asks for consent", "app", 1],
    ["an authorization that goes on after consent", "app", 2],
  ] as const)("%s brings back no session that was signed out of, and no code of it is good", async (_what, id, nth) => {
    const browser = server.browser();
    const asked = { client_id: id, redirect_uri: clients[id].redirectUris[0], scope: "notes:read" };
    expect((await server.authorize(browser, asked)).params.get("code")).not.toBeNull();
    const before = browser.cookies.get(sessionCookie) ?? "";
    expect(await isSignedIn(before)).toBe(true);

    const held = holding.next('"Session"', nth);
    // Where it asks who it is, somebody else is there by then, who does not know the password.
    const going = server.authorize(browser, asked, { ...alice, password: "not the password" });
    await held.read;
    expect(await signOut(browser)).toBe(200);
    held.goOn();
    const done = await going;
    for (const id of [before, browser.cookies.get(sessionCookie) ?? ""]) expect(await isSignedIn(id)).toBe(false);
    expect((await redeem(done, id)).status).not.toBe(200);
    expect((await server.authorize(browser, asked, { ...alice, password: "not the password" })).asked[0]).toMatch(
      /^Sign in/,
    );
  });

  it("an authorization that read what was allowed before it was withdrawn comes to nothing, and the next one asks", async () => {
    const browser = server.browser();
    await server.tokens("web", {}, browser);
    // Without a grant of its own, so that one is made of what is remembered.
    await server.identity.accounts.signOutEverywhere(server.alice);
    await server.tokens("web", {}, browser);
    await signOut(browser);
    const held = holding.next('"Consent"', 1);
    const going = server.authorize(browser);
    await held.read;
    await server.identity.withdraw(server.alice, "web");
    held.goOn();
    const done = await going;
    expect(done.asked).toEqual(["Sign in to Notes"]);
    expect((await redeem(done, "web")).status).toBe(400);
    expect((await server.authorize(browser)).asked).toEqual([expect.stringContaining("Web Notes")]);
  });

  it("who allows more at the moment at which an application is withdrawn allows nothing of what was allowed before", async () => {
    const browser = server.browser();
    await server.tokens("web", { scope: "openid notes:read" }, browser);
    const held = holding.next('"Consent"', 2);
    const going = server.authorize(browser, { scope: "openid notes:write" });
    await held.read;
    const withdrawn = server.identity.withdraw(server.alice, "web");
    // One of the two waits for the other.
    await Promise.race([withdrawn, wait(200)]);
    held.goOn();
    await Promise.all([going, withdrawn]);
    const next = await server.authorize(server.browser(), { scope: "openid notes:read" });
    expect(next.asked).toContainEqual(expect.stringContaining("Web Notes"));
  });

  /** What ends a grant: `tokens` are of it. */
  const ends = {
    "its refresh token is handed in": async (_browser: Browser, { refresh }: Tokens) => {
      const { id, secret } = clients.web;
      expect((await server.revoke({ token: refresh, client_id: id, client_secret: secret })).status).toBe(200);
    },
    "the application is withdrawn": () => server.identity.withdraw(server.alice, "web"),
    "the browser signs out": async (browser: Browser) => void (await signOut(browser)),
    "the account is signed out everywhere": async () =>
      void (await server.identity.accounts.signOutEverywhere(server.alice)),
  };
  it.each(Object.entries(ends))("a code that is redeemed while %s gives nothing that answers", async (_when, end) => {
    const browser = server.browser();
    const before = await server.tokens("web", {}, browser);
    const going = await server.authorize(browser);
    // The code is good, and its grant is looked at.
    const held = holding.next('"Grant"', 1);
    const redeemed = redeem(going, "web");
    await held.read;
    await end(browser, before);
    held.goOn();
    await expectNothing(await redeemed);
  });

  it("fifty codes that are redeemed at the moment of an end give nothing that answers", async () => {
    const all = Object.values(ends);
    const browser = server.browser();
    for (let round = 0; round < 10; round++) {
      server.forgiveLimits();
      const before = await server.tokens("web", {}, browser);
      const codes = await Promise.all([1, 2, 3, 4, 5].map(() => server.authorize(browser)));
      const redeemed = codes.map((one) => redeem(one, "web"));
      // Now among the first steps of redeeming, now among the last.
      await new Promise((resolve) => setTimeout(resolve, 2 * round));
      // The first two ask for no password the next time.
      await all[round < 8 ? round % 2 : round % all.length]?.(browser, before);
      for (const one of await Promise.all(redeemed)) await expectNothing(one);
    }
  });

  // The last one: tokens of the next half a minute are refused, too.
  it("a code that is redeemed while everything of everybody ends gives nothing that answers", async () => {
    const going = await server.authorize(server.browser());
    const held = holding.next('"Grant"', 1);
    const redeemed = redeem(going, "web");
    await held.read;
    await server.identity.endEverything();
    held.goOn();
    await expectNothing(await redeemed);
  });

  async function expectNothing({ status, body }: Answer): Promise<void> {
    if (status !== 200) return expect([status, body["error"]]).toEqual([400, "invalid_grant"]);
    const [access, refresh] = [String(body["access_token"]), String(body["refresh_token"])];
    expect([(await server.call(access)).status, (await server.refresh(refresh)).status]).toEqual([401, 400]);
  }
  async function redeem({ params, verifier, redirectUri }: Authorization, id: keyof typeof clients) {
    const client = clients[id];
    return server.token({
      grant_type: "authorization_code",
      code: params.get("code") ?? "none",
      code_verifier: verifier,
      redirect_uri: redirectUri,
      client_id: id,
      client_secret: "secret" in client ? client.secret : undefined,
    });
  }
  async function isSignedIn(session: string): Promise<boolean> {
    const headers = { cookie: `${sessionCookie}=${session}` };
    const { status } = await fetch(`${server.base}/account`, { headers, redirect: "manual" });
    return status === 200;
  }
  async function signOut({ cookies }: Browser): Promise<number> {
    const cookie = [...cookies].map((one) => one.join("=")).join("; ");
    const headers = { cookie, "sec-fetch-site": "same-origin" };
    return (await fetch(`${server.base}/account/sign-out`, { method: "POST", headers })).status;
  }
});

/** Has whoever reads something go on later with what was read. */
function holdingReads() {
  let waiting: { what: string; left: number; read: () => void; goOn: Promise<void> } | undefined;
  const held = new WeakMap<object, Promise<void>>();
  const plugin: KyselyPlugin = {
    transformQuery({ node, queryId }) {
      if (waiting === undefined || node.kind !== "SelectQueryNode") return node;
      if (!JSON.stringify(node).includes(waiting.what) || --waiting.left > 0) return node;
      held.set(queryId, waiting.goOn);
      waiting.read();
      waiting = undefined;
      return node;
    },
    async transformResult({ result, queryId }) {
      await held.get(queryId);
      return result;
    },
  };
  return {
    plugin,
    /** @param what  in the statement @param nth  of those that come */
    next(what: string, nth: number) {
      const read = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      waiting = { what, left: nth, read: read.resolve, goOn: goOn.promise };
      return { read: read.promise, goOn: goOn.resolve };
    },
  };
}
