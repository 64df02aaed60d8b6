import { anyCaller, described, nothing } from "portcullis";
import { describe, expect, it } from "vitest";
import { testApi, token } from "../front-door.ts";

describe("input", () => {
  it("waits for a validator that answers with a thenable, instead of taking it for a match", async () => {
    const refusing = {
      "~standard": {
        version: 1,
        vendor: "thenable",
        validate: () => ({
          // oxlint-disable-next-line unicorn/no-thenable -- this is what the test is about
          then: (resolve: (result: unknown) => void) => resolve({ issues: [{ message: "never", path: ["a"] }] }),
        }),
      },
    } as const;
    const schema = {
      type: "object",
      properties: { a: { type: "boolean" } },
      required: ["a"],
      additionalProperties: false,
    } as const;
    const test = testApi();
    let ran = false;
    const body = Reflect.apply(described, undefined, [refusing, schema]);
    Reflect.apply(test.api.route, test.api, [
      { path: "POST /v1/thenable", access: anyCaller, input: { body }, output: nothing },
      () => {
        ran = true;
      },
    ]);
    const listening = await test.api.listen({ port: 0, handleSignals: false });
    const answer = await fetch(`${listening.url}/v1/thenable`, {
      method: "POST",
      headers: { authorization: `Bearer ${await token("alice")}`, "content-type": "application/json" },
      body: '{"a":"no boolean"}',
    });
    await listening.close();
    expect([answer.status, ran]).toEqual([400, false]);
  });
});
