import { BlockList } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/lib/address.ts";
import { cidrProblems, cidrSet, contains, parseCidr } from "../../src/lib/cidr.ts";
import { OptionsError } from "../../src/lib/options-error.ts";
import { Unreadable } from "../../src/lib/unreadable.ts";

const seed = 20260109;

function address(text: string) {
  const parsed = parseAddress(text);
  if (parsed instanceof Unreadable) throw new Error(text);
  return parsed;
}

describe("host: networks", () => {
  const readable: [string, string, number][] = [
    ["10.0.0.0/8", "10.0.0.0", 8],
    ["0.0.0.0/0", "0.0.0.0", 0],
    ["192.0.2.1", "192.0.2.1", 32],
    ["192.0.2.1/32", "192.0.2.1", 32],
    ["2001:db8::/32", "2001:db8::", 32],
    ["::1", "::1", 128],
    ["::/0", "::", 0],
    ["::ffff:10.0.0.0/104", "10.0.0.0", 8],
    ["::ffff:0:0/96", "0.0.0.0", 0],
  ];
  it.each(readable)("reads %s", (text, base, bits) => {
    expect(parseCidr(text)).toMatchObject({ base: { text: base }, bits });
  });

  it.each([
    "",
    "/",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0.0/8 ",
    "10.0.0.0/8/8",
    "10.0.0/8",
    "10.0.0.0/255.0.0.0",
    "::/129",
    "::ffff:10.0.0.0/8",
    "fe80::1%eth0/64",
    "all",
    "*",
  ])("refuses %j", (text) => {
    expect(parseCidr(text)).toMatchObject({ reason: "cidr-malformed" });
  });

  it.each(["10.0.0.1/8", "192.0.2.1/31", "2001:db8::1/64", "::1/127", "8000::/0", "128.0.0.0/0"])(
    "refuses the host bits of %s",
    (text) => {
      expect(parseCidr(text)).toMatchObject({ reason: "cidr-host-bits" });
    },
  );

  it("holds an address under every spelling, and never one of the other family", () => {
    const set = cidrSet(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]);
    for (const text of [
      "10.0.0.0",
      "10.255.255.255",
      "::ffff:10.1.2.3",
      "::ffff:a01:203",
      "2001:db8::",
      "2001:db8:ffff::1",
      "192.0.2.7",
    ]) {
      expect(set.contains(address(text)), text).toBe(true);
    }
    for (const text of [
      "11.0.0.0",
      "9.255.255.255",
      "2001:db9::",
      "192.0.2.6",
      "::10.0.0.1",
      "2002:a00:1::1",
      "64:ff9b::10.0.0.1",
      "::a00:1",
    ]) {
      expect(set.contains(address(text)), text).toBe(false);
    }
    expect(cidrSet(["::/0"]).contains(address("192.0.2.1"))).toBe(false);
    expect(cidrSet(["0.0.0.0/0"]).contains(address("::1"))).toBe(false);
    expect(cidrSet([]).contains(address("127.0.0.1"))).toBe(false);
  });

  it("refuses to make a set of something else", () => {
    expect(() => cidrSet(["10.0.0.0/8", "10.0.0.1/8"])).toThrow(OptionsError);
  });

  it("has nothing to say about honest lists", () => {
    expect(cidrProblems(["10.0.0.0/8", "127.0.0.1", "172.16.0.0/12", "fc00::/7", "2001:db8::/32", "::1"])).toEqual([]);
  });

  it.each([
    [0],
    [1],
    [true],
    [null],
    [{}],
    [""],
    ["*"],
    ["true"],
    ["1"],
    ["0.0.0.0/0"],
    ["::/0"],
    ["0.0.0.0/1"],
    ["128.0.0.0/1"],
    ["8.0.0.0/7"],
    ["2000::/3"],
    ["10.0.0.1/8"],
    ["::ffff:0:0/96"],
    ["64:ff9b::/96"],
    ["proxy.internal"],
  ])("names a problem and a fix for %j", (item) => {
    const problems = cidrProblems(["10.0.0.0/8", item]);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.problem).not.toBe("");
    expect(problems[0]?.fix).not.toBe("");
  });

  it("decides as the platform's BlockList does", () => {
    const four = fc.tuple(fc.ipV4(), fc.nat({ max: 32 }), fc.ipV4(), fc.constant("ipv4" as const));
    const six = fc.tuple(fc.ipV6(), fc.nat({ max: 128 }), fc.ipV6(), fc.constant("ipv6" as const));
    fc.assert(
      fc.property(fc.oneof(four, six), fc.boolean(), ([text, bits, stranger, family], near) => {
        const base = address(text);
        const candidate = address(near ? text : stranger);
        fc.pre((base.family === 4) === (family === "ipv4") && candidate.family === base.family);
        // The network's first address, taken from the platform's own arithmetic on the bits.
        const whole = [...base.bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
        const masked = whole.slice(0, bits).padEnd(whole.length, "0");
        const size = family === "ipv4" ? 8 : 16;
        const parts = Array.from({ length: whole.length / size }, (_, at) =>
          Number.parseInt(masked.slice(at * size, at * size + size), 2),
        );
        const first = family === "ipv4" ? parts.join(".") : parts.map((part) => part.toString(16)).join(":");
        fc.pre(address(first).family === base.family);
        const network = parseCidr(`${first}/${bits}`);
        if (network instanceof Unreadable) throw new Error(network.reason);
        const list = new BlockList();
        list.addSubnet(first, bits, family);
        expect(contains(network, candidate)).toBe(list.check(candidate.text, family));
      }),
      { seed, numRuns: 2_000 },
    );
  });
});
