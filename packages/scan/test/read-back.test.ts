import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { recordAt } from "../src/json.ts";
import { identityOf, scan } from "../src/scan.ts";
import { closeSurfaces, scanSurface, verdictOn } from "./surface.ts";
import { type Answered, type Asked, description, startThings } from "./things.ts";

afterEach(closeSurfaces);

describe("what is done to an object that only a list shows", () => {
  it("is seen there, when a stranger or somebody else does it", async () => {
    for (const isGuarded of [true, false]) {
      const result = await scanSurface({ before: keys(isGuarded) }, ["authentication", "object-access"], {
        openapi: described,
      });
      const rotations = result.verdicts.filter(({ operation }) => operation === "POST /things/:id/rotate");
      expect(new Set(rotations.map(({ verdict }) => verdict))).toEqual(new Set([isGuarded ? "held" : "broken"]));
      expect(rotations.map(({ protection }) => protection)).toEqual(
        expect.arrayContaining(["authentication", "object-access"]),
      );
    }
  });
});

describe("an object that is made with scopes", () => {
  it("is made with one its owner has, since nobody gives away more", async () => {
    const asked: unknown[] = [];
    const before = ({ method, path, body, request }: Asked): Answered | undefined => {
      if (request.headers.authorization !== `Bearer ${token}`) return [401, { title: "No" }];
      if (path === "/me") return [200, { id: "alice" }];
      if (method !== "POST" || path !== "/things") return undefined;
      asked.push(body["scopes"]);
      return [201, { id: randomUUID(), name: body["name"], owner: "alice" }];
    };
    const scopes = { type: "array", items: { type: "string" }, minItems: 1 };
    const schema = { type: "object", required: ["name", "scopes"], properties: { name: { type: "string" }, scopes } };
    const things = recordAt(recordAt(description, "paths"), "/things") ?? {};
    const post = { ...recordAt(things, "post"), requestBody: { content: { "application/json": { schema } } } };
    await scanSurface({ before }, ["mass-assignment"], {
      openapi: { ...description, paths: { ...recordAt(description, "paths"), "/things": { ...things, post } } },
      identities: [identityOf("alice", `Bearer ${token}`)],
    });
    expect(new Set(asked.map((one) => JSON.stringify(one)))).toContain('["notes:read"]');
  });
});

describe("a method that the scan leaves alone", () => {
  it("is declared all the same", async () => {
    const said = { responses: { 200: { description: "Fine" } }, "x-portcullis": { access: { kind: "public" } } };
    const { url, close } = await startThings({
      before: ({ method, path }) => {
        if (path !== "/reset") return undefined;
        return method === "GET" || method === "POST" ? [200, {}] : [405, {}, { allow: "GET, POST, HEAD" }];
      },
    });
    const manifest = {
      openapi: "3.1.0",
      info: { title: "t", version: "1" },
      "x-portcullis": { format: 1, name: "t" },
      paths: { "/reset": { get: said, post: said } },
    };
    const result = await scan({ url, manifest, only: ["versioning"], identities: [], seed: 1 });
    await close();
    expect(verdictOn(result, "undeclared-method")).toMatchObject({ verdict: "held" });
  });
});

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const token = `${part({ alg: "none" })}.${part({ sub: "alice", scope: "notes:read" })}.c2lnbmVk`;

const item = recordAt(recordAt(description, "paths"), "/things/{id}") ?? {};
const rotate = { post: { responses: { 200: { description: "Rotated" } } }, parameters: item["parameters"] };
const described = {
  ...description,
  paths: {
    ...recordAt(description, "paths"),
    "/things/{id}": { parameters: item["parameters"], delete: item["delete"] },
    "/things/{id}/rotate": rotate,
  },
};

/** Things that cannot be read one by one, and that can be rotated by their owner, or by everybody. */
function keys(isGuarded: boolean): (asked: Asked) => Answered | undefined {
  const all = new Map<string, { id: string; owner: string; name: unknown; replacedBy: string | null }>();
  return ({ method, path, who, body }) => {
    const [, collection, id, action] = path.split("/");
    if (collection !== "things") return undefined;
    if (action === "rotate" && method === "POST") {
      const key = all.get(id ?? "");
      if (who === undefined && isGuarded) return [401, { title: "No" }];
      if (key === undefined || (key.owner !== who && isGuarded)) return [404, { title: "No" }];
      key.replacedBy = randomUUID();
      return [200, { id: key.replacedBy }];
    }
    if (who === undefined) return [401, { title: "No" }];
    if (method === "POST") {
      const made = { id: randomUUID(), owner: who, name: body["name"], replacedBy: null };
      all.set(made.id, made);
      return [201, made];
    }
    if (method === "GET" && id === undefined)
      return [200, { items: [...all.values()].filter((key) => key.owner === who) }];
    if (method !== "DELETE" || all.get(id ?? "")?.owner !== who) return [404, { title: "No" }];
    all.delete(id ?? "");
    return [204];
  };
}
