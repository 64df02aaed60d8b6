import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonProblem } from "../../src/lib/read-json.ts";
import { readJson } from "../../src/lib/read-json.ts";
import { Unreadable } from "../../src/lib/unreadable.ts";

const seed = 20260106;
const utf8 = (text: string) => new TextEncoder().encode(text);
const read = (text: string) => readJson(utf8(text));
const nest = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const keys = (count: number) => `{${Array.from({ length: count }, (_, index) => `"k${index}":0`).join(",")}}`;

describe("canonical-request: JSON body", () => {
  it.each([
    "null",
    "true",
    " \r\n\t1 ",
    "-0.5e-3",
    '"text"',
    "[]",
    "{}",
    '{"a":{"a":{"a":[1,"2",null,{"b":[]}]}}}',
    '{"a:b":"{[\\"]}:","c":"\\\\"}',
    '{"":1," ":2}',
    '{"b":1,"1":2,"a":3,"0":4}',
    '"\\ud83c\\udff0 🏰 \\u00e9é\\n\\t\\b\\f\\r\\/"',
    '"\ufeff\u007f\u0085"',
    '{"toString":1,"hasOwnProperty":2,"__proto":3,"proto__":4}',
    "[9007199254740991,-9007199254740991,0.1,1e15,5e-324]",
    '{"a":1,"A":2}',
    '{"é":1,"e\u0301":2}',
  ])("reads %j as JSON.parse does", (text) => {
    expect(read(text)).toEqual(JSON.parse(text));
  });

  const refused: [string, JsonProblem][] = [
    ["", "json-empty"],
    [" \n", "json-empty"],
    ["\ufeff{}", "json-byte-order-mark"],
    ['{"a":1,"a":1}', "json-duplicate-key"],
    ['{"a":1,"b":2,"a":{}}', "json-duplicate-key"],
    ['{"a":1,"\\u0061":2}', "json-duplicate-key"],
    ['{"x":[{"y":{"a":{"b":1},"a":2}}]}', "json-duplicate-key"],
    ['[{"a":{},"a":{}}]', "json-duplicate-key"],
    ['{"1":0,"1":0}', "json-duplicate-key"],
    ['{"":0,"":0}', "json-duplicate-key"],
    ['{"__proto__":{"admin":true}}', "json-reserved-key"],
    ['{"\\u005f_proto__":{"admin":true}}', "json-reserved-key"],
    ['[[{"a":{"__proto__":null}}]]', "json-reserved-key"],
    ['{"constructor":{"prototype":{"admin":true}}}', "json-reserved-key"],
    ['{"prototype":1}', "json-reserved-key"],
    ["9007199254740992", "json-number-range"],
    ["9007199254740993", "json-number-range"],
    ['{"id":-9007199254740993}', "json-number-range"],
    ["[12345678901234567890]", "json-number-range"],
    ["1e16", "json-number-range"],
    ["1e400", "json-number-range"],
    ['{"a":[-1e400]}', "json-number-range"],
    ['"\\ud800"', "json-text"],
    ['"\\udc00\\ud800"', "json-text"],
    ['{"\\ud800":1}', "json-text"],
    ['["a\\u0000b"]', "json-text"],
    ['{"a\\u0000":1}', "json-text"],
    ['"a\u0000b"', "json-malformed"],
    ['"a\nb"', "json-malformed"],
    ['"a\tb"', "json-malformed"],
    ["{} {}", "json-malformed"],
    ["{}x", "json-malformed"],
    ["{}\u0000", "json-malformed"],
    ["[1,]", "json-malformed"],
    ['{"a":1,}', "json-malformed"],
    ["{a:1}", "json-malformed"],
    ["{'a':1}", "json-malformed"],
    ["[1 2]", "json-malformed"],
    ["01", "json-malformed"],
    ["+1", "json-malformed"],
    [".5", "json-malformed"],
    ["1.", "json-malformed"],
    ["0x10", "json-malformed"],
    ["NaN", "json-malformed"],
    ["Infinity", "json-malformed"],
    ["undefined", "json-malformed"],
    ["True", "json-malformed"],
    ["// comment\n1", "json-malformed"],
    ["/**/1", "json-malformed"],
    ["[1", "json-malformed"],
    ['{"a":', "json-malformed"],
    ['"open', "json-malformed"],
    ['"open\\', "json-malformed"],
    ['"open\\"', "json-malformed"],
    ['"\\x41"', "json-malformed"],
    ['"\\u12"', "json-malformed"],
    ["]", "json-malformed"],
    ["{]", "json-malformed"],
    [":", "json-malformed"],
    ["\u00a01", "json-malformed"],
    [nest(33), "json-too-deep"],
    ["[".repeat(100_000), "json-too-deep"],
    ['{"a":'.repeat(33), "json-too-deep"],
    [keys(1_001), "json-too-many-keys"],
    [`[${"{},".repeat(10)}${Array.from({ length: 1_001 }, () => '{"a":1}').join(",")}]`, "json-too-many-keys"],
  ];
  for (const [text, reason] of refused) {
    it(`refuses ${JSON.stringify(text).slice(0, 60)} as ${reason}`, () => {
      expect(read(text)).toMatchObject({ reason });
    });
  }

  it("refuses bytes that are not UTF-8, wherever they stand", () => {
    for (const bytes of [
      [0xff],
      [0xc0, 0xaf],
      [0xe0, 0x80, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xc3],
    ]) {
      expect(readJson(Uint8Array.from([0x22, ...bytes, 0x22]))).toMatchObject({ reason: "json-not-utf8" });
      expect(readJson(Uint8Array.from([0x7b, 0x7d, ...bytes]))).toMatchObject({ reason: "json-not-utf8" });
    }
    const utf16 = Uint8Array.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]);
    expect(readJson(utf16)).toMatchObject({ reason: "json-not-utf8" });
  });

  it("accepts the deepest and the most, and refuses one more", () => {
    expect(read(nest(32))).not.toBeInstanceOf(Unreadable);
    expect(read(keys(1_000))).not.toBeInstanceOf(Unreadable);
    expect(readJson(utf8(nest(3)), { maxDepth: 2 })).toMatchObject({ reason: "json-too-deep" });
    expect(readJson(utf8(nest(2)), { maxDepth: 2 })).toEqual([[]]);
    expect(readJson(utf8(keys(3)), { maxKeys: 2 })).toMatchObject({ reason: "json-too-many-keys" });
    expect(readJson(utf8(keys(2)), { maxKeys: 2 })).toEqual({ k0: 0, k1: 0 });
  });

  it("does not count brackets, colons and quotes inside strings", () => {
    const text = JSON.stringify({ a: '":"{[['.repeat(1_000), b: "\\".repeat(999) });
    expect(read(text)).toEqual(JSON.parse(text));
  });

  it("gives plain objects, which schema libraries accept", () => {
    const value = read('{"a":{"b":1}}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it("refuses everything that has keys while Object.prototype is polluted", () => {
    Reflect.set(Object.prototype, "isAdmin", true);
    const polluted = read('{"a":1}');
    Reflect.deleteProperty(Object.prototype, "isAdmin");
    expect(polluted).toMatchObject({ reason: "json-prototype-polluted" });
    expect(read('{"a":1}')).toEqual({ a: 1 });
  });

  it("reads a view into a larger buffer, and nothing beside it", () => {
    const whole = utf8('xxx{"a":1}yyy');
    expect(readJson(whole.subarray(3, 10))).toEqual({ a: 1 });
  });
});

describe("canonical-request: JSON body, any document", () => {
  const reserved = new Set(["__proto__", "constructor", "prototype"]);
  const text = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed() && !value.includes("\0"));
  const number = fc.double({ noNaN: true, min: -9007199254740991, max: 9007199254740991 });
  const { document } = fc.letrec((tie) => ({
    document: fc.oneof(
      { maxDepth: 5, depthSize: "medium" },
      fc.constantFrom(null, true, false),
      number,
      fc.maxSafeInteger(),
      text,
      fc.array(tie("document"), { maxLength: 5 }),
      fc.dictionary(
        text.filter((key) => !reserved.has(key)),
        tie("document"),
        { maxKeys: 6, noNullPrototype: true },
      ),
    ),
  }));
  const spelling = fc.constantFrom<(value: unknown) => string>(
    (value) => JSON.stringify(value),
    (value) => JSON.stringify(value, null, 2),
    (value) => `\n${JSON.stringify(value, null, "\t")}\r\n `,
    (value) =>
      JSON.stringify(value).replace(
        /[\u007f-\uffff]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
      ),
  );

  it("is read exactly as JSON.parse reads it", () => {
    fc.assert(
      fc.property(document, spelling, (value, write) => {
        const written = write(value);
        expect(read(written)).toStrictEqual(JSON.parse(written));
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it("is refused once a key stands twice in one of its objects, at any depth and under any escape", () => {
    const member = fc.record({
      name: text.filter((key) => !reserved.has(key)),
      first: document,
      second: document,
      escaped: fc.boolean(),
      wrap: fc.array(
        fc.constantFrom<(inner: string) => string>(
          (inner) => `[${inner}]`,
          (inner) => `{"w":${inner}}`,
        ),
        { maxLength: 5 },
      ),
    });
    fc.assert(
      fc.property(member, ({ name, first, second, escaped, wrap }) => {
        const again = escaped
          ? `"${Array.from({ length: name.length }, (_, at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`
          : JSON.stringify(name);
        const object = `{${JSON.stringify(name)}:${JSON.stringify(first)},"other":0,${again}:${JSON.stringify(second)}}`;
        expect(read(wrap.reduce((inner, outer) => outer(inner), object))).toBeInstanceOf(Unreadable);
      }),
      { seed, numRuns: 1_000 },
    );
  });

  it("is refused with anything after it, cut short, or with one byte that cannot be UTF-8", () => {
    fc.assert(
      fc.property(fc.array(document, { maxLength: 4 }), fc.nat(), (value, place) => {
        const bytes = utf8(JSON.stringify(value));
        expect(readJson(Uint8Array.from([...bytes, 0x5d]))).toBeInstanceOf(Unreadable);
        expect(readJson(Uint8Array.from([...bytes, 0x00]))).toBeInstanceOf(Unreadable);
        expect(readJson(bytes.subarray(0, bytes.length - 1))).toBeInstanceOf(Unreadable);
        const broken = Uint8Array.from(bytes);
        broken[place % broken.length] = 0xff;
        expect(readJson(broken)).toBeInstanceOf(Unreadable);
      }),
      { seed, numRuns: 500 },
    );
  });

  it("never throws on bytes, and reads nothing that JSON.parse refuses", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      '"',
      '"a"',
      '"b"',
      "1",
      "null",
      "\\",
      "\\u0000",
      " ",
      "é",
      "\n",
      "1e400",
      "-",
    );
    const bytes = fc.oneof(
      fc.array(piece, { maxLength: 14 }).map((pieces) => utf8(pieces.join(""))),
      fc.uint8Array({ maxLength: 24 }),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        const value = readJson(input);
        if (value instanceof Unreadable) return;
        expect(value).toStrictEqual(JSON.parse(new TextDecoder().decode(input)));
      }),
      { seed, numRuns: 5_000 },
    );
  });
});
