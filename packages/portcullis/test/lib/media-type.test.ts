import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MediaType, MediaTypeProblem } from "../../src/lib/media-type.ts";
import { readMediaType } from "../../src/lib/media-type.ts";
import { Unreadable } from "../../src/lib/unreadable.ts";

describe("canonical-request: media type", () => {
  const readable: [string, MediaType][] = [
    ["application/json", { type: "application/json" }],
    ["Application/JSON", { type: "application/json" }],
    ["application/json; charset=utf-8", { type: "application/json", charset: "utf-8" }],
    ["application/json;charset=UTF-8", { type: "application/json", charset: "utf-8" }],
    ['application/json ;  CHARSET="Utf-8" ', { type: "application/json", charset: "utf-8" }],
    ["application/problem+json", { type: "application/problem+json" }],
    ["application/vnd.api-v1+json", { type: "application/vnd.api-v1+json" }],
    ["text/plain;charset=UTF-8", { type: "text/plain", charset: "utf-8" }],
    [
      "multipart/form-data; boundary=----WebKitFormBoundaryA1b2",
      { type: "multipart/form-data", boundary: "----WebKitFormBoundaryA1b2" },
    ],
    ['multipart/form-data; boundary="a b:c?d"', { type: "multipart/form-data", boundary: "a b:c?d" }],
    [
      "multipart/form-data; charset=utf-8; boundary=x",
      { type: "multipart/form-data", charset: "utf-8", boundary: "x" },
    ],
  ];
  it.each(readable)("reads %j", (value, expected) => {
    expect(readMediaType(value)).toEqual(expected);
  });

  const refused: [string, MediaTypeProblem][] = [
    ["", "media-type-malformed"],
    ["json", "media-type-malformed"],
    ["application/", "media-type-malformed"],
    ["/json", "media-type-malformed"],
    ["application/json/x", "media-type-malformed"],
    ["application /json", "media-type-malformed"],
    ["application/ json", "media-type-malformed"],
    [" application/json", "media-type-malformed"],
    ["application/json\t", "media-type-malformed"],
    ["application/json\t;charset=utf-8", "media-type-malformed"],
    ["application/json;\tcharset=utf-8", "media-type-malformed"],
    ["application/json;", "media-type-malformed"],
    ["application/json; ", "media-type-malformed"],
    ["application/json;;charset=utf-8", "media-type-malformed"],
    ["application/json; charset", "media-type-malformed"],
    ["application/json; charset=", "media-type-malformed"],
    ["application/json; charset =utf-8", "media-type-malformed"],
    ["application/json; charset= utf-8", "media-type-malformed"],
    ['application/json; charset="utf-8', "media-type-malformed"],
    ['application/json; charset="utf-8"x', "media-type-malformed"],
    ['application/json; charset="utf\\-8"', "media-type-malformed"],
    ['application/json; charset=""', "media-type-malformed"],
    ["application/json, text/html", "media-type-malformed"],
    ["application/json (comment)", "media-type-malformed"],
    ["application/json\u0000", "media-type-malformed"],
    ["application/json; charset=utf-8\r\nX: y", "media-type-malformed"],
    ["applicat\u0131on/json", "media-type-malformed"],
    ["application/\u212ason", "media-type-malformed"],
    ["application/json; charset=utf8", "media-type-charset"],
    ["application/json; charset=utf-16", "media-type-charset"],
    ["application/json; charset=iso-8859-1", "media-type-charset"],
    ["application/json; charset=utf-8; charset=utf-8", "media-type-duplicate-parameter"],
    ["application/json; charset=utf-8; Charset=utf-8", "media-type-duplicate-parameter"],
    ["multipart/form-data; boundary=a; boundary=b", "media-type-duplicate-parameter"],
    ["application/json; boundary=x", "media-type-unknown-parameter"],
    ["application/json; version=1", "media-type-unknown-parameter"],
    ["application/json; q=1", "media-type-unknown-parameter"],
    ["multipart/form-data", "media-type-boundary"],
    [`multipart/form-data; boundary=${"a".repeat(71)}`, "media-type-boundary"],
    ['multipart/form-data; boundary="a "', "media-type-boundary"],
    ['multipart/form-data; boundary="a@"', "media-type-boundary"],
    [`application/${"x".repeat(250)}`, "media-type-too-long"],
  ];
  it.each(refused)("refuses %j as %s", (value, reason) => {
    expect(readMediaType(value)).toMatchObject({ reason });
  });

  it("reads a type the same way in any letter case", () => {
    fc.assert(
      fc.property(
        fc.mixedCase(fc.constantFrom("application/json", "text/plain; charset=utf-8", "image/svg+xml")),
        (value) => {
          expect(readMediaType(value)).toEqual(readMediaType(value.toLowerCase()));
        },
      ),
      { seed: 20260105 },
    );
  });

  it("never throws, and what it reads survives being written and read again", () => {
    const piece = fc.constantFrom(
      "application",
      "/",
      "json",
      ";",
      " ",
      "charset",
      "=",
      "utf-8",
      '"',
      "\t",
      ",",
      "multipart/x",
      "boundary",
      "\\",
      "é",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const read = readMediaType(pieces.join(""));
        if (read instanceof Unreadable) return;
        const charset = read.charset === undefined ? "" : `; charset=${read.charset}`;
        const boundary = read.boundary === undefined ? "" : `; boundary="${read.boundary}"`;
        expect(readMediaType(`${read.type}${charset}${boundary}`)).toEqual(read);
      }),
      { seed: 20260105, numRuns: 5_000 },
    );
  });
});
