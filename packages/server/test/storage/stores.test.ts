import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { AccountRow } from "../../src/storage/accounts.ts";
import { browserSessionStore, mostSessions } from "../../src/storage/browser-sessions.ts";
import { grantStore } from "../../src/storage/grants.ts";
import { oidcPayloadStore } from "../../src/storage/oidc-payloads.ts";
import { mostFamilies, refreshTokenStore } from "../../src/storage/refresh-tokens.ts";
import { type Revocation, revocationStore, type Since } from "../../src/storage/revocations.ts";
import { type SigningKeyRow, signingKeyStore } from "../../src/storage/signing-keys.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import {
  accountsOf,
  embeddedStores,
  failing,
  guard,
  type PostgresStores,
  postgresStores,
  type TestStores,
} from "./open-stores.ts";

const now = Date.UTC(2030, 0, 1);

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("storage: %s", (_kind, start) => {
  let stores: TestStores;
  let storage: Storage;
  beforeAll(async () => {
    stores = await start();
    storage = await stores.open();
  });
  afterAll(() => stores.stop());

  describe("accounts", () => {
    const store = () => accountsOf(storage, () => now);

    it("gives back what was put in, by id and by address, texts of any language and large times too", async () => {
      const row = account({ email: `Ünï"'\\;--%_${randomUUID()}@exämple.com`, created_at: 2 ** 52 });
      expect(await store().add(row)).toBe(true);
      expect(await store().find(row.id)).toEqual(row);
      expect(await store().findByEmailKey(row.email_key)).toEqual(row);
      for (const near of [row.email_key.toUpperCase(), `${row.email_key} `, "%", "", "' or 1=1 --"]) {
        expect(await store().findByEmailKey(near)).toBeUndefined();
      }
    });

    it("lets one of many that sign up at once have an address", async () => {
      const key = `${randomUUID()}@example.com`;
      const rows = Array.from({ length: 20 }, () => account({ email_key: key }));
      const won = await Promise.all(rows.map((row) => store().add(row)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect((await store().findByEmailKey(key))?.id).toBe(rows[won.indexOf(true)]?.id);
    });

    it("ends an epoch with every change that ends what is signed in, and takes back what was given in it", async () => {
      const { id } = await inserted();
      const takenBack = async () =>
        (await revocationStore(storage, undefined).list(now))
          .filter(({ kind, value }) => kind === "user" && value.startsWith(id))
          .map(({ value }) => Number(value.slice(id.length)))
          .toSorted((a, b) => a - b);
      expect(await store().setPassword(id, "other")).toBe(true);
      expect(await store().setPassword(id, "third", "not it")).toBe(false);
      expect(await store().disable(id, now)).toBe(true);
      expect(await store().endSessions(id)).toBe(true);
      expect(await store().find(id)).toMatchObject({ password: "other", disabled_at: now, epoch: 3 });
      expect(await takenBack()).toEqual([0, 1, 2]);
      await Promise.all(Array.from({ length: 10 }, () => store().endSessions(id)));
      expect(await takenBack()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      expect(await store().enable(id)).toBe(true);
      expect((await store().find(id))?.disabled_at).toBeNull();
      expect(await store().remove(id)).toBe(true);
      for (const gone of [store().remove(id), store().endSessions(id), store().disable(id, now)]) {
        expect(await gone).toBe(false);
      }
      expect(await store().enable(id)).toBe(false);
      expect((await takenBack()).at(-1)).toBe(13);
    });

    it("takes a mailed token out once, for its purpose, in its time, and with a new one the old is none", async () => {
      const { id, email } = await inserted();
      const put = (hash: string, purpose: "verify" | "reset" = "reset") =>
        store().putToken({ hash, account_id: id, purpose, email, expires_at: now + 1000 });
      const [first, second, other] = [randomUUID(), randomUUID(), randomUUID()];
      await put(first);
      await put(other, "verify");
      await put(second);
      expect(await store().takeToken(first, "reset", now)).toBeUndefined();
      expect(await store().takeToken(second, "verify", now)).toBeUndefined();
      expect(await store().takeToken(second, "reset", now + 1000)).toBeUndefined();
      const taken = await Promise.all(Array.from({ length: 10 }, () => store().takeToken(second, "reset", now)));
      expect(taken.filter((one) => one !== undefined)).toHaveLength(1);
      expect(await store().takeToken(other, "verify", now)).toMatchObject({ account_id: id, email });
    });

    it("verifies the address the mail went to, and no other that the account has by now", async () => {
      const { id, email } = await inserted();
      await store().setVerified(id, "before@example.com", now);
      expect((await store().find(id))?.verified_at).toBeNull();
      await store().setVerified(id, email, now);
      await store().setVerified(id, email, now + 5);
      expect((await store().find(id))?.verified_at).toBe(now);
    });

    it("lists every browser that is signed in and every application once, however many sign-ins each has", async () => {
      const { id } = await inserted();
      const store = browserSessionStore(storage);
      const times = { idle_expires_at: now + 1e6, expires_at: now + 1e6, user_agent: null, issuer_session: null };
      for (let one = 0; one < mostSessions; one++) {
        const session = { hash: `${id} ${one}`, issuer: "i", subject: id, sealed: "", grant_id: null, ...times };
        await store.insert({ ...session, created_at: now + one });
      }
      for (const [client_id, times] of [
        ["seldom", [1, 2]],
        ["often", Array.from({ length: 60 }, (_, one) => 100 + one)],
      ] as const) {
        for (const at of times) {
          const family = { id: randomUUID(), grant_id: "", account_id: id, client_id, created_at: at, used_at: at + 5 };
          await storage.db
            .insertInto("refresh_family")
            .values({ ...family, expires_at: now + 1 })
            .execute();
        }
      }
      const listed = await accountsOf(storage, () => now).signedIn(id, now);
      expect(listed.filter(({ session }) => session !== undefined)).toHaveLength(mostSessions);
      expect(listed.filter(({ session }) => session === undefined)).toMatchObject([
        { clientId: "often", since: 100, usedAt: 164 },
        { clientId: "seldom", since: 1, usedAt: 7 },
      ]);
    });

    it("takes what was mailed to an account away with it", async () => {
      const { id, email } = await inserted();
      const hash = randomUUID();
      await store().putToken({ hash, account_id: id, purpose: "reset", email, expires_at: now + 1000 });
      await store().remove(id);
      expect(await store().takeToken(hash, "reset", now)).toBeUndefined();
    });

    async function inserted(): Promise<AccountRow> {
      const row = account();
      await store().add(row);
      return row;
    }
  });

  describe("payloads", () => {
    const store = () => oidcPayloadStore(storage);

    it("keeps the latest of a model and id, apart from other models", async () => {
      const hash = randomUUID();
      await store().upsert(payload({ model: "Session", hash, payload: "one" }));
      await store().upsert(payload({ model: "Session", hash, payload: "two", expires_at: now + 9 }));
      await store().upsert(payload({ model: "Grant", hash, payload: "three" }));
      expect(await store().find("Session", hash)).toMatchObject({ payload: "two", expires_at: now + 9 });
      expect(await store().find("Grant", hash)).toMatchObject({ payload: "three" });
      await store().destroy("Session", hash);
      expect(await store().find("Session", hash)).toBeUndefined();
      expect(await store().find("Grant", hash)).toBeDefined();
    });

    it("lets one of many that use a code at once have it, and writing it again does not make it new", async () => {
      const row = payload({ model: "AuthorizationCode" });
      await store().upsert(row);
      const won = await Promise.all(Array.from({ length: 20 }, () => store().consume(row.model, row.hash, now)));
      expect(won.filter(Boolean)).toHaveLength(1);
      await store().upsert(row);
      expect(await store().consume(row.model, row.hash, now)).toBe(false);
      expect(await store().consume(row.model, randomUUID(), now)).toBe(false);
    });

    it("takes out what hangs on an account, or has run out, and nothing else", async () => {
      const accountId = randomUUID();
      const rows = {
        session: payload({ model: "Session", account_id: accountId }),
        old: payload({ model: "Interaction", expires_at: now }),
        young: payload({ model: "Interaction", expires_at: now + 1 }),
      };
      for (const row of Object.values(rows)) await store().upsert(row);
      const left = async () => {
        const found = await Promise.all(
          Object.entries(rows).map(async ([name, row]) => ((await store().find(row.model, row.hash)) ? [name] : [])),
        );
        return found.flat();
      };
      await store().destroySessionsOf(accountId);
      expect(await left()).toEqual(["old", "young"]);
      await store().sweep(now);
      expect(await left()).toEqual(["young"]);
    });
  });

  describe("grants", () => {
    const store = () =>
      grantStore(storage, {
        revoked: () => {},
        keepMs: 1000,
        now: () => now,
        hashOf: (id) => `hash of ${id}`,
        nameInTokens: (id) => `name of ${id}`,
      });

    it.each([
      ["one grant", (id: string) => store().end(id, "test"), ["Grant", "code", "family"]],
      ["all that an account allowed a client", (_id: string, who: string) => store().withdraw(who, "app"), undefined],
    ])("ends %s with what was issued with it, all of it or nothing", async (_what, end, parts) => {
      const [who, one, two, other] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
      for (const [id, client_id] of [
        [one, "app"],
        [two, "app"],
        [other, "other"],
      ] as const) {
        const about = { account_id: who, client_id };
        const rows = [
          { ...about, model: "Grant", hash: `hash of ${id}`, payload: JSON.stringify({ jti: id }) },
          { ...about, model: "AuthorizationCode", hash: `code of ${id}`, grant_id: id },
          { ...about, model: "Consent", hash: `consent of ${who} ${client_id}` },
        ];
        for (const row of rows) await oidcPayloadStore(storage).upsert(payload(row));
        const family = {
          id: `family of ${id}`,
          grant_id: id,
          ...about,
          session: null,
          created_at: now,
          expires_at: now + 1000,
        };
        const token = { hash: `token of ${id}`, payload: "{}", idle_expires_at: now + 1000 };
        await refreshTokenStore(storage).begin(family, token, under(id));
      }
      const left = async (id: string, client: string) => {
        const payloads = oidcPayloadStore(storage);
        const found = await refreshTokenStore(storage).find(`token of ${id}`);
        const revocations = await revocationStore(storage, undefined).list(now);
        return Object.entries({
          Grant: await payloads.find("Grant", `hash of ${id}`),
          code: await payloads.find("AuthorizationCode", `code of ${id}`),
          Consent: await payloads.find("Consent", `consent of ${who} ${client}`),
          family: found?.family.revoked_at === null ? found : undefined,
          tokens: revocations.some(({ kind, value }) => kind === "grant" && value === `name of ${id}`) ? undefined : {},
        }).flatMap(([name, there]) => (there === undefined ? [] : [name]));
      };
      const all = ["Grant", "code", "Consent", "family", "tokens"];
      const unbroken = await failing(storage, "revocation");
      await expect(end(one, who)).rejects.toThrow(/no room/);
      expect(await left(one, "app")).toEqual(all);
      await unbroken();
      await end(one, who);
      expect(await left(one, "app")).toEqual(parts === undefined ? [] : ["Consent"]);
      expect(await left(two, "app")).toEqual(parts === undefined ? [] : all);
      expect(await left(other, "other")).toEqual(all);
    });

    it("ends however many there are, and none that is another's", async () => {
      const many = 20_000;
      const who = randomUUID();
      await sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${sql.lit(many)})
        insert into oidc_payload (model, hash, payload, account_id, client_id, expires_at)
        select 'Grant', 'hash of ' || ${who} || i, '{"jti":"' || ${who} || i || '"}', ${who}, case i when 1 then 'other' else 'app' end, 9e15 from n`.execute(
        storage.db,
      );
      await store().withdraw(who, "app");
      const of = (like: string) => sql`like ${`${like}${who}%`}`;
      const taken = await sql`select 1 as one from revocation where kind = 'grant' and value ${of("name of ")}`.execute(
        storage.db,
      );
      const left = await sql`select client_id from oidc_payload where hash ${of("hash of ")}`.execute(storage.db);
      expect([taken.rows.length, left.rows]).toEqual([many - 1, [{ client_id: "other" }]]);
    });
  });

  describe("refresh tokens", () => {
    const store = () => refreshTokenStore(storage);

    it("lets one of many rotations at once happen, and the token that was replaced stays used", async () => {
      const { hash } = await begun();
      const tries = Array.from({ length: 30 }, () => successor());
      const won = await Promise.all(tries.map((one) => store().rotate(hash, one, now)));
      expect(won.filter(Boolean)).toHaveLength(1);
      const winner = tries[won.indexOf(true)]?.hash;
      expect((await store().find(hash))?.token).toMatchObject({ successor: winner, used_at: now });
      for (const { hash: loser } of tries.filter((one) => one.hash !== winner))
        expect(await store().find(loser)).toBeUndefined();
      expect((await store().find(winner ?? ""))?.token.successor).toBeNull();
      expect(await store().rotate(hash, successor(), now)).toBe(false);
      expect(await store().rotate(winner ?? "", successor(), now)).toBe(true);
    });

    it("rotates nothing that is unknown, has run out, or is of a family that was revoked or has run out", async () => {
      expect(await store().rotate(randomUUID(), successor(), now)).toBe(false);
      const { hash } = await begun();
      expect(await store().rotate(hash, successor(), now + idleMs)).toBe(false);
      const short = await begun({ expires_at: now + 10 });
      expect(await store().rotate(short.hash, successor(), now + 10)).toBe(false);
      const revoked = await begun();
      await store().revokeByAccount(revoked.account, "test", now);
      expect(await store().rotate(revoked.hash, successor(), now)).toBe(false);
      expect(await store().rotate(hash, successor(), now + idleMs - 1)).toBe(true);
    });

    it("has a rotation wait for a revocation that is under way, and then not happen", async () => {
      const { hash, account } = await begun();
      const next = successor();
      const revocation = await storage.db.startTransaction().execute();
      await refreshTokenStore({ db: revocation, kind: storage.kind }).revokeByAccount(account, "under way", now);
      const rotating = store().rotate(hash, next, now);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await revocation.commit().execute();
      expect(await rotating).toBe(false);
      expect(await store().find(next.hash)).toBeUndefined();
    });

    it("replays as often as is allowed, whoever asks at once, and not once the successor is used", async () => {
      const { hash } = await begun();
      const next = successor();
      expect(await store().replay(hash, 3)).toBe(false);
      await store().rotate(hash, next, now);
      const replays = await Promise.all(Array.from({ length: 10 }, () => store().replay(hash, 3)));
      expect(replays.filter(Boolean)).toHaveLength(3);
      const again = await begun();
      const heir = successor();
      await store().rotate(again.hash, heir, now);
      expect(await store().replay(again.hash, 3)).toBe(true);
      await store().rotate(heir.hash, successor(), now);
      expect(await store().replay(again.hash, 3)).toBe(false);
      const revoked = await begun();
      await store().rotate(revoked.hash, successor(), now);
      await store().revokeByAccount(revoked.account, "test", now);
      expect(await store().replay(revoked.hash, 3)).toBe(false);
    });

    it("revokes all of an account, once, and nobody else's", async () => {
      const account_id = randomUUID();
      const [one, two, other] = [
        await begun({ account_id }),
        await begun({ account_id, client_id: "x" }),
        await begun(),
      ];
      await store().revokeByAccount(account_id, "first", now);
      await store().revokeByAccount(account_id, "second", now + 1);
      const found = async ({ hash }: { hash: string }) => (await store().find(hash))?.family;
      for (const ended of [one, two])
        expect(await found(ended)).toMatchObject({ revoked_at: now, revoked_why: "first" });
      expect(await found(other)).toMatchObject({ revoked_at: null });
    });

    it("keeps a hundred families of one person and application, and revokes the one that was unused for longest", async () => {
      const account_id = randomUUID();
      const other = await begun({ account_id, client_id: "other" });
      const oldest = await begun({ account_id });
      const next = await begun({ account_id, grant_id: "next", created_at: now + 1 });
      for (const grant_id of ["next", "last"]) {
        await oidcPayloadStore(storage).upsert(
          payload({ model: "Grant", hash: grant_id, grant_id, expires_at: now + 5 }),
        );
      }
      for (let n = 2; n < mostFamilies; n++) await begun({ account_id, created_at: now + n });
      expect(await store().rotate(oldest.hash, successor(), now + mostFamilies)).toBe(true);
      await begun({ account_id, grant_id: "last", created_at: now + mostFamilies });
      const whyOf = async ({ hash }: { hash: string }) => (await store().find(hash))?.family.revoked_why;
      expect([await whyOf(next), await whyOf(oldest), await whyOf(other)]).toEqual(["too many", null, null]);
      const standing = await storage.db
        .selectFrom("refresh_family")
        .select("id")
        .where("account_id", "=", account_id)
        .where("client_id", "=", "app")
        .where("revoked_at", "is", null)
        .execute();
      expect(standing).toHaveLength(mostFamilies);
      // A grant stays as long as a family has it, and an hour for the access tokens of one that has gone.
      const grants = await storage.db
        .selectFrom("oidc_payload")
        .select(["grant_id", "expires_at"])
        .where("hash", "in", ["next", "last"])
        .orderBy("hash")
        .execute();
      expect(grants).toEqual([
        { grant_id: "last", expires_at: now + 10_000_000 },
        { grant_id: "next", expires_at: now + mostFamilies + 3_600_000 },
      ]);
    });

    it("sweeps families that ran out with their tokens, and answers that are given no more", async () => {
      const over = await begun({ expires_at: now - 1 });
      const { hash } = await begun();
      await store().rotate(hash, successor(), now);
      await store().sweep(now, now);
      expect(await store().find(over.hash)).toBeUndefined();
      expect((await store().find(hash))?.token.answer).toBe("sealed");
      await store().sweep(now, now + 1);
      expect((await store().find(hash))?.token).toMatchObject({ answer: null, used_at: now });
    });

    const idleMs = 1000;
    async function begun(over: object = {}) {
      const hash = randomUUID();
      const family = {
        id: randomUUID(),
        grant_id: randomUUID(),
        account_id: randomUUID(),
        client_id: "app",
        session: null,
        created_at: now,
        expires_at: now + 10_000_000,
        ...over,
      };
      await store().begin(family, { hash, payload: "{}", idle_expires_at: now + idleMs }, under(family.grant_id));
      return { hash, account: family.account_id };
    }
    const successor = () => ({
      hash: randomUUID(),
      payload: "{}",
      idleExpiresAt: now + idleMs,
      answer: "sealed",
    });
  });

  describe("signing keys", () => {
    it("lets one of many processes add the key that follows another, the first one too", async () => {
      const store = signingKeyStore((await stores.open()).db);
      const first = await Promise.all(Array.from({ length: 10 }, (_, n) => store.add(key({ created_at: now + n }))));
      expect(first.filter(Boolean)).toHaveLength(1);
      const follows = (await store.list())[0]?.kid ?? "";
      const second = await Promise.all(
        Array.from({ length: 10 }, () => store.add(key({ follows, created_at: now + 100 }))),
      );
      expect(second.filter(Boolean)).toHaveLength(1);
      expect((await store.list()).map((row) => row.follows)).toEqual(["", follows]);
    });

    it("sweeps what ran out, but the newest stays, so that the next one has what to follow", async () => {
      const store = signingKeyStore((await stores.open()).db);
      const one = key({ expires_at: now });
      const two = key({ follows: one.kid, created_at: now + 1, expires_at: now });
      await store.add(one);
      await store.add(two);
      await store.sweep(now);
      expect(await store.list()).toEqual([two]);
      expect(await store.add(key())).toBe(true);
    });
  });

  describe("revocations", () => {
    it("tells what may still matter, since a time with an overlap", async () => {
      const store = revocationStore(await stores.open(), undefined);
      const old = revocation({ value: "old", revokedAt: now - 60_000, expiresAt: now + 5 });
      const fresh = revocation({ value: "fresh", kind: "jti" });
      await store.add([old, fresh]);
      await store.add([]);
      const all = await store.list(now);
      expect(all.map(({ seq: _seq, ...told }) => told)).toEqual([old, fresh]);
      const [first = 0, last = 0] = all.map(({ seq }) => seq);
      expect(last).toBeGreaterThan(first);
      const names = async (since: Since) => (await store.list(now, since)).map(({ value }) => value);
      expect(await names({ at: now, seq: last + 1000 })).toEqual(["fresh"]);
      // By its number too: the clock of who noted it may be far behind.
      expect(await names({ at: now, seq: first })).toEqual(["old", "fresh"]);
      await store.sweep(now + 5);
      expect((await store.list(now)).map(({ value }) => value)).toEqual(["fresh"]);
    });
  });
});

describe("storage: several instances on PostgreSQL", () => {
  let stores: PostgresStores;
  let storage: Storage;
  beforeAll(async () => {
    stores = await postgresStores();
    // Whoever listens has to give it, too.
    const password = "only for tests";
    await guard(stores.server, "identity_server", password);
    storage = await openStorage({ postgres: { ...(await stores.place()).postgres, password } });
  });
  afterAll(async () => {
    await storage.close();
    await stores.stop();
  });

  it("tells every other instance of a revocation when it is committed, and goes on after a cut connection", async () => {
    const store = revocationStore(storage, storage.pool);
    let heard = 0;
    const stop = store.listen(() => heard++);
    const listeners = async () => {
      const { rows } = (await storage.pool?.query(
        "select pid from pg_stat_activity where query like 'listen %' and state = 'idle'",
      )) ?? { rows: [] };
      return rows.length;
    };
    await vi.waitFor(async () => expect(await listeners()).toBe(1), 10_000);
    await store.add([revocation({ value: "one" }), revocation({ value: "two" })]);
    await vi.waitFor(() => expect(heard).toBe(1), 10_000);
    await storage.pool?.query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %'");
    await vi.waitFor(async () => expect(await listeners()).toBe(0), 10_000);
    await vi.waitFor(async () => expect(await listeners()).toBe(1), 10_000);
    await store.add([revocation({ value: "three" })]);
    await vi.waitFor(() => expect(heard).toBe(2), 10_000);
    await stop();
  });

  it("tells of many that are committed after one that came later, by an instance whose clock is half a minute behind", async () => {
    const store = revocationStore(storage, undefined);
    const slow = await storage.db.startTransaction().execute();
    await sql`insert into revocation (kind, value, revoked_at, expires_at)
      select 'jti', 'slow ' || i, ${sql.lit(now - 30_000)}, 9e15 from generate_series(1, 500) as i`.execute(slow);
    await store.add([revocation({ value: "later" })]);
    const seq = (await store.list(now)).find(({ value }) => value === "later")?.seq ?? 0;
    await slow.commit().execute();
    const told = await store.list(now, { at: now, seq });
    expect(told.filter(({ value }) => value.startsWith("slow"))).toHaveLength(500);
  });
});

function account(over: Partial<AccountRow> = {}): AccountRow {
  const name = randomUUID();
  return {
    id: randomUUID(),
    email: `${name}@Example.com`,
    email_key: `${name}@example.com`,
    password: "hash",
    roles: "[]",
    created_at: now,
    verified_at: null,
    disabled_at: null,
    epoch: 0,
    ...over,
  };
}

function payload(over: object = {}) {
  return {
    model: "Session",
    hash: randomUUID(),
    payload: "{}",
    grant_id: null,
    account_id: null,
    client_id: null,
    expires_at: now + 1000,
    consumed_at: null,
    ...over,
  };
}

function key(over: Partial<SigningKeyRow> = {}): SigningKeyRow {
  return {
    kid: randomUUID(),
    follows: "",
    algorithm: "EdDSA",
    sealed: "sealed",
    public: "{}",
    created_at: now,
    signs_from: now,
    retires_at: now + 1000,
    expires_at: now + 2000,
    ...over,
  };
}

function revocation(over: Partial<Revocation> = {}): Revocation {
  return { kind: "grant", value: randomUUID(), revokedAt: now, expiresAt: now + 60_000, ...over };
}

/** A grant of an application of the service's own. */
function under(id: string) {
  return { grant: `name of ${id}`, needsConsent: false };
}
