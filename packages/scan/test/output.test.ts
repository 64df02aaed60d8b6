import { afterEach, describe, expect, it } from "vitest";
import type { JsonRecord } from "../src/json.ts";
import type { ScanResult } from "../src/scan.ts";
import { type Answered, scanThings, startThings } from "./things.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Scans `GET /me` alone, by a description with that schema, while it answers that. */
async function scanMe(
  schema: JsonRecord,
  answer: JsonRecord,
  more: Parameters<typeof scanThings>[2] = {},
): Promise<ScanResult> {
  const me: Answered = [200, answer];
  const { url, close } = await startThings({
    before: ({ path, who }) => (path === "/me" && who !== undefined ? me : undefined),
  });
  closing.push(close);
  const responses = { 200: { description: "It", content: { "application/json": { schema } } } };
  const openapi = {
    openapi: "3.1.0",
    info: { title: "me", version: "1" },
    security: [{ bearer: [] }],
    paths: { "/me": { get: { responses } } },
  };
  return await scanThings(url, ["output"], { openapi, ...more });
}

function output(result: ScanResult) {
  return result.protections.find(({ protection }) => protection === "output");
}

const open = { type: "object", properties: { id: { type: "string" } } };
const closed = { ...open, additionalProperties: false };

describe("the output probe and schemas", () => {
  it("calls a field that a closed schema does not declare broken", async () => {
    const found = output(await scanMe(closed, { id: "1", internalNote: "x" }));
    expect(found).toMatchObject({ verdict: "broken", why: expect.stringContaining("internalNote") });
  });

  it.each([
    ["an open schema", open, { id: "1", a: 1 }],
    ["a schema without members", { type: "object" }, { id: "1" }],
    [
      "an open object inside a closed one",
      { ...closed, properties: { ...open.properties, extra: { type: "object" } } },
      { id: "1", extra: { a: 1 } },
    ],
  ])("takes a field that %s allows as no finding, and says what decided", async (_name, schema, answer) => {
    const result = await scanMe(schema, answer);
    expect(output(result)).toMatchObject({
      verdict: "held",
      untried: [expect.stringMatching(/fields nobody declared.*additionalProperties: false/i)],
    });
    const secrets = result.verdicts.find(({ check }) => check === "secrets");
    expect(secrets?.why).toContain("its schema is open");
  });

  it("calls the password of a known account broken, also where an open schema allows every field", async () => {
    const accounts = [{ user: "alice", password: "wonderland-1" }];
    const found = output(await scanMe(open, { id: "1", note: "wonderland-1" }, { accounts }));
    expect(found).toMatchObject({ verdict: "broken", why: "GET /me answers with the password of an account." });
  });

  it("holds an open schema whole where every field it answers with is declared", async () => {
    expect(output(await scanMe(open, { id: "1" }))).toMatchObject({ verdict: "held", untried: [] });
  });

  it("calls the shape of a secret broken whatever the schema allows", async () => {
    const hash = `$2b$12$${"a".repeat(53)}`;
    expect(output(await scanMe(open, { id: "1", note: hash }))).toMatchObject({ verdict: "broken" });
  });

  it("does not decide by a suspicious name alone where the schema is open", async () => {
    const found = output(await scanMe(open, { id: "1", passwordHash: "?" }));
    expect(found).toMatchObject({
      verdict: "inconclusive",
      why: expect.stringContaining("neither declares nor forbids"),
    });
  });
});

describe("the output probe and what it sent", () => {
  it("finds a member that may only be written in an answer", async () => {
    const { url, close } = await startThings({
      before: ({ method, path, body, who }) =>
        method === "POST" && path === "/things" && who !== undefined ? [201, { id: "1", ...body }] : undefined,
    });
    closing.push(close);
    const pin = { type: "string", minLength: 8, maxLength: 40, writeOnly: true };
    const schema = { type: "object", required: ["name", "pin"], properties: { name: { type: "string" }, pin } };
    const answers = { 201: { description: "It", content: { "application/json": { schema: open } } } };
    const openapi = {
      openapi: "3.1.0",
      info: { title: "things", version: "1" },
      security: [{ bearer: [] }],
      paths: {
        "/things": { post: { requestBody: { content: { "application/json": { schema } } }, responses: answers } },
        "/things/{id}": {
          parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
          get: { responses: { 200: { description: "It" } } },
        },
      },
    };
    const result = await scanThings(url, ["output"], { openapi });
    const found = result.verdicts.find(({ verdict }) => verdict === "broken");
    expect(found?.why).toBe("POST /things answers with the pin it was sent.");
  });
});
