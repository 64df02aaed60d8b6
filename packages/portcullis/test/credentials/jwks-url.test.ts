import { createServer, type Server, type ServerResponse } from "node:http";
import { CompactSign, exportJWK, generateKeyPair, type CryptoKey, type JWK } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { CredentialVerifier } from "../../src/credential.ts";
import type { Environment } from "../../src/environment.ts";
import { jwt } from "../../src/gates/jwt.ts";
import { jwks } from "../../src/lib/jwks.ts";
import { jwksUrl, type JwksUrlOptions } from "../../src/lib/jwks-url.ts";
import { Refusal } from "../../src/refusal.ts";
import { testWorld, type TestWorld } from "./environment.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";

interface Key {
  readonly kid: string;
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
}

let first: Key;
let second: Key;

beforeAll(async () => {
  [first, second] = await Promise.all([makeKey("2029"), makeKey("2030")]);
});

/** The issuer's key endpoint: a real server whose answer each test chooses. */
interface Origin {
  readonly url: string;
  /** Requests it has seen. */
  fetches: number;
  /** What it publishes. */
  keys: readonly unknown[];
  /** Answers instead, where a test wants a fault. */
  answer: ((response: ServerResponse) => void) | undefined;
  readonly server: Server;
}

let origin: Origin;
let world: TestWorld;

beforeEach(async () => {
  world = testWorld();
  const server = createServer((_, response) => {
    origin.fetches++;
    if (origin.answer !== undefined) return origin.answer(response);
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: origin.keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  origin = {
    url: `http://127.0.0.1:${address.port}/jwks.json`,
    fetches: 0,
    keys: [first.jwk],
    answer: undefined,
    server,
  };
});

afterEach(async () => {
  origin.server.closeAllConnections();
  await new Promise((resolve) => origin.server.close(resolve));
});

describe("jwt: jwksUrl", () => {
  it("fetches nothing at import, when described, checked or built, and once when the first token comes", async () => {
    const credential = credentialOf();
    expect(credential.problems()).toEqual([]);
    credential.describe();
    const verifier = credential.build(world.environment);
    verifier.recognises(await token(first));
    expect(verifier.cached(await token(first))).toBeUndefined();
    expect(origin.fetches).toBe(0);
    expect(await verdict(verifier, await token(first))).toBe("alice");
    expect(origin.fetches).toBe(1);
  });

  it("fetches once for any number of tokens that come at the same time", async () => {
    const verifier = build();
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, n) => token(first, { jti: `t-${n}` })));
    expect(new Set(await Promise.all(tokens.map((one) => verdict(verifier, one))))).toEqual(new Set(["alice"]));
    expect(origin.fetches).toBe(1);
  });

  it("shares one cache among an API's verifiers of the same URL, and none between APIs", async () => {
    const one = build();
    const two = jwt({ issuer, audience, name: "other", keys: jwksUrl(origin.url) }).build(world.environment);
    await verdict(one, await token(first));
    await verdict(two, await token(first));
    expect(origin.fetches).toBe(1);
    await verdict(credentialOf().build(testWorld().environment), await token(first));
    expect(origin.fetches).toBe(2);
  });

  it("keeps the keys for ten minutes, then asks again; in the last two it asks in the background", async () => {
    const verifier = build();
    const first1 = await token(first);
    await verdict(verifier, first1);
    world.pass(479);
    expect(await verdict(verifier, first1)).toBe("alice");
    expect(origin.fetches).toBe(1);
    world.pass(20);
    expect(verifier.cached(first1)).toBeDefined();
    await until(() => origin.fetches === 2);
    await idle();
    world.pass(470);
    expect(verifier.cached(first1)).toBeDefined();
    expect(origin.fetches).toBe(2);
    world.pass(200);
    expect(verifier.cached(first1)).toBeUndefined();
    expect(await verdict(verifier, first1)).toBe("alice");
    expect(origin.fetches).toBe(3);
  });

  describe("rotation", () => {
    it("picks up a new key with the first token that names it", async () => {
      const verifier = build();
      expect(await verdict(verifier, await token(first))).toBe("alice");
      origin.keys = [first.jwk, second.jwk];
      expect(await verdict(verifier, await token(second))).toBe("alice");
      expect(await verdict(verifier, await token(first))).toBe("alice");
      expect(origin.fetches).toBe(2);
    });

    it("picks up a new key of a set without key ids", async () => {
      const { kid: _, ...unnamed } = first.jwk;
      const { kid: __, ...unnamedSecond } = second.jwk;
      origin.keys = [unnamed];
      const verifier = build();
      expect(await verdict(verifier, await token(first, {}, {}))).toBe("alice");
      origin.keys = [unnamedSecond];
      expect(await verdict(verifier, await token(second, {}, {}))).toBe("alice");
      expect(await verdict(verifier, await token(first, {}, {}))).toBe("bad-token");
    });

    it("stops a removed key, and what it proved before dies with it", async () => {
      const verifier = build();
      const old = await token(first);
      expect(await verdict(verifier, old)).toBe("alice");
      expect(verifier.cached(old)).toBeDefined();
      origin.keys = [second.jwk];
      expect(await verdict(verifier, await token(second))).toBe("alice");
      expect(verifier.cached(old)).toBeUndefined();
      expect(await verdict(verifier, old)).toBe("bad-token");
    });

    it("stops a removed key at the latest when the set is due, although its tokens are in the cache", async () => {
      const verifier = build();
      const old = await token(first);
      await verdict(verifier, old);
      origin.keys = [second.jwk];
      world.pass(600);
      expect(verifier.cached(old)).toBeUndefined();
      expect(await verdict(verifier, old)).toBe("bad-token");
    });

    it("takes another key under the same id for another key", async () => {
      const verifier = build();
      const old = await token(first);
      await verdict(verifier, old);
      origin.keys = [{ ...second.jwk, kid: first.kid }];
      world.pass(600);
      expect(await verdict(verifier, old)).toBe("bad-token");
      expect(await verdict(verifier, await token(second, {}, { kid: first.kid }))).toBe("alice");
    });

    it("keeps what a key proved when the set is fetched again and still has it", async () => {
      const verifier = build();
      const mine = await token(first);
      await verdict(verifier, mine);
      const caller = verifier.cached(mine);
      origin.keys = [second.jwk, { ...first.jwk, x5t: "added later" }];
      world.pass(600);
      await verdict(verifier, await token(second));
      expect(verifier.cached(mine)).toBe(caller);
    });

    it("does not admit what a key signed that is removed while the signature is checked", async () => {
      const verifier = build();
      await verdict(verifier, await token(first));
      origin.keys = [second.jwk];
      const [old] = await Promise.all([
        Promise.resolve(token(first, { jti: "late" })).then((late) => verdict(verifier, late)),
        verdict(verifier, await token(second)),
      ]);
      // Whichever came first, afterwards the removed key counts for nothing.
      expect(["alice", "bad-token"]).toContain(old);
      expect(verifier.cached(await token(first, { jti: "late" }))).toBeUndefined();
    });
  });

  describe("unknown key ids", () => {
    it("causes at most two fetches for 10 000 tokens with unknown key ids, and honest tokens pass meanwhile", async () => {
      const verifier = build();
      const honest = await token(first);
      const signature = honest.split(".")[2] ?? "";
      const payload = honest.split(".")[1] ?? "";
      let refused = 0;
      for (let n = 0; n < 10_000; n += 100) {
        const forged = Array.from(
          { length: 100 },
          (_, i) => `${header({ kid: `unknown-${n + i}` })}.${payload}.${signature}`,
        );
        for (const outcome of await Promise.all(forged.map((one) => verdict(verifier, one)))) {
          if (outcome === "bad-token") refused++;
        }
        expect(await verdict(verifier, honest)).toBe("alice");
      }
      expect(refused).toBe(10_000);
      expect(origin.fetches).toBe(2);
      const events = world.events.filter(({ type }) => type === "jwks-unknown-key");
      expect(events).toHaveLength(1);
    });

    it("spends its budget on failed fetches too", async () => {
      const verifier = build();
      await verdict(verifier, await token(first));
      origin.answer = (response) => response.writeHead(500).end();
      for (let n = 0; n < 50; n++) await verdict(verifier, await token(second, {}, { kid: `unknown-${n}` }));
      expect(origin.fetches).toBe(2);
    });

    it("asks at most once in 30 s, and not again for a key id the origin did not know a moment ago", async () => {
      const verifier = build();
      await verdict(verifier, await token(first));
      await verdict(verifier, await token(second, {}, { kid: "gone" }));
      expect(origin.fetches).toBe(2);
      world.pass(31);
      await verdict(verifier, await token(second, {}, { kid: "gone" }));
      expect(origin.fetches).toBe(2);
      await verdict(verifier, await token(second, {}, { kid: "other" }));
      expect(origin.fetches).toBe(3);
      world.pass(61);
      await verdict(verifier, await token(second, {}, { kid: "gone" }));
      expect(origin.fetches).toBe(4);
    });

    it("does not ask again for a wrong signature under a known key id, nor for an algorithm nobody uses", async () => {
      const verifier = build();
      await verdict(verifier, await token(first));
      const [head, body] = (await token(first)).split(".");
      expect(await verdict(verifier, `${head}.${body}.${"A".repeat(86)}`)).toBe("bad-token");
      expect(await verdict(verifier, `${header({ alg: "none", kid: "x" })}.${body}.AA`)).toBe("bad-token");
      expect(await verdict(verifier, `${header({ alg: "HS256", kid: "x" })}.${body}.AA`)).toBe("bad-token");
      expect(await verdict(verifier, `${header({ alg: "RS256", kid: first.kid })}.${body}.AA`)).toBe("bad-token");
      expect(origin.fetches).toBe(1);
    });
  });

  describe("outage", () => {
    it("survives an hour without the endpoint with the keys at hand, tells so, then refuses with 503", async () => {
      const verifier = build();
      await verdict(verifier, await token(first));
      origin.answer = (response) => response.destroy();
      for (let minute = 0; minute < 69; minute++) {
        world.pass(60);
        expect(await verdict(verifier, await token(first))).toBe("alice");
        await idle();
      }
      expect(world.events.map(({ type }) => type)).toContain("jwks-stale");
      expect(world.events.map(({ type }) => type)).toContain("jwks-fetch-failed");
      world.pass(61);
      expect(await verdict(verifier, await token(first))).toBe("verifier-unavailable");
      origin.answer = undefined;
      world.pass(31);
      expect(await verdict(verifier, await token(first))).toBe("alice");
    });

    it("does not keep a cached token alive beyond the stale time", async () => {
      const verifier = jwt({ issuer, audience, maxAgeSeconds: 86_400, keys: jwksUrl(origin.url) }).build(
        world.environment,
      );
      const mine = await token(first, { exp: world.seconds() + 86_400 });
      await verdict(verifier, mine);
      origin.answer = (response) => response.destroy();
      world.pass(600);
      expect(await verdict(verifier, mine)).toBe("alice");
      expect(verifier.cached(mine)).toBeDefined();
      world.pass(3_599);
      expect(verifier.cached(mine)).toBeDefined();
      await idle();
      world.pass(2);
      expect(verifier.cached(mine)).toBeUndefined();
      expect(await verdict(verifier, mine)).toBe("verifier-unavailable");
    });

    it("does not wait for the endpoint at every request of an outage, nor hammer it", async () => {
      const verifier = build({ timeoutMs: 100 });
      const mine = await token(first);
      await verdict(verifier, mine);
      origin.answer = () => {}; // hangs
      world.pass(601);
      expect(verifier.cached(mine)).toBeUndefined();
      expect(await verdict(verifier, mine)).toBe("alice");
      for (let n = 0; n < 200; n++) expect(verifier.cached(mine)).toBeDefined();
      expect(origin.fetches).toBe(2);
      world.pass(1);
      for (let n = 0; n < 200; n++) expect(verifier.cached(mine)).toBeDefined();
      await until(() => origin.fetches === 3);
    });

    it("backs off while there never were any keys, and recovers by itself", async () => {
      origin.answer = (response) => response.writeHead(503).end();
      const verifier = build();
      for (let n = 0; n < 600; n++) {
        expect(await verdict(verifier, await token(first))).toBe("verifier-unavailable");
        world.pass(0.1);
      }
      expect(origin.fetches).toBe(6);
      origin.answer = undefined;
      world.pass(31);
      expect(await verdict(verifier, await token(first))).toBe("alice");
    });

    it("says 503 and not 401 for a key id it cannot look up, so that no client throws its token away", async () => {
      const verifier = build();
      await verdict(verifier, await token(first));
      origin.answer = (response) => response.writeHead(502).end();
      expect(await verdict(verifier, await token(second))).toBe("verifier-unavailable");
      origin.answer = undefined;
      origin.keys = [first.jwk, second.jwk];
      world.pass(31);
      expect(await verdict(verifier, await token(second))).toBe("alice");
    });

    it("says 503 where one source cannot be asked, but admits what another one verifies", async () => {
      origin.answer = (response) => response.writeHead(502).end();
      const keys = [jwksUrl(origin.url), jwks({ keys: [second.jwk] })];
      const verifier = jwt({ issuer, audience, keys }).build(world.environment);
      expect(await verdict(verifier, await token(second))).toBe("alice");
      expect(await verdict(verifier, await token(first))).toBe("verifier-unavailable");
    });

    it("emits few events however long the outage and however many the requests", async () => {
      const verifier = build();
      await verdict(verifier, await token(first));
      origin.answer = (response) => response.writeHead(500).end();
      for (let n = 0; n < 360; n++) {
        world.pass(10);
        await verdict(verifier, await token(first));
        await idle();
      }
      expect(world.events.length).toBeLessThan(140);
      expect(world.events.every(({ count = 0 }) => count >= 1)).toBe(true);
    });
  });

  describe("what the endpoint must not do", () => {
    it.each<[string, (response: ServerResponse) => void]>([
      ["garbage", (response) => response.end("<html>not json</html>")],
      ["nothing", (response) => response.end()],
      ["an empty object", (response) => response.end("{}")],
      ["a list", (response) => response.end("[]")],
      ["keys that are no list", (response) => response.end('{"keys":{}}')],
      ["the same name twice", (response) => response.end('{"keys":[],"keys":[]}')],
      ["bytes that are not UTF-8", (response) => response.end(Buffer.from([0x7b, 0xff, 0x7d]))],
      ["a redirect", (response) => response.writeHead(302, { location: origin.url.replace("jwks", "else") }).end()],
      [
        "a redirect to another host",
        (response) => response.writeHead(307, { location: "https://evil.example.com/" }).end(),
      ],
      ["a 404", (response) => response.writeHead(404).end(JSON.stringify({ keys: [first.jwk] }))],
      ["a 201", (response) => response.writeHead(201).end(JSON.stringify({ keys: [first.jwk] }))],
      ["a broken connection", (response) => response.destroy()],
      [
        "half a body",
        (response) => response.writeHead(200, { "content-length": "1000" }).write("{", () => response.destroy()),
      ],
      ["more than 64 KiB", (response) => response.end(JSON.stringify({ keys: [first.jwk], pad: "x".repeat(65_536) }))],
      ["a body without end", endless],
      [
        "more than 64 keys",
        (response) => response.end(JSON.stringify({ keys: Array.from({ length: 65 }, () => ({})) })),
      ],
    ])("answers %s: nobody can say, so requests are refused with 503", async (_, answer) => {
      origin.answer = answer;
      const verifier = build();
      expect(await verdict(verifier, await token(first))).toBe("verifier-unavailable");
      expect(origin.fetches).toBe(1);
      expect(world.events.map(({ type }) => type)).toEqual(["jwks-fetch-failed"]);
    });

    it("is slow: the fetch is given up at its time limit, headers and body together", async () => {
      for (const answer of [() => {}, (response: ServerResponse) => void response.writeHead(200).write('{"keys":[')]) {
        origin.answer = answer;
        const verifier = jwt({ issuer, audience, keys: jwksUrl(origin.url, { timeoutMs: 150 }) }).build(
          testWorld().environment,
        );
        expect(await verdict(verifier, await token(first))).toBe("verifier-unavailable");
      }
    });

    it("publishes a secret, a private key or a short key: that key is never used, and somebody is told", async () => {
      const secretBytes = new TextEncoder().encode("published by mistake, 32 bytes or more");
      const k = Buffer.from(secretBytes).toString("base64url");
      const weak = { kty: "RSA", kid: "weak", n: Buffer.alloc(128, 0xff).toString("base64url"), e: "AQAB" };
      const degenerate = { kty: "RSA", kid: "degenerate", n: Buffer.alloc(256, 0xff).toString("base64url"), e: "AQ" };
      origin.keys = [
        { kty: "oct", k, kid: "oct" },
        { ...first.jwk, d: "AAAA", kid: "private" },
        weak,
        degenerate,
        second.jwk,
      ];
      const verifier = build();
      const stolen = await new CompactSign(new TextEncoder().encode("{}"))
        .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: "oct" })
        .sign(secretBytes);
      expect(await verdict(verifier, stolen)).toBe("bad-token");
      expect(await verdict(verifier, await token(first, {}, { kid: "private" }))).toBe("bad-token");
      expect(await verdict(verifier, await token(second))).toBe("alice");
      expect(world.events.map(({ type }) => type)).toContain("jwks-fetch-failed");
    });

    it("publishes keys for other uses beside: they are passed over, and a token signed with one is refused", async () => {
      const encryption = { ...first.jwk, use: "enc" };
      const wrapping = { ...first.jwk, kid: "wrapping", key_ops: ["encrypt"] };
      const unknown = { kty: "XYZ", kid: "unknown" };
      const offCurve = { kty: "EC", crv: "P-256", kid: "off", x: second.jwk.x, y: first.jwk.y };
      origin.keys = [
        encryption,
        wrapping,
        unknown,
        offCurve,
        7,
        null,
        { ...second.jwk, use: "sig", key_ops: ["verify"] },
      ];
      const verifier = build();
      expect(await verdict(verifier, await token(first))).toBe("bad-token");
      expect(await verdict(verifier, await token(first, {}, { kid: "wrapping" }))).toBe("bad-token");
      expect(await verdict(verifier, await token(second))).toBe("alice");
    });

    it("publishes no key at all any more: every token is refused, cached or not", async () => {
      const verifier = build();
      const mine = await token(first);
      await verdict(verifier, mine);
      origin.keys = [];
      world.pass(600);
      expect(await verdict(verifier, mine)).toBe("bad-token");
      expect(verifier.cached(mine)).toBeUndefined();
    });
  });

  it("pins RSA keys without an alg to RS256, or to the one the options name", async () => {
    const pair = await generateKeyPair("PS256", { extractable: true });
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: "rsa" };
    origin.keys = [jwk];
    const payload = new TextEncoder().encode(JSON.stringify(claims()));
    const pss = await new CompactSign(payload)
      .setProtectedHeader({ alg: "PS256", typ: "JWT", kid: "rsa" })
      .sign(pair.privateKey);
    expect(await verdict(build(), pss)).toBe("bad-token");
    expect(await verdict(build({ rsaAlgorithm: "PS256" }), pss)).toBe("alice");
  });

  it("sends nothing of ours along with the fetch", async () => {
    const seen: Parameters<typeof fetch>[1][] = [];
    const environment: Environment = {
      ...world.environment,
      fetch: (input, init) => {
        seen.push(init);
        return fetch(input, init);
      },
    };
    await verdict(credentialOf().build(environment), await token(first));
    expect(seen).toMatchObject([{ redirect: "manual", credentials: "omit" }]);
    expect(seen[0]?.headers).toEqual({ accept: "application/jwk-set+json, application/json" });
  });

  describe("options", () => {
    it.each([
      "https://id.example.com/jwks.json",
      "http://localhost:3000/jwks.json",
      "http://127.0.0.1/jwks",
      "http://[::1]:8080/jwks",
    ])("accepts %s", (url) => {
      expect(jwksUrl(url).problems()).toEqual([]);
    });

    it.each([
      "http://id.example.com/jwks.json",
      "http://127.0.0.1.evil.example.com/jwks.json",
      "http://localhost.evil.example.com/",
      "ftp://id.example.com/",
      "file:///etc/passwd",
      "data:application/json,{}",
      "id.example.com/jwks.json",
      "",
      "https://user:secret@id.example.com/jwks.json",
    ])("stops on %s", (url) => {
      expect(jwksUrl(url).problems()).toHaveLength(1);
      expect(JSON.stringify(jwksUrl(url).problems())).not.toContain("secret@");
    });

    it.each<JwksUrlOptions>([
      { maxAgeSeconds: 29 },
      { maxAgeSeconds: Number.POSITIVE_INFINITY },
      { staleSeconds: -1 },
      { staleSeconds: 86_401 },
      { unknownKeySeconds: 0 },
      { timeoutMs: 0 },
      { timeoutMs: 30_001 },
    ])("stops on %j", (options) => {
      expect(jwksUrl("https://id.example.com/jwks.json", options).problems()).toHaveLength(1);
    });
  });
});

function credentialOf(options: JwksUrlOptions = {}) {
  return jwt({ issuer, audience, keys: jwksUrl(origin.url, options) });
}

function build(options: JwksUrlOptions = {}): CredentialVerifier {
  return credentialOf(options).build(world.environment);
}

async function makeKey(kid: string): Promise<Key> {
  const pair = await generateKeyPair("ES256", { extractable: true });
  return { kid, jwk: { ...(await exportJWK(pair.publicKey)), kid }, privateKey: pair.privateKey };
}

function claims(over: object = {}) {
  const now = world.seconds();
  return { iss: issuer, aud: audience, sub: "alice", iat: now, exp: now + 3_600, ...over };
}

function token(key: Key, over: object = {}, named: { kid?: string } = { kid: key.kid }): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims(over))))
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt", ...named })
    .sign(key.privateKey);
}

function header(over: object): string {
  return Buffer.from(JSON.stringify({ alg: "ES256", typ: "at+jwt", ...over })).toString("base64url");
}

/** The subject it admits, from the cache where the gate would take it from there, or the code it refuses with. */
async function verdict(verifier: CredentialVerifier, value: string): Promise<string> {
  const outcome = verifier.cached(value) ?? (await verifier.verify(value));
  return outcome instanceof Refusal ? outcome.code : outcome.subject;
}

function endless(response: ServerResponse): void {
  response.writeHead(200);
  const more = () => {
    while (!response.destroyed && response.write("x".repeat(16_384)));
  };
  response.on("drain", more);
  more();
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Lets a background fetch on loopback come to its end. */
async function idle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
