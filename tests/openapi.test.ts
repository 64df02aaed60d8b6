import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identityOf, scan } from "@portcullis/scan";
import { memorySink } from "portcullis";
import { describe, expect, it } from "vitest";
import { startProtected } from "../examples/projects/server.ts";

/** What an OpenAPI document of somebody else's would say: everything but our own members. */
function withoutPolicies(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPolicies);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, of]) => (key === "x-portcullis" ? [] : [[key, withoutPolicies(of)]])),
  );
}

describe("a scan by an OpenAPI document alone", () => {
  it("finds nothing broken in an API that is whole, and says what it had to assume", { timeout: 120_000 }, async () => {
    const api = await startProtected({ audit: { sinks: [memorySink()] } });
    const document = withoutPolicies(api.manifest);
    const folder = mkdtempSync(join(tmpdir(), "portcullis-openapi-"));
    const path = join(folder, "openapi.json");
    writeFileSync(path, JSON.stringify(document));
    const result = await scan({
      url: api.url,
      openapi: path,
      identities: [identityOf("alice", `Bearer ${api.tokens.alice}`), identityOf("bob", `Bearer ${api.tokens.bob}`)],
      seed: 3,
    });
    await api.close();
    rmSync(folder, { recursive: true });
    const broken = result.verdicts
      .filter((one) => one.verdict === "broken")
      .map(({ check, operation, why }) => [check, operation, why]);
    expect(broken).toEqual([]);
    expect(result.assumptions.length).toBeGreaterThan(0);
    expect(result.counts.held).toBeGreaterThan(10);
  });
});
