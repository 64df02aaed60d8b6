import { afterEach, describe, expect, it } from "vitest";
import { isRecord, type JsonRecord, textAt } from "../src/json.ts";
import type { Verdict } from "../src/scan.ts";
import { type Asked, description, scanThings, startThings } from "./things.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const urlencoded = "application/x-www-form-urlencoded";

/** Things that are created by a form. */
function formDescription(): JsonRecord {
  const copy: unknown = JSON.parse(
    JSON.stringify(description).replaceAll(
      'application/json":{"schema":{"type":"object","required"',
      `${urlencoded}":{"schema":{"type":"object","required"`,
    ),
  );
  if (!isRecord(copy)) throw new Error("the description is an object");
  return copy;
}

/** What a scan of things that forms create finds, and the content types they were created with. */
async function scanForms(fails: (asked: Asked) => boolean) {
  const types = new Set<string>();
  const { url, close } = await startThings({
    before: (asked) => {
      if (asked.method !== "POST" || asked.path !== "/things" || asked.who === undefined) return undefined;
      types.add(asked.request.headers["content-type"] ?? "");
      if (asked.request.headers["content-type"] !== urlencoded || textAt(asked.body, "name") === undefined) {
        return [415, { title: "No" }];
      }
      return fails(asked) ? [500, { error: 'syntax error at or near "\'"' }] : undefined;
    },
  });
  closing.push(close);
  const result = await scanThings(url, ["injection"], { openapi: formDescription() });
  const quote: Verdict | undefined = result.verdicts.find(({ check }) => check === "quote-body-name");
  return { types: [...types], quote };
}

describe("forms", () => {
  it("are sent where the description says so, and attacked as forms: a quote in one breaks a query", async () => {
    const { types, quote } = await scanForms(({ body }) => (textAt(body, "name") ?? "").split("'").length % 2 === 0);
    expect(types).toEqual([urlencoded]);
    expect(quote).toMatchObject({ verdict: "broken" });
  });

  it("hold where a quote is text", async () => {
    const { types, quote } = await scanForms(() => false);
    expect(types).toEqual([urlencoded]);
    expect(quote).toMatchObject({ verdict: "held" });
  });
});
