import type { IncomingMessage } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { type JsonRecord, recordAt } from "../src/json.ts";
import { brokenIn, closeSurfaces, scanSurface, type Surface, verdictOn } from "./surface.ts";
import { type Answered, type Asked, description, scanThings, startThings } from "./things.ts";

afterEach(closeSurfaces);

const paths = recordAt(description, "paths") ?? {};
const scanVersions = (surface: Surface, openapi = description) => scanSurface(surface, ["versioning"], { openapi });

/** Things that can also be replaced with PUT, which stands in no document; what is replaced is remembered here. */
function replaceable(answer: (name: string) => Answered): Surface {
  const names = new Map<string, string>();
  return {
    before({ method, path, who, body, request }) {
      if (!path.startsWith("/things/") || who === undefined) return undefined;
      if (method === "PUT") {
        names.set(path, String(body["name"]));
        return answer(String(body["name"]));
      }
      const name = names.get(path);
      return method === "GET" && name !== undefined && request.headers.authorization !== undefined
        ? [200, { id: path.slice(8), owner: who, name }]
        : undefined;
    },
  };
}

describe("the versioning probe and methods nobody declared", () => {
  it("finds one by what the owner reads afterwards, whatever it answers", async () => {
    for (const status of [200, 204, 500]) {
      const result = await scanVersions(replaceable(() => [status]));
      expect(brokenIn(result)).toEqual([expect.stringMatching(/^versioning\/undeclared-put: PUT \/things\/\{id\}/)]);
    }
  });

  it("finds one that deletes", async () => {
    const { delete: _delete, ...item } = recordAt(paths, "/things/{id}") ?? {};
    const result = await scanVersions({}, { ...description, paths: { ...paths, "/things/{id}": item } });
    expect(brokenIn(result)).toEqual([expect.stringMatching(/^versioning\/undeclared-delete: .*deletes it/)]);
  });

  it("takes a 200 that changes nothing for no finding", async () => {
    const polite = ({ method, path, who }: Asked): Answered | undefined =>
      method === "PUT" && path.startsWith("/things/") && who !== undefined ? [200, { error: "not here" }] : undefined;
    const result = await scanVersions({ before: polite });
    expect(brokenIn(result)).toEqual([]);
    expect(verdictOn(result, "undeclared-put")).toMatchObject({ verdict: "held" });
  });

  it("asks a plain API for no Allow, and calls nothing served that is answered like a method no API has", async () => {
    const result = await scanVersions({
      before: ({ method, path }) =>
        method !== "GET" && path === "/me" ? [200, { error: "no such method" }] : undefined,
    });
    expect(brokenIn(result)).toEqual([]);
  });
});

describe("the versioning probe and what is over", () => {
  const over = { responses: { 410: { description: "Gone since July." } } };
  const openapi = { ...description, paths: { ...paths, "/v0/things": { get: over } } };
  const old =
    (answer: Answered) =>
    ({ path, who }: Asked): Answered | undefined =>
      path === "/v0/things" && who !== undefined ? answer : undefined;

  it("finds what is described with no answer but 410 and still answers", async () => {
    const found = brokenIn(await scanVersions({ before: old([200, { items: [] }]) }, openapi));
    expect(found).toEqual([expect.stringMatching(/^versioning\/sunset: GET \/v0\/things .*still served/)]);
  });

  it("holds where it is gone, or not there any more", async () => {
    for (const status of [410, 404]) {
      const result = await scanVersions({ before: old([status, { title: "Gone" }]) }, openapi);
      expect(brokenIn(result)).toEqual([]);
    }
  });

  it.each([
    ["has passed", "Wed, 01 Jan 2020 00:00:00 GMT", ["versioning/deprecated"]],
    ["is to come", "Fri, 01 Jan 2100 00:00:00 GMT", []],
  ])("believes an answer whose own Sunset %s", async (_name, sunset, checks) => {
    const list = recordAt(recordAt(paths, "/things"), "get");
    const deprecated = {
      ...description,
      paths: { ...paths, "/things": { ...recordAt(paths, "/things"), get: { ...list, deprecated: true } } },
    };
    const result = await scanVersions({ headers: () => ({ sunset }) }, deprecated);
    expect(brokenIn(result).map((line) => line.split(":")[0])).toEqual(checks);
  });
});

describe("the versioning probe and shadows", () => {
  const inVersion = (name: string) =>
    Object.fromEntries(Object.entries(paths).map(([path, item]) => [`/${name}${path}`, item]));
  const first = { ...description, paths: inVersion("v1") };
  /** The same things below every one of these. */
  async function scanBelow(names: readonly string[], openapi: JsonRecord) {
    const { url, server, close } = await startThings();
    server.prependListener("request", (request: IncomingMessage) => {
      const name = names.find((one) => one === "" || request.url?.startsWith(`/${one}/`));
      if (name !== "") request.url = name === undefined ? "/nowhere" : request.url?.slice(name.length + 1);
    });
    const result = await scanThings(url, ["versioning"], { openapi });
    await close();
    return brokenIn(result);
  }

  it("finds an older version nobody declared", async () => {
    expect((await scanBelow(["v1", "v0"], first)).join()).toMatch(/versioning\/version-v0/);
  });

  it("takes the same paths without a version for no shadow where they are declared", async () => {
    const both = { ...description, paths: { ...inVersion("v1"), ...paths } };
    expect(await scanBelow(["v1", ""], both)).toEqual([]);
  });

  it("takes a version that is declared for no shadow", async () => {
    const both = { ...description, paths: { ...inVersion("v1"), ...inVersion("v2") } };
    expect(await scanBelow(["v1", "v2"], both)).toEqual([]);
  });
});

describe("the versioning probe and TRACE", () => {
  it("finds that the request comes back, and nothing where only a page does", async () => {
    const echo = ({ method, request }: Asked): Answered | undefined =>
      method === "TRACE" ? [200, { headers: request.headers }] : undefined;
    expect(brokenIn(await scanVersions({ before: echo })).join()).toMatch(/versioning\/trace/);
    const page = ({ method }: Asked): Answered | undefined => (method === "TRACE" ? [200, { hello: 1 }] : undefined);
    expect(brokenIn(await scanVersions({ before: page }))).toEqual([]);
  });
});
