import { afterEach, describe, expect, it } from "vitest";
import { brokenIn, closeSurfaces, scanSurface } from "./surface.ts";
import type { Answered, Asked } from "./things.ts";

afterEach(closeSurfaces);

/** Scans an API that answers this where a thing cannot be created. */
async function leaksOf(answer: Answered | ((turn: number) => Answered)): Promise<readonly string[]> {
  let turn = 0;
  const before = ({ method, path, who, body }: Asked): Answered | undefined => {
    if (method !== "POST" || path !== "/things" || who === undefined || typeof body["name"] === "string")
      return undefined;
    turn += 1;
    return typeof answer === "function" ? answer(turn) : answer;
  };
  const found = brokenIn(await scanSurface({ before }, ["errors"]));
  return found.filter((line) => /^errors\/(?:leaks|validator)/.test(line));
}

const frames = ["at parse (/srv/api/dist/body.js:3:9)", "at next (/srv/api/node_modules/router/index.js:8:1)"];
const page = `<pre>SyntaxError: Unexpected end of JSON input<br> &nbsp; &nbsp;${frames.join("<br> &nbsp; &nbsp;")}</pre>`;

describe("the errors probe", () => {
  it.each<[string, Answered]>([
    ["a framework's page with the stack", [400, page]],
    ["a stack in a member", [400, { error: "bad", stack: `SyntaxError: bad\n    ${frames.join("\n    ")}` }]],
    ["what a database says", [500, { error: 'SQLITE_ERROR: near "x": syntax error' }]],
  ])("finds %s, whatever the status", async (_name, answer) => {
    expect(await leaksOf(answer)).toEqual([expect.stringMatching(/^errors\/leaks/)]);
  });

  it.each<[string, object]>([
    ["Zod", { issues: [{ code: "invalid_type", expected: "string", path: ["name"], message: "Invalid input" }] }],
    [
      "Ajv",
      [{ instancePath: "/name", schemaPath: "#/properties/name/type", keyword: "type", params: {}, message: "" }],
    ],
    ["Joi", { details: [{ message: "…", path: ["name"], type: "string.base", context: { label: "name" } }] }],
    ["class-validator", [{ property: "name", children: [], constraints: { isString: "name must be a string" } }]],
  ])("finds the issues of %s", async (library, body) => {
    expect(await leaksOf([400, body])).toEqual([expect.stringMatching(`^errors/validator: .*${library}`)]);
  });

  it.each<[string, Answered]>([
    [
      "an error format of the API's own",
      [422, { errors: [{ code: "too_small", field: "name", message: "Too short" }] }],
    ],
    ["a sentence with a word of the machinery", [400, { title: "Unexpected token in your order" }]],
    ["a place in the caller's own text", [400, { detail: "not JSON, at line 1:2" }]],
  ])("takes %s for none", async (_name, answer) => {
    expect(await leaksOf(answer)).toEqual([]);
  });

  it("calls no shape another that has no body", async () => {
    const result = await scanSurface({ stranger: () => [401] }, ["errors"]);
    expect(brokenIn(result)).toEqual([]);
  });

  it("does not report what was shown only once", async () => {
    expect(await leaksOf((turn) => (turn === 1 ? [400, page] : [400, { title: "No" }]))).toEqual([]);
  });
});
