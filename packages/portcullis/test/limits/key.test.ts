import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Caller } from "../../src/caller.ts";
import { type ClientAddress, resolveClient, topology } from "../../src/lib/forwarded.ts";
import { LimitKey } from "../../src/limits/key.ts";
import { createKeyHash, type KeyHash } from "../../src/limits/key-hash.ts";
import { seed } from "./schedules.ts";

/** Keeps what a key says of itself, so that keys can be compared without a hash in between. */
class Witness implements KeyHash {
  readonly low = 0;
  readonly high = 0;
  said = "";
  hash(word0: number, word1: number, word2: number, text: string): void {
    this.said = JSON.stringify([word0 | 0, word1 | 0, word2 | 0, text]);
  }
}

function identity(key: LimitKey): string {
  const witness = new Witness();
  key.hashWith(witness);
  return witness.said;
}

function address(text: string): ClientAddress {
  const { address: established } = resolveClient(text, {}, topology("none"));
  if (established === "unknown") throw new Error(`${text} is no address`);
  return established;
}

function caller(subject: string, tenant?: string): Caller {
  const proof = { kind: "jwt", issuer: undefined, credentialId: undefined, ambient: false, claims: {} } as const;
  return { subject, tenant, scopes: [], roles: [], proof };
}

const narrow = (text: string) => identity(LimitKey.ofAddress(address(text)));
const wide = (text: string) => identity(LimitKey.ofWideAddress(address(text)));

describe("rate-limit: who is counted", () => {
  it("counts an IPv6 address by its /64, and widely by its /48", () => {
    expect(narrow("2001:db8:1:2::1")).toBe(narrow("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    expect(narrow("2001:db8:1:2::1")).not.toBe(narrow("2001:db8:1:3::1"));
    expect(wide("2001:db8:1:2::1")).toBe(wide("2001:db8:1:ffff::1"));
    expect(wide("2001:db8:1::")).not.toBe(wide("2001:db8:2::"));
  });

  it("counts an IPv4 address whole, however it is spelt", () => {
    expect(narrow("203.0.113.7")).toBe(narrow("::ffff:203.0.113.7"));
    expect(narrow("203.0.113.7")).not.toBe(narrow("203.0.113.8"));
    expect(wide("203.0.113.7")).not.toBe(wide("203.0.113.8"));
  });

  it("counts an address that tunnels IPv4 as the host that owns it", () => {
    expect(narrow("2002:cb00:7107:1::1")).toBe(narrow("2002:cb00:7107:2::1"));
  });

  it("counts a field and an address together, and no two pairs as one", () => {
    const pair = (field: string, value: string, from: string) =>
      identity(LimitKey.ofInputFrom(field, value, address(from)));
    expect(pair("email", " ALICE@example.com", "203.0.113.7")).toBe(
      pair("email", "alice@example.com", "::ffff:203.0.113.7"),
    );
    expect(pair("email", "a", "2001:db8:1:2::1")).toBe(pair("email", "a", "2001:db8:1:ffff::1"));
    const different = [
      pair("email", "a", "203.0.113.7"),
      pair("email", "a", "203.0.113.8"),
      pair("email", "b", "203.0.113.7"),
      pair("emai", "la", "203.0.113.7"),
      pair("1:email", "a", "203.0.113.7"),
      pair("email", "a", "2001:db8:1::"),
      pair("email", "a", "2001:db8:2::"),
      identity(LimitKey.ofInput("email", "a")),
    ];
    expect(new Set(different).size).toBe(different.length);
  });

  it("counts a caller by subject and a tenant by name", () => {
    expect(identity(LimitKey.ofCaller(caller("alice")))).toBe(identity(LimitKey.ofCaller(caller("alice", "acme"))));
    expect(identity(LimitKey.ofCaller(caller("alice")))).not.toBe(identity(LimitKey.ofCaller(caller("bob"))));
    expect(identity(LimitKey.ofTenant(caller("alice", "acme")))).toBe(
      identity(LimitKey.ofTenant(caller("bob", "acme"))),
    );
    expect(identity(LimitKey.ofTenant(caller("alice")))).toBe(identity(LimitKey.ofTenant(caller("bob"))));
    expect(identity(LimitKey.ofTenant(caller("alice")))).not.toBe(identity(LimitKey.ofTenant(caller("alice", ""))));
  });

  it("counts spellings of one account together", () => {
    const email = (value: string) => identity(LimitKey.ofInput("email", value));
    expect(email(" Alice@Example.com ")).toBe(email("alice@example.com"));
    expect(email("\uff41lice@example.com")).toBe(email("alice@example.com"));
    expect(email("ali\u00adce@ex\u200bample\u3002com")).toBe(email("alice@example.com"));
    expect(email("stra\u00dfe@example.com")).toBe(email("STRASSE@example.com"));
    expect(email("alice@example.com")).not.toBe(email("alicia@example.com"));
  });

  it("keeps fields apart, also where name and value run into each other", () => {
    expect(identity(LimitKey.ofInput("a", "bc"))).not.toBe(identity(LimitKey.ofInput("ab", "c")));
  });

  it("keeps kinds of keys apart, whatever a caller or a tenant is called", () => {
    const texts = fc.oneof(fc.string(), fc.constantFrom("", "everyone", "alice", "203.0.113.7"));
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        const kinds = [
          LimitKey.everyone,
          LimitKey.ofAddress(address("203.0.113.7")),
          LimitKey.ofAddress(address("2001:db8::1")),
          LimitKey.ofWideAddress(address("2001:db8::1")),
          LimitKey.ofCaller(caller(one)),
          LimitKey.ofTenant(caller("", other)),
          LimitKey.ofTenant(caller("")),
          LimitKey.ofInput(one, other),
        ].map(identity);
        expect(new Set(kinds).size).toBe(kinds.length);
      }),
      { seed, numRuns: 300 },
    );
  });

  it("cannot be made of a text, neither for the compiler nor at run time", () => {
    // @ts-expect-error a key has no public constructor
    const forged = () => new LimitKey(5, 0, 0, "203.0.113.7");
    // @ts-expect-error a text is no key, whatever header it came from
    const text: LimitKey = "203.0.113.7";
    // @ts-expect-error a look-alike is no key either
    const lookAlike: LimitKey = { low: 0, high: 0, hashWith: () => undefined };
    expect(forged).toBeTypeOf("function");
    const hash = createKeyHash(new Uint8Array(8));
    for (const other of [text, lookAlike]) {
      expect(() => Reflect.apply(LimitKey.prototype.hashWith, other, [hash])).toThrow(TypeError);
    }
  });

  it("is hashed once per limiter, not once per counter", () => {
    const key = LimitKey.ofCaller(caller("alice"));
    const [one, other] = [1, 2].map((byte) => createKeyHash(new Uint8Array(8).fill(byte)));
    if (one === undefined || other === undefined) throw new Error("two hashes");
    key.hashWith(one);
    const first = [key.low, key.high];
    key.hashWith(other);
    expect([key.low, key.high]).not.toEqual(first);
    key.hashWith(one);
    expect([key.low, key.high]).toEqual(first);
  });
});
