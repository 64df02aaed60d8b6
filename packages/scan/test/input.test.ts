import { describe, expect, it } from "vitest";
import { isRecord, type JsonRecord, parseJson } from "../src/json.ts";
import { checksThatAre, type NotesApi, parseStrictly, scanNotes } from "./notes-api.ts";

type Parse = NonNullable<NotesApi["parse"]>;

/** Takes what a test decides of a body that would be refused. */
const lenient =
  (takes: (json: JsonRecord, text: string) => unknown): Parse =>
  (bytes, request) => {
    const strict = parseStrictly(bytes, request);
    const text = bytes.toString();
    const json = parseJson(text);
    if (strict !== 400 || !isRecord(json)) return strict;
    const note = takes(json, text);
    return typeof note === "string" ? { text: note } : 400;
  };

const textOf = (json: JsonRecord) =>
  typeof json["text"] === "string" && json["text"] !== "" ? json["text"] : undefined;

describe("input", { timeout: 60_000 }, () => {
  it("finds nothing where what the schema forbids is refused, and says of each kind that it was", async () => {
    const result = await found({});
    expect(result.broken).toEqual([]);
    expect(result.held).toEqual(
      expect.arrayContaining(["duplicate-key", "form", "length", "missing", "prototype-key", "type", "unknown-field"]),
    );
  });

  it("leaves refusals in peace that are no 400: 409, 302, 422", async () => {
    const statuses = [409, 302, 422];
    for (const status of statuses) {
      const parse: Parse = (bytes, request) => {
        const note = parseStrictly(bytes, request);
        return typeof note === "number" ? status : note;
      };
      expect((await found({ parse })).broken).toEqual([]);
    }
  });

  it.each([
    [
      "an unknown field",
      ["constructor-key", "prototype-key", "unknown-field"],
      lenient((json, text) => (/"text".*"text"|u0074|a{9}/.test(text) ? 0 : textOf(json))),
    ],
    ["a field twice", ["duplicate-key"], lenient((json, text) => (/"text".*"text"/.test(text) ? textOf(json) : 0))],
    [
      "a field under two spellings",
      ["duplicate-key"],
      lenient((json, text) => (/u0074/.test(text) ? textOf(json) : 0)),
    ],
    ["a number for a text", ["type"], lenient(({ text }) => (typeof text === "number" ? String(text) : 0))],
    ["a list for a text", ["type"], lenient(({ text }) => (Array.isArray(text) ? String(text) : 0))],
    ["a text that is too long", ["length"], lenient(({ text }) => (String(text).length === 201 ? text : 0))],
    ["no text at all", ["missing"], lenient((json) => ("text" in json ? 0 : "nothing"))],
  ] as const)("finds an API that takes %s", async (_what, checks, parse) => {
    expect((await found({ parse })).broken).toEqual(checks);
  });

  it("finds JSON under another name, and an internal error in the place of a refusal", async () => {
    const any: Parse = (bytes, request) => {
      request.headers["content-type"] = "application/json";
      return parseStrictly(bytes, request);
    };
    expect((await found({ parse: any })).broken).toEqual(["form", "no-content-type", "text-plain"]);
    const falls: Parse = (bytes, request) => (bytes.toString().endsWith("}") ? parseStrictly(bytes, request) : 500);
    expect((await found({ parse: falls })).broken).toEqual(["not-json", "wrong-root"]);
  });

  it("leaves an API in peace that says it takes unknown fields", async () => {
    const open = (document: JsonRecord): JsonRecord =>
      JSON.parse(JSON.stringify(document).replace('"additionalProperties":false', '"additionalProperties":true'));
    const parse = lenient((json) => {
      const note = textOf(json);
      return note !== undefined && note.length <= 200 ? note : undefined;
    });
    expect((await found({ parse, described: open })).broken).toEqual([]);
  });

  it("says one thing for each kind, and asks no more than 120 times however many members there are", async () => {
    const wide = (document: JsonRecord): JsonRecord => {
      const members = Array.from({ length: 60 }, (_one, index) => [`m${index}`, { type: "string", maxLength: 10 }]);
      const text = JSON.stringify(Object.fromEntries(members)).slice(1);
      return JSON.parse(
        JSON.stringify(document).replace('"properties":{"text"', `"properties":{${text.slice(0, -1)},"text"`),
      );
    };
    const parse: Parse = (bytes) => {
      const json = parseJson(bytes.toString());
      return isRecord(json) && typeof json["text"] === "string" ? { text: json["text"] } : 400;
    };
    const result = await scanNotes({ parse, described: wide }, "input");
    const own = result.verdicts.filter(({ operation, verdict }) => operation === "POST /notes" && verdict === "broken");
    expect(new Set(own.map(({ check }) => check)).size).toBe(own.length);
    expect(own.map(({ check }) => check)).toEqual(expect.arrayContaining(["length", "type", "unknown-field"]));
    expect(result.requestsSeen).toBeLessThan(160);
  });
});

async function found(api: NotesApi) {
  const result = await scanNotes(api, "input");
  return { broken: checksThatAre("broken", result), held: checksThatAre("held", result) };
}
