import { randomUUID } from "node:crypto";
import { type Identity, openIdentity } from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import { createApi, memorySink } from "portcullis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { emailKey, isAddress } from "../../src/identity/addresses.ts";
import { freePort } from "../../../../scripts/free-ports.ts";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";

/** What reads as the same address where it is taken for a part of a URL, or where what cannot be seen is passed over. */
const disguised = [
  "alissa@example.com/1",
  "alissa@example.com?1",
  "alissa@example.com#1",
  "alissa@example.com\\1",
  "alissa@%65xample.com",
  "alissa@ex\u00adample.com",
  "alissa@ex\u200bample.com",
  "alissa@ex\ufe00ample.com",
  "alissa@ex\tample.com",
] as const;

/** The same address. */
const other = [
  "Alissa@Example.com",
  " alissa@example.com",
  "alissa@example\u3002com",
  "alissa@\uff45xample.com",
  "ali\u00dfa@example.com",
  "ali\u017fsa@example.com",
  "ALI\u1e9eA@EXAMPLE.COM",
] as const;

describe("an address in other spellings", () => {
  const password = "correct horse battery";
  let stores: TestStores;
  let storage: Storage;
  let identity: Identity;
  let stop: () => Promise<void>;
  let skew = 0;
  let sent = 0;
  let origin = "";
  beforeAll(async () => {
    const port = await freePort();
    origin = `http://localhost:${port}`;
    stores = await embeddedStores();
    storage = await stores.open();
    identity = await openIdentity({
      issuer: origin,
      serviceName: "Notes",
      storage,
      secret: "tests-only: 48 characters of nothing in particular",
      clients: [],
      resources: { [`${origin}/api`]: ["notes:read"] },
      browserSessions: { returnTo: ["/me"] },
      sendMail: () => void sent++,
    });
    const api = createApi({
      name: "notes",
      hosts: [`localhost:${port}`],
      credentials: [identity.sessions().credential],
      audit: { sinks: [memorySink()] },
      clock: { now: () => Date.now(), monotonic: () => performance.now() + skew },
    });
    identity.mount(api);
    const listening = await api.listen({ port, handleSignals: false });
    await identity.accounts.signUp("alissa@example.com", password);
    stop = async () => {
      await listening.close();
      await identity.close();
    };
  });
  beforeEach(() => {
    skew += 3 * 3_600_000;
  });
  afterAll(async () => {
    await stop();
    await stores.stop();
  });

  async function post(path: string, form: Readonly<Record<string, string>>): Promise<number> {
    // No limit by the minute is meant here.
    skew += 61_000;
    return (await fetch(`${origin}${path}`, { method: "POST", body: new URLSearchParams(form) })).status;
  }

  it.each(disguised)("%j is none of the same account, and no address", (email) => {
    expect([emailKey(email) === emailKey("alissa@example.com"), isAddress(email)]).toEqual([false, false]);
  });

  it.each(other)("%j is the same account", (email) => {
    expect(emailKey(email)).toBe(emailKey("alissa@example.com"));
  });

  it("is counted as one by the limit of a sign-in, so that nobody guesses on under another", async () => {
    const statuses: number[] = [];
    for (const email of other) {
      statuses.push(await post("/account/sign-in", { email, password: "wrong horse battery" }));
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
  });

  it("gets no more mails because somebody types it in other ways", async () => {
    const before = sent;
    const statuses: number[] = [];
    for (const email of other) statuses.push(await post("/account/forgotten", { email }));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
    expect(sent - before).toBe(5);
  });

  it("gets the link that confirms it five times an hour, from wherever who is signed in asks for it again", async () => {
    const email = "alissa@example.com";
    const signedIn = await fetch(`${origin}/account/sign-in`, {
      method: "POST",
      body: new URLSearchParams({ email, password }),
    });
    const cookie = signedIn.headers
      .getSetCookie()
      .map((line) => line.split(";")[0] ?? "")
      .join("; ");
    const id = (await identity.accounts.findByEmail(email))?.id ?? "";
    const before = sent;
    async function again(named: string): Promise<number> {
      skew += 61_000;
      const headers = { cookie, "sec-fetch-site": "same-origin" };
      const body = new URLSearchParams({ account: named });
      return (await fetch(`${origin}/account/verify-again`, { method: "POST", body, headers })).status;
    }
    const statuses: number[] = [];
    for (let time = 0; time < 7; time++) statuses.push(await again(id));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
    // Counted for somebody else it would be mailed all the same.
    expect(await again(randomUUID())).toBe(401);
    expect(sent - before).toBe(5);
  });

  it("gets no more than five mails an hour because somebody signs up with it again and again", async () => {
    for (const path of ["/account/sign-up", "/account/json/sign-up"]) {
      skew += 3 * 3_600_000;
      const before = sent;
      const statuses: number[] = [];
      for (const email of other) {
        skew += 61_000;
        const body = path.includes("json")
          ? { headers: { "content-type": "application/json" }, body: JSON.stringify({ email, password }) }
          : { body: new URLSearchParams({ email, password }) };
        statuses.push((await fetch(`${origin}${path}`, { method: "POST", ...body })).status);
      }
      expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
      expect(sent - before).toBe(5);
    }
  });
});
