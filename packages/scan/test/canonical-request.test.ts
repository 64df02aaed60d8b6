import { describe, expect, it } from "vitest";
import type { JsonRecord } from "../src/json.ts";
import { checksThatAre, type NotesApi, scanNotes } from "./notes-api.ts";

type Page = NonNullable<NotesApi["page"]>;

const twenty = (all: readonly JsonRecord[]) => ({ items: all.slice(0, 20) });

describe("canonical-request: query keys", { timeout: 60_000 }, () => {
  it("finds a key of which the first or the last counts", async () => {
    const first: Page = (all) => twenty(all);
    expect(await keysThatAre("broken", first)).toEqual(["query-twice"]);
    const last: Page = (all, query) => (Number(query.getAll("limit").at(-1) ?? "20") <= 50 ? twenty(all) : 400);
    expect(await keysThatAre("broken", last)).toEqual(["query-twice"]);
  });

  it("finds nothing where what comes twice is refused, and unknown keys with it", async () => {
    const strict: Page = (all, query) => (/^(?:limit=\d+)?$/.test(query.toString()) ? twenty(all) : 400);
    expect(await keysThatAre("broken", strict)).toEqual([]);
    expect(await keysThatAre("held", strict)).toEqual(["query-list", "query-object", "query-twice"]);
  });

  it("holds nothing against who passes over every key he does not know, however it is written", async () => {
    const once: Page = (all, query) => (query.getAll("limit").length > 1 ? 400 : twenty(all));
    expect(await keysThatAre("broken", once)).toEqual([]);
    expect(await keysThatAre("held", once)).toEqual(["query-twice"]);
  });

  it("finds a key that is read as a list where unknown ones are refused", async () => {
    const lists: Page = (all, query) =>
      [...query.keys()].every((name) => ["limit", "limit[]"].includes(name)) && query.size < 2 ? twenty(all) : 400;
    expect(await keysThatAre("broken", lists)).toEqual(["query-list"]);
  });
});

async function keysThatAre(verdict: string, page: Page): Promise<readonly string[]> {
  const result = await scanNotes({ page }, "canonical-request");
  return checksThatAre(verdict, result).filter((check) => check.startsWith("query"));
}
