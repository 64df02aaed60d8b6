import { CompactSign, exportJWK, generateKeyPair, type CryptoKey, type JWK } from "jose";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { CredentialVerifier } from "../../src/credential.ts";
import { jwt } from "../../src/gates/jwt.ts";
import { jwksFrom } from "../../src/lib/jwks-from.ts";
import { Refusal } from "../../src/refusal.ts";
import { testWorld, type TestWorld } from "./environment.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";

interface Key {
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
}

let first: Key;
let second: Key;
let world: TestWorld;
let published: readonly JWK[];
let isBroken: boolean;
let verifier: CredentialVerifier;

beforeAll(async () => {
  [first, second] = await Promise.all([makeKey("first"), makeKey("second")]);
});
beforeEach(() => {
  world = testWorld();
  published = [first.jwk];
  isBroken = false;
  const keys = jwksFrom(() => {
    if (isBroken) throw new Error("the issuer is closed");
    return published;
  });
  verifier = jwt({ issuer, audience, keys }).build(world.environment);
});

describe("jwt: keys of an issuer in this process", () => {
  it("verifies with a key that was added after the start, and with the earlier one as long as it stands", async () => {
    const earlier = await token(first);
    expect(await verdict(earlier)).toBe("alice");
    expect(await verdict(await token(second))).toBe("bad-token");
    published = [second.jwk, first.jwk];
    expect(await verdict(await token(second))).toBe("alice");
    expect(await verdict(earlier)).toBe("alice");
  });

  it("forgets what a removed key proved, with the very next request", async () => {
    const earlier = await token(first);
    expect(await verdict(earlier)).toBe("alice");
    expect(verifier.cached(earlier)).toMatchObject({ subject: "alice" });
    published = [second.jwk];
    expect(await verdict(earlier)).toBe("bad-token");
    published = [first.jwk];
    expect(await verdict(earlier)).toBe("alice");
  });

  it("does not take another key under the same id for the one that proved a token", async () => {
    const earlier = await token(first);
    expect(await verdict(earlier)).toBe("alice");
    published = [{ ...second.jwk, kid: "first" }];
    expect(await verdict(earlier)).toBe("bad-token");
  });

  it("refuses, and says that it could not decide, while the keys cannot be told", async () => {
    const earlier = await token(first);
    expect(await verdict(earlier)).toBe("alice");
    isBroken = true;
    expect(await verdict(await token(first, { sub: "bob" }))).toBe("verifier-unavailable");
    expect(verifier.cached(earlier)).toBeUndefined();
    isBroken = false;
    expect(await verdict(earlier)).toBe("alice");
  });

  it("takes no private and no symmetric key from the list", async () => {
    published = [await exportJWK(first.privateKey)];
    expect(await verdict(await token(first))).toBe("bad-token");
  });
});

async function makeKey(kid: string): Promise<Key> {
  const pair = await generateKeyPair("EdDSA", { extractable: true });
  return { jwk: { ...(await exportJWK(pair.publicKey)), kid }, privateKey: pair.privateKey };
}

function token({ jwk, privateKey }: Key, over: object = {}): Promise<string> {
  const iat = world.seconds();
  const claims = { iss: issuer, aud: audience, sub: "alice", iat, exp: iat + 900, ...over };
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: jwk.kid ?? "" })
    .sign(privateKey);
}

async function verdict(value: string): Promise<string> {
  const outcome = verifier.cached(value) ?? (await verifier.verify(value));
  return outcome instanceof Refusal ? outcome.code : outcome.subject;
}
