import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { readDocument } from "../src/documents.ts";
import type { JsonRecord } from "../src/json.ts";
import { readTarget } from "../src/manifest.ts";
import { accepts, fromPattern } from "../src/pattern.ts";
import { seeded } from "../src/random.ts";
import { readRecording } from "../src/recorded.ts";
import { identityOf, scan } from "../src/scan.ts";
import { validValue } from "../src/values.ts";

const folder = mkdtempSync(join(tmpdir(), "hostile-"));
afterAll(() => rmSync(folder, { recursive: true }));

const head = { openapi: "3.0.0", info: { title: "t", version: "1" } };
const answers = { responses: { 200: { description: "ok" } } };

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, JSON.stringify(content));
  return path;
}

describe("a description somebody else wrote", () => {
  it("reads no file outside its folder, no hidden one and nothing behind a link", async () => {
    file("secret.json", { auths: "swordfish" });
    file("api/.docker/config.json", { auths: "swordfish" });
    file("api/parts/thing.json", { type: "object" });
    symlinkSync(join(folder, "secret.json"), join(folder, "api/linked.json"));
    const schemas = [
      "../secret.json",
      `file://${folder}/secret.json`,
      `${folder}/secret.json`,
      "parts/../../secret.json",
      "%2e%2e/secret.json",
      ".docker/config.json",
      "linked.json",
      "/etc/passwd",
      "file:///etc/passwd",
    ];
    const paths = Object.fromEntries(
      [...schemas, "parts/thing.json"].map((ref, index) => {
        const body = { content: { "application/json": { schema: { example: { $ref: ref } } } } };
        return [`/p${index}`, { post: { requestBody: body, ...answers } }];
      }),
    );
    const { document, notes } = await readDocument(file("api/openapi.json", { ...head, paths }));
    expect(JSON.stringify(document)).not.toMatch(/swordfish|root:/);
    expect(notes.length).toBeGreaterThanOrEqual(6);
    expect(JSON.stringify(document)).toContain('"example":{"type":"object"}');
  });

  it("reads no file at all where it came from an address or was handed over", async () => {
    const secret = file("secret.json", { auths: "swordfish" });
    const paths = { "/a": { get: { ...answers, "x-a": { $ref: `file://${secret}` }, "x-b": { $ref: secret } } } };
    const text = JSON.stringify({ ...head, paths });
    const served = readDocument("http://127.0.0.1:1/openapi.json", async () => text);
    const seen = await Promise.allSettled([served, readDocument({ ...head, paths })]);
    expect(inspect(seen, { depth: 12 })).not.toContain("swordfish");
  });

  it("takes no longer than a moment for a pattern made to take for ever", () => {
    expect(accepts("^(a+)+$", `${"a".repeat(60)}!`)).toBeUndefined();
    expect(accepts("^[a-z]+$", "abc")).toBe(true);
    expect(accepts("^[a-z]+$", "ABC")).toBe(false);
    expect(accepts("(", "abc")).toBeUndefined();
    for (const pattern of ["^((a{9999}){9999}){9999}$", "((^{9999}){9999}){9999}", "a{999999999}", "(".repeat(60_000)])
      expect(fromPattern(pattern, seeded(1))).toBeUndefined();
    for (const members of [" -\uffff", "a".repeat(20_000), "^ -\uffff"])
      expect(fromPattern(`[${members}]{99999}`, seeded(1))).toBeUndefined();
    expect(fromPattern("^[ -\uffff]{3,40}$", seeded(1))).toMatch(/^[ -\uffff]{3,40}$/);
  });

  it("asks for more than any request holds and gets nothing", () => {
    const many = (items: JsonRecord): JsonRecord => ({ type: "array", minItems: 1000, items });
    const schemas: readonly JsonRecord[] = [
      { type: "string", minLength: 400_000_000 },
      { type: "array", minItems: 1e9, items: { type: "integer" } },
      many(many(many(many({ type: "integer" })))),
      { type: "array", minItems: 15_000, items: { type: "string", minLength: 15_000_000 } },
    ];
    for (const schema of schemas)
      expect(() => validValue(schema, { random: seeded(1) })).toThrow(/more than any request/);
  });

  it("writes no line of its own into a request: paths are encoded, impossible headers leave their operation out", async () => {
    const header = (name: string, value: string) => ({
      parameters: [{ name, in: "header", required: true, schema: { type: "string", enum: [value] } }],
      ...answers,
    });
    const { operations, assumptions } = await readTarget(
      {
        ...head,
        paths: {
          "/a b\r\nX-Evil: 1": { get: answers },
          "/caf\u00e9/{na me}": { get: answers },
          "/name": { get: header("X-A\r\nX-Evil", "1") },
          "/value": { get: header("X-A", "1\r\nX-Evil: 1") },
          "/type": { post: { requestBody: { content: { "a/json\r\nX-Evil: 1": { schema: {} } } }, ...answers } },
        },
      },
      "openapi",
    );
    expect(operations.map(({ path }) => path)).toEqual(["/a%20b%0D%0AX-Evil:%201", "/caf%C3%A9/{na me}"]);
    expect(assumptions.filter((line) => /a header that HTTP cannot write/.test(line))).toHaveLength(3);
  });

  it("changes nothing of what every object has", async () => {
    const text = `{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{"__proto__":{"get":{"polluted":1}},
      "/t":{"post":{"requestBody":{"content":{"application/json":{"schema":{"type":"object","required":["__proto__"],
      "properties":{"__proto__":{"type":"object","required":["polluted"],"properties":{"polluted":{"const":1}}},
      "constructor":{"type":"object","properties":{"prototype":{"type":"object","properties":{"polluted":{"const":1}}}}}}}}}},
      "responses":{"201":{"description":"x"}}}}},"components":{"schemas":{"__proto__":{"polluted":1}}}}`;
    const server = createServer((request, response) => {
      response.writeHead(request.method === "POST" ? 201 : 200, { "content-type": "application/json" });
      response.end('{"id":"abcdefgh","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
    const openapi = file("proto/openapi.json", {});
    writeFileSync(openapi, text);
    const identities = [
      identityOf("alice", "Bearer alice-0123456789", []),
      identityOf("bob", "Bearer bob-0123456789", []),
    ];
    await scan({
      url: `http://127.0.0.1:${address.port}`,
      openapi,
      identities,
      only: ["object-access", "input"],
      budget: 200,
    });
    server.close();
    server.closeAllConnections();
    expect("polluted" in {}).toBe(false);
  });

  it("of recorded requests keeps no secret, neither of an address nor of a body", async () => {
    const secret = "swordfish-0123456789";
    const request = {
      method: "POST",
      url: `http://localhost:3000/in?page=2&access_token=${secret}&api_key=${secret}`,
      headers: [{ name: "authorization", value: `Bearer ${secret}` }],
      postData: {
        mimeType: "application/json",
        text: JSON.stringify({ user: "ana", password: secret, more: [{ refreshToken: secret }] }),
      },
    };
    const har = {
      log: { entries: [{ request, response: { status: 200, content: { mimeType: "application/json" } } }] },
    };
    const recording = await readRecording(file("in.har", har), new URL("http://localhost:3000"));
    expect(JSON.stringify(recording)).not.toContain(secret);
    expect(recording.requests).toMatchObject([
      { query: { page: "2" }, body: { user: "ana", password: expect.any(String) } },
    ]);
  });
});
