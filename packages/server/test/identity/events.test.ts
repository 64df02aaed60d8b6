import type { IdentityEvent } from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import type { AccountEventType } from "portcullis";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it, vi } from "vitest";
import { freePort } from "../../../../scripts/free-ports.ts";
import { accountEvents } from "../../../portcullis/src/events/account-event.ts";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";
import { createBrowser } from "./browser.ts";
import { alice, bob, clients, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

describe("identity: whatever changes who may do what is an event", () => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  const told: IdentityEvent[] = [];
  const mailed: string[] = [];
  /** What must stand in no event. */
  const secrets = new Set<string>([alice.password, alice.email, clients.web.secret, clients.machine.secret]);

  beforeAll(async () => {
    stores = await embeddedStores();
    storage = await stores.open();
    const port = await freePort();
    const issuer = `http://localhost:${port}`;
    server = await startOAuthServer(storage, {
      port,
      resources: { [`${issuer}/api`]: ["notes:read", "notes:write", "keys:read", "keys:write"] },
      clients: [{ ...clients.web, scopes: ["notes:read", "keys:read", "keys:write"] }, clients.machine],
      browserSessions: { returnTo: ["/"] },
      keys: { prefix: "prj" },
      sendMail: ({ text }) => void mailed.push(/\/account\/\w+\/([\w-]+)/.exec(text)?.[1] ?? ""),
      onEvent(event) {
        told.push(event);
        throw new Error("whoever hears of something does not undo it");
      },
      onError: () => {},
    });
  });
  afterAll(async () => {
    await server.close();
    await stores.stop();
  });

  it("has a name for each, the same for who listens and in the records", () => {
    expectTypeOf<IdentityEvent["type"]>().toEqualTypeOf<AccountEventType>();
  });

  it("tells of an authorization, its tokens, their renewal and their end", async () => {
    const { authorized } = await during(
      async () => {
        const done = await server.authorize(server.browser());
        secrets.add(done.params.get("code") ?? "");
        return done;
      },
      "issuer-session-started",
      "consent-given",
      "code-issued",
    ).then(({ value, events }) => {
      const about = { subject: server.alice, client: "web" };
      expect(events[1]).toMatchObject({ ...about, why: "openid email notes:read" });
      expect(events[2]).toMatchObject(about);
      return { authorized: value };
    });
    const redeem = () =>
      server.token({
        grant_type: "authorization_code",
        code: authorized.params.get("code") ?? "",
        code_verifier: authorized.verifier,
        redirect_uri: authorized.redirectUri,
        client_id: "web",
        client_secret: clients.web.secret,
      });
    const redeemed = await during(redeem, "code-redeemed");
    expect(redeemed.events).toMatchObject([{ subject: server.alice, client: "web" }]);
    await during(redeem, "code-reused", "token-refused");

    const tokens = await server.tokens();
    for (const one of [tokens.access, tokens.refresh, tokens.code]) secrets.add(one);
    const renewed = await during(() => server.refresh(tokens.refresh), "token-refreshed");
    await during(() => server.refresh(tokens.refresh), "refresh-replayed");
    await server.refresh(String(renewed.value.body["refresh_token"]));
    const reused = await during(() => server.refresh(tokens.refresh), "refresh-reused", "token-refused");
    expect(reused.events).toMatchObject([{ subject: server.alice, client: "web" }, { why: "invalid_grant" }]);

    const again = await server.tokens();
    const web = { client_id: "web", client_secret: clients.web.secret };
    const one = await during(() => server.revoke({ token: again.access, ...web }), "token-revoked");
    const all = await during(() => server.revoke({ token: again.refresh, ...web }), "token-revoked");
    expect([...one.events, ...all.events]).toMatchObject([
      { subject: server.alice, client: "web" },
      { subject: server.alice, client: "web" },
    ]);
    await during(() => server.revoke({ token: "nothing of ours", ...web }));
  });

  it("tells of what is refused to applications, and of nobody they only name", async () => {
    const machine = { grant_type: "client_credentials", client_id: "machine" };
    const own = await during(() => server.token({ ...machine, client_secret: clients.machine.secret }), "token-issued");
    expect(own.events).toMatchObject([{ subject: "machine", client: "machine" }]);
    const wrong = "w".repeat(40);
    const refused = await during(() => server.token({ ...machine, client_secret: wrong }), "client-refused");
    expect(refused.events).toMatchObject([{ client: "machine", why: "invalid_client" }]);
    const made = { ...machine, client_id: "made up by a stranger", client_secret: wrong };
    const unknown = await during(() => server.token(made), "client-refused");
    expect(unknown.events).toEqual([
      { type: "client-refused", client: undefined, request: expect.anything(), why: "invalid_client" },
    ]);
    await during(() => server.revoke({ token: "x", client_id: "web", client_secret: wrong }), "client-refused");
    const elsewhere = { redirect_uri: "https://attacker.example/callback" };
    const lured = await during(() => server.authorize(server.browser(), elsewhere), "authorization-refused");
    expect(lured.events).toMatchObject([{ client: "web", why: "invalid_redirect_uri" }]);
  });

  it("tells of a person who says no, and of one who takes a permission back", async () => {
    await server.identity.withdraw(server.alice, "web");
    const browser = server.browser();
    const said = await during(
      async () => {
        const url = new URL("/oauth/authorize", server.base);
        for (const [name, value] of Object.entries({
          client_id: "web",
          redirect_uri: "https://web.example.com/callback",
          response_type: "code",
          scope: "openid notes:read",
          code_challenge: "c".repeat(43),
          code_challenge_method: "S256",
        }))
          url.searchParams.set(name, value);
        const asked = await browser.submit(await browser.open(url), { ...alice });
        return browser.submit(asked, { decision: "deny" });
      },
      "issuer-session-started",
      "consent-refused",
    );
    expect(said.events[1]).toMatchObject({ subject: server.alice, client: "web", why: "openid notes:read" });
    await server.tokens();
    const back = await during(() => server.identity.withdraw(server.alice, "web"), "consent-withdrawn");
    expect(back.events).toMatchObject([{ subject: server.alice, client: "web", request: undefined }]);
  });

  it("tells of a browser's session from its begin to its end", async () => {
    const browser = createBrowser(server.base);
    const landed = await during(
      async () => browser.submit(await browser.open("/auth/sign-in"), { ...alice }),
      "issuer-session-started",
      "code-issued",
      "code-redeemed",
      "session-started",
    );
    expect(landed.events.at(-1)).toMatchObject({ subject: server.alice, issuer: server.issuer });
    const cookie = browser.cookies.get("__Host-portcullis-session") ?? "";
    secrets.add(cookie);
    const headers = { cookie: `__Host-portcullis-session=${cookie}`, "sec-fetch-site": "same-origin" };
    const post = (path: string) => fetch(`${server.base}${path}`, { method: "POST", headers });
    const renewed = await during(() => post("/auth/refresh"), "token-refreshed", "session-renewed");
    expect(renewed.events[1]).toMatchObject({ subject: server.alice, request: expect.anything() });
    await during(
      () => browser.open("/auth/sign-in"),
      "code-issued",
      "code-redeemed",
      "session-ended",
      "session-started",
    );
    const stale = await during(() => browser.open("/auth/callback?code=x&state=y"), "sign-in-refused");
    expect(stale.events).toMatchObject([{ why: "this browser began no sign-in" }]);
    headers.cookie = `__Host-portcullis-session=${browser.cookies.get("__Host-portcullis-session") ?? ""}`;
    const out = await during(() => post("/auth/sign-out"), "session-ended");
    expect(out.events[0]).toMatchObject({ subject: server.alice, why: "signed out" });
    await browser.submit(await browser.open("/account/sign-in"), { ...alice });
    await browser.open("/auth/sign-in");
    const [session] = await server.identity.sessions().list(server.alice);
    const body = new URLSearchParams({ session: session?.name ?? "" });
    headers.cookie = [...browser.cookies].map((one) => one.join("=")).join("; ");
    const end = () => fetch(`${server.base}/account/end-session`, { method: "POST", headers, body });
    const ended = await during(end, "session-ended");
    expect(ended.events).toMatchObject([{ subject: server.alice, why: "ended by name", request: expect.anything() }]);
  });

  it("tells of what runs out unused, and whose session another took the place of", async () => {
    const browser = createBrowser(server.base);
    server.forgiveLimits();
    await browser.submit(await browser.open("/auth/sign-in"), { ...alice });
    const again = await during(
      () => browser.open("/auth/sign-in"),
      "code-issued",
      "code-redeemed",
      "session-ended",
      "session-started",
    );
    expect(again.events[2]).toMatchObject({ subject: server.alice, request: expect.anything() });
    await storage.db
      .updateTable("oidc_payload")
      .set({ expires_at: 1e12 + 1 })
      .where("model", "=", "Session")
      .execute();
    const sessions = await storage.db
      .selectFrom("oidc_payload")
      .select("account_id")
      .where("model", "=", "Session")
      .execute();
    const ids = sessions.flatMap(({ account_id }) => account_id ?? []);
    await storage.db.updateTable("browser_session").set({ idle_expires_at: 1 }).execute();
    const living = await server.identity.sessions().list(server.alice);
    expect(living).toEqual([]);
    const before = told.length;
    await server.identity.upkeep();
    const ended = told.slice(before);
    expect(ended.filter(({ type }) => type === "issuer-session-ended").map(({ subject }) => subject)).toEqual(ids);
    expect(ended.filter(({ type }) => type === "session-ended")).toContainEqual({
      type: "session-ended",
      issuer: server.issuer,
      subject: server.alice,
      why: "nobody used it",
    });
    await server.identity.upkeep();
    expect(told).toHaveLength(before + ended.length);
  });

  it("tells of an account from its first day to its last", async () => {
    const { accounts } = server.identity;
    const person = { email: "carol@example.com", password: "battery staple horse" };
    secrets.add(person.email).add(person.password).add(bob.email);
    const browser = server.browser();
    const sendForm = async (path: string, values: Readonly<Record<string, string>>) => {
      server.forgiveLimits();
      return browser.submit(await browser.open(path), values);
    };
    await during(() => sendForm("/account/sign-up", person), "signed-up");
    await vi.waitFor(() => expect(mailed).not.toEqual([]), 10_000);
    const token = mailed.at(-1) ?? "";
    secrets.add(token);
    await during(() => sendForm(`/account/verify/${token}`, person), "address-verified");
    await during(() => sendForm("/account/sign-in", person), "issuer-session-started");
    const newEmail = "carol@elsewhere.example";
    secrets.add(newEmail);
    const count = mailed.length;
    await during(() => sendForm("/account/email", { ...person, newEmail }), "address-requested");
    await vi.waitFor(() => expect(mailed.length).toBe(count + 2), 10_000);
    const link = mailed.findLast((one) => one !== "");
    await during(() => sendForm(`/account/email/${link}`, person), "address-changed");
    person.email = newEmail;
    await sendForm("/account/sign-in", person);
    const newPassword = "harbour lights at nine";
    await during(() => sendForm("/account/password", { ...person, newPassword }), "password-changed");
    const now = { ...person, password: newPassword };
    await during(async () => browser.submit(await browser.open("/account"), {}), "issuer-session-ended");
    const id = (await accounts.findByEmail(person.email))?.id ?? "";
    const before = mailed.length;
    await accounts.requestReset(person.email);
    await vi.waitFor(() => expect(mailed.length).toBeGreaterThan(before), 10_000);
    await during(() => sendForm(`/account/reset/${mailed.at(-1)}`, { password: now.password }), "password-reset");
    await during(() => accounts.disable(id), "account-disabled");
    await during(() => accounts.enable(id), "account-enabled");
    await sendForm("/account/sign-in", now);
    await during(() => sendForm("/account/sign-out-everywhere", now), "signed-out-everywhere");
    await sendForm("/account/sign-in", now);
    const gone = await during(() => sendForm("/account/delete", now), "account-deleted");
    expect(gone.events).toMatchObject([{ subject: id }]);
  });

  it("tells of keys, whether a route or the application does it", async () => {
    const keys = server.identity.keys();
    const { access } = await server.tokens("web", { scope: "openid notes:read keys:read keys:write" });
    const ask = async (method: string, path: string, body?: object) => {
      server.forgiveLimits();
      const response = await fetch(`${server.base}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${access}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const answered: { id?: string; key?: string } = text === "" ? {} : JSON.parse(text);
      secrets.add(answered.key ?? "-".repeat(20));
      return answered.id ?? "";
    };
    const make = { name: "ci", scopes: ["notes:read"] };
    const made = await during(() => ask("POST", "/keys", make), "key-created");
    expect(made.events).toMatchObject([
      { subject: server.alice, key: made.value, request: { id: expect.any(String) } },
    ]);
    const next = await during(() => ask("POST", `/keys/${made.value}/rotate`, {}), "key-rotated");
    expect(next.events).toMatchObject([{ key: next.value, why: `in place of ${made.value}` }]);
    await during(() => ask("DELETE", `/keys/${next.value}`), "key-revoked");

    const owner = server.alice;
    const one = await during(() => keys.create({ owner, ...make }), "key-created");
    const two = await during(() => keys.rotate(one.value?.id ?? "", owner), "key-rotated");
    secrets.add(two.value?.key ?? "");
    const over = await during(() => keys.revoke(two.value?.id ?? "", owner), "key-revoked");
    expect(over.events).toMatchObject([{ subject: owner, key: two.value?.id, request: undefined }]);
    await during(() => keys.revoke(two.value?.id ?? "", owner));
    await during(() => keys.revoke(one.value?.id ?? "", "somebody else"));
  });

  it("tells once that everything of everybody ended", async () => {
    const { events } = await during(() => server.identity.endEverything(), "everything-ended");
    expect(events).toEqual([{ type: "everything-ended" }]);
  });

  it("has told of all there is by now, in records that say the same without a secret", async () => {
    expect([...new Set(told.map(({ type }) => type))].toSorted()).toEqual(Object.keys(accountEvents).toSorted());
    await vi.waitFor(() => expect(records()).toHaveLength(told.length), 10_000);
    const hashes = new Map<string, string | undefined>();
    for (const [index, event] of told.entries()) {
      const record = records()[index];
      expect(record).toMatchObject({
        type: event.type,
        protection: accountEvents[event.type].protection,
        ...(event.client === undefined ? {} : { client: event.client }),
        ...(event.request === undefined ? {} : { requestId: event.request.id, address: event.request.address }),
      });
      const { subject } = event;
      if (subject === undefined) expect(record).not.toHaveProperty("account");
      else {
        expect(record?.account).toMatch(/^[\w-]{16}$/);
        expect(hashes.get(subject) ?? record?.account).toBe(record?.account);
        hashes.set(subject, record?.account);
      }
    }
    const all = JSON.stringify([told, records()]);
    for (const secret of secrets) expect(all.includes(secret), secret).toBe(false);
    expect(JSON.stringify(records())).not.toContain(server.alice);
  });

  function records() {
    return server.events().filter(({ type }) => type in accountEvents);
  }

  /** Does something, and finds exactly these events told of it. */
  async function during<T>(work: () => Promise<T>, ...types: readonly IdentityEvent["type"][]) {
    const before = told.length;
    const value = await work();
    const events = told.slice(before);
    expect(events.map(({ type }) => type)).toEqual(types);
    return { value, events };
  }
});
