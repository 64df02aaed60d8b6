import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { type JsonRecord, parseJson, textAt } from "../src/json.ts";
import { checksThatAre, type NotesApi, scanNotes } from "./notes-api.ts";

type Parse = NonNullable<NotesApi["parse"]>;

const form = "application/x-www-form-urlencoded";

/** A note and a number of stars in a form, and nothing else; a test lets one mistake pass. */
const parsing =
  (lets: { type?: boolean; unknown?: boolean; twice?: boolean; long?: boolean; stars?: boolean } = {}): Parse =>
  (bytes, request) => {
    const type = (request.headers["content-type"] ?? "").split(";")[0];
    if (type === "application/json" && lets.type === true)
      return { text: textAt(parseJson(bytes.toString()), "text") ?? "" };
    if (type !== form) return 415;
    const fields = new URLSearchParams(bytes.toString());
    const names = [...fields.keys()];
    const isDouble = new Set(names).size < names.length;
    if (isDouble && lets.twice !== true) return 400;
    if (names.some((name) => !["text", "stars"].includes(name)) && lets.unknown !== true) return 400;
    const text = fields.get("text") ?? "";
    if (text === "" || (text.length > 200 && lets.long !== true)) return 400;
    return !/^[1-5]$/.test(fields.get("stars") ?? "1") && lets.stars !== true ? 400 : { text };
  };

/** The notes as a form in place of JSON. */
const asForm = (document: JsonRecord): JsonRecord =>
  JSON.parse(
    JSON.stringify(document)
      .replace(
        '"requestBody":{"required":true,"content":{"application/json"',
        `"requestBody":{"required":true,"content":{"${form}"`,
      )
      .replace(
        '"properties":{"text":{"type":"string","minLength":1,"maxLength":200}}',
        '"properties":{"text":{"type":"string","minLength":1,"maxLength":200},"stars":{"type":"integer","minimum":1,"maximum":5}}',
      ),
  );

async function found(parse: Parse) {
  const result = await scanNotes({ parse, described: asForm }, "input");
  return { broken: checksThatAre("broken", result), held: checksThatAre("held", result) };
}

describe("a form", { timeout: 60_000 }, () => {
  it("holds where it takes what it declares and nothing else", async () => {
    const { broken, held } = await found(parsing());
    expect(broken).toEqual([]);
    expect(held).toEqual(
      expect.arrayContaining([
        "duplicate-key",
        "json",
        "length",
        "missing",
        "prototype-key",
        "range",
        "type",
        "unknown-field",
      ]),
    );
  });

  it.each([
    ["an unknown field", { unknown: true }, ["constructor-key", "prototype-key", "unknown-field"]],
    ["a name twice", { twice: true }, ["duplicate-key"]],
    ["a text that is too long", { long: true }, ["length"]],
    ["a number that is none", { stars: true }, ["range", "type"]],
    ["JSON", { type: true }, ["json"]],
  ])("is found to take %s", async (_what, lets, checks) => {
    expect((await found(parsing(lets))).broken).toEqual(checks);
  });

  it("may take what an open schema does not forbid", async () => {
    const open = (document: JsonRecord): JsonRecord =>
      JSON.parse(
        JSON.stringify(asForm(document)).replace('"additionalProperties":false', '"additionalProperties":true'),
      );
    const parse = parsing({ unknown: true, twice: true });
    expect(checksThatAre("broken", await scanNotes({ parse, described: open }, "input"))).toEqual([]);
  });
});

describe("the query of a write", { timeout: 60_000 }, () => {
  const queried = (document: JsonRecord): JsonRecord =>
    JSON.parse(
      JSON.stringify(document).replace(
        '"requestBody"',
        '"parameters":[{"name":"notify","in":"query","schema":{"type":"boolean"}},{"name":"tag","in":"query","schema":{"type":"string","maxLength":20}}],"requestBody"',
      ),
    );
  const parse =
    (isChecked: boolean): Parse =>
    (bytes, request: IncomingMessage) => {
      const query = new URL(request.url ?? "/", "http://localhost").searchParams;
      const isWrong = !/^(?:true|false)$/.test(query.get("notify") ?? "true") || (query.get("tag") ?? "").length > 20;
      if (isWrong && isChecked) return 400;
      return { text: textAt(parseJson(bytes.toString()), "text") ?? "" };
    };
  const queries = async (isChecked: boolean, verdict: string) => {
    const result = await scanNotes({ parse: parse(isChecked), described: queried }, "input");
    return checksThatAre(verdict, result).filter((check) => check.startsWith("query"));
  };

  it("is found where its values are taken whatever they are, and holds where they are not", async () => {
    expect(await queries(false, "broken")).toEqual(["query-length", "query-type"]);
    expect(await queries(true, "broken")).toEqual([]);
    expect(await queries(true, "held")).toEqual(expect.arrayContaining(["query-length", "query-type"]));
  });
});
