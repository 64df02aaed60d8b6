import { describe, expect, it } from "vitest";
import { reachOf } from "../src/framework.ts";
import { readTarget } from "../src/manifest.ts";
import { broken, held, unlessKept } from "../src/probe.ts";

/** A manifest with a GET at each path. */
function targetOf(paths: readonly string[], unknown: readonly string[]) {
  const operation = { operationId: "x", responses: {}, "x-portcullis": { access: { kind: "caller" } } };
  return readTarget(
    {
      openapi: "3.1.0",
      info: { title: "x", version: "1" },
      "x-portcullis": { format: 1, name: "x", hosts: ["localhost"], unknown: [...unknown] },
      paths: Object.fromEntries(paths.map((path) => [path, { get: operation }])),
    },
    "manifest",
  );
}

describe("an API behind a framework that answers before it", () => {
  it("is not blamed for what its adapter never sees, and says so; what is refused holds", async () => {
    const target = await targetOf(["/api/notes"], ["raw target"]);
    expect(unlessKept(target, "raw target", broken("served", []))).toMatchObject({
      verdict: "not-applicable",
      why: "The framework in front settles it before the API sees anything (unknown: raw target).",
    });
    expect(unlessKept(target, "raw target", held("refused", [])).verdict).toBe("held");
    expect(unlessKept(target, "duplicate headers", broken("served", [])).verdict).toBe("broken");
  });

  it.each([
    [["/api/notes", "/api/me"], ["raw target"], "/api"],
    [["/api/notes", "/api/me"], [], ""],
    [["/api/notes", "/v1/me"], ["raw target"], ""],
    [["/{tenant}/notes"], ["raw target"], ""],
  ])("is looked for below what its paths share: %j, unknown %j", async (paths, unknown, reach) => {
    expect(reachOf(await targetOf(paths, unknown))).toBe(reach);
  });
});
