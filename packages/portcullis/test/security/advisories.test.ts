import { generateKeyPair, exportJWK, SignJWT } from "jose";
import type { ApiConfig, Listening } from "portcullis";
import {
  answer,
  anyCaller,
  apiKeys,
  createApi,
  issueApiKey,
  jwksUrl,
  jwt,
  memoryKeyStore,
  nothing,
  publicAccess,
  publicKey,
  secret,
  session,
} from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { cidrSet } from "../../src/lib/cidr.ts";
import { IpAddress, parseAddress } from "../../src/lib/address.ts";
import { jwtSecret, noteIds, testApi, token } from "../front-door.ts";
import type { TestApi } from "../front-door.ts";
import type { RawAnswer } from "../node/raw.ts";
import { raw } from "../node/raw.ts";

/**
 * Holes that others had, each as an attack on us. The name of a test says the advisory; what is asserted is what our
 * caller sees. Those that do not apply, because we have no such part, are not here: batching parsers (we have none, which
 * is asserted), webhooks, OAuth servers.
 */

let open: Listening | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

const app = "https://app.example";

interface Served {
  readonly test: TestApi;
  readonly port: number;
  /** Sends a request with these headers as they are written; a body gets its length. */
  send(line: string, headers?: readonly string[], body?: string): Promise<RawAnswer>;
}

async function serve(
  change: Partial<ApiConfig> = {},
  more: (test: TestApi) => void = () => undefined,
): Promise<Served> {
  const cookies = session({
    cookies: ["__Host-session"],
    resolve: (found) => (found["__Host-session"] === "alices" ? { subject: "alice" } : null),
  });
  const test = testApi({ origins: [app], ...change }, (config) =>
    createApi({ ...config, credentials: [...config.credentials, cookies] }),
  );
  test.api.route({ path: "POST /v1/writes", access: anyCaller, output: nothing, limit: "100000/s" }, () => undefined);
  test.api.route(
    { path: "GET /v1/address", access: publicAccess("for the tests"), output: z.strictObject({ address: z.string() }) },
    ({ request }) => ({ address: request.address }),
  );
  more(test);
  open = await test.api.listen({ port: 0, handleSignals: false });
  const { port } = open;
  return {
    test,
    port,
    send(line, headers = [], body) {
      const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
      const lines = ["Host: localhost", ...headers, ...length].map((one) => `${one}\r\n`).join("");
      return raw(port, `${line} HTTP/1.1\r\n${lines}\r\n${body ?? ""}`);
    },
  };
}

async function bearer(subject: string, claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return `Authorization: Bearer ${await token(subject, claims)}`;
}

const json = "Content-Type: application/json";

describe("a body's media type and its validator cannot disagree", () => {
  const types: readonly (readonly [string, string])[] = [
    ["Fastify CVE-2025-32442: another case and a blank before the semicolon", "ApPlIcAtIoN/JsOn ;charset=utf-8"],
    ["Fastify CVE-2025-32442: a blank inside", "application/ json"],
    ["Fastify CVE-2026-25223: a tab behind the type", "application/json\ta"],
    ["Fastify CVE-2026-25223: a tab instead of a semicolon", "application/json\t;charset=utf-8"],
    ["Fastify CVE-2026-33806 and GHSA-247c-9743-5963: a blank before the type", "  application/json"],
    ["Fastify GHSA-573f-x89g-hqp9: something behind the type", "application/json garbage"],
    ["Fastify GHSA-573f-x89g-hqp9: a suffix", "application/jsonx"],
    ["a structured suffix", "application/vnd.api+json"],
    ["a second type", "application/json, text/plain"],
    ["another charset", "application/json; charset=utf-7"],
    ["no type", ""],
  ];
  it.each(types)("%s", async (_name, type) => {
    const { send, test } = await serve();
    const invalid = '{"text":"x","ownerId":"alice","isAdmin":true}';
    const reply = await send("POST /v1/notes", [await bearer("bob"), `Content-Type: ${type}`], invalid);
    expect([400, 415]).toContain(reply.status);
    await open?.close();
    expect(test.entries.some((entry) => entry.kind === "call" && entry.status < 400)).toBe(false);
  });
});

describe("a path and its guard cannot disagree", () => {
  const targets: readonly (readonly [string, string])[] = [
    ["NestJS CVE-2026-2293, middie GHSA-hx87-8wv7-pjv8: two slashes", "//v1/notes"],
    ["NestJS CVE-2026-2293: a slash at the end", `/v1/notes/${noteIds[1]}/`],
    ["NestJS CVE-2026-2293: a matrix parameter", `/v1/notes;x=1/${noteIds[1]}`],
    ["middie GHSA-hx87-8wv7-pjv8: the absolute form", `http://localhost/v1/notes/${noteIds[1]}`],
    ["middie GHSA-hx87-8wv7-pjv8: the absolute form of another host", `http://evil.example/v1/notes/${noteIds[1]}`],
    ["Hono CVE-2026-47676: an escape where none is needed", `/v1/n%6ftes/${noteIds[1]}`],
    ["Hono CVE-2026-47676: an escaped slash", `/v1/notes%2f${noteIds[1]}`],
    ["Hono CVE-2026-47676: escaped twice", `/v1/notes/%25%32%66${noteIds[1]}`],
    ["Oathkeeper GHSA-p224-6x5r-fjpm: a dot segment", `/v1/open/../notes/${noteIds[1]}`],
    ["Oathkeeper GHSA-p224-6x5r-fjpm: an escaped dot segment", `/v1/open/%2e%2e/notes/${noteIds[1]}`],
    ["Traefik CVE-2026-39858: a backslash", `/v1\\notes\\${noteIds[1]}`],
    ["oauth2-proxy GHSA-pxq7-h93f-9jrg: a fragment", `/v1/notes/${noteIds[1]}#/v1/open`],
    ["oauth2-proxy GHSA-pxq7-h93f-9jrg: an escaped fragment", `/v1/notes/${noteIds[1]}%23/v1/open`],
    ["a path in another case", `/V1/Notes/${noteIds[1]}`],
    ["a NUL", `/v1/notes/${noteIds[1]}%00`],
  ];
  it.each(targets)("%s reaches nothing, neither with nor without a credential", async (_name, target) => {
    const { send } = await serve();
    for (const headers of [[], [await bearer("alice")], [await bearer("bob")]]) {
      const { status } = await send(`GET ${target}`, headers);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
    }
  });

  it("tRPC trpc/trpc#7153: there is no batch: a path names one route", async () => {
    const { send } = await serve();
    expect((await send("GET /v1/open,v1/open?batch=1")).status).toBe(404);
    expect((await send("POST /v1/notes", [await bearer("alice"), json], '[{"text":"a"},{"text":"b"}]')).status).toBe(
      400,
    );
  });
});

describe("no header opens a door", () => {
  const headers: readonly (readonly [string, readonly string[]])[] = [
    ["Next.js CVE-2025-29927: x-middleware-subrequest", ["x-middleware-subrequest: middleware:middleware:middleware"]],
    ["oauth2-proxy CVE-2026-40575, Oathkeeper GHSA-vhr5-ggp3-qq85: X-Forwarded-Uri", ["X-Forwarded-Uri: /v1/open"]],
    ["Oathkeeper GHSA-vhr5-ggp3-qq85: X-Forwarded-Method", ["X-Forwarded-Method: OPTIONS"]],
    ["X-Original-URL and X-Rewrite-URL", ["X-Original-URL: /v1/open", "X-Rewrite-URL: /v1/open"]],
    ["X-HTTP-Method-Override", ["X-HTTP-Method-Override: OPTIONS"]],
    ["oauth2-proxy GHSA-5hvv-m4w4-gf6v: a health check's user agent", ["User-Agent: GoogleHC/1.0"]],
    ["oauth2-proxy GHSA-5hvv-m4w4-gf6v: a probe's user agent", ["User-Agent: kube-probe/1.30"]],
    [
      "an identity a proxy would write",
      ["X-Forwarded-User: alice", "X-Authenticated-User: alice", "Remote-User: alice"],
    ],
  ];
  it.each(headers)("%s", async (_name, lines) => {
    const { send } = await serve();
    expect((await send(`GET /v1/notes/${noteIds[0]}`, lines)).status).toBe(401);
  });

  const aliases: readonly (readonly [string, string])[] = [
    ["Traefik GHSA-x677-9fxg-v5c5: an underscore in Authorization's neighbour", "X_Forwarded_For: 10.0.0.1"],
    ["Traefik GHSA-x677-9fxg-v5c5: dots", "X.Forwarded.For: 10.0.0.1"],
    ["Traefik CVE-2026-35051: a mixed alias", "X-Forwarded_Proto: https"],
    ["an alias of Content-Length", "Content_Length: 5"],
    ["an alias of Host", "Host_: evil.example"],
  ];
  it.each(aliases)("%s is refused or means nothing", async (_name, line) => {
    const { send } = await serve({ proxies: { trusted: ["10.0.0.0/8"], header: "x-forwarded-for" } });
    const reply = await send("GET /v1/address", [line]);
    if (reply.status === 200) expect(JSON.parse(reply.body)).toEqual({ address: "127.0.0.1" });
    else expect(reply.status).toBe(400);
  });

  it("Better Auth GHSA-569q-mpph-wgww: the first request's Host makes no base URL", async () => {
    const { port, send } = await serve();
    const first = await raw(
      port,
      "GET /v1/open HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\r\n",
    );
    expect(first.status).toBe(421);
    const second = await send("GET /v1/open");
    expect(`${first.head}${first.body}${second.head}${second.body}`).not.toContain("evil.example");
  });
});

describe("who the client is", () => {
  it("Fastify CVE-2026-3635 and CVE-2026-16732: a hop that is no configured proxy says nothing, however many hops there are", async () => {
    const { send } = await serve({ proxies: { trusted: ["10.0.0.0/8"], header: "x-forwarded-for" } });
    for (const lines of [
      ["X-Forwarded-For: 9.9.9.9"],
      ["X-Forwarded-For: 9.9.9.9, 10.0.0.1, 10.0.0.2"],
      ["X-Real-IP: 9.9.9.9"],
    ]) {
      const reply = await send("GET /v1/address", [
        ...lines,
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
      ]);
      // It shows that somebody else is behind this machine, and that is all it can do.
      expect(reply.status).toBe(421);
      expect(reply.body).not.toMatch(/9\.9\.9\.9|evil/);
      expect(reply.headers.has("strict-transport-security")).toBe(false);
    }
  });

  it.each([["0.0.0.0/0"], ["::/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["::ffff:0.0.0.0/96"]])(
    "oauth2-proxy/oauth2-proxy#3506: trusting everybody (%s) stops the start",
    (...trusted) => {
      const { api } = testApi({ proxies: { trusted, header: "x-forwarded-for" } });
      expect(api.problems().some((one) => one.field.startsWith("proxies"))).toBe(true);
    },
  );

  /** Behind a proxy on this machine, as whoever the proxy says. */
  async function behindProxy(limits: ApiConfig["limits"]) {
    const proxies = { trusted: ["127.0.0.0/8"], header: "x-forwarded-for" } as const;
    const high = { global: "100000/s", wideAddress: "100000/s", failures: "100000/s" } as const;
    const { send } = await serve({ proxies, limits: { ...high, ...limits } });
    return async (address: string): Promise<number> =>
      (await send("GET /v1/open", [`X-Forwarded-For: ${address}`, "X-Forwarded-Proto: https"])).status;
  }

  it("Better Auth GHSA-p6v2-xcpg-h6xw: addresses of one IPv6 /64 have one budget, however they are spelled", async () => {
    const from = await behindProxy({ address: "3/min" });
    const statuses: number[] = [];
    for (const address of [
      "2001:db8:1:2::1",
      "2001:db8:1:2:ffff:ffff:ffff:ffff",
      "2001:0DB8:0001:0002::3",
      "[2001:db8:1:2::4]:443",
    ]) {
      statuses.push(await from(address));
    }
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect(await from("2001:db8:1:3::1")).toBe(200);
  });

  it("express-rate-limit GHSA-46wh-pxpv-q5gq: an IPv4 address has one budget in all its spellings, and none with others", async () => {
    const from = await behindProxy({ address: "3/min" });
    const statuses: number[] = [];
    for (const address of ["9.9.9.9", "::ffff:9.9.9.9", "::ffff:909:909", "64:ff9b::9.9.9.9"])
      statuses.push(await from(address));
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect(await from("::ffff:9.9.9.8")).toBe(200);
    expect(await from("::ffff:8.9.9.9")).toBe(200);
  });

  it("ip-address GHSA-v2v4-37r5-5v8g: an address with two readings is none, and counts as nobody", async () => {
    const from = await behindProxy({});
    for (const address of [
      "9.9.9.09",
      "0x9.9.9.9",
      "9.9.9",
      "151587081",
      "9.9.9.9.",
      "1:2:3:4:5:6:7:8:9",
      "::1::",
      "unknown",
      "_hidden",
      "",
    ]) {
      expect(await from(address), address).toBe(400);
    }
  });

  it("Hono CVE-2026-47674: an address is compared by its bits, not by its spelling", () => {
    const denied = cidrSet(["2001:db8::/32", "10.0.0.0/8"]);
    for (const text of [
      "2001:db8::1",
      "2001:DB8:0:0:0:0:0:1",
      "2001:0db8:0000:0000:0000:0000:0000:0001",
      "::ffff:10.1.2.3",
      "::ffff:a01:203",
    ]) {
      const address = parseAddress(text);
      expect(address).toBeInstanceOf(IpAddress);
      if (address instanceof IpAddress) expect(denied.contains(address), text).toBe(true);
    }
  });
});

describe("tokens", () => {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: "https://id.example", aud: "https://api.example", sub: "alice", iat: now, exp: now + 600 };

  it("Hono CVE-2026-22818: a public key is no secret, whether it names its algorithm or not", async () => {
    const { publicKey: key, privateKey } = await generateKeyPair("RS256", { extractable: true });
    const { alg: _none, ...jwk } = await exportJWK(key);
    const credential = jwt({ issuer: "https://id.example", audience: "https://api.example", keys: publicKey(jwk) });
    const { send } = await serve({ credentials: [credential] });
    const ask = async (text: string) =>
      (await send(`GET /v1/notes/${noteIds[0]}`, [`Authorization: Bearer ${text}`])).status;
    const rs = await new SignJWT(claims).setProtectedHeader({ alg: "RS256", typ: "at+jwt" }).sign(privateKey);
    expect(await ask(rs)).toBe(200);
    const spellings = [JSON.stringify(jwk), jwk.n ?? "", Buffer.from(jwk.n ?? "", "base64url").toString("latin1")];
    for (const spelling of spellings) {
      for (const alg of ["HS256", "HS384", "HS512"]) {
        const forged = await new SignJWT(claims)
          .setProtectedHeader({ alg, typ: "at+jwt" })
          .sign(new TextEncoder().encode(spelling));
        expect(await ask(forged), alg).toBe(401);
      }
    }
    const ps = await new SignJWT(claims)
      .setProtectedHeader({ alg: "PS256", typ: "at+jwt" })
      .sign(
        await crypto.subtle.importKey(
          "jwk",
          { ...(await exportJWK(privateKey)) },
          { name: "RSA-PSS", hash: "SHA-256" },
          false,
          ["sign"],
        ),
      );
    expect(await ask(ps)).toBe(401);
  });

  it("Hono's default of HS256 (kaeawc/auto-mobile#962): an algorithm is never taken from the token", async () => {
    const { send } = await serve();
    const key = new TextEncoder().encode(jwtSecret);
    for (const alg of ["HS384", "HS512"]) {
      const other = await new SignJWT(claims)
        .setProtectedHeader({ alg, typ: "at+jwt" })
        .sign(key.length < 64 ? new Uint8Array([...key, ...key]) : key);
      expect((await send("GET /v1/open", [`Authorization: Bearer ${other}`])).status).toBe(401);
    }
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    for (const alg of ["none", "None", "NONE", "nOnE", ""]) {
      for (const signature of ["", "AA", part({})]) {
        const text = `${part({ alg, typ: "at+jwt" })}.${part(claims)}.${signature}`;
        expect((await send("GET /v1/open", [`Authorization: Bearer ${text}`])).status, alg).toBe(401);
      }
    }
  });

  it("Hono CVE-2026-44459, GHSA-hm8q-7f3q-5f36: a time that is no number skips no check", async () => {
    const { send } = await serve();
    const odd: readonly unknown[] = [`${now + 600}`, null, true, [now + 600], {}, -1, 1e300, "", "never"];
    for (const value of odd) {
      for (const claim of ["exp", "iat", "nbf"]) {
        if (claim === "nbf" && value === -1) continue;
        const { status } = await send("GET /v1/open", [await bearer("alice", { [claim]: value })]);
        expect(status, `${claim} ${JSON.stringify(value)}`).toBe(401);
      }
    }
    expect((await send("GET /v1/open", [await bearer("alice", { exp: undefined })])).status).toBe(401);
  });

  it("Hono CVE-2026-47673: only Bearer, exactly one token, nothing around it", async () => {
    const { send } = await serve();
    const text = await token("alice");
    for (const value of [
      text,
      `Basic ${text}`,
      `Bearer${text}`,
      `Bearer  ${text}`,
      `Bearer ${text} ${text}`,
      `Bearer ${text},`,
      `Bearer "${text}"`,
      `Bearer\t${text}`,
      `Token ${text}`,
      `bearer: ${text}`,
      "Bearer ",
      "Bearer",
    ]) {
      const { status } = await send("GET /v1/open", [`Authorization: ${value}`]);
      expect([400, 401], value.slice(0, 12)).toContain(status);
    }
    expect(
      (await send("GET /v1/open", [`Authorization: Bearer ${text}`, `Authorization: Bearer ${text}`])).status,
    ).toBe(400);
  });

  it("CASL CVE-2026-1774: names that reach a prototype are no names, in a token either", async () => {
    const { send } = await serve();
    const part = (text: string): string => Buffer.from(text).toString("base64url");
    const payload = JSON.stringify(claims).replace("{", '{"__proto__":{"roles":["admin"]},');
    const head = part(JSON.stringify({ alg: "HS256", typ: "at+jwt" }));
    const key = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode(jwtSecret),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(`${head}.${part(payload)}`));
    const text = `${head}.${part(payload)}.${Buffer.from(signature).toString("base64url")}`;
    expect((await send("GET /v1/open", [`Authorization: Bearer ${text}`])).status).toBe(401);
    expect(Object.hasOwn(Object.prototype, "roles")).toBe(false);
  });

  it("Hono's JWKS and Better Auth's unknown kid: a flood of unknown keys is at most two fetches", async () => {
    const { publicKey: key, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const jwk = { ...(await exportJWK(key)), kid: "known", alg: "ES256" };
    let fetches = 0;
    const credential = jwt({
      issuer: "https://id.example",
      audience: "https://api.example",
      keys: jwksUrl("https://id.example/jwks.json"),
    });
    const { send } = await serve({
      credentials: [credential],
      fetch: () => {
        fetches++;
        return Promise.resolve(Response.json({ keys: [jwk] }));
      },
    });
    for (let i = 0; i < 40; i++) {
      const text = await new SignJWT(claims)
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: `k${i}` })
        .sign(privateKey);
      expect((await send("GET /v1/open", [`Authorization: Bearer ${text}`])).status).toBe(401);
    }
    expect(fetches).toBeLessThanOrEqual(2);
    const good = await new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: "known" })
      .sign(privateKey);
    expect((await send("GET /v1/open", [`Authorization: Bearer ${good}`])).status).toBe(200);
  });

  it("standard-webhooks' empty secret: a short, empty or repeated secret stops the start", () => {
    for (const value of ["", "secret", "a".repeat(64), "0123456789abcdef0123456789abcdef"]) {
      const credential = jwt({ issuer: "https://id.example", audience: "https://api.example", keys: secret(value) });
      expect(testApi({ credentials: [credential] }).api.problems().length, value).toBeGreaterThan(0);
    }
  });
});

describe("a second channel for credentials", () => {
  it("Open WebUI GHSA-57q6-fvp4-pqmm: a key in its header is bound by the same scopes, and not sent beside a token", async () => {
    const store = memoryKeyStore();
    const { key } = await issueApiKey({ store, prefix: "prj", subject: "alice", name: "reader", scopes: ["read"] });
    const tokens = jwt({ issuer: "https://id.example", audience: "https://api.example", keys: secret(jwtSecret) });
    const { send } = await serve(
      { credentials: [tokens, apiKeys({ prefix: "prj", store, header: "x-api-key" })] },
      ({ api }) => {
        api.route({ path: "POST /v1/scoped", access: { scopes: ["write"] }, output: nothing }, () => undefined);
      },
    );
    expect((await send(`GET /v1/notes/${noteIds[0]}`, [`X-Api-Key: ${key}`])).status).toBe(200);
    expect((await send("POST /v1/scoped", [`X-Api-Key: ${key}`])).status).toBe(403);
    expect(
      (await send("POST /v1/scoped", [`X-Api-Key: ${key}`, await bearer("alice", { scope: "write" })])).status,
    ).toBe(400);
    expect((await send("POST /v1/scoped", [`Authorization: Bearer ${key}`])).status).toBe(401);
    expect((await send("POST /v1/scoped", [`X-Api-Key: ${key}`, `X-Api-Key: ${key}`])).status).toBe(400);
    expect((await send("POST /v1/scoped", [`X-Api-Key: ${key}`, "Cookie: __Host-session=alices"])).status).toBe(400);
    expect((await send(`GET /v1/open?api_key=${key}`)).status).toBe(400);
  });

  it("Better Auth CVE-2025-61928: nobody names whose a new object is, proved or not", async () => {
    const { send } = await serve();
    const theirs = '{"text":"x","ownerId":"alice","userId":"alice"}';
    expect((await send("POST /v1/notes", [json], theirs)).status).toBe(401);
    expect((await send("POST /v1/notes", [json, await bearer("bob")], theirs)).status).toBe(400);
  });
});

describe("browsers", () => {
  const cookie = "Cookie: __Host-session=alices";

  const forged: readonly (readonly [string, readonly string[]])[] = [
    ["Hono GHSA-2234-fmw7-43wr: no Content-Type", ["Origin: https://evil.example"]],
    ["Hono GHSA-2234-fmw7-43wr: a type no form has", ["Origin: https://evil.example", "Content-Type: a/b"]],
    ["a form", ["Origin: https://evil.example", "Content-Type: application/x-www-form-urlencoded"]],
    ["Origin null", ["Origin: null"]],
    ["our origin in upper case", ["Origin: HTTP://LOCALHOST"]],
    ["a configured origin with a slash", [`Origin: ${app}/`]],
    ["a configured origin with its port", [`Origin: ${app}:443`]],
    ["an origin that begins like ours", ["Origin: http://localhost.evil.example"]],
    ["an origin with a user", ["Origin: http://localhost@evil.example"]],
    ["cross-site beside our own origin", ["Sec-Fetch-Site: cross-site", "Origin: http://localhost"]],
    ["a Sec-Fetch-Site nobody knows", ["Sec-Fetch-Site: Same-Origin"]],
    ["an empty Sec-Fetch-Site", ["Sec-Fetch-Site: "]],
    ["a list", ["Sec-Fetch-Site: same-origin, cross-site"]],
    ["a Referer instead of an Origin", ["Referer: http://localhost/"]],
    ["nothing at all", []],
  ];
  it.each(forged)("%s writes nothing with the cookie", async (_name, lines) => {
    const { send } = await serve();
    expect((await send("POST /v1/writes", [cookie, ...lines])).status).toBe(403);
    expect((await send("POST /v1/writes", [cookie, "Sec-Fetch-Site: same-origin"])).status).toBe(204);
  });

  it("headers that are sent twice are refused, whichever of them is right", async () => {
    const { send } = await serve();
    for (const lines of [
      ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"],
      ["Origin: http://localhost", "Origin: https://evil.example"],
      ["Sec-Fetch-Site: same-origin", "Sec_Fetch_Site: cross-site"],
    ]) {
      expect((await send("POST /v1/writes", [cookie, ...lines])).status).toBe(400);
    }
    expect(
      (
        await send("POST /v1/writes", [
          "Cookie: __Host-session=alices; __Host-session=bobs",
          "Sec-Fetch-Site: same-origin",
        ])
      ).status,
    ).toBe(400);
    expect(
      (await send("POST /v1/writes", [cookie, "Cookie: __Host-session=bobs", "Sec-Fetch-Site: same-origin"])).status,
    ).toBe(400);
  });

  it("Hono CVE-2026-54290 and oRPC's reflection: an origin is named because it is configured, never because it was sent", async () => {
    const { send } = await serve();
    for (const origin of [
      "https://evil.example",
      "null",
      `${app}.evil.example`,
      "https://APP.example",
      `${app}:443`,
      "*",
      "file://",
      "",
    ]) {
      for (const line of ["GET /v1/open", "OPTIONS /v1/open", "GET /v1/none"]) {
        const { headers } = await send(line, [`Origin: ${origin}`, "Access-Control-Request-Method: GET"]);
        expect(headers.has("access-control-allow-origin"), origin).toBe(false);
        expect(headers.has("access-control-allow-credentials"), origin).toBe(false);
        expect(headers.get("vary")).toBe("Origin");
      }
    }
    expect((await send("GET /v1/open", [`Origin: ${app}`])).headers.get("access-control-allow-origin")).toBe(app);
  });

  it("Hono GHSA-q7jf-gf43-6x6p: a Vary that is sent is not sent back", async () => {
    const { send } = await serve();
    const { headers } = await send("GET /v1/open", [
      `Origin: ${app}`,
      "Vary: *",
      "Access-Control-Request-Headers: x-evil",
    ]);
    expect(headers.get("vary")).toBe("Origin");
    expect([...headers.keys()].filter((name) => name === "access-control-allow-headers")).toEqual([]);
  });

  it("Hono CVE-2026-47675: nothing in a cookie's name or value begins an attribute or a header", async () => {
    const values = ["a; Domain=evil.example", "a\r\nSet-Cookie: b=c", "a,b", 'a"b', "a b", "é"];
    const { send } = await serve({}, ({ api }) => {
      values.forEach((value, index) => {
        api.route({ path: `GET /v1/value${index}`, access: publicAccess("x"), output: nothing }, () =>
          answer(undefined, { cookies: [{ name: "seen", value }] }),
        );
        api.route({ path: `GET /v1/name${index}`, access: publicAccess("x"), output: nothing }, () =>
          answer(undefined, { cookies: [{ name: value, value: "1" }] }),
        );
      });
    });
    for (const [index, value] of values.entries()) {
      for (const kind of ["value", "name"]) {
        const reply = await send(`GET /v1/${kind}${index}`);
        expect(reply.status, value).toBe(500);
        expect(reply.headers.has("set-cookie"), value).toBe(false);
      }
    }
  });
});

describe("names that reach a prototype", () => {
  it("tRPC CVE-2025-68130: are refused in bodies, queries and forms, at any depth and in any spelling", async () => {
    const { send } = await serve();
    const owner = await bearer("alice");
    for (const body of [
      '{"text":"a","__proto__":{"isAdmin":true}}',
      '{"text":"a","\\u005f_proto__":{"isAdmin":true}}',
      '{"text":{"constructor":{"prototype":{"isAdmin":true}}}}',
      '{"__proto__":{"text":"a"}}',
    ]) {
      expect((await send("POST /v1/notes", [owner, json], body)).status, body).toBe(400);
    }
    for (const query of [
      "__proto__=1",
      "__proto__[isAdmin]=1",
      "constructor.prototype.isAdmin=1",
      "a[__proto__]=1",
      "%5f%5fproto__=1",
    ]) {
      expect((await send(`GET /v1/open?${query}`)).status, query).toBe(400);
    }
    const form = "Content-Type: multipart/form-data; boundary=x";
    expect(
      (
        await send(
          "POST /v1/notes",
          [owner, form],
          '--x\r\nContent-Disposition: form-data; name="__proto__[isAdmin]"\r\n\r\n1\r\n--x--',
        )
      ).status,
    ).toBe(415);
    expect(Reflect.get({}, "isAdmin")).toBeUndefined();
  });
});

describe("methods that are not what they seem", () => {
  it("HEAD needs what GET needs, says what GET says, and has no body", async () => {
    const { send } = await serve();
    const target = `/v1/notes/${noteIds[0]}`;
    expect((await send(`HEAD ${target}`)).status).toBe(401);
    expect((await send(`HEAD ${target}`, [await bearer("bob")])).status).toBe(404);
    const own = await send(`HEAD ${target}`, [await bearer("alice")]);
    expect([own.status, own.body]).toEqual([200, ""]);
    expect((await send("HEAD /v1/writes", [await bearer("alice")])).status).toBe(405);
  });

  it("OPTIONS runs no handler and no credential, and a preflight of another origin learns nothing", async () => {
    const { send } = await serve();
    const reply = await send(`OPTIONS /v1/notes/${noteIds[0]}`, [await bearer("bob"), "Cookie: __Host-session=alices"]);
    expect([reply.status, reply.body]).toEqual([204, ""]);
    expect(reply.headers.get("allow")).toBe("DELETE, GET, HEAD, OPTIONS");
    const other = await send(`OPTIONS /v1/notes/${noteIds[0]}`, [
      "Origin: https://evil.example",
      "Access-Control-Request-Method: DELETE",
    ]);
    expect(other.status).toBe(403);
  });

  it.each(["TRACE", "TRACK", "CONNECT", "PROPFIND", "get", "GETT", "PURGE", "SEARCH"])(
    "%s is served by nobody",
    async (method) => {
      const { send } = await serve();
      const { status } = await send(`${method} /v1/open`);
      expect([400, 501]).toContain(status);
    },
  );
});
