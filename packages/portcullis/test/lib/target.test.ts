import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TargetProblem } from "../../src/lib/target.ts";
import { readTarget } from "../../src/lib/target.ts";
import { Unreadable } from "../../src/lib/unreadable.ts";

const seed = 20260101;

function reason(raw: string): string {
  const read = readTarget(raw);
  return read instanceof Unreadable ? read.reason : `read as ${JSON.stringify(read)}`;
}

describe("canonical-request: target", () => {
  const readable: [string, { path: string; segments: string[]; query: string }][] = [
    ["/", { path: "/", segments: [], query: "" }],
    ["/?", { path: "/", segments: [], query: "" }],
    ["/v1/projects", { path: "/v1/projects", segments: ["v1", "projects"], query: "" }],
    ["/v1/projects?limit=5", { path: "/v1/projects", segments: ["v1", "projects"], query: "limit=5" }],
    ["/a?b?c/d=%2e%2E", { path: "/a", segments: ["a"], query: "b?c/d=%2e%2E" }],
    ["/a?filter[x]={1|2}^`", { path: "/a", segments: ["a"], query: "filter[x]={1|2}^`" }],
    ["/a%20b", { path: "/a%20b", segments: ["a b"], query: "" }],
    ["/caf%C3%A9", { path: "/caf%C3%A9", segments: ["café"], query: "" }],
    ["/caf%c3%a9/x", { path: "/caf%C3%A9/x", segments: ["café", "x"], query: "" }],
    ["/%f0%9f%8f%b0", { path: "/%F0%9F%8F%B0", segments: ["🏰"], query: "" }],
    ["/a%40b/a@b", { path: "/a%40b/a@b", segments: ["a@b", "a@b"], query: "" }],
    ["/100%25", { path: "/100%25", segments: ["100%"], query: "" }],
    ["/%252e%252e", { path: "/%252e%252e", segments: ["%2e%2e"], query: "" }],
    ["/a%3Bb", { path: "/a%3Bb", segments: ["a;b"], query: "" }],
    ["/.../.well-known/a.b", { path: "/.../.well-known/a.b", segments: ["...", ".well-known", "a.b"], query: "" }],
    ["/~user/$ref!'()*+,=:", { path: "/~user/$ref!'()*+,=:", segments: ["~user", "$ref!'()*+,=:"], query: "" }],
  ];
  it.each(readable)("reads %s", (raw, expected) => {
    expect(readTarget(raw)).toEqual(expected);
  });

  const refused: [string, TargetProblem][] = [
    ["", "target-not-origin-form"],
    ["*", "target-not-origin-form"],
    ["a", "target-not-origin-form"],
    ["?a=b", "target-not-origin-form"],
    ["http://api.example.com/v1", "target-not-origin-form"],
    ["https://api.example.com", "target-not-origin-form"],
    ["api.example.com:443", "target-not-origin-form"],
    ["\\\\evil\\a", "target-not-origin-form"],
    ["//evil.example/a", "path-empty-segment"],
    ["/a//b", "path-empty-segment"],
    ["/a//", "path-empty-segment"],
    ["//", "path-empty-segment"],
    ["/a/", "path-trailing-slash"],
    ["/a/?x=1", "path-trailing-slash"],
    ["/.", "path-dot-segment"],
    ["/..", "path-dot-segment"],
    ["/a/../admin", "path-dot-segment"],
    ["/a/./b", "path-dot-segment"],
    ["/a/..?x", "path-dot-segment"],
    ["/public/%2e%2e/admin", "path-encoded-unreserved"],
    ["/public/%2E./admin", "path-encoded-unreserved"],
    ["/public/.%2e/admin", "path-encoded-unreserved"],
    ["/%61dmin", "path-encoded-unreserved"],
    ["/a%2Db", "path-encoded-unreserved"],
    ["/a%7Eb", "path-encoded-unreserved"],
    ["/a%2fb", "path-encoded-separator"],
    ["/a%2Fb", "path-encoded-separator"],
    ["/a%5cb", "path-encoded-separator"],
    ["/a%00", "path-encoded-control-character"],
    ["/a%0d%0aX:%20y", "path-encoded-control-character"],
    ["/a%7f", "path-encoded-control-character"],
    ["/a%C2%85", "path-encoded-control-character"],
    ["/a%", "path-malformed-escape"],
    ["/a%4", "path-malformed-escape"],
    ["/a%4?", "path-malformed-escape"],
    ["/a%zz", "path-malformed-escape"],
    ["/a%u0041", "path-malformed-escape"],
    ["/%é1", "path-malformed-escape"],
    ["/a%c0%ae", "path-not-utf8"],
    ["/a%c0%af", "path-not-utf8"],
    ["/a%e0%80%af", "path-not-utf8"],
    ["/a%ed%a0%80", "path-not-utf8"],
    ["/a%f4%90%80%80", "path-not-utf8"],
    ["/a%ff", "path-not-utf8"],
    ["/a%c3/%a9", "path-not-utf8"],
    ["/a;jsessionid=1", "path-matrix-parameter"],
    ["/a/..;/admin", "path-matrix-parameter"],
    ["/a\\b", "target-backslash"],
    ["/a?x=\\", "target-backslash"],
    ["/a#b", "target-fragment"],
    ["/a?b#c", "target-fragment"],
    ["/a\u0000", "target-control-character"],
    ["/a\tb", "target-control-character"],
    ["/a?b=\r\nX: y", "target-control-character"],
    ["/a\u007f", "target-control-character"],
    ["/caf\u00e9", "target-not-ascii"],
    ["/a?b=\u0131", "target-not-ascii"],
    ["/\u{1f3f0}", "target-not-ascii"],
    ["/a b", "target-illegal-character"],
    ["/a?b c", "target-illegal-character"],
    ["/<a>", "target-illegal-character"],
    ['/"a"', "target-illegal-character"],
    ["/a|b", "target-illegal-character"],
    ["/[a]", "target-illegal-character"],
    ["/{id}", "target-illegal-character"],
  ];
  it.each(refused)("refuses %j as %s", (raw, expected) => {
    expect(reason(raw)).toBe(expected);
  });

  it("accepts the asterisk only where it is asked for", () => {
    expect(readTarget("*", { asterisk: true })).toEqual({ path: "*", segments: [], query: "" });
    expect(reason("*")).toBe("target-not-origin-form");
    expect(readTarget("**", { asterisk: true })).toBeInstanceOf(Unreadable);
  });

  it("accepts 8 KiB and refuses one byte more", () => {
    expect(readTarget(`/${"a".repeat(8_191)}`)).not.toBeInstanceOf(Unreadable);
    expect(reason(`/${"a".repeat(8_192)}`)).toBe("target-too-long");
    expect(readTarget("/abc", { maxBytes: 4 })).not.toBeInstanceOf(Unreadable);
    expect(readTarget("/abcd", { maxBytes: 4 })).toMatchObject({ reason: "target-too-long" });
  });

  it("gives back the segments that a client wrote with encodeURIComponent", () => {
    const segment = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter(
        (text) => text !== "." && text !== ".." && !/[/\\\u0000-\u001f\u007f-\u009f]/.test(text) && text.isWellFormed(),
      );
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 6 }), (segments) => {
        const read = readTarget(`/${segments.map(encodeURIComponent).join("/")}?q=1`);
        expect(read).toMatchObject({ segments, query: "q=1" });
      }),
      { seed, numRuns: 500 },
    );
  });

  it("reads nothing that the URL standard would resolve to another path", () => {
    const piece = fc.constantFrom(
      "a",
      "b1",
      "/",
      ".",
      "..",
      "%2e",
      "%2f",
      "%5c",
      "\\",
      ";",
      "?",
      "#",
      "%41",
      "%c3%a9",
      "//",
      "%00",
      "@",
      ":",
      "é",
      " ",
      "%",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const raw = `/${pieces.join("")}`;
        const read = readTarget(raw);
        if (read instanceof Unreadable) return;
        const url = new URL(`http://host.test${raw}`);
        expect(url.pathname.toLowerCase()).toBe(read.path.toLowerCase());
        expect(url.hash).toBe("");
        for (const segment of read.segments) expect(segment).not.toMatch(/^$|^\.\.?$|[/\\\0]/);
      }),
      { seed, numRuns: 5_000 },
    );
  });

  it("never throws, and reads its own path to the same segments again", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const read = readTarget(`/${text}`);
        if (read instanceof Unreadable) return;
        expect(readTarget(read.path)).toEqual({ ...read, query: "" });
      }),
      { seed, numRuns: 1_000 },
    );
  });
});
