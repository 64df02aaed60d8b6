import fc from "fast-check";
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { verifyWithNode } from "../../src/adapters/node-signature.ts";
import { verifyWithWebCrypto } from "../../src/lib/web-signature.ts";

const algorithms = "HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");

async function signedBy(algorithm: string, extractable = true): Promise<{ token: string; key: CryptoKey }> {
  const signing = algorithm.startsWith("HS")
    ? await hmacKey(Number(algorithm.slice(2)))
    : (await generateKeyPair(algorithm, { extractable: true })).privateKey;
  const token = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: algorithm }).sign(signing);
  if (algorithm.startsWith("HS")) return { token, key: signing };
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...open } = await exportJWK(signing);
  const key = await importJWK(open, algorithm, { extractable });
  if (key instanceof Uint8Array) throw new Error("a key was expected");
  return { token, key };
}

function hmacKey(bits: number): Promise<CryptoKey> {
  const usages = ["sign", "verify"] as const;
  return crypto.subtle.generateKey({ name: "HMAC", hash: `SHA-${bits}` }, true, usages);
}

describe.each(algorithms)("node's own verification of %s", (algorithm) => {
  it("holds for what the key signed, and says of every changed token what WebCrypto says", async () => {
    const { token, key } = await signedBy(algorithm);
    expect(await verifyWithNode(token, key, algorithm)).toBe(true);
    const { key: other } = await signedBy(algorithm);
    expect(await verifyWithNode(token, other, algorithm)).toBe(false);

    const start = token.lastIndexOf(".") + 1;
    const signature = Buffer.from(token.slice(start), "base64url");
    const forgery = fc.oneof(
      fc.nat(signature.length * 8 - 1).map((bit) => {
        const changed = Buffer.from(signature);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        return changed;
      }),
      fc.nat(signature.length - 1).map((length) => signature.subarray(0, length)),
      fc.uint8Array({ minLength: 1, maxLength: 8 }).map((more) => Buffer.concat([signature, more])),
      fc.constantFrom(0, 1, 255).map((value) => Buffer.alloc(signature.length, value)),
    );
    await fc.assert(
      fc.asyncProperty(forgery, async (forged) => {
        const changed = `${token.slice(0, start)}${forged.toString("base64url")}`;
        expect(await verifyWithNode(changed, key, algorithm)).toBe(false);
        expect(await verifyWithWebCrypto(changed, key, algorithm)).toBe(false);
      }),
      { seed: 8_725, numRuns: 60 },
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(start - 2), async (at) => {
        const changed = `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`;
        expect(await verifyWithNode(changed, key, algorithm)).toBe(false);
      }),
      { seed: 7_515, numRuns: 60 },
    );
  });
});

describe("what node's verification cannot do by itself", () => {
  it("leaves a key that may not be exported to WebCrypto", async () => {
    const { token, key } = await signedBy("ES256", false);
    expect(key.extractable).toBe(false);
    expect(await verifyWithNode(token, key, "ES256")).toBe(true);
    expect(await verifyWithNode(`${token.slice(0, -4)}AAAA`, key, "ES256")).toBe(false);
  });

  it("throws for an algorithm that is none of ours, so that nothing is decided", async () => {
    const { token, key } = await signedBy("HS256");
    expect(() => verifyWithNode(token, key, "none")).toThrow("no way to verify none");
  });
});
