import { globSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { memoryKeyStore, memorySink } from "portcullis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildProjectsApi } from "../examples/projects/api.ts";
import { openData } from "../examples/projects/data/data.ts";
import { createKeys } from "../examples/projects/keys.ts";
import { accounts, seed } from "../examples/projects/seeds.ts";
import { type Protected, startProtected } from "../examples/projects/server.ts";

const { alice, bob } = accounts;
const errors: unknown[] = [];
const audit = memorySink(100_000);
const quiet = { sinks: [audit], onError: (error: unknown) => void errors.push(error) };

describe("secrets", () => {
  test("come from a cryptographic source: nothing in the library or the identity server asks Math.random", () => {
    const root = join(import.meta.dirname, "..");
    const files = globSync("packages/{portcullis,server}/src/**/*.ts", { cwd: root });
    const askedIn = (source: RegExp) => files.filter((file) => source.test(readFileSync(join(root, file), "utf8")));
    expect(askedIn(/\b(?:randomBytes|getRandomValues)\(/).length).toBeGreaterThan(3);
    expect(askedIn(/\bMath\s*\.\s*random\b|\{[^}]*\brandom\b[^}]*\}\s*=\s*Math\b/)).toEqual([]);
  });
});

describe("a disabled user's keys", () => {
  test("are worth nothing, also the one that a thousand younger ones hide", async () => {
    const data = openData();
    await seed(data);
    const store = memoryKeyStore();
    const keys = createKeys(store);
    const expiresAt = Date.now() + 3_600_000;
    const wanted = { subject: bob.id, tenant: bob.tenantId, name: "hidden", scopes: ["projects:read"], expiresAt };
    const hidden = await keys.issue(wanted);
    for (let i = 0; i < 1_001; i++) {
      // Younger by a millisecond each, as they would be.
      const { id } = await keys.issue({ ...wanted, name: `key ${i}` });
      await keys.revoke(id);
    }
    const { api, tokens } = buildProjectsApi({ data, keyStore: store, audit: quiet });
    const listening = await api.listen({ port: 0, handleSignals: false });
    const call = async (method: string, path: string, credential: string): Promise<number> =>
      (await fetch(listening.url + path, { method, headers: { authorization: `Bearer ${credential}` } })).status;
    const admin = await tokens.sign({ id: accounts.admin.id, tenantId: accounts.admin.tenantId });
    expect(await call("GET", "/v1/projects", hidden.key)).toBe(200);
    expect(await call("POST", `/v1/admin/users/${bob.id}/disable`, admin)).toBe(204);
    expect(await call("GET", "/v1/projects", hidden.key)).toBe(401);
    await listening.close();
    data.close();
  });

  test("are worth nothing, also those that are issued while it happens", async () => {
    const own = await startProtected({ audit: quiet });
    const call = (method: string, path: string, credential: string, json?: unknown): Promise<Response> =>
      fetch(own.url + path, {
        method,
        headers: {
          authorization: `Bearer ${credential}`,
          ...(json === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      });
    const issue = () => call("POST", "/v1/keys", own.tokens.bob, { name: "late", scopes: ["projects:read"] });
    const before = Array.from({ length: 8 }, issue);
    const disabled = call("POST", `/v1/admin/users/${bob.id}/disable`, own.tokens.admin);
    const after = Array.from({ length: 8 }, issue);
    expect((await disabled).status).toBe(204);
    for (const answer of await Promise.all([...before, ...after])) {
      const issued: unknown = await answer.json();
      if (typeof issued !== "object" || issued === null || !("key" in issued)) continue;
      expect((await call("GET", "/v1/projects", String(issued.key))).status).toBe(401);
    }
    await own.close();
  });
});

describe("whatever bytes come", () => {
  let served: Protected;
  beforeAll(async () => {
    served = await startProtected({ audit: quiet });
  });
  afterAll(async () => {
    await served.close();
    expect(errors).toEqual([]);
  });

  test("the process lives, answers with a status of ours, and never with 500", async () => {
    const bearer = `Authorization: Bearer ${served.tokens.alice}\r\n`;
    const host = "Host: localhost\r\n";
    const body = JSON.stringify({ email: alice.email, password: "wrong" });
    const sound = [
      `GET /v1/projects?limit=5 HTTP/1.1\r\n${host}${bearer}\r\n`,
      `POST /v1/sign-in HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      `OPTIONS /v1/projects HTTP/1.1\r\n${host}Origin: https://app.projects.example\r\nAccess-Control-Request-Method: POST\r\n\r\n`,
      `POST /v1/projects HTTP/1.1\r\n${host}${bearer}Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      `DELETE /v1/session HTTP/1.1\r\n${host}Cookie: __Host-session=abc\r\nSec-Fetch-Site: same-origin\r\n\r\n`,
    ];
    const pieces = [
      "\r\n",
      "\n",
      "\r",
      "\0",
      " ",
      ":",
      "%",
      "%00",
      "%2e",
      "/",
      "//",
      "?",
      "#",
      "{",
      '"',
      "é",
      "\t",
      "0",
      ",",
      "=",
    ];
    const change = fc.record({
      base: fc.constantFrom(...sound),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.nat({ max: 6 }),
      piece: fc.constantFrom(...pieces),
    });
    const statuses = new Set<number>();
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 8, maxLength: 8 }), async (changes) => {
        const answers = await Promise.all(
          changes.map(({ base, at, cut, piece }) => {
            const place = Math.floor(at * base.length);
            return exchange(served.port, base.slice(0, place) + piece + base.slice(place + cut));
          }),
        );
        for (const status of answers) {
          statuses.add(status);
          expect(status).not.toBe(500);
        }
      }),
      { seed: 20_261_122, numRuns: 40 },
    );
    expect([...statuses].filter((status) => status > 0 && (status < 200 || status > 503))).toEqual([]);
    const { status } = await fetch(`${served.url}/v1/me`, {
      headers: { authorization: `Bearer ${served.tokens.bob}` },
    });
    expect(status).toBe(200);
  });
});

/** The status of the first answer to exactly these bytes; 0 where there is none within half a second. */
function exchange(port: number, bytes: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes, "latin1"));
    let text = "";
    const timer = setTimeout(done, 500);
    function done(): void {
      clearTimeout(timer);
      socket.destroy();
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0));
    }
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (text.includes("\r\n\r\n")) done();
    });
    socket.on("close", done);
    socket.on("error", done);
  });
}
