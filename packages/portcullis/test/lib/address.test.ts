import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IpAddress } from "../../src/lib/address.ts";
import { isLoopback, parseAddress, parseNode } from "../../src/lib/address.ts";
import { Unreadable } from "../../src/lib/unreadable.ts";

const seed = 20260108;

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed instanceof Unreadable) throw new Error(`${text}: ${parsed.reason}`);
  return parsed;
}

describe("host: addresses", () => {
  const spellings: [string, string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:c000:0201", "192.0.2.1"],
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["64:ff9b::192.0.2.1", "192.0.2.1"],
    ["64:ff9b::c000:201", "192.0.2.1"],
    ["0064:FF9B:0:0:0:0:c000:0201", "192.0.2.1"],
    ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
    ["64:ff9b::127.0.0.1", "64:ff9b::7f00:1"],
    ["64:ff9b::192.168.1.1", "64:ff9b::c0a8:101"],
    ["64:ff9b::100.64.0.1", "64:ff9b::6440:1"],
    ["64:ff9b:1::192.0.2.1", "64:ff9b:1::c000:201"],
    ["::192.0.2.1", "::c000:201"],
    ["::ffff:0:192.0.2.1", "::ffff:0:c000:201"],
    ["::", "::"],
    ["::1", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1::", "1::"],
    ["2001:DB8::1", "2001:db8::1"],
    ["2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:db8:0:0:1:0:0:0", "2001:db8:0:0:1::"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["fe80::1%eth0", "fe80::1"],
    ["fe80::1%25", "fe80::1"],
    ["febf::1%en-0.1~_", "febf::1"],
    ["2002:c000:201::1", "2002:c000:201::1"],
  ];
  it.each(spellings)("reads %s as %s", (text, canonical) => {
    expect(address(text).text).toBe(canonical);
  });

  it.each([
    "",
    " ",
    "unknown",
    "localhost",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.-4",
    "01.2.3.4",
    "1.2.3.04",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "2130706433",
    "127.1",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4\n",
    "1..3.4",
    ".1.2.3.4",
    "1.2.3.4.",
    "1,2,3,4",
    "1.2.3.4:80",
    "１.2.3.4",
    "1.2.3.4/32",
    "[::1]",
    ":",
    ":::",
    "::1::",
    "1::2::3",
    ":1",
    "1:",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "1:2:3:4::5:6:7:8",
    "12345::",
    "00001::",
    "g::",
    "::1.2.3",
    "::1.2.3.4.5",
    "::01.2.3.4",
    "::1.2.3.4:5",
    "1.2.3.4::",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::ffff:1.2.3.256",
    "%eth0",
    `${"0:".repeat(60)}1`,
  ])("refuses %j", (text) => {
    expect(parseAddress(text)).toMatchObject({ reason: "address-malformed" });
  });

  it.each([
    "::1%eth0",
    "2001:db8::1%1",
    "1.2.3.4%eth0",
    "fec0::1%1",
    "fe80::1%",
    "fe80::1%a b",
    "fe80::1%a%b",
    `fe80::1%${"x".repeat(33)}`,
  ])("refuses the zone of %j", (text) => {
    expect(parseAddress(text)).toMatchObject({ reason: "address-zone" });
  });

  const nodes: [string, string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["192.0.2.1:0", "192.0.2.1"],
    ["192.0.2.1:65535", "192.0.2.1"],
    ["192.0.2.1:_port", "192.0.2.1"],
    ["[::1]", "::1"],
    ["[::1]:443", "::1"],
    ["[2001:db8::1]:_x", "2001:db8::1"],
    ["[::ffff:192.0.2.1]:80", "192.0.2.1"],
    ["[fe80::1%eth0]:80", "fe80::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["::1:80", "::1:80"],
  ];
  it.each(nodes)("reads the node %s as %s", (text, canonical) => {
    expect(parseNode(text)).toMatchObject({ text: canonical });
  });

  it.each([
    "",
    "unknown",
    "_hidden",
    "[]",
    "[::1",
    "::1]",
    "[1.2.3.4]",
    "[1.2.3.4]:80",
    "[::1]x",
    "[[::1]]",
    "example.com:80",
    ":80",
    "[unknown]:80",
    '"[::1]"',
  ])("refuses the node %j", (text) => {
    expect(parseNode(text)).toBeInstanceOf(Unreadable);
  });

  it.each([
    "1.2.3.4:",
    "1.2.3.4:65536",
    "1.2.3.4:123456",
    "1.2.3.4:+80",
    "1.2.3.4: 80",
    "1.2.3.4:8o",
    "1.2.3.4:_",
    "[::1]:",
    "[::1]:65536",
    "[::1]80",
    "[::1]:80:80",
  ])("refuses the port of %j", (text) => {
    expect(parseNode(text)).toMatchObject({ reason: "address-port" });
  });

  it("knows this machine's own addresses, however they are spelled", () => {
    for (const text of ["127.0.0.1", "127.255.255.255", "::1", "0:0::0:1", "::ffff:127.0.0.1", "::ffff:7f00:1"]) {
      expect(isLoopback(address(text)), text).toBe(true);
    }
    for (const text of [
      "128.0.0.1",
      "126.255.255.255",
      "::",
      "::2",
      "1::1",
      "64:ff9b::127.0.0.1",
      "2002:7f00:1::1",
      "::127.0.0.1",
    ]) {
      expect(isLoopback(address(text)), text).toBe(false);
    }
  });

  it("gives the bytes in network order, as a copy", () => {
    expect([...address("192.0.2.255").bytes]).toEqual([192, 0, 2, 255]);
    const own = address("2001:db8:ff::8000:1");
    expect([...own.bytes]).toEqual([0x20, 1, 0x0d, 0xb8, 0, 0xff, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 1]);
    own.bytes.fill(0);
    expect(own.text).toBe("2001:db8:ff::8000:1");
  });

  const prefixes: [string, number, string][] = [
    ["192.0.2.77", 32, "192.0.2.77"],
    ["192.0.2.77", 24, "192.0.2.0/24"],
    ["192.0.2.77", 31, "192.0.2.76/31"],
    ["255.0.2.77", 1, "128.0.0.0/1"],
    ["192.0.2.77", 0, "0.0.0.0/0"],
    ["2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6"],
    ["2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"],
    ["2001:db8:0:0:3:4:5:6", 64, "2001:db8:0:0::/64"],
    ["2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::/48"],
    ["2001:db8:1:2ff:3:4:5:6", 56, "2001:db8:1:200::/56"],
    ["2001:db8:1:2:3:4:5:7", 127, "2001:db8:1:2:3:4:5:6::/127"],
    ["ffff::", 1, "8000::/1"],
    ["ffff::", 0, "::/0"],
  ];
  it.each(prefixes)("%s has the %i-bit network %s", (text, bits, network) => {
    expect(address(text).prefix(bits)).toBe(network);
  });

  it("refuses a prefix that the family does not have", () => {
    expect(() => address("192.0.2.1").prefix(33)).toThrow(RangeError);
    expect(() => address("::2").prefix(129)).toThrow(RangeError);
    expect(() => address("::2").prefix(-1)).toThrow(RangeError);
    expect(() => address("::2").prefix(1.5)).toThrow(RangeError);
  });

  it("names the IPv4 host behind 6to4 and Teredo, where it is a global one", () => {
    expect(address("2002:c000:201:5:6::7").embedded?.text).toBe("192.0.2.1");
    expect(address("2001:0:4136:e378:8000:63bf:3fff:fdd2").embedded?.text).toBe("192.0.2.45");
    expect(address("2002:a00:1::").embedded).toBeUndefined();
    expect(address("2002:7f00:1::").embedded).toBeUndefined();
    expect(address("2001:db8::1").embedded).toBeUndefined();
    expect(address("2001:1::1").embedded).toBeUndefined();
    expect(address("192.0.2.1").embedded).toBeUndefined();
  });

  it("is written as its text in records", () => {
    expect(JSON.stringify({ address: address("::ffff:192.0.2.1") })).toBe('{"address":"192.0.2.1"}');
    expect(address("2001:DB8::1").toString()).toBe("2001:db8::1");
  });

  // Addresses with runs of zeros, which random ones hardly ever have.
  const groups = fc.array(fc.oneof(fc.constant(0), fc.constant(1), fc.nat({ max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  });
  const octets = fc.array(fc.nat({ max: 255 }), { minLength: 4, maxLength: 4 });

  it("writes IPv6 as the URL standard does", () => {
    fc.assert(
      fc.property(groups, (parts) => {
        const full = parts.map((part) => part.toString(16).padStart(4, "0")).join(":");
        const own = address(full);
        fc.pre(own.family === 6);
        expect(`[${own.text}]`).toBe(new URL(`http://[${full}]/`).hostname);
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it("gives every spelling of an address the same text, bytes and networks", () => {
    const upper = fc.boolean();
    fc.assert(
      fc.property(
        groups,
        fc.nat({ max: 8 }),
        fc.nat({ max: 8 }),
        upper,
        fc.boolean(),
        fc.boolean(),
        (parts, a, b, capital, pad, dotted) => {
          const [from, to] = [Math.min(a, b), Math.max(a, b)];
          const written = parts.map((part) => (pad ? part.toString(16).padStart(4, "0") : part.toString(16)));
          const zeros = from < to && parts.slice(from, to).every((part) => part === 0);
          const [six = 0, seven = 0] = parts.slice(6);
          const tail = `${six >> 8}.${six & 255}.${seven >> 8}.${seven & 255}`;
          const ends = dotted && (!zeros || to <= 6) ? [...written.slice(0, 6), tail] : written;
          let text = zeros ? `${ends.slice(0, from).join(":")}::${ends.slice(to).join(":")}` : ends.join(":");
          if (capital) text = text.toUpperCase();
          const one = address(text);
          const other = address(parts.map((part) => part.toString(16)).join(":"));
          expect(one.text).toBe(other.text);
          expect(one.equals(other)).toBe(true);
          expect(one.bytes).toEqual(other.bytes);
          const width = one.family === 4 ? 32 : 128;
          for (const bits of [0, 1, 24, 32, 48, 64, width].filter((length) => length <= width)) {
            expect(one.prefix(bits)).toBe(other.prefix(bits));
          }
        },
      ),
      { seed, numRuns: 3_000 },
    );
  });

  it("gives an IPv4 address one key, whether plain, mapped, or behind NAT64 where it is global", () => {
    fc.assert(
      fc.property(octets, (parts) => {
        const [a = 0, b = 0, c = 0, d = 0] = parts;
        const plain = address(`${a}.${b}.${c}.${d}`);
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        for (const text of [`::ffff:${plain.text}`, `::ffff:${hex}`, `0:0:0:0:0:FFFF:${hex}`]) {
          expect(address(text).equals(plain)).toBe(true);
          expect(address(text).prefix(32)).toBe(plain.text);
        }
        const translated = address(`64:ff9b::${hex}`);
        expect(translated.equals(address(`64:ff9b::${plain.text}`))).toBe(true);
        if (translated.family === 4) expect(translated.equals(plain)).toBe(true);
        else expect([0, 10, 100, 127, 169, 172, 192, 198].includes(a) || a >= 224).toBe(true);
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it("puts two addresses into one network exactly when their first bits are equal", () => {
    const bitsOf = (own: IpAddress) => [...own.bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
    fc.assert(
      fc.property(groups, fc.nat({ max: 127 }), fc.nat({ max: 128 }), (parts, flipped, bits) => {
        const one = address(parts.map((part) => part.toString(16)).join(":"));
        const changed = parts.map((part, group) => (group === flipped >> 4 ? part ^ (0x8000 >> (flipped & 15)) : part));
        const other = address(changed.map((part) => part.toString(16)).join(":"));
        fc.pre(one.family === 6 && other.family === 6);
        expect(one.equals(other)).toBe(false);
        expect(one.prefix(bits) === other.prefix(bits)).toBe(
          bitsOf(one).slice(0, bits) === bitsOf(other).slice(0, bits),
        );
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it("accepts what the platform accepts, except zones, and nothing else", () => {
    const piece = fc.constantFrom(
      "0",
      "1",
      "25",
      "255",
      "256",
      "01",
      "ffff",
      "db8",
      ".",
      ":",
      "::",
      "g",
      "%",
      "1.2.3.4",
      " ",
      "64:ff9b",
    );
    const text = fc.oneof(
      fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join("")),
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV4Extended(),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        fc.pre(!candidate.includes("%"));
        expect(!(parseAddress(candidate) instanceof Unreadable)).toBe(isIPv4(candidate) || isIPv6(candidate));
      }),
      { seed, numRuns: 10_000 },
    );
  });

  it("never throws on a node", () => {
    const piece = fc.constantFrom("[", "]", ":", "::1", "1.2.3.4", "80", "_", "%", "]:", '"');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const parsed = parseNode(pieces.join(""));
        if (!(parsed instanceof Unreadable)) expect(address(parsed.text).equals(parsed)).toBe(true);
      }),
      { seed, numRuns: 5_000 },
    );
  });
});
