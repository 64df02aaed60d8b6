import { describe, expect, it } from "vitest";
import { identityOf } from "../src/scan.ts";
import { jsonReport, reportOf, tableReport } from "../src/reporters.ts";
import { scanThings, startThings } from "./things.ts";

const part = (json: unknown): string => Buffer.from(JSON.stringify(json)).toString("base64url");

/** A token of the little server, whose signature nobody looks at: it knows this very text and no other. */
const token = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: "alice", exp: 4102444800 })}.${"c2lnbmF0dXJl".repeat(3)}`;

describe("a verdict without a test signing key", () => {
  it("is held for what was tried and names what was not, in the table and in the JSON", async () => {
    const { url, close } = await startThings({
      before: ({ request, path }) =>
        path === "/me" && request.headers.authorization === `Bearer ${token}` ? [200, { id: "alice" }] : undefined,
    });
    const identities = [identityOf("alice", `Bearer ${token}`)];
    const openapi = {
      openapi: "3.1.0",
      info: { title: "me", version: "1" },
      security: [{ bearer: [] }],
      paths: { "/me": { get: { responses: { 200: { description: "It" } } } } },
    };
    const result = await scanThings(url, ["jwt"], { identities, openapi });
    await close();
    const found = result.protections.find(({ protection }) => protection === "jwt");
    expect(found).toMatchObject({
      verdict: "held",
      why: expect.stringMatching(/^\d+ checks hold; not tried: single claims .*--jwt-key/),
      untried: [expect.stringContaining("--jwt-key")],
    });
    expect(jsonReport(reportOf(result))).toContain('"untried": true');
    expect(tableReport(reportOf(result))).toMatch(/What was not tried\n {4}- jwt: Single claims \(exp/);
  });
});
