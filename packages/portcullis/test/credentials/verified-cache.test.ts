import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeBase62, encodeBase62Number, randomBase62 } from "../../src/lib/base62.ts";
import { decodeBase64url, isCanonicalBase64url } from "../../src/lib/base64url.ts";
import { equalConstantTime } from "../../src/lib/constant-time.ts";
import { crc32 } from "../../src/lib/crc32.ts";
import { createVerifiedCache } from "../../src/lib/verified-cache.ts";

describe("authentication: the cache of verified credentials", () => {
  it("answers only for exactly the credential that was put in", () => {
    const cache = createVerifiedCache<number>();
    cache.set("token", 1);
    expect(cache.get("token")).toBe(1);
    for (const other of ["toke", "token ", "Token", ""]) expect(cache.get(other)).toBeUndefined();
    cache.delete("token");
    expect(cache.get("token")).toBeUndefined();
  });

  it("does not confuse credentials that end alike, whatever comes before", () => {
    const cache = createVerifiedCache<number>({ maxEntries: 100 });
    const end = "x".repeat(200);
    cache.set(`a${end}`, 1);
    for (const other of [`b${end}`, end, `aa${end}`, "x".repeat(32)]) expect(cache.get(other)).toBeUndefined();
    cache.delete(`b${end}`);
    expect(cache.get(`a${end}`)).toBe(1);
    for (let n = 0; n < 1_000; n++) {
      cache.set(`${n}${end}`, n);
      expect(cache.get(`${n}${end}`)).toBe(n);
      expect(cache.size).toBeLessThanOrEqual(100);
    }
  });

  it("never holds more entries than its bound", () => {
    const cache = createVerifiedCache<number>({ maxEntries: 100 });
    for (let n = 0; n < 10_000; n++) {
      cache.set(`t-${n}`, n);
      expect(cache.size).toBeLessThanOrEqual(100);
    }
  });

  it("never holds more bytes than its bound, so that long credentials cannot fill the memory", () => {
    const cache = createVerifiedCache<number>({ maxEntries: 10_000, maxBytes: 65_536 });
    for (let n = 0; n < 1_000; n++) cache.set(`${n}`.padEnd(8_192, "x"), n);
    expect(cache.size * 8_192).toBeLessThanOrEqual(65_536);
    expect(cache.size).toBeGreaterThan(0);
  });

  it("keeps what is used: entries asked for between puts stay, however many come and go", () => {
    const cache = createVerifiedCache<number>({ maxEntries: 100 });
    for (let n = 0; n < 10; n++) cache.set(`kept-${n}`, n);
    for (let n = 0; n < 5_000; n++) {
      cache.set(`once-${n}`, n);
      for (let k = 0; k < 10; k++) expect(cache.get(`kept-${k}`)).toBe(k);
    }
  });

  it("behaves like a map that may forget but never confuses", () => {
    const name = fc.constantFrom("a", "b", "c", "d", "e", "f");
    const step = fc.oneof(
      fc.record({ set: name, value: fc.nat() }),
      fc.record({ delete: name }),
      fc.record({ get: name }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const cache = createVerifiedCache<number>({ maxEntries: 4 });
        const model = new Map<string, number>();
        for (const one of steps) {
          if ("set" in one) {
            cache.set(one.set, one.value);
            model.set(one.set, one.value);
            expect(cache.get(one.set)).toBe(one.value);
          } else if ("delete" in one) {
            cache.delete(one.delete);
            model.delete(one.delete);
          } else {
            expect([undefined, model.get(one.get)]).toContain(cache.get(one.get));
          }
          expect(cache.size).toBeLessThanOrEqual(4);
        }
      }),
      { seed: 4 },
    );
  });
});

describe("api-keys: base 62", () => {
  it("writes bytes as one number, most significant digit first, padded with 0", () => {
    expect(encodeBase62(new Uint8Array(32), 43)).toBe("0".repeat(43));
    expect(encodeBase62(Uint8Array.of(61), 2)).toBe("0z");
    expect(encodeBase62(Uint8Array.of(1, 0), 3)).toBe("048");
    expect(encodeBase62(new Uint8Array(32).fill(255), 43)).toHaveLength(43);
  });

  it("keeps different bytes different", () => {
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(bytes, bytes, (left, right) => {
        const same = Buffer.from(left).equals(right);
        expect(encodeBase62(left, 43) === encodeBase62(right, 43)).toBe(same);
        expect(encodeBase62(left, 43)).toMatch(/^[0-9A-Za-z]{43}$/);
      }),
      { seed: 62 },
    );
  });

  it("writes any 32-bit number in six characters", () => {
    expect(encodeBase62Number(0)).toBe("000000");
    expect(encodeBase62Number(2 ** 32 - 1)).toBe("4gfFC3");
  });

  it("draws every character equally often, and from the source's bytes only", () => {
    const counts = new Map<string, number>();
    let next = 0;
    const text = randomBase62(62 * 400, (count) => Uint8Array.from({ length: count }, () => next++ % 256));
    for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
    expect(counts.size).toBe(62);
    expect(new Set(counts.values())).toEqual(new Set([400]));
  });
});

describe("jwt: base64url", () => {
  it("has one spelling for any bytes, and reads it back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        const text = Buffer.from(bytes).toString("base64url");
        expect(isCanonicalBase64url(text)).toBe(true);
        expect([...decodeBase64url(text)]).toEqual([...bytes]);
      }),
      { seed: 64 },
    );
  });

  it("agrees with writing the decoded bytes again, for any text", () => {
    const text = fc.string({ minLength: 1, unit: fc.constantFrom(..."ABCQgwxyz0189-_+/= .\n") });
    fc.assert(
      fc.property(text, (any) => {
        expect(isCanonicalBase64url(any)).toBe(Buffer.from(any, "base64url").toString("base64url") === any);
      }),
      { seed: 65, numRuns: 2_000 },
    );
  });
});

describe("api-keys: crc32", () => {
  it("agrees with zlib", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(crc32(bytes)).toBe(zlibCrc32(bytes));
      }),
      { seed: 32 },
    );
  });
});

describe("api-keys: equalConstantTime", () => {
  it("says whether two byte strings are the same", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (left, right) => {
        expect(equalConstantTime(left, right)).toBe(Buffer.from(left).equals(right));
        expect(equalConstantTime(left, Uint8Array.from(left))).toBe(true);
      }),
      { seed: 1 },
    );
  });
});
