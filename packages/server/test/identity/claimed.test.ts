import type { Mail } from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { freePort } from "../../../../scripts/free-ports.ts";
import { embeddedStores, failing, postgresStores, type TestStores } from "../storage/open-stores.ts";
import { alice, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

const scopes = ["notes:read", "notes:write", "keys:read", "keys:write"];
const client = {
  id: "web",
  name: "Web Notes",
  redirectUris: ["https://web.example.com/callback"],
  secret: "web-secret-that-is-only-for-tests-0123456789",
  scopes,
};

describe.each([
  ["the embedded store", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("accounts: somebody signed up with an address before its owner did, on %s", (_kind, start) => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  const mails: Mail[] = [];
  beforeAll(async () => {
    stores = await start();
    storage = await stores.open();
    const port = await freePort();
    server = await startOAuthServer(storage, {
      port,
      clients: [client],
      keys: { prefix: "prj" },
      resources: { [`http://localhost:${port}/api`]: scopes },
      sendMail: (mail) => void mails.push(mail),
    });
  });
  afterAll(async () => {
    await server.close();
    await stores.stop();
  });

  async function makeKey(token: string): Promise<string> {
    const response = await fetch(`${server.issuer}/keys`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "kept", scopes: ["notes:read"] }),
    });
    const body: unknown = await response.json();
    expect(response.status).toBe(201);
    return typeof body === "object" && body !== null && "key" in body ? String(body.key) : "";
  }

  async function signUpAgainAndReset(password: string): Promise<void> {
    mails.length = 0;
    await server.identity.accounts.signUp(alice.email, password);
    const text = await vi.waitFor(() => {
      const [mail] = mails;
      if (mail === undefined) throw new Error("nothing was mailed");
      return mail.text;
    }, 10_000);
    const token = /\/account\/reset\/([\w-]+)/.exec(text)?.[1] ?? "";
    expect(await server.identity.accounts.resetPassword(token, password)).toBeUndefined();
  }

  it("the link that the other had mailed confirms nothing any more once the owner signs up himself", async () => {
    const email = "carol@example.com";
    const link = (purpose: string) =>
      vi.waitFor(() => {
        const found = mails.findLast(({ to, text }) => to === email && text.includes(`/account/${purpose}/`));
        if (found === undefined) throw new Error("nothing was mailed");
        return /\/account\/\w+\/([\w-]+)/.exec(found.text)?.[1] ?? "";
      }, 10_000);
    await server.identity.accounts.signUp(email, "what somebody else knows");
    const others = await link("verify");
    await server.identity.accounts.signUp(email, "what only the owner knows");
    const own = await link("reset");
    expect(await server.identity.accounts.verifyEmail(others, email, "what somebody else knows")).toBe("bad-token");
    expect((await server.identity.accounts.findByEmail(email))?.isVerified).toBe(false);
    expect(await server.identity.accounts.resetPassword(own, "what only the owner knows")).toBeUndefined();
    expect(await server.identity.accounts.authenticate(email, "what somebody else knows")).toBeUndefined();
    expect((await server.identity.accounts.findByEmail(email))?.isVerified).toBe(true);
  });

  it("the owner gets nothing where the keys that the other made cannot be ended, and the link still works", async () => {
    const other = { email: "dora@example.com", password: "what somebody else knows" };
    await server.identity.accounts.signUp(other.email, other.password);
    const owner = (await server.identity.accounts.findByEmail(other.email))?.id ?? "";
    const left = await server.identity.keys().create({ owner, name: "left", scopes: ["notes:read"] });
    const use = async () => (await server.call(left?.key ?? "")).status;
    expect(await use()).toBe(200);
    await server.identity.accounts.requestReset(other.email);
    const token = await vi.waitFor(() => {
      const found = mails.findLast(({ to, text }) => to === other.email && text.includes("/account/reset/"));
      if (found === undefined) throw new Error("nothing was mailed");
      return /\/account\/reset\/([\w-]+)/.exec(found.text)?.[1] ?? "";
    }, 10_000);
    const own = "what only the owner knows";
    const mended = await failing(storage, "api_key", "update");
    await expect(server.identity.accounts.resetPassword(token, own)).rejects.toThrow(/no room/);
    expect(await server.identity.accounts.authenticate(other.email, own)).toBeUndefined();
    await mended();
    expect(await server.identity.accounts.resetPassword(token, own)).toBeUndefined();
    expect(await use()).toBe(401);
    expect(await server.identity.accounts.authenticate(other.email, own)).toMatchObject({ isVerified: true });
  });

  it("the owner gets the account without what the other left in it: sign-ins, tokens and API keys", async () => {
    const { access, refresh } = await server.tokens("web", { scope: "openid notes:read keys:write" });
    const left = await makeKey(access);
    expect((await server.call(left)).status).toBe(200);
    const owner = { email: alice.email, password: "what only the owner knows" };
    await signUpAgainAndReset(owner.password);

    expect([(await server.call(left)).status, (await server.call(access)).status]).toEqual([401, 401]);
    expect((await server.refresh(refresh)).body["error"]).toBe("invalid_grant");
    expect((await server.authorize(server.browser(), {}, alice)).page.status).toBe(401);
    expect((await server.identity.accounts.find(server.alice))?.isVerified).toBe(true);

    // From here on keys are his own, and programs do not stop because he forgot a password.
    const made = await server.identity.keys().create({ owner: server.alice, name: "own", scopes: ["notes:read"] });
    await signUpAgainAndReset("another one that only the owner knows");
    expect((await server.call(made?.key ?? "")).status).toBe(200);
  });
});
