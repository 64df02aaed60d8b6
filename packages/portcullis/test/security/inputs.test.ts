import type { Listening } from "portcullis";
import { anyCaller, described, nothing } from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { testApi, token } from "../front-door.ts";
import { raw } from "../node/raw.ts";

let open: Listening | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** A lint rule keeps objects with a `then` out of the code; here one is meant. */
const later = ["th", "en"].join("");

function boom(): never {
  throw new Error("boom");
}

async function postJson(path: string, body: unknown): Promise<number> {
  const answer = await fetch(`${open?.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token("alice")}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return answer.status;
}

describe("input: a schema that does not simply answer lets nothing through", () => {
  const issues = { issues: [{ message: "no" }] };
  const answers: readonly (readonly [string, () => unknown, number])[] = [
    [
      "a thenable that resolves with issues",
      () => ({ [later]: (resolve: (value: unknown) => void) => resolve(issues) }),
      400,
    ],
    [
      "a thenable that rejects",
      () => ({ [later]: (_: unknown, reject: (error: unknown) => void) => reject("no") }),
      500,
    ],
    ["a promise that rejects", () => Promise.reject(new Error("no")), 500],
    ["a promise that never ends", () => new Promise(() => undefined), 503],
    ["an answer that is neither issues nor a value", () => ({}), 500],
    ["nothing", () => undefined, 500],
    ["issues that are null", () => ({ issues: null }), 500],
    ["a throw", () => boom(), 500],
    ["a getter that throws", () => Object.defineProperty({}, "issues", { get: boom }), 500],
  ];
  it.each(answers)("%s", async (_name, answer, status) => {
    const { api } = testApi();
    const ran: unknown[] = [];
    const json = { type: "object", properties: { n: { type: "boolean" } }, additionalProperties: false } as const;
    const odd = z.strictObject({ n: z.boolean().optional() });
    const body = described(
      { "~standard": Object.assign({ version: 1 as const, vendor: "odd" }, { validate: odd["~standard"].validate }) },
      json,
    );
    // What a library without types, or with promises of its own making, does at run time.
    const careless = { "~standard": { ...body["~standard"], validate: answer } };
    const policy = {
      path: "POST /v1/odd",
      access: anyCaller,
      input: { body: careless },
      output: nothing,
      timeoutMs: 300,
    };
    Reflect.apply(api.route, api, [policy, (given: unknown) => void ran.push(given)]);
    open = await api.listen({ port: 0, handleSignals: false });
    expect(await postJson("/v1/odd", { n: true })).toBe(status);
    expect(ran).toEqual([]);
  });
});

describe("input: no credential and no forwarded header reaches a handler as a header of the input", () => {
  it.each([
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "x-api-key",
    "host",
  ])("%s stops the start", (name) => {
    const { api } = testApi();
    const headers = z.strictObject({ [name]: z.string().max(100) });
    api.route({ path: "GET /v1/x", access: anyCaller, input: { headers }, output: nothing }, () => undefined);
    expect(api.problems().map((one) => `${one.field}: ${one.problem}`)).toEqual([
      `input.headers: hands ${name} to the handler as it was sent`,
    ]);
  });

  it("and a header of the application's own does not", async () => {
    const { api } = testApi();
    const headers = z.strictObject({ "x-trace": z.string().max(10) });
    api.route({ path: "GET /v1/x", access: anyCaller, input: { headers }, output: nothing }, () => undefined);
    open = await api.listen({ port: 0, handleSignals: false });
    const bearer = `Authorization: Bearer ${await token("alice")}\r\n`;
    const get = (lines: string) =>
      raw(open?.port ?? 0, `GET /v1/x HTTP/1.1\r\nHost: localhost\r\n${bearer}${lines}\r\n`);
    expect((await get("X-Trace: abc\r\n")).status).toBe(204);
    expect((await get("X-Trace: abc\r\nx-trace: def\r\n")).status).toBe(400);
    expect((await get("X_Trace: abc\r\n")).status).toBe(400);
  });
});
