import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HeaderProblem } from "../../src/lib/header-block.ts";
import { headerReader } from "../../src/lib/header-block.ts";
import { Unreadable } from "../../src/lib/unreadable.ts";

const seed = 20260107;
const readHeaderBlock = headerReader();

/** "Name: value" lines as the flat pairs an adapter hands over. */
function lines(...texts: string[]): string[] {
  return texts.flatMap((text) => {
    const colon = text.indexOf(":", 1);
    return [text.slice(0, colon), text.slice(colon + 1)];
  });
}

describe("canonical-request: header block", () => {
  it("gives one value per lower-case name", () => {
    expect({
      ...readHeaderBlock([
        "Host",
        "api.example.com",
        "AUTHORIZATION",
        "Bearer x",
        "x-custom",
        "1",
        "X-Other-Thing",
        "ü",
      ]),
    }).toEqual({
      host: "api.example.com",
      authorization: "Bearer x",
      "x-custom": "1",
      "x-other-thing": "ü",
    });
  });

  it("takes the spaces around a value off, and keeps those inside", () => {
    expect({ ...readHeaderBlock(lines("Host:  a.example ", "X-A: b  c", "X-B:   ", "X-C:")) }).toEqual({
      host: "a.example",
      "x-a": "b  c",
      "x-b": "",
      "x-c": "",
    });
  });

  it("joins lists with a comma, cookie lines with a semicolon, in the order they came", () => {
    const read = readHeaderBlock(
      lines(
        "Accept: a",
        "Cookie: a=1",
        "accept: b",
        "cookie: b=2",
        "X-Forwarded-For: 1.1.1.1",
        "X-Thing: 1",
        "x-forwarded-for: 2.2.2.2",
        "Forwarded: for=a",
        "forwarded: for=b",
        "X-Thing: 2",
      ),
    );
    expect({ ...read }).toEqual({
      accept: "a, b",
      cookie: "a=1; b=2",
      "x-forwarded-for": "1.1.1.1, 2.2.2.2",
      forwarded: "for=a, for=b",
      "x-thing": "1, 2",
    });
  });

  it("finds nothing that was not sent, whatever the name", () => {
    const read = readHeaderBlock(lines("Host: a"));
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]) {
      expect(Reflect.get(read, name)).toBeUndefined();
      expect(name in read).toBe(false);
    }
    expect({ ...readHeaderBlock(lines("__proto__: x", "constructor: y")) }).toEqual(
      Object.fromEntries([
        ["__proto__", "x"],
        ["constructor", "y"],
      ]),
    );
  });

  it.each([
    "host",
    "authorization",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "origin",
    "user-agent",
    "referer",
    "if-match",
    "if-none-match",
    "range",
    "expect",
    "idempotency-key",
    "x-api-key",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-fetch-user",
    "access-control-request-method",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "fly-client-ip",
  ])("refuses a second %s, even with the same value and in other letters", (name) => {
    expect(readHeaderBlock([name, "1", name.toUpperCase(), "1"])).toEqual(new Unreadable("header-duplicate", name));
    expect(readHeaderBlock([name, "", name, ""])).toMatchObject({ reason: "header-duplicate" });
  });

  it("guards the headers an application names as its own", () => {
    const read = headerReader({ single: ["X-Partner-Key"] });
    expect(read(lines("X-Partner-Key: a", "x-partner-key: b"))).toEqual(
      new Unreadable("header-duplicate", "x-partner-key"),
    );
    expect(read(lines("X_Partner_Key: a"))).toEqual(new Unreadable("header-name-alias", "x-partner-key"));
    expect(readHeaderBlock(lines("X-Partner-Key: a", "x-partner-key: b"))).not.toBeInstanceOf(Unreadable);
  });

  it.each([
    "X_Forwarded_For",
    "x.forwarded.for",
    "X-Forwarded_For",
    "content_length",
    "Transfer_Encoding",
    "x_api_key",
    "X_Real_IP",
    "x+forwarded+proto",
    "sec_fetch_site",
    "idempotency.key",
  ])("refuses %s, which some servers take for a header we read", (name) => {
    expect(readHeaderBlock([name, "x"])).toMatchObject({ reason: "header-name-alias" });
  });

  it("accepts underscores and dots in names that stand for nothing we read", () => {
    expect({ ...readHeaderBlock(lines("my_header: 1", "x.y: 2")) }).toEqual({ my_header: "1", "x.y": "2" });
  });

  const refused: [string, string[], HeaderProblem][] = [
    ["a name with a space", ["Host ", "a"], "header-name-malformed"],
    ["a name with a colon", ["a:b", "c"], "header-name-malformed"],
    ["a pseudo header", [":path", "/"], "header-name-malformed"],
    ["an empty name", ["", "a"], "header-name-malformed"],
    ["a folded name", [" folded", "a"], "header-name-malformed"],
    ["a name that is not ASCII", ["hos\u0131", "a"], "header-name-malformed"],
    ["a name that lower-cases into ASCII", ["coo\u212aie", "a"], "header-name-malformed"],
    ["a name with a control character", ["ho\u0000st", "a"], "header-name-malformed"],
    ["an endless name", ["a".repeat(257), "a"], "header-name-too-long"],
    ["a name without a value", ["host"], "header-unpaired"],
    ["a line feed", ["x-a", "b\nX-Evil: 1"], "header-control-character"],
    ["a carriage return", ["x-a", "b\rc"], "header-control-character"],
    ["line folding", ["x-a", "b\r\n c"], "header-control-character"],
    ["NUL", ["x-a", "b\u0000"], "header-control-character"],
    ["a tab", ["x-a", "b\tc"], "header-control-character"],
    ["DEL", ["x-a", "\u007f"], "header-control-character"],
    ["a character that is no byte", ["x-a", "\u20ac"], "header-not-latin1"],
    ["both lengths", ["Content-Length", "1", "Transfer-Encoding", "chunked"], "header-length-and-encoding"],
    ["gzip, chunked", ["Transfer-Encoding", "gzip, chunked"], "header-encoding-malformed"],
    ["Chunked", ["Transfer-Encoding", "Chunked"], "header-encoding-malformed"],
    ["identity", ["Transfer-Encoding", "identity"], "header-encoding-malformed"],
    ["an empty encoding", ["Transfer-Encoding", ""], "header-encoding-malformed"],
    ["xchunked", ["Transfer-Encoding", "xchunked"], "header-encoding-malformed"],
    ["a signed length", ["Content-Length", "+5"], "header-length-malformed"],
    ["a negative length", ["Content-Length", "-1"], "header-length-malformed"],
    ["a length list", ["Content-Length", "5, 5"], "header-length-malformed"],
    ["an octal-looking length", ["Content-Length", "010"], "header-length-malformed"],
    ["a hexadecimal length", ["Content-Length", "0x10"], "header-length-malformed"],
    ["a length with an exponent", ["Content-Length", "1e3"], "header-length-malformed"],
    ["an empty length", ["Content-Length", ""], "header-length-malformed"],
    ["an endless length", ["Content-Length", "9".repeat(16)], "header-length-malformed"],
  ];
  it.each(refused)("refuses %s", (_what, flatPairs, reason) => {
    expect(readHeaderBlock(flatPairs)).toMatchObject({ reason });
  });

  it("accepts a plain length and the exact encoding", () => {
    expect({ ...readHeaderBlock(["Content-Length", "0"]) }).toEqual({ "content-length": "0" });
    expect({ ...readHeaderBlock(["Content-Length", "102400"]) }).toEqual({ "content-length": "102400" });
    expect({ ...readHeaderBlock(["Transfer-Encoding", "chunked"]) }).toEqual({ "transfer-encoding": "chunked" });
  });

  it("accepts 100 headers and refuses one more", () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => [`x-${index}`, "1"]).flat();
    expect(readHeaderBlock(many(100))).not.toBeInstanceOf(Unreadable);
    expect(readHeaderBlock(many(101))).toMatchObject({ reason: "header-too-many" });
    expect(headerReader({ maxHeaders: 1 })(many(2))).toMatchObject({ reason: "header-too-many" });
  });

  it("accepts 16 KiB and refuses one byte more", () => {
    const block = (bytes: number) => ["x-a", "b".repeat(bytes - "x-a: \r\n".length)];
    expect(readHeaderBlock(block(16_384))).not.toBeInstanceOf(Unreadable);
    expect(readHeaderBlock(block(16_385))).toMatchObject({ reason: "header-block-too-large" });
    expect(headerReader({ maxBytes: 10 })(block(11))).toMatchObject({ reason: "header-block-too-large" });
  });

  it("reads the ten-thousandth unknown name as it read the first", () => {
    const read = headerReader();
    for (let index = 0; index < 10_000; index++) {
      expect(read([`X-Noise-${index}`, "1", "X-Forwarded-Proto", "https"])).not.toBeInstanceOf(Unreadable);
    }
    expect(read(["X_Forwarded_For", "1"])).toMatchObject({ reason: "header-name-alias" });
    expect(read(["X-FORWARDED-PROTO", "https", "x-forwarded-proto", "http"])).toMatchObject({
      reason: "header-duplicate",
    });
  });

  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,11}$/);
  const value = fc.stringMatching(/^[\x21-\x7e]{0,12}$/);

  it("agrees with the platform's Headers on distinct names", () => {
    const pairs = fc.uniqueArray(fc.tuple(name, value), {
      maxLength: 12,
      selector: ([key]) => key.toLowerCase(),
    });
    fc.assert(
      fc.property(pairs, (sent) => {
        const read = readHeaderBlock(sent.flat());
        if (read instanceof Unreadable) return;
        const expected = new Map(sent.map(([key, text]) => [key.toLowerCase(), text]));
        expect(new Map(Object.entries(read))).toEqual(expected);
      }),
      { seed, numRuns: 1_000 },
    );
  });

  it("never throws, and lets no control character through", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(name, fc.string({ unit: "binary", maxLength: 8 })), { maxLength: 12 }),
        (flatPairs) => {
          const read = readHeaderBlock(flatPairs);
          if (read instanceof Unreadable) return;
          for (const [key, text] of Object.entries(read)) {
            expect(key).toMatch(/^[!#$%&'*+\-.^_`|~0-9a-z]+$/);
            expect(text).toMatch(/^[\x20-\x7e\x80-\xff]*$/);
          }
        },
      ),
      { seed, numRuns: 2_000 },
    );
  });

  it("refuses any header we read under any mix of the characters servers take for a hyphen", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("x-forwarded-for", "content-length", "x-real-ip", "sec-fetch-site", "x-api-key"),
        fc.array(fc.constantFrom("_", ".", "-", "~"), { minLength: 2, maxLength: 2 }),
        (header, marks) => {
          let hyphen = 0;
          const alias = header.replace(/-/g, () => marks[hyphen++] ?? "-");
          const read = readHeaderBlock([alias, "1"]);
          if (alias === header) expect(read).not.toBeInstanceOf(Unreadable);
          else expect(read).toEqual(new Unreadable("header-name-alias", header));
        },
      ),
      { seed },
    );
  });
});
