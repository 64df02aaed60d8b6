import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openIdentity } from "@portcullis/server/identity";
import { openStorage, type Storage } from "@portcullis/server/storage";
import { createLocalJWKSet, createRemoteJWKSet, decodeProtectedHeader, type JWK, jwtVerify } from "jose";
import type { KyselyPlugin } from "kysely";
import * as client from "openid-client";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openSigningKeys } from "../../src/identity/oauth/signing-keys.ts";
import { signingKeyStore } from "../../src/storage/signing-keys.ts";
import { embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";
import { clients, type OAuthServer, secret, startOAuthServer } from "./oauth-server.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const lifetimes = { signsMs: 30 * day, announcedMs: hour, keptMs: 2 * hour };

beforeAll(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterAll(() => void vi.useRealTimers());
describe("oauth: a server that signs with another algorithm than before", () => {
  let stores: TestStores;
  beforeAll(async () => {
    stores = await embeddedStores();
  });
  afterAll(() => stores.stop());

  it("keeps tokens, sessions and refresh tokens of the other algorithm good, and clients follow", async () => {
    const storage = await stores.open();
    const before = await startOAuthServer(storage);
    const { issuer } = before;
    const port = Number(new URL(issuer).port);
    const old = await before.tokens();
    expect(decodeProtectedHeader(old.access).alg).toBe("EdDSA");
    await before.close();

    const after = await startOAuthServer(storage, { port, tokenAlgorithm: "ES256" });
    const config = async () =>
      client.discovery(new URL(issuer), "web", undefined, client.ClientSecretBasic(clients.web.secret), {
        // oxlint-disable-next-line typescript/no-deprecated -- the server of the test is on loopback
        execute: [client.allowInsecureRequests],
      });
    expect((await config()).serverMetadata().id_token_signing_alg_values_supported).toEqual(["EdDSA", "ES256"]);
    expect((await after.call(old.access)).status).toBe(200);
    const announced = await after.tokens();
    expect(decodeProtectedHeader(announced.access).alg).toBe("EdDSA");

    pass(hour);
    await after.identity.upkeep();
    after.forgiveLimits();
    const fresh = await after.tokens();
    const algorithms = [fresh.access, fresh.id].map((token) => decodeProtectedHeader(token).alg);
    expect(algorithms).toEqual(["ES256", "ES256"]);
    expect((await after.call(fresh.access)).status).toBe(200);
    const keys = createRemoteJWKSet(new URL(`${issuer}/oauth/jwks.json`));
    await jwtVerify(fresh.id, keys, { issuer, audience: "web", algorithms: ["ES256"] });
    await jwtVerify(announced.access, keys, {
      issuer,
      algorithms: ["EdDSA"],
      currentDate: new Date(Date.now() - hour),
    });
    // openid-client holds the ID token to the algorithms that the metadata names, and proves itself with Basic.
    const renewed = await client.refreshTokenGrant(await config(), announced.refresh);
    expect(decodeProtectedHeader(renewed.access_token).alg).toBe("ES256");
    expect((await after.call(renewed.access_token)).status).toBe(200);
    await after.close();
    await storage.close();
  });

  it("signs with it everywhere, though the store failed while it looked which key signs", async () => {
    const storage = await stores.open();
    let looks = Number.NEGATIVE_INFINITY;
    const plugin: KyselyPlugin = {
      transformQuery({ node }) {
        if (JSON.stringify(node).includes("signing_key") && ++looks === 2) throw new Error("the store is gone");
        return node;
      },
      transformResult: ({ result }) => Promise.resolve(result),
    };
    const before = await startOAuthServer(storage);
    await before.close();
    const server = await startOAuthServer(
      { ...storage, db: storage.db.withPlugin(plugin) },
      { port: Number(new URL(before.issuer).port), tokenAlgorithm: "ES256" },
    );
    pass(hour);
    looks = 0;
    await expect(server.identity.upkeep()).rejects.toThrow("the store is gone");
    await server.identity.upkeep();
    server.forgiveLimits();
    const { access, id, refresh } = await server.tokens();
    const refreshed = String((await server.refresh(refresh)).body["access_token"]);
    const algorithms = [access, id, refreshed].map((token) => decodeProtectedHeader(token).alg);
    expect(algorithms).toEqual(["ES256", "ES256", "ES256"]);
    await server.close();
  });
});

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

describe("oauth: signing keys of several instances", () => {
  let stores: TestStores;
  let one: OAuthServer;
  let two: OAuthServer;
  let storage: Storage;
  let other: Storage;
  beforeAll(async () => {
    stores = await postgresStores();
    const place = await stores.place();
    storage = await openStorage(place);
    other = await openStorage(place);
    one = await startOAuthServer(storage);
    two = await startOAuthServer(other, { issuer: one.issuer });
  });
  afterAll(async () => {
    await one.close();
    await two.close();
    await storage.close();
    await other.close();
    await stores.stop();
  });

  const published = async (server: OAuthServer): Promise<readonly string[]> => {
    const { keys }: { readonly keys: readonly JWK[] } = JSON.parse(
      await (await fetch(`${server.base}/oauth/jwks.json`)).text(),
    );
    expect(keys.every((key) => !("d" in key) && key.use === "sig" && key.alg === "EdDSA")).toBe(true);
    return keys.map(({ kid = "" }) => kid);
  };
  const kidOf = (token: string) => decodeProtectedHeader(token).kid;
  async function freshTokens(server: OAuthServer) {
    server.forgiveLimits();
    return server.tokens();
  }

  it("rotates while they run: announced, signing everywhere, kept as long as its tokens live, then gone", async () => {
    const [first = ""] = await published(one);
    expect(await published(two)).toEqual([first]);

    pass(30 * day - hour - minute);
    await one.identity.upkeep();
    expect(await published(one)).toEqual([first]);

    pass(2 * minute);
    await one.identity.upkeep();
    const [, second = ""] = await published(one);
    expect(second).not.toBe("");
    expect(kidOf((await freshTokens(one)).access)).toBe(first);
    // An instance that has not looked yet still signs with what everybody knows.
    expect(await published(two)).toEqual([first]);
    expect((await one.call((await freshTokens(two)).access)).status).toBe(200);
    await two.identity.upkeep();
    expect(await published(two)).toEqual([first, second]);

    pass(hour - 4 * minute);
    const before = await freshTokens(one);
    expect(kidOf(before.access)).toBe(first);
    expect((await one.call(before.access)).status).toBe(200);
    pass(5 * minute);
    await one.identity.upkeep();
    const after = await freshTokens(one);
    expect([kidOf(after.access), kidOf(after.id)]).toEqual([second, second]);
    const refreshed = await one.refresh(before.refresh);
    expect(kidOf(String(refreshed.body["access_token"]))).toBe(second);
    // The other instance has the key from when it was announced; it has not been told that it signs.
    for (const token of [after.access, before.access, String(refreshed.body["access_token"])]) {
      expect([(await one.call(token)).status, (await two.call(token)).status]).toEqual([200, 200]);
    }
    const keySet = createRemoteJWKSet(new URL(`${two.base}/oauth/jwks.json`));
    await jwtVerify(after.id, keySet, { issuer: one.issuer, audience: "web" });

    pass(2 * hour + minute);
    await one.identity.upkeep();
    await two.identity.upkeep();
    expect([await published(one), await published(two)]).toEqual([[second], [second]]);
    expect((await two.call((await freshTokens(two)).access)).status).toBe(200);
    const kids = await storage.db.selectFrom("signing_key").select("kid").execute();
    expect(kids).toEqual([{ kid: second }]);
  });

  it("refuses what a key signed that left, however long the token says it lives", async () => {
    const [kid] = await published(one);
    const tokens = await freshTokens(one);
    expect((await one.call(tokens.access)).status).toBe(200);
    await storage.db
      .updateTable("signing_key")
      .set({ expires_at: Date.now() })
      .where("kid", "=", kid ?? "")
      .execute();
    await one.identity.upkeep();
    expect(await published(one)).not.toContain(kid);
    expect((await one.call(tokens.access)).status).toBe(401);
    expect((await one.call((await freshTokens(one)).access)).status).toBe(200);
  });
});

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("oauth: signing keys, %s", (kind, start) => {
  let stores: TestStores;
  beforeAll(async () => {
    stores = await start();
  });
  afterAll(() => stores.stop());

  const open = (storage: Storage, over: object = {}) =>
    openSigningKeys({
      store: signingKeyStore(storage.db),
      secret,
      algorithm: "EdDSA",
      lifetimes,
      now: () => Date.now(),
      ...over,
    });

  it("are one, however many instances start at once", async () => {
    const storage = await stores.open();
    const all = await Promise.all(Array.from({ length: 8 }, () => open(storage)));
    await Promise.all(all.map((keys) => keys.refresh()));
    expect(new Set(all.map((keys) => keys.signer().kid)).size).toBe(1);
    pass(30 * day);
    await Promise.all(all.map((keys) => keys.refresh()));
    await Promise.all(all.map((keys) => keys.refresh()));
    expect(
      new Set(
        all.map((keys) =>
          keys
            .all()
            .map(({ kid }) => kid)
            .join(),
        ),
      ).size,
    ).toBe(1);
    expect(all[0]?.all()).toHaveLength(2);
  });

  it("are new at once after a standstill that outlived them, swept or not", async () => {
    for (const sweeps of [false, true]) {
      const storage = await stores.open();
      const before = (await open(storage)).signer().kid;
      pass(100 * day);
      if (sweeps) await signingKeyStore(storage.db).sweep(Date.now());
      const keys = await open(storage);
      expect(keys.signer().kid).not.toBe(before);
      expect(keys.published().map(({ kid }) => kid)).toEqual([keys.signer().kid]);
    }
  });

  it("keep the same list as long as nothing changes, so that nothing is built anew", async () => {
    const keys = await open(await stores.open());
    const [all, published] = [keys.all(), keys.published()];
    await keys.refresh();
    expect([keys.all() === all, keys.published() === published]).toEqual([true, true]);
  });

  it("open with the secret they were made with and no other", async () => {
    const storage = await stores.open();
    await open(storage);
    await expect(open(storage, { secret: `${secret}!` })).rejects.toThrow(/another secret than before/);
    const options = { issuer: "http://localhost:1", serviceName: "x", storage, clients: [clients.web] };
    const resources = { "https://api.example.com": ["notes:read", "notes:write"] };
    await expect(openIdentity({ ...options, resources, secret: `${secret}!` })).rejects.toThrow(/another secret/);
  });

  it("sign with ES256 as well", async () => {
    const keys = await open(await stores.open(), { algorithm: "ES256" });
    expect(createLocalJWKSet({ keys: [...keys.published()] }).jwks()).toMatchObject({ keys: [{ crv: "P-256" }] });
    expect([keys.signer().algorithm, keys.algorithms()]).toEqual(["ES256", ["ES256"]]);
  });

  it("change their algorithm as they change otherwise: announced, then on every instance, whatever it was told", async () => {
    const storage = await stores.open();
    const old = await open(storage);
    pass(1000);
    const told = await open(storage, { algorithm: "ES256" });
    await old.refresh();
    for (const keys of [old, told]) {
      expect([keys.signer().algorithm, keys.algorithms()]).toEqual(["EdDSA", ["EdDSA", "ES256"]]);
    }
    pass(hour);
    for (const keys of [old, told]) {
      const before = keys.all();
      await keys.refresh();
      const now = keys.all();
      expect(now).not.toBe(before);
      expect([keys.signer().algorithm, keys.algorithms()]).toEqual(["ES256", ["ES256", "EdDSA"]]);
      expect(keys.published()).toHaveLength(2);
      // Neither takes the other's choice back by itself.
      await keys.refresh();
      expect(keys.all()).toBe(now);
    }
    // One that is started again and again with the one and the other makes no endless list.
    for (let start = 0; start < 20; start++) {
      pass(1000);
      await open(storage, { algorithm: start % 2 === 0 ? "EdDSA" : "ES256" });
    }
    await told.refresh();
    expect(told.published().length).toBeLessThanOrEqual(10);
  });

  it("leave nothing of their private half in what is stored", async () => {
    const place = await stores.place();
    const storage = await openStorage(place);
    const keys = await open(storage);
    const { d = "" } = keys.all()[0] ?? {};
    expect(d).toHaveLength(43);
    const rows = JSON.stringify(await storage.db.selectFrom("signing_key").selectAll().execute());
    expect(rows).not.toContain(d);
    if (kind === "embedded" && "folder" in place) {
      for (const name of readdirSync(place.folder)) {
        const bytes = readFileSync(join(place.folder, name));
        for (const form of [Buffer.from(d), Buffer.from(d, "base64url")]) expect(bytes.includes(form)).toBe(false);
      }
    }
    await storage.close();
  });
});
