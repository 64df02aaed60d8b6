import { describe, expect, it } from "vitest";
import { readTarget } from "../src/manifest.ts";
import { scanThings, startThings } from "./things.ts";

const access = { kind: "caller", scopes: [], roles: [] };
const answer = { type: "object", properties: { id: { type: "string" } }, additionalProperties: false };
const responses = { 200: { description: "It", content: { "application/json": { schema: answer } } } };
const selectedBy = (value: string, required: boolean) => [
  { name: "x-api-version", in: "header", required, schema: { const: value } },
];

/** Versions in a header: the usual one in OpenAPI's place, another beside it. */
const manifest = {
  openapi: "3.1.0",
  info: { title: "me", version: "1" },
  "x-portcullis": { format: 1, name: "me", version: { header: "X-Api-Version", default: "1" } },
  paths: {
    "/me": {
      get: {
        security: [{ bearer: [] }],
        parameters: selectedBy("1", false),
        responses,
        "x-portcullis": {
          access,
          versions: [
            {
              security: [{ bearer: [] }],
              parameters: selectedBy("2", true),
              responses,
              "x-portcullis": { access },
            },
          ],
        },
      },
    },
  },
};

describe("versions in a header", () => {
  it("are operations of their own, each with the header that selects it", async () => {
    const { operations, policy } = await readTarget(manifest, "manifest");
    expect(operations.map(({ id, headers }) => [id, headers])).toEqual([
      ["GET /me", []],
      ["GET /me (x-api-version: 2)", [["x-api-version", "2"]]],
    ]);
    expect(policy.version).toEqual({ header: "x-api-version", default: "1" });
  });

  it("are attacked one by one: a later one that asks nobody who he is, is found", async () => {
    const { url, close } = await startThings({
      before({ request, path, who }) {
        const version = request.headers["x-api-version"] ?? "1";
        if (path !== "/me") return undefined;
        if (version === "2") return [200, { id: who ?? "somebody" }];
        return version === "1" ? undefined : [404, { title: "No" }];
      },
    });
    const result = await scanThings(url, ["authentication", "versioning"], { manifest });
    await close();
    const broken = result.verdicts.filter(
      ({ verdict, protection }) => verdict === "broken" && protection === "authentication",
    );
    expect(new Set(broken.map(({ operation }) => operation))).toEqual(new Set(["GET /me (x-api-version: 2)"]));
    const held = result.verdicts.filter(({ check, verdict }) => verdict === "held" && check.startsWith("version-"));
    expect(held.length).toBeGreaterThan(3);
  });

  it("are found where a value nobody declared is answered like the usual one", async () => {
    const { url, close } = await startThings();
    const result = await scanThings(url, ["versioning"], { manifest });
    await close();
    const broken = result.verdicts.filter(({ verdict }) => verdict === "broken");
    expect(broken.map(({ check }) => check)).toContain("version-999");
  });
});
