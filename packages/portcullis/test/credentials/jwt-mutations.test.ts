import { createHmac } from "node:crypto";
import { base64url, CompactSign, exportJWK, exportSPKI, generateKeyPair, type CryptoKey } from "jose";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { CredentialVerifier } from "../../src/credential.ts";
import { jwt } from "../../src/gates/jwt.ts";
import { publicKey, secret, type JwtKeys } from "../../src/lib/jwt-keys.ts";
import { Refusal } from "../../src/refusal.ts";
import { testWorld } from "./environment.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";
const sharedText = "correct horse battery staple, 32+";
const encoder = new TextEncoder();
const world = testWorld();
const now = world.seconds();
const claims = { iss: issuer, aud: audience, sub: "alice", iat: now, nbf: now, exp: now + 900, jti: "t-1" };

interface Issuer {
  readonly alg: string;
  readonly key: CryptoKey | Uint8Array;
  readonly keys: JwtKeys;
  readonly publicPem: string;
  readonly publicJwk: object;
}

const issuers = new Map<string, Issuer>();
const algorithms = ["HS256", "RS256", "PS256", "ES256", "EdDSA"] as const;

beforeAll(async () => {
  const key = encoder.encode(sharedText);
  issuers.set("HS256", { alg: "HS256", key, keys: secret(sharedText), publicPem: "", publicJwk: {} });
  for (const alg of algorithms.slice(1)) {
    const pair = await generateKeyPair(alg, { extractable: true });
    issuers.set(alg, {
      alg,
      key: pair.privateKey,
      keys: publicKey(pair.publicKey),
      publicPem: await exportSPKI(pair.publicKey),
      publicJwk: await exportJWK(pair.publicKey),
    });
  }
});

describe.each(algorithms)("jwt: every mutation of a valid %s token is refused", (alg) => {
  it("but the token itself is admitted", async () => {
    expect(await verdict(verifierOf(alg), await signed(alg, claims))).toBe("admitted");
    const header = base64url.encode(JSON.stringify({ alg, typ: "JWT" }));
    const again = await resigned(alg, header, base64url.encode(JSON.stringify(claims)));
    expect(await verdict(verifierOf(alg), again)).toBe("admitted");
  });

  it("a changed character at any place of any part", async () => {
    const token = await signed(alg, claims);
    // A symmetric check is cheap enough for every place and several characters; the others get a fixed sample.
    const places = alg === "HS256" ? range(token.length) : sample(range(token.length), 120);
    for (const place of places) {
      const own = token.charAt(place);
      for (const other of ["A", "B", "g", "w", "_", ".", "=", " "].filter((one) => one !== own).slice(0, 4)) {
        await refusedBoth(alg, token.slice(0, place) + other + token.slice(place + 1));
      }
    }
  });

  it("a flipped bit at any place of the decoded signature", async () => {
    const token = await signed(alg, claims);
    const [header = "", payload = "", signature = ""] = token.split(".");
    const bytes = base64url.decode(signature);
    for (const place of sample(range(bytes.length * 8), 100)) {
      const flipped = Uint8Array.from(bytes);
      flipped[place >> 3] = (flipped[place >> 3] ?? 0) ^ (1 << (place & 7));
      await refusedBoth(alg, `${header}.${payload}.${base64url.encode(flipped)}`);
    }
  });

  it("a signature that is missing, cut, longer, empty of bits or taken from another token", async () => {
    const token = await signed(alg, claims);
    const other = await signed(alg, { ...claims, sub: "mallory" });
    const [header = "", payload = "", signature = ""] = token.split(".");
    const length = base64url.decode(signature).length;
    for (const forged of [
      "",
      signature.slice(0, -4),
      signature.slice(4),
      `${signature}AAAA`,
      `AAAA${signature}`,
      signature + signature,
      base64url.encode(new Uint8Array(length)),
      base64url.encode(new Uint8Array(length).fill(255)),
      other.split(".")[2] ?? "",
    ]) {
      await refusedBoth(alg, `${header}.${payload}.${forged}`);
    }
    await refusedBoth(alg, `${header}.${payload}`);
  });

  it("another spelling of the same token: padding, white space, extra parts, another alphabet, JSON serialization", async () => {
    const token = await signed(alg, { ...claims, note: "??>>~~ÿÿ" });
    const [header = "", payload = "", signature = ""] = token.split(".");
    const spellings = [
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      `\t${token}`,
      `${header}. ${payload}.${signature}`,
      `${header}.${payload}.${signature}=`,
      `${header}.${payload}.${signature}==`,
      `${header}=.${payload}.${signature}`,
      `${header}.${payload}==.${signature}`,
      `${token}.`,
      `.${token}`,
      `${token}.${signature}`,
      `${header}..${signature}`,
      `${header}.${payload}..${signature}`,
      `${header}:${payload}:${signature}`,
      `Bearer ${token}`,
      `${token},${token}`,
      `${token}\u0000`,
      `\uFEFF${token}`,
      encodeURIComponent(`${token} `),
      JSON.stringify({ protected: header, payload, signature }),
      token.replaceAll("-", "+").replaceAll("_", "/"),
      token.toUpperCase(),
      token.toLowerCase(),
      "",
      ".",
      "..",
      "...",
    ].filter((spelling) => spelling !== token);
    for (const spelling of spellings) await refusedBoth(alg, spelling);
  });

  it("spare bits at the end of a part, which many decoders ignore", async () => {
    const token = await signed(alg, claims);
    const parts = token.split(".");
    for (const [index, part] of parts.entries()) {
      if (part.length % 4 === 0) continue;
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      const sameBytes = [...alphabet]
        .map((last) => part.slice(0, -1) + last)
        .filter((text) => text !== part && Buffer.from(text, "base64url").equals(Buffer.from(part, "base64url")));
      expect(sameBytes.length).toBeGreaterThan(0);
      for (const text of sameBytes) await refusedBoth(alg, parts.with(index, text).join("."));
    }
  });

  it("alg none in any spelling, with the signature, without it and with an empty one", async () => {
    const [, payload = "", signature = ""] = (await signed(alg, claims)).split(".");
    for (const none of [
      "none",
      "None",
      "NONE",
      "nOnE",
      "none ",
      " none",
      "",
      "null",
      "NoNe\u0000",
      "hs256",
      "HS256 ",
    ]) {
      for (const typ of ["JWT", "at+jwt"]) {
        const header = base64url.encode(JSON.stringify({ alg: none, typ }));
        for (const tail of [signature, "", "AA"]) await refusedBoth(alg, `${header}.${payload}.${tail}`);
      }
    }
    for (const odd of [null, 0, true, ["HS256"], { a: 1 }, undefined]) {
      const header = base64url.encode(JSON.stringify({ alg: odd, typ: "JWT" }));
      await refusedBoth(alg, `${header}.${payload}.${signature}`);
    }
  });

  it("another algorithm's name over this algorithm's signature", async () => {
    const others =
      "HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 ES256K EdDSA Ed25519 Ed448 RS1 RSA-OAEP dir A128KW";
    const [, payload = "", signature = ""] = (await signed(alg, claims)).split(".");
    for (const other of others.split(" ").filter((one) => one !== alg)) {
      const header = base64url.encode(JSON.stringify({ alg: other, typ: "JWT" }));
      await refusedBoth(alg, `${header}.${payload}.${signature}`);
    }
  });

  it("a key brought along in the header, self-signed with it", async () => {
    const thief = await generateKeyPair("ES256", { extractable: true });
    const jwk = await exportJWK(thief.publicKey);
    for (const extra of [
      { jwk },
      { jwk, kid: "thief" },
      { jku: "https://evil.example.com/jwks.json" },
      { jku: "http://127.0.0.1:1/jwks.json" },
      { x5u: "https://evil.example.com/cert.pem" },
      { x5c: ["MIIB"] },
      { crit: ["b64"], b64: false },
      { b64: false },
      { crit: [] },
      { zip: "DEF" },
      { enc: "A256GCM" },
    ]) {
      await refusedBoth(
        alg,
        await signedRaw("ES256", JSON.stringify(claims), { ...extra, typ: "JWT" }, thief.privateKey),
      );
      // The honest issuer's own signature over such a header does not make it right either.
      const header = base64url.encode(JSON.stringify({ alg, typ: "JWT", ...extra }));
      await refusedBoth(alg, await resigned(alg, header, base64url.encode(JSON.stringify(claims))));
    }
  });

  it("a key id that is no plain text, and one that tries to be a path, a query or a prototype", async () => {
    const thief = await generateKeyPair("EdDSA");
    for (const kid of [
      "../../dev/null",
      "/dev/null",
      "' OR 1=1 --",
      "x' UNION SELECT 'AA",
      "__proto__",
      "constructor",
      "toString",
      "http://evil.example.com/k",
      "| cat /etc/passwd",
    ]) {
      await refusedBoth(alg, await signedRaw("EdDSA", JSON.stringify(claims), { kid, typ: "JWT" }, thief.privateKey));
      await refusedBoth(
        alg,
        `${base64url.encode(JSON.stringify({ alg: "HS256", typ: "JWT", kid }))}.${base64url.encode(JSON.stringify(claims))}.AA`,
      );
    }
    for (const kid of [7, null, "", ["a"], { a: 1 }, "k".repeat(257)]) {
      const header = base64url.encode(JSON.stringify({ alg, typ: "JWT", kid }));
      await refusedBoth(alg, await resigned(alg, header, base64url.encode(JSON.stringify(claims))));
    }
  });

  it("headers of another type of token, without type, or that are no single JSON object", async () => {
    const payload = base64url.encode(JSON.stringify(claims));
    const typs = [
      "id+jwt",
      "dpop+jwt",
      "logout+jwt",
      "secevent+jwt",
      "JOSE",
      "jwt2",
      "JWT ",
      "at+jwt;v=1",
      "application/x/jwt",
      "text/jwt",
      "",
    ];
    const texts = [
      ...typs.map((typ) => JSON.stringify({ alg, typ })),
      JSON.stringify({ alg }),
      JSON.stringify({ alg, typ: 1 }),
      JSON.stringify({ alg, typ: ["JWT"] }),
      JSON.stringify({ alg, typ: null }),
      `{"alg":"${alg}","alg":"${alg}","typ":"JWT"}`,
      `{"alg":"none","alg":"${alg}","typ":"JWT"}`,
      `{"alg":"${alg}","typ":"JWT","typ":"at+jwt"}`,
      `{"\\u0061lg":"none","alg":"${alg}","typ":"JWT"}`,
      `[{"alg":"${alg}","typ":"JWT"}]`,
      `{"alg":"${alg}","typ":"JWT"}x`,
      `{"alg":"${alg}","typ":"JWT",}`,
      `{'alg':'${alg}','typ':'JWT'}`,
      `\uFEFF{"alg":"${alg}","typ":"JWT"}`,
      "null",
      '"alg"',
      "",
    ];
    for (const text of texts) await refusedBoth(alg, await resigned(alg, base64url.encode(text), payload));
  });

  it("any claim that is required and missing, of the wrong type or of the wrong value, honestly signed", async () => {
    for (const payload of await badPayloads()) {
      await refusedBoth(alg, await signedRaw(alg, payload, { typ: "at+jwt" }));
    }
  });

  it("any combination of bad values for the claims, as fast-check finds them", async () => {
    const time = fc.oneof(
      fc.constantFrom<unknown>(
        null,
        "",
        String(now),
        true,
        [],
        {},
        [now],
        -1,
        -now,
        1e300,
        1e15,
        now * 1000,
        253_402_300_800,
      ),
      fc.double({ max: -1e-9, noNaN: true, noDefaultInfinity: true }),
      fc.string(),
    );
    const text = fc.oneof(
      fc.constantFrom<unknown>(null, "", 0, 1, true, [], {}, [""], [null]),
      fc.double({ noNaN: true }),
    );
    const bad: fc.Arbitrary<Record<string, unknown>>[] = [
      time.map((exp) => ({ exp })),
      time.map((iat) => ({ iat })),
      time.map((nbf) => ({ nbf })),
      fc.integer({ min: 0, max: now - 31 }).map((exp) => ({ exp })),
      fc.integer({ min: 0, max: now - 3_601 }).map((iat) => ({ iat })),
      fc.integer({ min: now + 31, max: now + 1_000_000 }).map((iat) => ({ iat })),
      fc.integer({ min: now + 31, max: now + 1_000_000 }).map((nbf) => ({ nbf })),
      text.map((sub) => ({ sub })),
      text.map((jti) => ({ jti })),
      fc.oneof(text, fc.string()).map((iss) => ({ iss })),
      fc
        .oneof(text, fc.string(), fc.array(fc.string()), fc.array(fc.integer(), { minLength: 1 }))
        .map((aud) => ({ aud })),
      fc.tuple(fc.constant(audience), fc.constantFrom(1, null, "", {})).map((aud) => ({ aud })),
    ];
    await fc.assert(
      fc.asyncProperty(fc.oneof(...bad), async (over) => {
        const payload = JSON.stringify({ ...claims, ...over });
        await refusedBoth(alg, await signedRaw(alg, payload, { typ: "at+jwt" }));
      }),
      { seed: 7519, numRuns: alg === "HS256" ? 400 : 80 },
    );
  });

  it("random text, and random text around a token", async () => {
    const token = await signed(alg, claims);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.nat(token.length), async (noise, at) => {
        await refusedBoth(alg, noise);
        if (noise !== "") await refusedBoth(alg, token.slice(0, at) + noise + token.slice(at));
      }),
      { seed: 7515, numRuns: 150 },
    );
  });

  it("a token longer than 8 KiB, honestly signed or not", async () => {
    await refusedBoth(alg, await signed(alg, { ...claims, padding: "x".repeat(8_192) }));
    await refusedBoth(alg, `${"a".repeat(1_000_000)}.b.c`);
  });
});

describe.each(algorithms.slice(1))("jwt: an HMAC with the %s public key as the secret is refused", (alg) => {
  it.runIf(alg !== "HS256")(
    "an HMAC with the public key as the secret, in every form it could be mistaken for",
    async () => {
      const { publicPem, publicJwk } = issuerOf(alg);
      const material = [
        publicPem,
        publicPem.trim(),
        `${publicPem}\n`,
        publicPem.replaceAll("\n", ""),
        publicPem.replace(/-----[^-]+-----|\s/g, ""),
        Buffer.from(publicPem.replace(/-----[^-]+-----|\s/g, ""), "base64"),
        JSON.stringify(publicJwk),
        ...Object.values(publicJwk).flatMap((value) => [String(value), Buffer.from(String(value), "base64url")]),
        "",
      ];
      for (const bits of ["256", "384", "512"]) {
        const header = base64url.encode(JSON.stringify({ alg: `HS${bits}`, typ: "JWT" }));
        const input = `${header}.${base64url.encode(JSON.stringify(claims))}`;
        for (const key of material) {
          const mac = createHmac(`sha${bits}`, key).update(input).digest("base64url");
          await refusedBoth(alg, `${input}.${mac}`);
        }
      }
    },
  );
});

/** Payload texts an honest or confused issuer could sign, none of which may pass. */
async function badPayloads(): Promise<readonly string[]> {
  const payloads: string[] = [];
  const add = (over: object) => payloads.push(JSON.stringify({ ...claims, ...over }));
  for (const name of ["iss", "aud", "sub", "iat", "exp"]) add({ [name]: undefined });
  for (const iss of [
    `${issuer}/`,
    issuer.toUpperCase(),
    "http://id.example.com",
    ` ${issuer}`,
    [issuer],
    { iss: issuer },
  ])
    add({ iss });
  for (const aud of [
    `${audience}/`,
    audience.toUpperCase(),
    "*",
    [],
    [[audience]],
    [audience, 1],
    { 0: audience },
    `${audience},x`,
  ])
    add({ aud });
  for (const sub of ["", null, 0, ["alice"], { id: "alice" }]) add({ sub });
  for (const name of ["exp", "iat", "nbf"]) {
    for (const date of [String(now), `${now}.0`, null, true, [], {}, -1, 1e300, "NaN", "Infinity", "9e999", ""])
      add({ [name]: date });
    // What JSON cannot say through JSON.stringify: numbers only a text can hold.
    for (const raw of ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "0x7fffffff", "09", "+1", "1_000"]) {
      payloads.push(JSON.stringify({ ...claims, [name]: "RAW" }).replace('"RAW"', raw));
    }
  }
  add({ exp: now - 31 });
  add({ nbf: now + 31 });
  add({ iat: now + 31 });
  add({ iat: now - 3_601 });
  add({ jti: 7 });
  add({ client_id: 7 });
  add({ azp: ["web-app"] });
  add({ cnf: { jkt: "thumbprint" } });
  for (const [name, value] of Object.entries(claims)) {
    const member = `"${name}":${JSON.stringify(value)}`;
    payloads.push(JSON.stringify(claims).replace(member, `${member},${member}`));
    payloads.push(JSON.stringify(claims).replace(member, `"${name}":"other",${member}`));
    payloads.push(
      JSON.stringify(claims).replace(
        member,
        `${member},"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}":${JSON.stringify(value)}`,
      ),
    );
  }
  const whole = JSON.stringify(claims);
  payloads.push(
    `[${whole}]`,
    JSON.stringify(whole),
    `${whole}${whole}`,
    `${whole},`,
    `\uFEFF${whole}`,
    "null",
    "0",
    "{}",
    "x",
  );
  payloads.push(whole.replace("{", '{"__proto__":{"sub":"admin"},'), `${'{"a":'.repeat(40)}1${"}".repeat(40)}`);
  return payloads;
}

function verifierOf(alg: string): CredentialVerifier {
  return jwt({ issuer, audience, keys: issuerOf(alg).keys }).build(world.environment);
}

/** Refused cold, and refused by a verifier that has just proved the real token. */
async function refusedBoth(alg: string, token: string): Promise<void> {
  const { warm, cold } = await verifiersOf(alg);
  for (const verifier of [cold, warm]) {
    expect(verifier.cached(token)).toBeUndefined();
    expect([token, await verdict(verifier, token)]).toEqual([token, "bad-token"]);
    expect(verifier.cached(token)).toBeUndefined();
  }
}

const built = new Map<string, Promise<{ warm: CredentialVerifier; cold: CredentialVerifier }>>();

function verifiersOf(alg: string): Promise<{ warm: CredentialVerifier; cold: CredentialVerifier }> {
  const known = built.get(alg);
  if (known !== undefined) return known;
  const making = (async () => {
    const warm = verifierOf(alg);
    expect(await verdict(warm, await signed(alg, claims))).toBe("admitted");
    return { warm, cold: verifierOf(alg) };
  })();
  built.set(alg, making);
  return making;
}

async function verdict(verifier: CredentialVerifier, token: string): Promise<string> {
  const outcome = await verifier.verify(token);
  return outcome instanceof Refusal ? outcome.code : "admitted";
}

function issuerOf(alg: string): Issuer {
  const found = issuers.get(alg);
  if (found === undefined) throw new Error(`no issuer for ${alg}`);
  return found;
}

function signed(alg: string, payload: object): Promise<string> {
  return signedRaw(alg, JSON.stringify(payload), { typ: "at+jwt" });
}

/** Signs any text as the payload, so that it may be something JSON.stringify would never write. */
function signedRaw(
  alg: string,
  payload: string,
  header: Record<string, unknown>,
  key: CryptoKey | Uint8Array = issuerOf(alg).key,
): Promise<string> {
  // jose refuses to write these; resigned() covers them with the issuer's own signature.
  const { crit: _crit, b64: _b64, zip: _zip, enc: _enc, ...plain } = header;
  return new CompactSign(encoder.encode(payload)).setProtectedHeader({ ...plain, alg }).sign(key);
}

/** The issuer's signature over exactly these two parts, whatever the header says: jose would refuse to write some. */
async function resigned(alg: string, header: string, payload: string): Promise<string> {
  const input = encoder.encode(`${header}.${payload}`);
  const { key } = issuerOf(alg);
  if (key instanceof Uint8Array)
    return `${header}.${payload}.${createHmac("sha256", key).update(input).digest("base64url")}`;
  const parameters = {
    RS256: "RSASSA-PKCS1-v1_5",
    PS256: { name: "RSA-PSS", saltLength: 32 },
    ES256: { name: "ECDSA", hash: "SHA-256" },
    EdDSA: "Ed25519",
  };
  const parameter = Object.entries(parameters).find(([name]) => name === alg)?.[1] ?? alg;
  return `${header}.${payload}.${base64url.encode(new Uint8Array(await crypto.subtle.sign(parameter, key, input)))}`;
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}

function sample(all: readonly number[], count: number): readonly number[] {
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_, index) => index % step === 0 || index >= all.length - 4);
}
