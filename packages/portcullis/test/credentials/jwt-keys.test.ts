import { generateKeyPairSync } from "node:crypto";
import { inspect } from "node:util";
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair, type JWK } from "jose";
import { describe, expect, it } from "vitest";
import { publicKey, secret, type JwtKeys } from "../../src/lib/jwt-keys.ts";
import { jwks } from "../../src/lib/jwks.ts";
import { readSpki } from "../../src/lib/spki.ts";

const sound = "correct horse battery staple, 32+";

describe("jwt: secret", () => {
  it("takes a text or bytes of at least 256 bits", () => {
    expect(problems(secret(sound))).toEqual([]);
    expect(problems(secret(new TextEncoder().encode(sound)))).toEqual([]);
    expect(problems(secret("0123456789abcdef".repeat(4)))).toEqual([]);
  });

  it.each([
    ["too short", ""],
    ["too short", "secret"],
    ["too short", sound.slice(0, 31)],
    ["hexadecimal", "0123456789abcdef0123456789ABCDEF"],
    ["repeats", "a".repeat(64)],
    ["repeats", "secret".repeat(10)],
  ])("stops on one that is %s, whatever its length: %s", (word, value) => {
    expect(problems(secret(value))).toHaveLength(1);
    expect(problems(secret(value))[0]).toContain(word);
  });

  it("wants as many bits as the hash has", () => {
    expect(problems(secret(sound, { algorithm: "HS384" }))[0]).toContain("too short for HS384");
    expect(problems(secret(`${sound}, and fifteen more`, { algorithm: "HS384" }))).toEqual([]);
    expect(problems(secret(`${sound}, and fifteen more`, { algorithm: "HS512" }))[0]).toContain("too short for HS512");
  });

  it("cannot be read back from what it returns", () => {
    const keys = secret(sound, { kid: "2030" });
    for (const text of [
      JSON.stringify(keys),
      JSON.stringify(keys.describe()),
      inspect(keys, { depth: 9, showHidden: true }),
    ]) {
      expect(text).not.toContain("horse");
    }
    expect(keys.describe()).toEqual({ kind: "secret", algorithm: "HS256", kid: "2030" });
  });

  it("is not changed by changing the bytes afterwards", async () => {
    const bytes = new TextEncoder().encode(sound);
    const keys = secret(bytes);
    bytes.fill(0);
    expect(problems(keys)).toEqual([]);
  });
});

describe("jwt: publicKey", () => {
  it("refuses RSA keys of less than 2048 bits, as PEM, JWK and CryptoKey alike", async () => {
    const pair = generateKeyPairSync("rsa", { modulusLength: 2040 });
    const pem = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
    const spki = Uint8Array.from(pair.publicKey.export({ type: "spki", format: "der" }));
    const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    const cryptoKey = await crypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]);
    for (const key of [pem, await exportJWK(cryptoKey), cryptoKey]) {
      expect(problems(publicKey(key))[0]).toContain("2040 bits is too short");
    }
  });

  it("refuses an RSA key whose exponent makes every message its own signature", () => {
    const n = Buffer.alloc(256, 0xff).toString("base64url");
    for (const e of ["AQ", "AAAB", "Ag", ""]) {
      expect(problems(publicKey({ kty: "RSA", n, e }))[0]).toContain("exponent");
    }
    expect(problems(publicKey({ kty: "RSA", n, e: "Aw" }))).toEqual([]);
  });

  it("refuses private keys and secrets in every form, and says what to give instead", async () => {
    const pair = await generateKeyPair("ES256", { extractable: true });
    const pkcs8 = await exportPKCS8(pair.privateKey);
    const jwk = await exportJWK(pair.privateKey);
    for (const key of [pkcs8, jwk, pair.privateKey]) expect(problems(publicKey(key))[0]).toContain("private");
    const { d = "" } = jwk;
    expect(problems(publicKey({ kty: "oct", k: "x".repeat(43) }))[0]).toContain("symmetric");
    for (const keys of [publicKey(jwk), publicKey(pkcs8)]) {
      expect(JSON.stringify([keys.problems(), keys.describe()])).not.toContain(d);
    }
  });

  it.each(["ES256K", "Ed448", "x25519", "dsa"] as const)("refuses a key of type %s", (type) => {
    expect(problems(publicKey(pemOf(type)))).toHaveLength(1);
  });

  it.each([
    "",
    "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
  ])("refuses what is no PEM public key: %s", (pem) => {
    expect(problems(publicKey(pem))).toHaveLength(1);
  });

  it("refuses an algorithm that does not belong to the key", async () => {
    const rsa = await generateKeyPair("RS256", { extractable: true });
    const ec = await generateKeyPair("ES256", { extractable: true });
    const ed = await generateKeyPair("Ed25519", { extractable: true });
    expect(problems(publicKey(await exportSPKI(rsa.publicKey), { algorithm: "ES256" }))).toHaveLength(1);
    expect(problems(publicKey(await exportSPKI(rsa.publicKey), { algorithm: "HS256" }))).toHaveLength(1);
    expect(problems(publicKey(await exportJWK(ec.publicKey), { algorithm: "ES384" }))).toHaveLength(1);
    expect(problems(publicKey(ed.publicKey, { algorithm: "ES256" }))).toHaveLength(1);
    expect(problems(publicKey(rsa.publicKey, { algorithm: "PS256" }))[0]).toContain("imported for another algorithm");
    expect(
      problems(publicKey({ ...(await exportJWK(rsa.publicKey)), alg: "RS512" }, { algorithm: "RS256" })),
    ).toHaveLength(1);
    expect(problems(publicKey({ ...(await exportJWK(rsa.publicKey)), use: "enc" }))).toHaveLength(1);
  });

  it("takes the algorithm of an RSA key from the JWK, the CryptoKey or the option, else RS256", async () => {
    const { publicKey: key } = await generateKeyPair("PS384", { extractable: true });
    const jwk = await exportJWK(key);
    expect(publicKey(key).describe()).toMatchObject({ algorithm: "PS384" });
    expect(publicKey(jwk).describe()).toMatchObject({ algorithm: "RS256" });
    expect(publicKey({ ...jwk, alg: "PS384", kid: "k" }).describe()).toMatchObject({ algorithm: "PS384", kid: "k" });
    expect(publicKey(await exportSPKI(key), { algorithm: "RS512" }).describe()).toMatchObject({ algorithm: "RS512" });
  });
});

describe("jwt: jwks", () => {
  it("takes the signature keys of a set and passes over the rest", async () => {
    const { publicKey: key } = await generateKeyPair("ES256", { extractable: true });
    const jwk = { ...(await exportJWK(key)), kid: "a" };
    const set = jwks({ keys: [jwk, { ...jwk, kid: "b", use: "enc" }] });
    expect(problems(set)).toEqual([]);
    expect(set.describe()).toEqual({ kind: "jwks", keys: [{ kid: "a", algorithm: "ES256" }] });
  });

  it("stops on a set with a secret or a private key in it, on an empty one and on one that is none", async () => {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    expect(problems(jwks({ keys: [await exportJWK(privateKey)] }))).toHaveLength(1);
    expect(problems(jwks({ keys: [{ kty: "oct", k: "x".repeat(43) }] }))).toHaveLength(1);
    expect(problems(jwks({ keys: [] }))).toHaveLength(1);
    const wrong: { keys: JWK[] } = JSON.parse('{"key":[]}');
    expect(problems(jwks(wrong))).toHaveLength(1);
  });
});

describe("jwt: readSpki", () => {
  it.each([2048, 3072, 4096])("counts the bits of an RSA key of %i", (modulusLength) => {
    const { publicKey: key } = generateKeyPairSync("rsa", { modulusLength });
    expect(readSpki(key.export({ type: "spki", format: "pem" }).toString())).toEqual({
      kind: "rsa",
      bits: modulusLength,
      exponent: "sound",
    });
  });

  it.each(["P-256", "P-384", "P-521"])("names the curve %s", (curve) => {
    const { publicKey: key } = generateKeyPairSync("ec", { namedCurve: curve });
    expect(readSpki(key.export({ type: "spki", format: "pem" }).toString())).toEqual({ kind: "ec", curve });
  });

  it("survives any cut of a real key", () => {
    const pem = pemOf("ES256K");
    const body = pem.replace(/-----[^-]+-----|\s/g, "");
    for (let length = 0; length < body.length; length += 4) {
      const cut = `-----BEGIN PUBLIC KEY-----\n${body.slice(0, length)}\n-----END PUBLIC KEY-----`;
      expect(typeof readSpki(cut)).toBe("string");
    }
  });
});

function problems(keys: JwtKeys): readonly string[] {
  return keys.problems().map(({ problem, fix }) => {
    expect(fix).not.toBe("");
    return problem;
  });
}

function pemOf(type: "ES256K" | "Ed448" | "x25519" | "dsa"): string {
  const pair = {
    ES256K: () => generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
    Ed448: () => generateKeyPairSync("ed448"),
    x25519: () => generateKeyPairSync("x25519"),
    dsa: () => generateKeyPairSync("dsa", { modulusLength: 2048, divisorLength: 256 }),
  }[type]();
  return pair.publicKey.export({ type: "spki", format: "pem" }).toString();
}
