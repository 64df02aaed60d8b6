import { describe, expect, it } from "vitest";
import type { JsonRecord } from "../src/json.ts";
import { checksThatAre, type NotesApi, scanNotes } from "./notes-api.ts";

type Page = NonNullable<NotesApi["page"]>;

/** A page of so many, in an envelope. */
const some = (all: readonly JsonRecord[], count: number) => ({
  data: { items: all.slice(0, count) },
  has_more: all.length > count,
});

describe("pagination", { timeout: 60_000 }, () => {
  it("finds nothing where what is asked for is refused, or cut to the maximum", async () => {
    expect((await found({})).broken).toEqual([]);
    const cut: Page = (all, query) => some(all, Math.min(50, Math.max(1, Number(query.get("limit") ?? "20") || 20)));
    const result = await found({ page: cut });
    expect(result.broken).toEqual([]);
    expect(result.held).toEqual(expect.arrayContaining(["ignored", "million", "minus-one"]));
  });

  it("finds a limit that has no end, and one below zero", async () => {
    const endless: Page = (all, query) => some(all, Number(query.get("limit") ?? "20") || 20);
    expect((await found({ page: endless })).broken).toEqual(["million", "minus-one", "over-maximum"]);
    const signed: Page = (all, query) => {
      const limit = Number(query.get("limit") ?? "20");
      return !Number.isSafeInteger(limit) || limit > 50 || limit === 0 ? 400 : { items: all.slice(0, limit) };
    };
    expect((await found({ page: signed })).broken).toEqual(["minus-one"]);
  });

  it("finds a list that reads the limit and sends everything", async () => {
    const deaf: Page = (all, query) => {
      const limit = query.get("limit") ?? "20";
      return /^[1-9]\d?$/.test(limit) && Number(limit) <= 50 ? { items: all } : 400;
    };
    const result = await found({ page: deaf });
    expect(result.broken).toEqual(["ignored"]);
  });

  it("leaves a list in peace that has pages of one size, whatever is asked for", async () => {
    expect((await found({ page: (all) => some(all, 10) })).broken).toEqual([]);
    expect((await found({ page: (all) => some(all, 25) })).broken).toEqual([]);
  });

  it("finds a list that knows no pages at all, and not one that has them by itself", async () => {
    const undescribed = (document: JsonRecord): JsonRecord =>
      JSON.parse(JSON.stringify(document).replace(/"parameters":\[\{"name":"limit".*?\}\}\],/, ""));
    expect((await found({ page: (all) => all, described: undescribed })).broken).toEqual(["no-limit"]);
    expect((await found({ page: (all) => some(all, 100), described: undescribed })).broken).toEqual([]);
  });

  it("deletes the crowd it made", async () => {
    const result = await scanNotes({ page: (all) => all }, "pagination");
    expect(result.leftovers).toEqual([]);
  });
});

async function found(api: NotesApi) {
  const result = await scanNotes(api, "pagination");
  return { broken: checksThatAre("broken", result), held: checksThatAre("held", result) };
}
