import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { kindsOf } from "../src/kinds.ts";
import { readTarget } from "../src/manifest.ts";
import { manifest } from "./notes/manifest.ts";
import { description } from "./things.ts";

const minimal = { openapi: "3.1.0", info: { title: "t", version: "1" }, paths: { "/a": { get: { responses: {} } } } };

describe("manifest", () => {
  it("reads what the policies add up to", async () => {
    const target = await readTarget(manifest, "manifest");
    expect(target).toMatchObject({ name: "notes", source: "manifest", assumptions: [] });
    const list = target.operations.find(({ id }) => id === "GET /v1/notes");
    expect(list).toMatchObject({ access: { kind: "caller", scopes: ["notes"] }, page: { kind: "cursor", max: 50 } });
    expect(target.operations.find(({ id }) => id === "POST /v1/session")).toMatchObject({
      startsSession: true,
      access: { kind: "public" },
    });
    expect(target.operations.find(({ id }) => id === "GET /v0/notes")?.sunsetAt).toBe(Date.UTC(2021, 0, 1));
  });

  it("reads what is not guarded yet, and says so of shadow mode", async () => {
    const entry = { route: "GET /admin/users", reason: "being moved", until: "2099-01-31" };
    const passing = { ...minimal, "x-portcullis": { format: 1, notYet: [entry] } };
    expect(await readTarget(passing, "manifest")).toMatchObject({
      unguarded: [entry],
      assumptions: expect.arrayContaining([
        "GET /admin/users was not attacked: no policy guards it until 2099-01-31 (being moved).",
      ]),
    });
    const shadow = { until: "2099-01-31", reason: "learning" };
    expect((await readTarget({ ...minimal, "x-portcullis": { format: 1, shadow } }, "manifest")).assumptions).toContain(
      "The API runs in shadow mode until 2099-01-31 (learning): it records refusals and refuses nothing.",
    );
    expect((await readTarget(manifest, "manifest")).unguarded).toEqual([]);
  });

  it("finds kinds of object and what lies inside what", async () => {
    const target = await readTarget(manifest, "manifest");
    const kinds = kindsOf(target, Date.now());
    expect(kinds.map(({ name, parent }) => `${parent?.name ?? ""}/${name}`).sort()).toEqual([
      "/key",
      "/note",
      "note/remark",
    ]);
  });

  it("reads a plain description and says what it assumes", async () => {
    const target = await readTarget(description, "openapi");
    expect(target.assumptions.length).toBeGreaterThan(2);
    expect(target.policy.origins).toBeUndefined();
    expect(target.operations.map(({ id }) => id)).toContain("PATCH /things/:id");
  });

  it("follows references inside the document and YAML", async () => {
    const folder = await mkdtemp(join(tmpdir(), "portcullis-"));
    const file = join(folder, "api.yaml");
    await writeFile(
      file,
      `openapi: 3.0.3
info: { title: y, version: "1" }
paths:
  /a/{id}:
    parameters: [{ $ref: "#/components/parameters/id" }]
    get: { responses: { "200": { description: It } } }
components:
  parameters:
    id: { name: id, in: path, required: true, schema: { type: integer } }
`,
    );
    const target = await readTarget(file, "openapi");
    expect(target.operations[0]?.parameters[0]).toMatchObject({ name: "id", schema: { type: "integer" } });
  });

  it("keeps the path of the first server and not its host", async () => {
    const target = await readTarget({ ...minimal, servers: [{ url: "https://elsewhere.example/api/v2/" }] }, "openapi");
    expect(target.operations[0]?.path).toBe("/api/v2/a");
  });

  it.each([
    ["no-such-file.json", "openapi", /cannot read no-such-file.json/],
    [{ swagger: "1.2", info: {}, paths: {} }, "openapi", /nor Swagger 2.0 \(it says 1.2\)/],
    [{ openapi: "3.1.0" }, "openapi", /not an OpenAPI 3.x document with info and paths.* has no info and no paths/],
    [{ ...minimal, paths: {} }, "openapi", /describes no operation/],
    [minimal, "manifest", /has no x-portcullis/],
    [{ ...minimal, "x-portcullis": { format: 2 } }, "manifest", /manifest of format 2; this prover reads format 1/],
  ] as const)("says what is wrong with %j", async (document, wants, message) => {
    await expect(readTarget(document, wants)).rejects.toThrow(message);
  });
});
