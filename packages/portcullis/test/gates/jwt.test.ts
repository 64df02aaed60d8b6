import { createHmac } from "node:crypto";
import { CompactSign, exportJWK, exportSPKI, generateKeyPair, type CryptoKey } from "jose";
import { anyCaller, nothing, publicAccess } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Caller } from "../../src/caller.ts";
import type { CredentialVerifier } from "../../src/credential.ts";
import { jwt } from "../../src/gates/jwt.ts";
import type { JwtOptions } from "../../src/lib/jwt-options.ts";
import { publicKey, secret } from "../../src/lib/jwt-keys.ts";
import { jwks } from "../../src/lib/jwks.ts";
import { Refusal } from "../../src/refusal.ts";
import { testWorld, type TestWorld } from "../credentials/environment.ts";
import { bearer, jwtSecret, openDoor, routeUntyped, sharedDoor, testApi, token } from "../front-door.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";
const sharedText = "correct horse battery staple, 32+";
const shared = new TextEncoder().encode(sharedText);

describe("jwt", () => {
  it("admits a valid token and says who the caller is", async () => {
    const { verifier, claims } = setUp();
    const token = await sign({ ...claims, jti: "t-1", scope: "projects:read projects:write" });
    const caller = await admitted(verifier, token);
    expect(caller).toEqual({
      subject: "alice",
      tenant: undefined,
      scopes: ["projects:read", "projects:write"],
      roles: [],
      proof: {
        kind: "jwt",
        issuer,
        credentialId: "t-1",
        ambient: false,
        claims: { ...claims, jti: "t-1", scope: "projects:read projects:write" },
      },
    });
  });

  it.each(["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "Ed25519"] as const)(
    "verifies %s with the issuer's public key as JWK, PEM and CryptoKey",
    async (algorithm) => {
      const pair = await generateKeyPair(algorithm, { extractable: true });
      const jwk = await exportJWK(pair.publicKey);
      const pem = await exportSPKI(pair.publicKey);
      for (const key of [jwk, pem, pair.publicKey]) {
        const { verifier, claims } = setUp({ keys: publicKey(key, { algorithm }) });
        const token = await sign(claims, { alg: algorithm, typ: "at+jwt" }, pair.privateKey);
        expect((await admitted(verifier, token)).subject).toBe("alice");
      }
    },
  );

  it("accepts EdDSA under its old name as well", async () => {
    const pair = await generateKeyPair("EdDSA");
    const { verifier, claims } = setUp({ keys: publicKey(pair.publicKey) });
    expect((await admitted(verifier, await sign(claims, { alg: "EdDSA", typ: "JWT" }, pair.privateKey))).subject).toBe(
      "alice",
    );
  });

  it.each(["HS384", "HS512"] as const)("verifies %s where the secret is pinned to it", async (algorithm) => {
    const long = new TextEncoder().encode(
      "a".repeat(10) + "0123456789abcdefghijklmnopqrstuvwxyz-0123456789-ABCDEFGHIJKL",
    );
    const { verifier, claims } = setUp({ keys: secret(long, { algorithm }) });
    await admitted(verifier, await sign(claims, { alg: algorithm, typ: "JWT" }, long));
    expect(await reasonOf(verifier, await sign(claims, { alg: "HS256", typ: "JWT" }, long))).toContain("no key");
  });

  it("verifies with any of several keys while they rotate, by key id or, without one, by trying", async () => {
    const [old, next] = [await generateKeyPair("ES256"), await generateKeyPair("ES256")];
    const keys = [publicKey(old.publicKey, { kid: "2029" }), publicKey(next.publicKey, { kid: "2030" })];
    const { verifier, claims } = setUp({ keys });
    for (const [kid, pair] of [
      ["2029", old],
      ["2030", next],
    ] as const) {
      await admitted(verifier, await sign(claims, { alg: "ES256", typ: "JWT", kid }, pair.privateKey));
      await admitted(verifier, await sign(claims, { alg: "ES256", typ: "JWT" }, pair.privateKey));
    }
    const swapped = await sign(claims, { alg: "ES256", typ: "JWT", kid: "2029" }, next.privateKey);
    expect(await reasonOf(verifier, swapped)).toBe("no key verifies the signature");
  });

  it("tries at most four keys for a token without a key id", async () => {
    const pairs = await Promise.all(Array.from({ length: 5 }, () => generateKeyPair("ES256", { extractable: true })));
    const set = { keys: await Promise.all(pairs.map((pair) => exportJWK(pair.publicKey))) };
    const { verifier, claims } = setUp({ keys: jwks(set) });
    const tokens = await Promise.all(pairs.map((pair) => sign(claims, { alg: "ES256", typ: "JWT" }, pair.privateKey)));
    for (const token of tokens.slice(0, 4)) await admitted(verifier, token);
    expect(await reasonOf(verifier, tokens[4] ?? "")).toBe("no key verifies the signature");
  });

  it("answers a bad token as RFC 6750 says, with the reason in the log only", async () => {
    const { verifier } = setUp();
    const refusal = await refused(verifier, "not.a.token");
    expect(refusal).toMatchObject({ code: "bad-token", status: 401, protection: "jwt" });
    expect(refusal.headers).toEqual(["www-authenticate", 'Bearer error="invalid_token"']);
    expect(refusal.title).toBe("Authentication required");
  });

  it("accepts a token for several audiences where this API is one of them", async () => {
    const { verifier, claims } = setUp();
    await admitted(verifier, await sign({ ...claims, aud: ["https://other.example.com", audience] }));
  });

  it("asks azp instead of aud where authorized parties are configured, and both where both are", async () => {
    const { audience: _, ...rest } = options();
    const parties = setUp({ ...rest, authorizedParties: ["web-app"] }, rest);
    const { aud: __, ...withoutAud } = parties.claims;
    await admitted(parties.verifier, await sign({ ...withoutAud, azp: "web-app" }));
    expect(await reasonOf(parties.verifier, await sign({ ...withoutAud, azp: "evil-app" }))).toContain(
      "authorized party",
    );
    expect(await reasonOf(parties.verifier, await sign(withoutAud))).toContain("authorized party");

    const both = setUp({ authorizedParties: ["web-app"] });
    await admitted(both.verifier, await sign({ ...both.claims, azp: "web-app" }));
    expect(await reasonOf(both.verifier, await sign(both.claims))).toContain("authorized party");
    expect(await reasonOf(both.verifier, await sign({ ...both.claims, aud: "x", azp: "web-app" }))).toContain(
      "audience",
    );
  });

  it.each(["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt", "application/jwt"])(
    "accepts typ %s",
    async (typ) => {
      const { verifier, claims } = setUp();
      await admitted(verifier, await sign(claims, { alg: "HS256", typ }));
    },
  );

  it("accepts only the configured typ where one is configured", async () => {
    const { verifier, claims } = setUp({ typ: "at+jwt" });
    await admitted(verifier, await sign(claims, { alg: "HS256", typ: "at+jwt" }));
    expect(await reasonOf(verifier, await sign(claims, { alg: "HS256", typ: "JWT" }))).toBe("typ is not accepted");
  });

  it.each(["nonce", "at_hash", "c_hash", "events"])(
    "refuses a plain JWT with %s: it is no access token",
    async (mark) => {
      const { verifier, claims } = setUp();
      const marked = { ...claims, [mark]: "x" };
      expect(await reasonOf(verifier, await sign(marked, { alg: "HS256", typ: "JWT" }))).toContain(mark);
    },
  );

  it("refuses a token bound to a key, since nobody here checks the binding", async () => {
    const { verifier, claims } = setUp();
    expect(await reasonOf(verifier, await sign({ ...claims, cnf: { jkt: "x" } }))).toContain("bound to a key");
  });

  describe("time", () => {
    it("grants 30 s of skew to exp, nbf and a fresh iat, and not a second more", async () => {
      const { verifier, claims, world } = setUp();
      const now = world.seconds();
      await admitted(verifier, await sign({ ...claims, exp: now - 29 }));
      expect(await reasonOf(verifier, await sign({ ...claims, exp: now - 30 }))).toBe("expired");
      await admitted(verifier, await sign({ ...claims, nbf: now + 30 }));
      expect(await reasonOf(verifier, await sign({ ...claims, nbf: now + 31 }))).toBe("not valid yet");
      await admitted(verifier, await sign({ ...claims, iat: now + 30 }));
      expect(await reasonOf(verifier, await sign({ ...claims, iat: now + 31 }))).toBe("issued in the future");
    });

    it("refuses a token issued more than an hour ago, however long it says it is valid", async () => {
      const { verifier, claims, world } = setUp();
      const longLived = { ...claims, exp: world.seconds() + 86_400 };
      await admitted(verifier, await sign({ ...longLived, iat: world.seconds() - 3_600 }));
      expect(await reasonOf(verifier, await sign({ ...longLived, iat: world.seconds() - 3_601 }))).toBe(
        "issued too long ago",
      );
    });

    it("tells once that an issuer's clock is ahead by more than 5 s", async () => {
      const { verifier, claims, world } = setUp();
      await admitted(verifier, await sign({ ...claims, iat: world.seconds() + 4 }));
      expect(world.events).toEqual([]);
      await admitted(verifier, await sign({ ...claims, iat: world.seconds() + 12 }));
      await admitted(verifier, await sign({ ...claims, iat: world.seconds() + 13 }));
      expect(world.events.map(({ type }) => type)).toEqual(["issuer-clock-skew"]);
    });
  });

  describe("subject, tenant, scopes and roles", () => {
    it("joins issuer and subject on demand, so that two issuers' users stay apart", async () => {
      const { verifier, claims } = setUp({ subject: "iss-and-sub" });
      expect((await admitted(verifier, await sign(claims))).subject).toBe("https://id.example.com alice");
      expect(jwt(options({ subject: "iss-and-sub" })).mapsSubject).toBe(true);
      expect(jwt(options()).mapsSubject).toBe(false);
    });

    it("takes subject and tenant from mapping functions", async () => {
      const { verifier, claims } = setUp({
        subject: ({ sub }) => `user:${sub}`,
        tenant: (all) => (typeof all["org"] === "string" ? all["org"] : undefined),
      });
      expect(await admitted(verifier, await sign({ ...claims, org: "acme" }))).toMatchObject({
        subject: "user:alice",
        tenant: "acme",
      });
      expect((await admitted(verifier, await sign({ ...claims, org: "" }))).tenant).toBeUndefined();
    });

    it("refuses a token the mapping finds no subject for, and cannot decide where the mapping throws", async () => {
      const nobody = setUp({ subject: () => "" });
      expect(await reasonOf(nobody.verifier, await sign(nobody.claims))).toBe("no subject");
      const throws = setUp({
        tenant: () => {
          throw new Error("database is gone");
        },
      });
      expect(await refused(throws.verifier, await sign(throws.claims))).toMatchObject({
        code: "verifier-unavailable",
        status: 503,
      });
    });

    it("reads scopes from scope, from scp as list or text, and from a named claim or function", async () => {
      const { verifier, claims } = setUp();
      const scopesOf = async (extra: object) => (await admitted(verifier, await sign({ ...claims, ...extra }))).scopes;
      expect(await scopesOf({})).toEqual([]);
      expect(await scopesOf({ scope: "a b" })).toEqual(["a", "b"]);
      expect(await scopesOf({ scp: ["a", "b"] })).toEqual(["a", "b"]);
      expect(await scopesOf({ scp: "a b" })).toEqual(["a", "b"]);
      const named = setUp({ scopes: "permissions" });
      const token = await sign({ ...named.claims, scope: "not-this", permissions: ["p:read"] });
      expect((await admitted(named.verifier, token)).scopes).toEqual(["p:read"]);
      const computed = setUp({ scopes: (all) => [`plan:${String(all["plan"])}`] });
      expect((await admitted(computed.verifier, await sign({ ...computed.claims, plan: "pro" }))).scopes).toEqual([
        "plan:pro",
      ]);
    });

    it.each([[{ scope: 7 }], [{ scope: ["a", 1] }], [{ scp: { a: true } }]])(
      "refuses scopes it cannot read: %j",
      async (extra) => {
        const { verifier, claims } = setUp();
        expect(await reasonOf(verifier, await sign({ ...claims, ...extra }))).toContain("scopes");
      },
    );

    it("takes roles from the token only where that is asked for", async () => {
      const silent = setUp();
      expect((await admitted(silent.verifier, await sign({ ...silent.claims, roles: ["admin"] }))).roles).toEqual([]);
      const asked = setUp({ rolesFromToken: "roles" });
      expect((await admitted(asked.verifier, await sign({ ...asked.claims, roles: ["admin"] }))).roles).toEqual([
        "admin",
      ]);
      expect((await admitted(asked.verifier, await sign({ ...asked.claims, roles: "org admin" }))).roles).toEqual([
        "org admin",
      ]);
      expect(await reasonOf(asked.verifier, await sign({ ...asked.claims, roles: [null] }))).toContain("roles");
    });

    it("gives handlers claims they cannot change for the next request", async () => {
      const { verifier, claims } = setUp();
      const caller = await admitted(verifier, await sign({ ...claims, org: { plan: "free" } }));
      expect(Object.isFrozen(caller) && Object.isFrozen(caller.scopes)).toBe(true);
      const org = caller.proof.claims["org"];
      expect(() => Object.assign(Object(org), { plan: "pro" })).toThrow(TypeError);
    });
  });

  describe("tokens of other issuers", () => {
    const untyped = { alg: "HS256" };
    const dangerouslyUntypedTokens = "the issuer writes none";

    it("takes a token without a type only where a reason stands in the manifest, and holds it to what a JWT is held to", async () => {
      const strict = setUp();
      expect(await reasonOf(strict.verifier, await sign(strict.claims, untyped))).toBe("typ is not accepted");
      const { verifier, claims } = setUp({ typ: "JWT", dangerouslyUntypedTokens });
      expect((await admitted(verifier, await sign(claims, untyped))).subject).toBe("alice");
      expect((await admitted(verifier, await sign(claims, { ...untyped, typ: "JWT" }))).subject).toBe("alice");
      for (const typ of ["at+jwt", "logout+jwt", "dpop+jwt", "JWT ", "secevent+jwt"]) {
        expect(await reasonOf(verifier, await sign(claims, { ...untyped, typ }))).toBe("typ is not accepted");
      }
      for (const typ of ["", null, 7]) {
        expect(await reasonOf(verifier, await sign(claims, { ...untyped, typ }))).toBe("typ-malformed");
      }
      for (const mark of ["nonce", "at_hash", "events"]) {
        expect(await reasonOf(verifier, await sign({ ...claims, [mark]: "x" }, untyped))).toContain(mark);
      }
      const credential = jwt(options({ dangerouslyUntypedTokens }));
      expect(credential.describe()).toMatchObject({ dangerouslyUntypedTokens });
      expect(jwt(options()).describe()).not.toHaveProperty("dangerouslyUntypedTokens");
      expect(jwt(options({ dangerouslyUntypedTokens: " " })).problems()).toMatchObject([
        { field: "dangerouslyUntypedTokens" },
      ]);
    });

    it("asks the application's own question last and once, and cannot decide where it throws", async () => {
      const asked: unknown[] = [];
      const { verifier, claims } = setUp({
        refuses: ({ sub, plan }) => {
          asked.push(sub);
          if (plan === "broken") throw new Error("no plan");
          return plan === "free" ? "not a paying customer" : undefined;
        },
      });
      const mine = await sign(claims);
      await admitted(verifier, mine);
      expect(verifier.cached(mine)?.subject).toBe("alice");
      await admitted(verifier, mine);
      expect(asked).toEqual(["alice"]);
      expect(await reasonOf(verifier, await sign({ ...claims, plan: "free" }))).toBe("not a paying customer");
      expect(await refused(verifier, await sign({ ...claims, plan: "broken" }))).toMatchObject({
        code: "verifier-unavailable",
      });
      asked.length = 0;
      await refused(verifier, await sign({ ...claims, aud: "https://other.example.com" }));
      await refused(verifier, await sign(claims, { alg: "HS256", typ: "JWT" }, new Uint8Array(32).fill(7)));
      expect(asked).toEqual([]);
    });
  });

  describe("cache", () => {
    it("answers a token verified before at once, with the same caller object", async () => {
      const { verifier, claims } = setUp();
      const token = await sign(claims);
      expect(verifier.cached(token)).toBeUndefined();
      const caller = await admitted(verifier, token);
      expect(verifier.cached(token)).toBe(caller);
      expect(await admitted(verifier, token)).toBe(caller);
      expect(verifier.cached(`${token}x`)).toBeUndefined();
    });

    it("checks expiry at every hit", async () => {
      const { verifier, claims, world } = setUp();
      const token = await sign({ ...claims, exp: world.seconds() + 60 });
      await admitted(verifier, token);
      world.pass(89);
      expect(verifier.cached(token)).toBeDefined();
      world.pass(1);
      expect(verifier.cached(token)).toBeUndefined();
      expect(await reasonOf(verifier, token)).toBe("expired");
    });

    it("checks the age by iat at every hit", async () => {
      const { verifier, claims, world } = setUp();
      const token = await sign({ ...claims, exp: world.seconds() + 86_400 });
      await admitted(verifier, token);
      world.pass(3_600);
      expect(verifier.cached(token)).toBeDefined();
      world.pass(1);
      expect(verifier.cached(token)).toBeUndefined();
      expect(await reasonOf(verifier, token)).toBe("issued too long ago");
    });

    it("checks nbf and iat at every hit when the wall clock steps back", async () => {
      const { verifier, claims, world } = setUp();
      const token = await sign({ ...claims, nbf: world.seconds() });
      await admitted(verifier, token);
      world.stepWallClock(-31);
      expect(verifier.cached(token)).toBeUndefined();
      expect(await reasonOf(verifier, token)).toBe("not valid yet");
      world.stepWallClock(31);
      await admitted(verifier, token);
    });

    it("remembers no failure: a token that was not valid yet is admitted in time", async () => {
      const { verifier, claims, world } = setUp();
      const token = await sign({ ...claims, nbf: world.seconds() + 60 });
      expect(await reasonOf(verifier, token)).toBe("not valid yet");
      world.pass(30);
      await admitted(verifier, token);
    });

    it("does not share what was proved between verifiers", async () => {
      const one = setUp();
      const other = setUp({ audience: "https://other.example.com" });
      const token = await sign(one.claims);
      await admitted(one.verifier, token);
      expect(other.verifier.cached(token)).toBeUndefined();
      expect(await reasonOf(other.verifier, token)).toContain("audience");
    });
  });

  describe("revocations", () => {
    it("takes back a token that is in the cache, with the next request", async () => {
      const list = denyList();
      const { verifier, claims } = setUp({ revocations: list });
      const [mine, others] = [await sign({ ...claims, jti: "mine" }), await sign({ ...claims, jti: "others" })];
      const caller = await admitted(verifier, others);
      await admitted(verifier, mine);
      expect(verifier.cached(mine)).toBeDefined();
      list.revoke("mine");
      expect(verifier.cached(mine)).toBeUndefined();
      expect(await reasonOf(verifier, mine)).toBe("revoked");
      expect(verifier.cached(others)).toBeUndefined();
      expect(await admitted(verifier, others)).toBe(caller);
      expect(verifier.cached(others)).toBe(caller);
    });

    it("does not publish a token that is revoked while the question is on its way", async () => {
      const list = denyList();
      let release = () => {};
      const slow = {
        generation: list.generation,
        isRevoked: async (claims: Parameters<typeof list.isRevoked>[0]) => {
          const answer = list.isRevoked(claims);
          await new Promise<void>((resolve) => {
            release = resolve;
          });
          return answer;
        },
      };
      const { verifier, claims } = setUp({ revocations: slow });
      const token = await sign({ ...claims, jti: "mine" });
      const pending = verifier.verify(token);
      await until(() => list.asked === 1);
      list.revoke("mine");
      release();
      await pending;
      expect(verifier.cached(token)).toBeUndefined();
    });

    it("cannot decide, and refuses, where the revocations cannot be asked", async () => {
      const down = () => {
        throw new Error("gone");
      };
      const { verifier, claims } = setUp({ revocations: { generation: () => 1, isRevoked: down } });
      expect(await refused(verifier, await sign(claims))).toMatchObject({ code: "verifier-unavailable", status: 503 });
      let failing = false;
      const flaky = setUp({ revocations: { generation: () => (failing ? down() : 1), isRevoked: () => false } });
      const token = await sign(flaky.claims);
      await admitted(flaky.verifier, token);
      failing = true;
      expect(flaky.verifier.cached(token)).toBeUndefined();
      expect(await refused(flaky.verifier, token)).toMatchObject({ code: "verifier-unavailable" });
    });
  });

  describe("recognises", () => {
    it("tells by the issuer a token claims whether it is for this verifier, without proving anything", async () => {
      const { verifier, claims } = setUp();
      const otherKey = new TextEncoder().encode("another secret of at least 32 bytes");
      expect(verifier.recognises(await sign(claims))).toBe(true);
      expect(verifier.recognises(await sign(claims, { alg: "HS256", typ: "JWT" }, otherKey))).toBe(true);
      expect(verifier.recognises(await sign({ ...claims, iss: "https://evil.example.com" }))).toBe(false);
      for (const value of ["", "prj_live_x", "a.b", "a.b.c", "..", "a.b.c.d", "x".repeat(20_000)]) {
        expect(verifier.recognises(value)).toBe(false);
      }
    });
  });

  describe("options", () => {
    const problemsOf = (over: Partial<JwtOptions> & Record<string, unknown>) => jwt(options(over)).problems();

    it("has nothing to say against sound options", () => {
      expect(problemsOf({})).toEqual([]);
    });

    it("is a start-up problem without audience and without authorized parties", () => {
      const { audience: _, ...rest } = options();
      expect(jwt(rest).problems()).toMatchObject([{ where: "jwt", field: "audience" }]);
    });

    it.each([
      ["issuer", { issuer: "" }],
      ["issuer", { issuer: "https://id.example.com " }],
      ["audience", { audience: [] }],
      ["audience", { audience: "" }],
      ["authorizedParties", { authorizedParties: [""] }],
      ["typ", { typ: [] }],
      ["maxAgeSeconds", { maxAgeSeconds: 0 }],
      ["maxAgeSeconds", { maxAgeSeconds: Number.NaN }],
      ["maxAgeSeconds", { maxAgeSeconds: 86_401 }],
      ["clockSkewSeconds", { clockSkewSeconds: -1 }],
      ["clockSkewSeconds", { clockSkewSeconds: 121 }],
      ["keys", { keys: [] }],
      ["cache", { cache: { maxEntries: 1 } }],
      ["cache", { cache: { maxBytes: 1 } }],
      ["name", { name: "" }],
      ["clockTolerance", { clockTolerance: 60 }],
    ] satisfies [string, Partial<JwtOptions> & Record<string, unknown>][])(
      "stops on a nonsensical %s: %j",
      (field, over) => {
        expect(problemsOf(over)).toMatchObject([{ field }]);
        expect(() => jwt(options(over)).build(testWorld().environment)).toThrow(/./);
      },
    );

    it("stops where a secret and a public key share one verifier", async () => {
      const { publicKey: key } = await generateKeyPair("RS256");
      expect(problemsOf({ keys: [secret(sharedText), publicKey(key)] })).toMatchObject([{ field: "keys" }]);
    });

    it("describes itself without key material", () => {
      const text = JSON.stringify(jwt(options()).describe());
      expect(text).toContain(issuer);
      expect(text).not.toContain("horse");
      expect(JSON.stringify(jwt(options()))).not.toContain("horse");
    });

    it("is not changed by changing the options afterwards", async () => {
      const list = [audience];
      const credential = jwt(options({ audience: list }));
      list.push("https://evil.example.com");
      const world = testWorld();
      const token = await sign({ ...claimsAt(world), aud: "https://evil.example.com" });
      expect(await reasonOf(credential.build(world.environment), token)).toContain("audience");
    });
  });
});

function options(over: Partial<JwtOptions> & Record<string, unknown> = {}): JwtOptions {
  return { issuer, audience, keys: secret(sharedText), ...over };
}

function setUp(over: Partial<JwtOptions> = {}, base: Partial<JwtOptions> = options()) {
  const world = testWorld();
  const verifier = jwt({ issuer, keys: secret(sharedText), ...base, ...over }).build(world.environment);
  return { world, verifier, claims: claimsAt(world) };
}

function claimsAt(world: TestWorld) {
  const now = world.seconds();
  return { iss: issuer, aud: audience, sub: "alice", iat: now, exp: now + 900 };
}

/** Signs whatever is asked, with jose: a stand-in for an issuer, honest or not. */
function sign(
  claims: object,
  header: { alg: string; [name: string]: unknown } = { alg: "HS256", typ: "at+jwt" },
  key: CryptoKey | Uint8Array = shared,
): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims))).setProtectedHeader(header).sign(key);
}

async function admitted(verifier: CredentialVerifier, token: string): Promise<Caller> {
  const outcome = await verifier.verify(token);
  if (outcome instanceof Refusal) throw new Error(`refused: ${outcome.reason}`);
  return outcome;
}

async function refused(verifier: CredentialVerifier, token: string): Promise<Refusal> {
  const outcome = await verifier.verify(token);
  if (!(outcome instanceof Refusal)) throw new Error("admitted");
  expect(verifier.cached(token)).toBeUndefined();
  return outcome;
}

async function reasonOf(verifier: CredentialVerifier, token: string): Promise<string> {
  const refusal = await refused(verifier, token);
  expect(refusal.code).toBe("bad-token");
  return refusal.reason;
}

function denyList() {
  const revoked = new Set<unknown>();
  let generation = 0;
  const list = {
    asked: 0,
    generation: () => generation,
    isRevoked(claims: { readonly jti?: string }) {
      list.asked++;
      return revoked.has(claims.jti);
    },
    revoke(jti: string) {
      revoked.add(jti);
      generation++;
    },
  };
  return list;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe("jwt through the front door", () => {
  const door = sharedDoor(() => {
    const test = testApi();
    const Who = z.strictObject({ subject: z.string().max(50), frozen: z.boolean() });
    routeUntyped(test.api, { path: "GET /v1/me", access: anyCaller, output: Who }, ({ caller }) => ({
      subject: z.looseObject({ subject: z.string() }).parse(caller).subject,
      frozen: Object.isFrozen(caller),
    }));
    routeUntyped(test.api, { path: "GET /v1/free", access: publicAccess("x"), output: nothing });
    return test;
  });
  const now = (): number => Math.floor(Date.now() / 1000);
  const own = new TextEncoder().encode(jwtSecret);
  const claimsOf = (sub: string) => ({
    iss: "https://id.example",
    aud: "https://api.example",
    sub,
    iat: now(),
    exp: now() + 600,
  });
  const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

  it("admits a token of the issuer, and hands the caller over frozen", async () => {
    expect((await door.ask("GET /v1/me", { as: "alice" })).json).toEqual({ subject: "alice", frozen: true });
  });

  const attacks: readonly (readonly [string, () => string | Promise<string>])[] = [
    ["alg none", () => `${base64({ alg: "none", typ: "at+jwt" })}.${base64(claimsOf("admin"))}.`],
    ["alg None", () => `${base64({ alg: "None", typ: "at+jwt" })}.${base64(claimsOf("admin"))}.`],
    ["no alg", () => `${base64({ typ: "at+jwt" })}.${base64(claimsOf("admin"))}.`],
    ["another HMAC than the key's", () => signed(claimsOf("admin"), { alg: "HS512" })],
    ["a key of the attacker's", () => signed(claimsOf("admin"), {}, new TextEncoder().encode("x".repeat(48)))],
    ["an empty key", () => signed(claimsOf("admin"), {}, new Uint8Array(32))],
    ["a key in its own header", () => signed(claimsOf("admin"), { jwk: { kty: "oct", k: base64("x") } })],
    ["an address for keys in its header", () => signed(claimsOf("admin"), { jku: "https://evil.example/jwks" })],
    ["a certificate in its header", () => signed(claimsOf("admin"), { x5c: ["MIIB"] })],
    ["an extension nobody knows", () => signed(claimsOf("admin"), { crit: ["exp"] })],
    ["a kid that is a path", () => signed(claimsOf("admin"), { kid: "../../dev/null" }, new Uint8Array(32))],
    ["no typ", () => signed(claimsOf("admin"), { typ: undefined })],
    ["the typ of an id token", () => signed(claimsOf("admin"), { typ: "id+jwt" })],
    ["other claims under the same signature", async () => swapClaims(await token("alice"), claimsOf("admin"))],
    ["one letter of the signature changed", async () => flipLast(await token("alice"))],
    ["no signature", async () => (await token("alice")).replace(/[^.]+$/, "")],
    ["half a signature", async () => (await token("alice")).slice(0, -20)],
    ["four parts", async () => `${await token("alice")}.x`],
    ["another issuer", () => signed({ ...claimsOf("alice"), iss: "https://evil.example" })],
    ["a slash behind the issuer", () => signed({ ...claimsOf("alice"), iss: "https://id.example/" })],
    ["another audience", () => signed({ ...claimsOf("alice"), aud: "https://other.example" })],
    ["no audience", () => signed({ ...claimsOf("alice"), aud: undefined })],
    ["no subject", () => signed({ ...claimsOf("alice"), sub: undefined })],
    ["an empty subject", () => signed(claimsOf(""))],
    ["a subject that is no text", () => signed({ ...claimsOf("alice"), sub: { $ne: "" } })],
    ["an end that has passed", () => signed({ ...claimsOf("alice"), exp: now() - 31 })],
    ["no end", () => signed({ ...claimsOf("alice"), exp: undefined })],
    ["an end that is a text", () => signed({ ...claimsOf("alice"), exp: String(now() + 600) })],
    ["a beginning still to come", () => signed({ ...claimsOf("alice"), nbf: now() + 60 })],
    ["no time of issue", () => signed({ ...claimsOf("alice"), iat: undefined })],
    ["more than an hour of age", () => signed({ ...claimsOf("alice"), iat: now() - 3_700 })],
    ["a time of issue still to come", () => signed({ ...claimsOf("alice"), iat: now() + 120 })],
  ];
  it.each(attacks)("refuses a token with %s, on public routes too", async (_what, make) => {
    const bad = await make();
    for (const path of ["/v1/me", "/v1/free"]) {
      const reply = await door.ask(`GET ${path}`, { headers: { Authorization: `Bearer ${bad}` } });
      expect([reply.status, reply.headers.get("www-authenticate")], path).toEqual([
        401,
        'Bearer error="invalid_token"',
      ]);
    }
  });

  it("tells the client nothing of which check it was, and never writes a token down", async () => {
    const shapes = new Set<string>();
    for (const claims of [{ exp: now() - 600 }, { nbf: now() + 900 }, { aud: "x" }, { iat: now() - 9_999 }]) {
      const headers = await bearer("alice", claims);
      const reply = await door.ask("GET /v1/me", { headers });
      shapes.add(reply.said);
      const entries = JSON.stringify(await door.recorded(reply));
      expect(entries).toContain('"protection":"jwt"');
      expect(entries).not.toContain(headers.authorization.slice(7, 40));
      expect(entries).not.toContain(headers.authorization.slice(-40));
    }
    expect(shapes.size).toBe(1);
  });

  it("refuses a token that was admitted before as soon as it has ended", async () => {
    const moving = { now: Date.now(), monotonic: 0 };
    const aging = await openDoor(testApi({ clock: { now: () => moving.now, monotonic: () => moving.monotonic } }));
    const headers = await bearer("alice", { exp: now() + 60 });
    expect((await aging.ask("GET /v1/open", { headers })).status).toBe(200);
    moving.now += 95_000;
    moving.monotonic += 95_000;
    expect((await aging.ask("GET /v1/open", { headers })).status).toBe(401);
    await aging.close();
  });

  /** A token signed with our own secret unless another is given. */
  function signed(
    claims: Readonly<Record<string, unknown>>,
    header: Readonly<Record<string, unknown>> = {},
    key: Uint8Array = own,
  ): Promise<string> {
    const protectedHeader = { alg: "HS256", typ: "at+jwt", ...header };
    const text = `${base64(protectedHeader)}.${base64(claims)}`;
    const hash = protectedHeader.alg === "HS512" ? "sha512" : "sha256";
    return Promise.resolve(`${text}.${createHmac(hash, key).update(text).digest("base64url")}`);
  }
});

function swapClaims(good: string, claims: unknown): string {
  const [header = "", , signature = ""] = good.split(".");
  return `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${signature}`;
}

function flipLast(good: string): string {
  return good.slice(0, -5) + (good.at(-5) === "A" ? "B" : "A") + good.slice(-4);
}
