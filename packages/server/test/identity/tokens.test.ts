import { sql } from "kysely";
import type { Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";
import { alice, bob, claimsOf, clients, type OAuthServer, secret, startOAuthServer } from "./oauth-server.ts";

const day = 86_400_000;

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("oauth: tokens, %s", (_kind, start) => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  beforeAll(async () => {
    // The clock alone, for everybody in this process; timers run as ever.
    vi.useFakeTimers({ toFake: ["Date"] });
    stores = await start();
    storage = await stores.open();
    server = await startOAuthServer(storage);
  });
  beforeEach(() => server.forgiveLimits());
  afterAll(async () => {
    await server.close();
    await stores.stop();
    vi.useRealTimers();
  });

  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
  const web = { client_id: "web", client_secret: clients.web.secret };
  const redeem = (code: string, verifier: string | undefined, over: object = {}) =>
    server.token({
      grant_type: "authorization_code",
      code,
      code_verifier: verifier,
      redirect_uri: clients.web.redirectUris[0],
      ...web,
      ...over,
    });
  async function freshCode() {
    const { params, verifier } = await server.authorize(server.browser());
    return { code: params.get("code") ?? "", verifier };
  }
  /** What still works of tokens. */
  async function left({ access, refresh }: { readonly access: string; readonly refresh: string }) {
    const called = (await server.call(access)).status;
    const { status, body } = await server.refresh(refresh);
    return [called, status === 200 ? "refreshed" : body["error"]];
  }
  const ended = [401, "invalid_grant"];

  describe("codes", () => {
    it("are refused with another verifier, another address, another client, and to a client that proves nothing", async () => {
      const { code, verifier } = await freshCode();
      const other = "x".repeat(43);
      for (const [form, error] of [
        [{ code_verifier: other }, "invalid_grant"],
        [{ code_verifier: undefined }, "invalid_grant"],
        [{ redirect_uri: "https://web.example.com/other" }, "invalid_grant"],
        [{ redirect_uri: undefined }, "invalid_request"],
        [{ client_id: "spa", client_secret: undefined }, "invalid_grant"],
        [{ client_id: "app", client_secret: undefined }, "invalid_grant"],
        [{ client_id: "machine", client_secret: clients.machine.secret }, "invalid_request"],
        [{ client_secret: undefined }, "invalid_client"],
        [{ client_secret: `${clients.web.secret}x` }, "invalid_client"],
        [{ code: `${code}x` }, "invalid_grant"],
      ] as const) {
        const { status, body } = await redeem(code, verifier, form);
        expect([form, status, body["error"]]).toEqual([form, error === "invalid_client" ? 401 : 400, error]);
      }
      // Nothing of it used the code up, so that each refusal was for its own reason.
      expect((await redeem(code, verifier)).status).toBe(200);
    });

    it("live a minute", async () => {
      const { code, verifier } = await freshCode();
      pass(61_000);
      expect((await redeem(code, verifier)).body["error"]).toBe("invalid_grant");
    });

    it("work once: the second time takes back what the first one got, an hour later too", async () => {
      for (const later of [0, 3_600_000]) {
        const tokens = await server.tokens();
        expect((await server.call(tokens.access)).status).toBe(200);
        pass(later);
        const again = await redeem(tokens.code, tokens.verifier);
        expect([again.status, again.body["error"]]).toEqual([400, "invalid_grant"]);
        expect(await left(tokens)).toEqual(ended);
      }
    });

    it("give one of many that come at once an answer at most, and that is worth nothing", async () => {
      const { code, verifier } = await freshCode();
      const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(code, verifier)));
      const got = answers.filter(({ status }) => status === 200);
      expect(got.length).toBeLessThanOrEqual(1);
      for (const { body } of got) {
        expect(await left({ access: String(body["access_token"]), refresh: String(body["refresh_token"]) })).toEqual(
          ended,
        );
      }
      // The person is not locked out by it.
      expect((await server.call((await server.tokens()).access)).status).toBe(200);
    });
  });

  describe("refresh", () => {
    it("puts one successor in the place of a token, whoever asks at once, and signs nobody out", async () => {
      const { refresh } = await server.tokens();
      const answers = await Promise.all(Array.from({ length: 4 }, () => server.refresh(refresh)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(new Set(answers.map(({ body }) => body["refresh_token"])).size).toBe(1);
      expect(new Set(answers.map(({ body }) => body["access_token"])).size).toBe(1);
      const next = await server.refresh(String(answers[0]?.body["refresh_token"]));
      expect(next.status).toBe(200);
    });

    it("ends everything when an answer is asked for too often, too late, or otherwise than before", async () => {
      const cases = {
        tooOften: async (token: string) => {
          pass(5_001);
          for (let n = 0; n < 3; n++) expect((await server.refresh(token)).status).toBe(200);
          return server.refresh(token);
        },
        tooLate: async (token: string) => {
          pass(10_001);
          return server.refresh(token);
        },
        otherScope: (token: string) => server.refresh(token, { scope: "notes:write" }),
        otherResource: (token: string) => server.refresh(token, { resource: server.resource }),
      };
      for (const [name, again] of Object.entries(cases)) {
        const tokens = await server.tokens("web", { scope: "openid notes:read notes:write" });
        const { body } = await server.refresh(tokens.refresh);
        const reused = await again(tokens.refresh);
        expect([name, reused.status, reused.body["error"]]).toEqual([name, 400, "invalid_grant"]);
        const heirs = { access: String(body["access_token"]), refresh: String(body["refresh_token"]) };
        expect([name, ...(await left(heirs))]).toEqual([name, ...ended]);
        expect((await server.call(tokens.access)).status).toBe(401);
      }
    });

    it("ends everything when a used token comes back long after it would have run out", async () => {
      const tokens = await server.tokens();
      let current = tokens.refresh;
      for (let n = 0; n < 3; n++) {
        pass(6 * day);
        const { body } = await server.refresh(current);
        current = String(body["refresh_token"]);
      }
      await server.identity.upkeep();
      expect((await server.refresh(tokens.refresh)).body["error"]).toBe("invalid_grant");
      expect((await server.refresh(current)).body["error"]).toBe("invalid_grant");
    });

    it("is for the client it was given to, and nobody else ends it", async () => {
      const { refresh } = await server.tokens();
      for (const other of [
        { client_id: "app", client_secret: undefined },
        { client_id: "spa", client_secret: undefined },
        { client_id: "web", client_secret: undefined },
        { client_id: "web", client_secret: "wrong".repeat(10) },
      ]) {
        expect((await server.refresh(refresh, other)).status).toBeGreaterThanOrEqual(400);
      }
      expect((await server.refresh(refresh)).status).toBe(200);
    });

    it("never widens the scope, and what was asked for less can be asked for whole again", async () => {
      const { refresh, scope } = await server.tokens("web", { scope: "openid email notes:read notes:write" });
      expect(scope).toBe("notes:read notes:write");
      for (const wider of ["notes:read files:read", "admin", "notes:read notes:write files:read"]) {
        expect((await server.refresh(refresh, { scope: wider })).body["error"]).toBe("invalid_scope");
      }
      const less = await server.refresh(refresh, { scope: "notes:read" });
      expect([less.body["scope"], claimsOf(String(less.body["access_token"]))["scope"]]).toEqual([
        "notes:read",
        "notes:read",
      ]);
      expect((await server.call(String(less.body["access_token"]), "/notes")).status).toBe(403);
      const whole = await server.refresh(String(less.body["refresh_token"]));
      expect(whole.body["scope"]).toBe("notes:read notes:write");
      expect((await server.call(String(whole.body["access_token"]), "/notes")).status).toBe(200);
    });

    it("ends after 14 days that nobody used it, and after 90 days however often somebody did", async () => {
      const idle = await server.tokens();
      pass(14 * day);
      expect((await server.refresh(idle.refresh)).body["error"]).toBe("invalid_grant");
      const { body: once } = await server.refresh((await server.tokens()).refresh);
      pass(14 * day);
      expect((await server.refresh(String(once["refresh_token"]))).body["error"]).toBe("invalid_grant");
      let { refresh } = await server.tokens();
      for (let n = 0; n < 6; n++) {
        pass(13 * day);
        const { status, body } = await server.refresh(refresh);
        expect([n, status]).toEqual([n, 200]);
        refresh = String(body["refresh_token"]);
        await server.identity.upkeep();
      }
      pass(12 * day);
      expect((await server.refresh(refresh)).body["error"]).toBe("invalid_grant");
    });
  });

  describe("an account", () => {
    it("that is signed out everywhere keeps no code, session or token, and signs in again", async () => {
      const browser = server.browser();
      const tokens = await server.tokens("web", {}, browser);
      const pending = await server.authorize(browser);
      expect((await server.call(tokens.access)).status).toBe(200);
      await server.identity.accounts.signOutEverywhere(server.alice);
      expect(await left(tokens)).toEqual(ended);
      expect((await redeem(pending.params.get("code") ?? "", pending.verifier)).body["error"]).toBe("invalid_grant");
      expect((await server.authorize(browser)).asked[0]).toBe("Sign in to Notes");
      expect((await server.call((await server.tokens()).access)).status).toBe(200);
    });

    it("that is disabled gets nothing more, whatever it still holds", async () => {
      const { id = "" } = (await server.identity.accounts.findByEmail(bob.email)) ?? {};
      const browser = server.browser();
      const silent = () => server.authorize(browser, { prompt: "none" });
      await server.authorize(browser, {}, bob);
      const { params, verifier } = await silent();
      const code = await redeem(params.get("code") ?? "", verifier);
      const tokens = { access: String(code.body["access_token"]), refresh: String(code.body["refresh_token"]) };
      const pending = await silent();
      await server.identity.accounts.disable(id);
      expect(await left(tokens)).toEqual(ended);
      expect((await redeem(pending.params.get("code") ?? "", pending.verifier)).body["error"]).toBe("invalid_grant");
      expect((await silent()).params.get("error")).toBe("login_required");
      await server.identity.accounts.enable(id);
      expect(await left(tokens)).toEqual(ended);
    });

    it("keeps nothing that is written again while it is being ended", async () => {
      const browser = server.browser();
      const tokens = await server.tokens("web", {}, browser);
      const pending = await server.authorize(browser);
      const kept = await storage.db.selectFrom("oidc_payload").selectAll().execute();
      await server.identity.accounts.signOutEverywhere(server.alice);
      // As requests would that were under way: they read what was there before, and save it after.
      for (const row of kept) {
        await storage.db
          .insertInto("oidc_payload")
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
      await storage.db.updateTable("refresh_family").set({ revoked_at: null }).execute();
      expect((await redeem(pending.params.get("code") ?? "", pending.verifier)).body["error"]).toBe("invalid_grant");
      expect((await server.refresh(tokens.refresh)).body["error"]).toBe("invalid_grant");
      expect((await server.authorize(browser, { prompt: "none" })).params.get("error")).toBe("login_required");
      expect((await server.authorize(browser)).asked[0]).toBe("Sign in to Notes");
    });
  });

  it("are renewed fifty thousand times: who renews without end signs in again", async () => {
    const tokens = await server.tokens();
    await storage.db.updateTable("refresh_family").set({ renewals: 49_999 }).where("revoked_at", "is", null).execute();
    const { status, body } = await server.refresh(tokens.refresh);
    expect(status).toBe(200);
    const last = { access: String(body["access_token"]), refresh: String(body["refresh_token"]) };
    expect((await server.refresh(last.refresh)).body["error"]).toBe("invalid_grant");
    expect(await left(last)).toEqual(ended);
    await storage.db.updateTable("refresh_family").set({ renewals: 0 }).execute();
  });

  describe("a browser", () => {
    it("signs in again after a day that it was not here, and after 14 days however often it came", async () => {
      const asked = async (browser: ReturnType<OAuthServer["browser"]>) => {
        server.forgiveLimits();
        return (await server.authorize(browser)).asked[0];
      };
      const idle = server.browser();
      await asked(idle);
      pass(day - 60_000);
      expect(await asked(idle)).toBeUndefined();
      pass(day + 60_000);
      expect(await asked(idle)).toBe("Sign in to Notes");
      const busy = server.browser();
      await asked(busy);
      for (let hours = 20; hours < 14 * 24; hours += 20) {
        pass((20 * day) / 24);
        expect([hours, await asked(busy)]).toEqual([hours, undefined]);
      }
      pass((20 * day) / 24);
      expect(await asked(busy)).toBe("Sign in to Notes");
    });
  });

  describe("revocation", () => {
    it("of an access token counts with the very next use, cached as it is, and ends nothing else", async () => {
      const tokens = await server.tokens();
      for (let n = 0; n < 3; n++) expect((await server.call(tokens.access)).status).toBe(200);
      expect((await server.revoke({ token: tokens.access, ...web })).status).toBe(200);
      expect((await server.call(tokens.access)).status).toBe(401);
      expect((await server.refresh(tokens.refresh)).status).toBe(200);
    });

    it("of a refresh token ends its family and its access tokens, months after it was first given too", async () => {
      for (const months of [0, 2]) {
        const tokens = await server.tokens();
        let refresh = tokens.refresh;
        for (let n = 0; n < months * 3; n++) {
          pass(10 * day);
          refresh = String((await server.refresh(refresh)).body["refresh_token"]);
        }
        const { body } = await server.refresh(refresh);
        const now = { access: String(body["access_token"]), refresh: String(body["refresh_token"]) };
        expect((await server.call(now.access)).status).toBe(200);
        expect((await server.revoke({ token: now.refresh, token_type_hint: "refresh_token", ...web })).status).toBe(
          200,
        );
        expect(await left(now)).toEqual(ended);
        // Signing in anew is not held against anybody.
        expect((await server.call((await server.tokens()).access)).status).toBe(200);
      }
    });

    it("is remembered for an hour: a token whose family is taken out is refused as before, and other families stay", async () => {
      const browser = server.browser();
      const [over, stays] = [await server.tokens("web", {}, browser), await server.tokens()];
      const next = String((await server.refresh(over.refresh)).body["refresh_token"]);
      const last = String((await server.refresh(stays.refresh)).body["refresh_token"]);
      expect((await server.revoke({ token: next, ...web })).status).toBe(200);
      const answers = () =>
        Promise.all([over.refresh, next].flatMap((token) => [server.refresh(token), server.revoke({ token, ...web })]));
      const before = await answers();
      expect(before.map(({ status }) => status)).toEqual([400, 200, 400, 200]);
      const families = async () => {
        await server.identity.upkeep();
        const rows = await storage.db.selectFrom("refresh_family").select("revoked_at").execute();
        return [rows.some(({ revoked_at }) => revoked_at !== null), rows.some(({ revoked_at }) => revoked_at === null)];
      };
      expect(await families()).toEqual([true, true]);
      pass(3_601_000);
      expect(await families()).toEqual([false, true]);
      expect(await answers()).toEqual(before);
      // The person is still signed in there, and a used token of a family that stands still ends it.
      expect((await server.authorize(browser)).asked).toEqual([]);
      expect((await server.refresh(stays.refresh)).status).toBe(400);
      expect((await server.refresh(last)).status).toBe(400);
    });

    it("is of what stands: what was allowed in a sign-in and never came to a refresh token is forgotten in an hour", async () => {
      const { id = "" } = (await server.identity.accounts.findByEmail(bob.email)) ?? {};
      await server.identity.withdraw(id, "web");
      const [browser, others] = [server.browser(), Array.from({ length: 3 }, () => server.browser())];
      for (const one of [browser, ...others]) await server.authorize(one, {}, bob);
      const grants = async () => {
        await server.identity.upkeep();
        const of = storage.db.selectFrom("oidc_payload").select("hash").where("model", "=", "Grant");
        return (await of.where("account_id", "=", id).execute()).length;
      };
      expect(await grants()).toBe(4);
      // Just before: a code that is sent late is as good as any.
      pass(3_590_000);
      const late = await server.authorize(browser, {}, bob);
      pass(50_000);
      const kept = await redeem(late.params.get("code") ?? "", late.verifier);
      expect([late.asked, kept.status]).toEqual([[], 200]);
      pass(3_601_000);
      expect(await grants()).toBe(1);
      expect((await server.refresh(String(kept.body["refresh_token"]))).status).toBe(200);
      for (const one of [browser, ...others]) expect((await server.authorize(one, {}, bob)).asked).toEqual([]);
    });

    it("is for the client the token was given to; of what is no token it says nothing", async () => {
      const tokens = await server.tokens();
      const machine = { client_id: "machine", client_secret: clients.machine.secret };
      for (const token of [tokens.access, tokens.refresh, "nothing", "a.b.c", `${tokens.access}x`]) {
        expect((await server.revoke({ token, ...machine })).status).toBe(200);
      }
      for (const bad of [
        { client_id: "web" },
        { client_id: "web", client_secret: "x".repeat(40) },
        { client_id: "nobody" },
      ]) {
        expect((await server.revoke({ token: tokens.access, ...bad })).status).toBe(401);
      }
      expect(await left(tokens)).toEqual([200, "refreshed"]);
    });
  });

  describe("a client that calls as itself", () => {
    const machine = { client_id: "machine", client_secret: clients.machine.secret };

    it("gets an access token in its own name, for one resource, with its own scopes, and nothing to refresh", async () => {
      const { status, body } = await server.token({
        grant_type: "client_credentials",
        scope: "notes:read",
        resource: server.resource,
        ...machine,
      });
      expect(status).toBe(200);
      expect(Object.keys(body).toSorted()).toEqual(["access_token", "expires_in", "scope", "token_type"]);
      const access = String(body["access_token"]);
      expect(claimsOf(access)).toMatchObject({
        sub: "machine",
        client_id: "machine",
        scope: "notes:read",
        aud: server.resource,
      });
      expect((await server.call(access)).body).toEqual({ subject: "machine", scopes: ["notes:read"] });
      expect((await server.revoke({ token: access, ...machine })).status).toBe(200);
      expect((await server.call(access)).status).toBe(401);
    });

    it("gets no other scope, and no other kind of client gets in that way", async () => {
      const ask = (form: object) => server.token({ grant_type: "client_credentials", ...form });
      expect((await ask({ ...machine, scope: "notes:write" })).body["error"]).toBe("invalid_scope");
      expect((await ask({ ...machine, resource: "https://elsewhere.example" })).body["error"]).toBe("invalid_target");
      expect((await ask(web)).body["error"]).toBe("invalid_request");
      expect((await ask({ client_id: "spa" })).body["error"]).toBe("invalid_request");
      expect((await server.authorize(server.browser(), { client_id: "machine" })).page.status).toBe(400);
      for (const grant_type of ["password", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "x"]) {
        expect((await server.token({ grant_type, username: undefined, ...machine })).body["error"]).toBe(
          "unsupported_grant_type",
        );
      }
    });

    it("is refused with a wrong secret, and guessing is counted", async () => {
      const answers: number[] = [];
      for (let n = 0; n < 150; n++) {
        const { status } = await server.token({
          grant_type: "client_credentials",
          ...machine,
          client_secret: `${n}`.padEnd(40, "x"),
        });
        answers.push(status);
        if (status === 429) break;
      }
      expect(answers[0]).toBe(401);
      expect(answers.at(-1)).toBe(429);
      server.forgiveLimits();
    });
  });

  it("shows who reads the tables no session, sign-in, code, token, password or private key", async () => {
    const browser = server.browser();
    const tokens = await server.tokens("web", {}, browser);
    const { body } = await server.refresh(tokens.refresh);
    const open = await server
      .authorize(
        browser,
        { prompt: "login", response_type: "code", scope: "openid" },
        { ...alice, password: "wrong but long" },
      )
      .catch(() => undefined);
    expect(open?.page.status).toBe(401);
    const again = await server.authorize(server.browser());
    const secrets = [
      ...browser.cookies.values(),
      tokens.access,
      tokens.refresh,
      tokens.id,
      tokens.code,
      body["access_token"],
      body["refresh_token"],
      again.params.get("code"),
      alice.password,
      secret,
      clients.web.secret,
    ];
    const rows: unknown[] = [];
    for (const { name } of await storage.db.introspection.getTables()) {
      rows.push((await sql`select * from ${sql.table(name)}`.execute(storage.db)).rows);
    }
    const text = JSON.stringify(rows);
    expect(text).toContain(server.alice);
    expect(secrets.filter((one) => typeof one !== "string" || one.length < 8)).toEqual([]);
    expect(secrets.filter((one) => text.includes(String(one)))).toEqual([]);
    expect(text).not.toContain('\\"d\\":');
  });
});
