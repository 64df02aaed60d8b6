import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/lib/address.ts";
import type { ClientAddress, ResolvedClient, Topology } from "../../src/lib/forwarded.ts";
import { resolveClient, topology, topologyProblems } from "../../src/lib/forwarded.ts";
import { headerReader } from "../../src/lib/header-block.ts";
import { OptionsError } from "../../src/lib/options-error.ts";
import { Unreadable } from "../../src/lib/unreadable.ts";

const seed = 20260112;
const trusted = ["10.0.0.0/8", "2001:db8:cafe::/48", "192.0.2.1"];
const direct = topology("none");
const xff = topology({ trusted, header: "x-forwarded-for" });
const rfc7239 = topology({ trusted, header: "forwarded" });
const cloudflare = topology({ trusted, header: "cf-connecting-ip" });
const proxy = "10.0.0.1";
const readHeaders = headerReader();

type Line = [name: string, value: string];

/** Resolves as the pipeline does: the lines go through the header reader first. */
function resolve(peer: string, lines: readonly Line[], how: Topology): ResolvedClient {
  const headers = readHeaders(lines.flat());
  if (headers instanceof Unreadable) throw new Error(headers.reason);
  return resolveClient(peer, headers, how);
}

function addressOf(client: ResolvedClient): string {
  return client.address === "unknown" ? "unknown" : client.address.text;
}

describe("host: client address without proxies", () => {
  const vectors: [what: string, peer: string, lines: Line[], address: string, ignored: boolean][] = [
    ["the socket's address", "198.51.100.7", [], "198.51.100.7", false],
    ["an IPv6 socket", "2001:DB8::7", [], "2001:db8::7", false],
    ["a dual-stack socket", "::ffff:198.51.100.7", [], "198.51.100.7", false],
    ["a link-local socket with its zone", "fe80::1%eth0", [], "fe80::1", false],
    ["an adapter that cannot know", "unknown", [], "unknown", false],
    ["a socket without an address", "", [], "unknown", false],
    ["a socket whose address is no address", "/run/api.sock", [], "unknown", false],
    ["X-Forwarded-For ignored", "198.51.100.7", [["X-Forwarded-For", "1.1.1.1"]], "198.51.100.7", true],
    ["X-Forwarded-For ignored on loopback", "127.0.0.1", [["X-Forwarded-For", "1.1.1.1"]], "127.0.0.1", true],
    ["Forwarded ignored", "198.51.100.7", [["Forwarded", "for=1.1.1.1"]], "198.51.100.7", true],
    ["X-Real-IP ignored", "198.51.100.7", [["X-Real-IP", "1.1.1.1"]], "198.51.100.7", true],
    ["X-Forwarded-Proto ignored", "198.51.100.7", [["X-Forwarded-Proto", "https"]], "198.51.100.7", true],
    ["X-Forwarded-Host ignored", "198.51.100.7", [["X-Forwarded-Host", "evil.example"]], "198.51.100.7", true],
    ["everything ignored where the peer is unknown", "unknown", [["X-Forwarded-For", "1.1.1.1"]], "unknown", true],
  ];
  it.each(vectors)("%s", (_what, peer, lines, address, ignored) => {
    const client = resolve(peer, lines, direct);
    expect(addressOf(client)).toBe(address);
    expect(client).toMatchObject({
      how: "socket",
      scheme: "unknown",
      host: undefined,
      viaProxy: false,
      ignoredForwarded: ignored,
    });
  });
});

describe("host: client address from X-Forwarded-For", () => {
  const vectors: [what: string, peer: string, value: string | string[], address: string][] = [
    ["one hop", proxy, "198.51.100.7", "198.51.100.7"],
    ["a hop a client made up before it", proxy, "1.1.1.1, 198.51.100.7", "198.51.100.7"],
    ["many hops a client made up", proxy, "1.1.1.1, 10.0.0.9, 2.2.2.2, 198.51.100.7", "198.51.100.7"],
    ["a trusted address a client made up", proxy, "10.0.0.9, 198.51.100.7", "198.51.100.7"],
    ["two trusted hops", proxy, "198.51.100.7, 10.0.0.2", "198.51.100.7"],
    ["three trusted hops of both families", proxy, "198.51.100.7, 2001:db8:cafe::2, 10.0.0.2", "198.51.100.7"],
    ["an untrusted hop between trusted ones", proxy, "1.1.1.1, 10.0.0.3, 198.51.100.7, 10.0.0.2", "198.51.100.7"],
    ["a trusted single address among the hops", proxy, "198.51.100.7, 192.0.2.1", "198.51.100.7"],
    ["the neighbour of a trusted single address", proxy, "198.51.100.7, 192.0.2.2", "192.0.2.2"],
    ["a trusted hop spelled as mapped IPv6", proxy, "198.51.100.7, ::ffff:10.0.0.2", "198.51.100.7"],
    ["a trusted hop spelled as mapped IPv6 in hexadecimal", proxy, "198.51.100.7, ::ffff:a00:2", "198.51.100.7"],
    ["a 6to4 spelling of a trusted network, which is not it", proxy, "198.51.100.7, 2002:a00:2::1", "2002:a00:2::1"],
    [
      "a NAT64 spelling of a trusted network, which is not it",
      proxy,
      "198.51.100.7, 64:ff9b::10.0.0.2",
      "64:ff9b::a00:2",
    ],
    ["a caller inside our own network", proxy, "10.0.0.77", "10.0.0.77"],
    ["a caller inside, through two hops", proxy, "10.0.0.77, 10.0.0.2", "10.0.0.77"],
    ["a trusted peer over IPv6", "2001:db8:cafe::1", "198.51.100.7", "198.51.100.7"],
    ["a trusted peer as mapped IPv6", "::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"],
    ["a client over IPv6", proxy, "2001:db8::7", "2001:db8::7"],
    ["a client over IPv6 in capitals and full length", proxy, "2001:0DB8:0:0:0:0:0:7", "2001:db8::7"],
    ["a client as mapped IPv6", proxy, "::ffff:198.51.100.7", "198.51.100.7"],
    ["a client behind NAT64", proxy, "64:ff9b::198.51.100.7", "198.51.100.7"],
    ["a link-local client with a zone", proxy, "fe80::7%eth0", "fe80::7"],
    ["a port", proxy, "198.51.100.7:51234", "198.51.100.7"],
    ["brackets", proxy, "[2001:db8::7]", "2001:db8::7"],
    ["brackets and port", proxy, "[2001:db8::7]:51234", "2001:db8::7"],
    ["a trusted hop with a port", proxy, "198.51.100.7, 10.0.0.2:8080", "198.51.100.7"],
    ["no spaces", proxy, "1.1.1.1,198.51.100.7,10.0.0.2", "198.51.100.7"],
    ["many spaces", proxy, "  1.1.1.1  ,   198.51.100.7  ,  10.0.0.2 ", "198.51.100.7"],
    ["two header lines", proxy, ["1.1.1.1", "198.51.100.7"], "198.51.100.7"],
    ["two header lines with a trusted hop", proxy, ["1.1.1.1, 198.51.100.7", "10.0.0.2"], "198.51.100.7"],
    ["garbage to the left of the client", proxy, "<script>, 198.51.100.7", "198.51.100.7"],
    ["empty entries to the left of the client", proxy, ", ,, 198.51.100.7", "198.51.100.7"],
    ["an open quote to the left of the client", proxy, '"1.1.1.1, 198.51.100.7', "198.51.100.7"],
    ["garbage where the client would stand", proxy, "1.1.1.1, garbage, 10.0.0.2", "unknown"],
    ["garbage alone", proxy, "garbage", "unknown"],
    ["unknown", proxy, "unknown", "unknown"],
    ["unknown behind a trusted hop", proxy, "1.1.1.1, unknown, 10.0.0.2", "unknown"],
    ["an obfuscated name", proxy, "_hidden", "unknown"],
    ["an empty header", proxy, "", "unknown"],
    ["an empty last entry", proxy, "198.51.100.7,", "unknown"],
    ["an empty entry behind a trusted hop", proxy, "198.51.100.7, , 10.0.0.2", "unknown"],
    ["an empty first entry behind a trusted hop", proxy, ", 10.0.0.2", "unknown"],
    ["octal", proxy, "0306.063.0144.07", "unknown"],
    ["a decimal address", proxy, "3325256711", "unknown"],
    ["a short address", proxy, "198.51.7", "unknown"],
    ["a host name", proxy, "client.example", "unknown"],
    ["a network", proxy, "198.51.100.0/24", "unknown"],
    ["a bad port", proxy, "198.51.100.7:99999", "unknown"],
    ["brackets around IPv4", proxy, "[198.51.100.7]", "unknown"],
    ["a zone on a global address", proxy, "2001:db8::7%eth0", "unknown"],
    ["a quoted address", proxy, '"198.51.100.7"', "unknown"],
    ["an untrusted peer", "203.0.113.1", "198.51.100.7", "203.0.113.1"],
    ["a peer just outside the trusted network", "11.0.0.0", "198.51.100.7", "11.0.0.0"],
    ["a peer whose address is no address", "socket", "198.51.100.7", "unknown"],
    ["a peer that is unknown", "unknown", "198.51.100.7", "unknown"],
  ];
  it.each(vectors)("%s", (_what, peer, value, address) => {
    const lines = [value].flat().map((text): Line => ["X-Forwarded-For", text]);
    const client = resolve(peer, lines, xff);
    expect(addressOf(client)).toBe(address);
    const believed = peer === proxy || peer === "2001:db8:cafe::1" || peer === "::ffff:10.0.0.1";
    expect(client.how).toBe(believed ? "forwarded" : "socket");
    expect(client.viaProxy).toBe(believed);
    expect(client.ignoredForwarded).toBe(!believed);
  });

  it("takes a trusted peer that sends no header for its own client", () => {
    const client = resolve(proxy, [], xff);
    expect(addressOf(client)).toBe(proxy);
    expect(client).toMatchObject({ how: "socket", viaProxy: true, scheme: "unknown", ignoredForwarded: false });
  });

  it("reads no other family, even from a trusted peer", () => {
    const lines: Line[] = [
      ["Forwarded", "for=1.1.1.1;proto=https;host=evil.example"],
      ["X-Real-IP", "2.2.2.2"],
      ["CF-Connecting-IP", "3.3.3.3"],
    ];
    const client = resolve(proxy, lines, xff);
    expect(addressOf(client)).toBe(proxy);
    expect(client).toMatchObject({ scheme: "unknown", host: undefined, ignoredForwarded: false });
  });

  const schemes: [string | undefined, "https" | "http" | "unknown"][] = [
    ["https", "https"],
    ["http", "http"],
    ["HTTPS", "https"],
    [undefined, "unknown"],
    ["", "unknown"],
    ["https,http", "unknown"],
    ["https, https", "unknown"],
    ["wss", "unknown"],
    ["https:", "unknown"],
    ["on", "unknown"],
    ['"https"', "unknown"],
  ];
  it.each(schemes)("takes X-Forwarded-Proto %j from a trusted peer as %s", (value, scheme) => {
    const lines: Line[] = [
      ["X-Forwarded-For", "198.51.100.7"],
      ...(value === undefined ? [] : [["X-Forwarded-Proto", value] satisfies Line]),
    ];
    expect(resolve(proxy, lines, xff).scheme).toBe(scheme);
    expect(resolve("203.0.113.1", lines, xff).scheme).toBe("unknown");
  });

  it("takes X-Forwarded-Host only where the topology says so, and only one", () => {
    const open = topology({ trusted, header: "x-forwarded-for", forwardedHost: true });
    const lines: Line[] = [
      ["X-Forwarded-For", "198.51.100.7"],
      ["X-Forwarded-Host", "api.example.com"],
    ];
    expect(resolve(proxy, lines, xff).host).toBeUndefined();
    expect(resolve(proxy, lines, open).host).toBe("api.example.com");
    expect(resolve("203.0.113.1", lines, open).host).toBeUndefined();
    expect(resolve(proxy, [["X-Forwarded-Host", "a.example, b.example"]], open).host).toBeUndefined();
    expect(resolve(proxy, [["X-Forwarded-Host", ""]], open).host).toBeUndefined();
  });
});

describe("host: client address from a header with one address", () => {
  const vectors: [what: string, value: string | undefined, address: string][] = [
    ["an address", "198.51.100.7", "198.51.100.7"],
    ["an IPv6 address", "2001:DB8::7", "2001:db8::7"],
    ["an address with a port", "198.51.100.7:80", "198.51.100.7"],
    ["a trusted address, which is a caller inside", "10.0.0.77", "10.0.0.77"],
    ["a list, which it never is", "1.1.1.1, 198.51.100.7", "unknown"],
    ["garbage", "garbage", "unknown"],
    ["nothing in it", "", "unknown"],
    ["no header: the peer itself", undefined, proxy],
  ];
  it.each(vectors)("%s", (_what, value, address) => {
    const lines: Line[] = value === undefined ? [] : [["CF-Connecting-IP", value]];
    expect(addressOf(resolve(proxy, [...lines, ["X-Forwarded-For", "9.9.9.9"]], cloudflare))).toBe(address);
    const stranger = resolve("203.0.113.1", lines, cloudflare);
    expect(addressOf(stranger)).toBe("203.0.113.1");
    expect(stranger.ignoredForwarded).toBe(value !== undefined);
  });
});

describe("host: client address from Forwarded", () => {
  const vectors: [what: string, value: string | string[], address: string, scheme: "https" | "http" | "unknown"][] = [
    ["an address", "for=198.51.100.7", "198.51.100.7", "unknown"],
    ["an address and a scheme", "for=198.51.100.7;proto=https", "198.51.100.7", "https"],
    ["any order, any case", "Proto=HTTP;By=10.0.0.1;FOR=198.51.100.7", "198.51.100.7", "http"],
    ["a quoted IPv6 address", 'for="[2001:db8::7]"', "2001:db8::7", "unknown"],
    ["a quoted IPv6 address with a port", 'for="[2001:DB8::7]:4711";proto=https', "2001:db8::7", "https"],
    ["a quoted address with a port", 'for="198.51.100.7:80"', "198.51.100.7", "unknown"],
    ["a quoted address with an obfuscated port", 'for="198.51.100.7:_p"', "198.51.100.7", "unknown"],
    ["an element a client made up", "for=1.1.1.1;proto=https, for=198.51.100.7;proto=http", "198.51.100.7", "http"],
    [
      "a trusted hop, whose scheme does not count",
      "for=198.51.100.7;proto=https, for=10.0.0.2;proto=http",
      "198.51.100.7",
      "https",
    ],
    [
      "a trusted hop that says https for a client that used http",
      "for=198.51.100.7;proto=http, for=10.0.0.2;proto=https",
      "198.51.100.7",
      "http",
    ],
    ["two header lines", ["for=1.1.1.1", "for=198.51.100.7;proto=https"], "198.51.100.7", "https"],
    ["spaces around comma and semicolon", "for=1.1.1.1 ,  for=198.51.100.7; proto=https", "198.51.100.7", "https"],
    ["an unknown parameter", "for=198.51.100.7;secret=x;proto=https", "198.51.100.7", "https"],
    ["a comma inside quotes", 'for=198.51.100.7;by="a,b";proto=https', "198.51.100.7", "https"],
    ["an open quote to the left", 'for="1.1.1.1, for=198.51.100.7;proto=https', "198.51.100.7", "https"],
    [
      "an open quote in a line of its own",
      ['for=1.1.1.1;by="', "for=198.51.100.7;proto=https"],
      "198.51.100.7",
      "https",
    ],
    ["an open quote before a quoted address", 'for="1.1.1.1, for="[2001:db8::7]"', "2001:db8::7", "unknown"],
    ["garbage to the left", ";;==, for=198.51.100.7", "198.51.100.7", "unknown"],
    ["a caller inside our own network", "for=10.0.0.77, for=10.0.0.2", "10.0.0.77", "unknown"],
    ["unknown", "for=unknown;proto=https", "unknown", "https"],
    ["an obfuscated name", "for=_hidden", "unknown", "unknown"],
    ["an obfuscated name behind a trusted hop", "for=1.1.1.1, for=_gazonk, for=10.0.0.2", "unknown", "unknown"],
    ["no for", "proto=https", "unknown", "https"],
    ["an empty for", "for=;proto=https", "unknown", "unknown"],
    ["an IPv6 address without quotes", "for=[2001:db8::7]", "unknown", "unknown"],
    ["an IPv6 address without brackets is still an address", 'for="2001:db8::7"', "2001:db8::7", "unknown"],
    ["a port without quotes", "for=198.51.100.7:80", "unknown", "unknown"],
    ["two addresses in one element", "for=1.1.1.1;for=198.51.100.7", "unknown", "unknown"],
    ["two schemes in one element", "for=198.51.100.7;proto=http;proto=https", "unknown", "unknown"],
    ["a backslash", 'for="198.51.100\\.7"', "unknown", "unknown"],
    ["an escaped quote", 'for=198.51.100.7;host="x\\",for=1.1.1.1;by=\\"y"', "unknown", "unknown"],
    ["an escaped quote with an empty end", 'for=198.51.100.7;host="x\\",for=1.1.1.1;a=\\""', "unknown", "unknown"],
    ["a quote that never opened", 'for=198.51.100.7"', "unknown", "unknown"],
    ["a quote that never closes", 'for="198.51.100.7', "unknown", "unknown"],
    ["text after a quote", 'for="198.51.100.7"x', "unknown", "unknown"],
    ["a space around =", "for = 198.51.100.7", "unknown", "unknown"],
    ["a semicolon at the end", "for=198.51.100.7;", "unknown", "unknown"],
    ["two semicolons", "for=198.51.100.7;;proto=https", "unknown", "unknown"],
    ["an empty element behind a trusted hop", "for=198.51.100.7, , for=10.0.0.2", "unknown", "unknown"],
    ["an empty first element", ", for=10.0.0.2", "unknown", "unknown"],
    ["an empty header", "", "unknown", "unknown"],
    ["a name that lower-cases into ASCII", "proto\u00a0=https;for=198.51.100.7", "unknown", "unknown"],
    ["an endless element", `for=198.51.100.7;by=${"x".repeat(600)}`, "unknown", "unknown"],
    ["a quoted scheme", 'for=198.51.100.7;proto="https"', "198.51.100.7", "https"],
    ["another scheme", "for=198.51.100.7;proto=wss", "198.51.100.7", "unknown"],
  ];
  it.each(vectors)("%s", (_what, value, address, scheme) => {
    const lines = [value].flat().map((text): Line => ["Forwarded", text]);
    const client = resolve(proxy, lines, rfc7239);
    expect(addressOf(client)).toBe(address);
    expect(client).toMatchObject({
      scheme,
      host: undefined,
      how: "forwarded",
      viaProxy: true,
      ignoredForwarded: false,
    });
    expect(resolve("203.0.113.1", lines, rfc7239)).toMatchObject({
      scheme: "unknown",
      how: "socket",
      ignoredForwarded: true,
    });
  });

  it("takes the host only where the topology says so, from the element that names the client", () => {
    const open = topology({ trusted, header: "forwarded", forwardedHost: true });
    const lines: Line[] = [
      [
        "Forwarded",
        'for=1.1.1.1;host=evil.example, for=198.51.100.7;host="api.example.com:8443", for=10.0.0.2;host=inner',
      ],
    ];
    expect(resolve(proxy, lines, rfc7239).host).toBeUndefined();
    expect(resolve(proxy, lines, open).host).toBe("api.example.com:8443");
  });

  it("does not read X-Forwarded-Proto beside it", () => {
    const lines: Line[] = [
      ["Forwarded", "for=198.51.100.7"],
      ["X-Forwarded-Proto", "https"],
    ];
    expect(resolve(proxy, lines, rfc7239).scheme).toBe("unknown");
  });

  it("takes a trusted peer that sends no header for its own client", () => {
    expect(addressOf(resolve(proxy, [["X-Forwarded-For", "1.1.1.1"]], rfc7239))).toBe(proxy);
  });
});

describe("host: client address, whatever a client sends", () => {
  const hop = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom("10.0.0.9", "unknown", "garbage", "", '"', "[::1]:80", "for=1.1.1.1"),
  );
  const left = fc.oneof(
    fc.array(hop, { maxLength: 5 }).map((hops) => hops.join(", ")),
    fc.stringMatching(/^[ -~]{0,40}$/),
  );
  const client = fc.oneof(fc.ipV4(), fc.ipV6()).filter((text) => {
    const resolved = resolveClient(text, {}, xff);
    return !resolved.viaProxy && resolved.address !== "unknown";
  });
  const ownHops = fc.array(
    fc.constantFrom("10.0.0.2", "::ffff:10.1.1.1", "2001:db8:cafe::9", "192.0.2.1", "10.0.0.3:80"),
    { maxLength: 3 },
  );

  it("is not changed by anything it writes into X-Forwarded-For before the proxies do", () => {
    fc.assert(
      fc.property(left, client, ownHops, (forged, address, hops) => {
        const honest = [address, ...hops].join(", ");
        const expected = resolve(proxy, [["X-Forwarded-For", honest]], xff);
        expect(expected.address).toEqual(resolveClient(address, {}, direct).address);
        expect(resolve(proxy, [["X-Forwarded-For", `${forged}, ${honest}`]], xff)).toEqual(expected);
        expect(
          resolve(
            proxy,
            [
              ["X-Forwarded-For", forged],
              ["X-Forwarded-For", honest],
            ],
            xff,
          ),
        ).toEqual(expected);
      }),
      { seed, numRuns: 3_000 },
    );
  });

  it("is not changed by anything it writes into Forwarded before the proxies do", () => {
    const element = (address: string) =>
      address.includes(":")
        ? `for="${address.includes("]") || address.includes(".") ? address : `[${address}]`}"`
        : `for=${address}`;
    fc.assert(
      fc.property(left, client, ownHops, (forged, address, hops) => {
        const honest = [`${element(address)};proto=https`, ...hops.map(element)].join(", ");
        const expected = resolve(proxy, [["Forwarded", honest]], rfc7239);
        expect(expected.address).toEqual(resolveClient(address, {}, direct).address);
        expect(expected.scheme).toBe("https");
        expect(resolve(proxy, [["Forwarded", `${forged}, ${honest}`]], rfc7239)).toEqual(expected);
        expect(
          resolve(
            proxy,
            [
              ["Forwarded", forged],
              ["Forwarded", honest],
            ],
            rfc7239,
          ),
        ).toEqual(expected);
      }),
      { seed, numRuns: 3_000 },
    );
  });

  it("is the socket's, whatever headers come from a peer that is not trusted", () => {
    const name = fc.constantFrom(
      "X-Forwarded-For",
      "Forwarded",
      "X-Real-IP",
      "CF-Connecting-IP",
      "X-Forwarded-Proto",
      "X-Forwarded-Host",
    );
    const lines = fc.uniqueArray(fc.tuple(name, left), { selector: ([key]) => key, maxLength: 6 });
    fc.assert(
      fc.property(client, lines, fc.constantFrom(direct, xff, rfc7239, cloudflare), (peer, sent, how) => {
        const resolved = resolve(peer, sent, how);
        expect(resolved.address).toEqual(resolveClient(peer, {}, direct).address);
        expect(resolved).toMatchObject({ scheme: "unknown", host: undefined, how: "socket" });
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it("is one network for every spelling of one address, so that no spelling is a second budget", () => {
    const octet = fc.nat({ max: 255 });
    const spelling = fc.tuple(octet, octet, octet, octet).map(([a, b, c, d]) => {
      const plain = `${a}.${b}.${c}.${d}`;
      const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
      return [plain, `${plain}:80`, `::ffff:${plain}`, `[::ffff:${hex}]:1`, `0:0:0:0:0:FFFF:${hex.toUpperCase()}`];
    });
    fc.assert(
      fc.property(spelling, (texts) => {
        const networks = texts.map((text) => {
          const { address } = resolve(proxy, [["CF-Connecting-IP", text]], cloudflare);
          return address === "unknown" ? "unknown" : address.prefix(32);
        });
        expect(new Set(networks)).toEqual(new Set([texts[0]]));
      }),
      { seed, numRuns: 500 },
    );
  });

  it("never throws", () => {
    const piece = fc.constantFrom(
      "for",
      "=",
      '"',
      ",",
      ";",
      " ",
      "10.0.0.2",
      "[",
      "::1",
      "]",
      "\\",
      "proto",
      "https",
      "1.1.1.1",
      "unknown",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 16 }), fc.constantFrom(xff, rfc7239, cloudflare), (pieces, how) => {
        const value = pieces.join("");
        const lines: Line[] = how.header === undefined ? [] : [[how.header, value]];
        expect(resolve(proxy, lines, how).viaProxy).toBe(true);
      }),
      { seed, numRuns: 5_000 },
    );
  });

  it("has a type that no text and no merely parsed address can take", () => {
    const count = (address: ClientAddress) => address.prefix(24);
    const parsed = parseAddress("198.51.100.7");
    const { address } = resolveClient("198.51.100.7", {}, direct);
    if (parsed instanceof Unreadable || address === "unknown") throw new Error("no address");
    // @ts-expect-error: anybody can parse a header; that establishes nothing
    const ofParsed = count(parsed);
    expect([count(address), ofParsed]).toEqual(["198.51.100.0/24", "198.51.100.0/24"]);
  });

  it("is right for the ten-thousandth peer, and for the first one again", () => {
    const how = topology({ trusted, header: "x-forwarded-for" });
    for (let index = 0; index < 10_000; index++) {
      const peer = `198.18.${index >> 8}.${index & 255}`;
      expect(addressOf(resolveClient(peer, {}, how))).toBe(peer);
    }
    expect(resolveClient(proxy, { "x-forwarded-for": "198.51.100.7" }, how).viaProxy).toBe(true);
  });
});

describe("host: topology", () => {
  it("has nothing to say about an honest one", () => {
    for (const header of [
      "x-forwarded-for",
      "forwarded",
      "cf-connecting-ip",
      "fly-client-ip",
      "x-real-ip",
      "true-client-ip",
    ]) {
      expect(topologyProblems({ trusted, header })).toEqual([]);
    }
  });

  const wrong: [string[], string, "trusted" | "header"][] = [
    [[], "x-forwarded-for", "trusted"],
    [["0.0.0.0/0"], "x-forwarded-for", "trusted"],
    [["10.0.0.1/8"], "x-forwarded-for", "trusted"],
    [["loopback"], "x-forwarded-for", "trusted"],
    [trusted, "X-Forwarded-For", "header"],
    [trusted, "", "header"],
    [trusted, "x forwarded", "header"],
    [trusted, "x-forwarded-host", "header"],
    [trusted, "x-forwarded-proto", "header"],
    [trusted, "cloudfront-viewer-address", "header"],
    [trusted, "via", "header"],
  ];
  it.each(wrong)("refuses %j with %j before anything listens", (networks, header, field) => {
    expect(topologyProblems({ trusted: networks, header })).toMatchObject([{ field }]);
    expect(() => topology({ trusted: networks, header })).toThrow(OptionsError);
  });
});
