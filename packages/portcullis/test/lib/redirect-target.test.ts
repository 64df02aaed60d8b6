import fc from "fast-check";
import type { RedirectLookup } from "portcullis";
import { describe, expect, it } from "vitest";
import { allowlistProblem, targetCheck } from "../../src/lib/redirect-target.ts";

const seed = 20_261_122;
const base = "https://host.example";
const list = [
  "/account",
  "/below/*",
  "https://app.example.com/callback",
  "https://bare.example.com",
  "http://127.0.0.1:8080/cb",
  "com.example.app:/cb",
];

describe("output: redirect targets", () => {
  const check = targetCheck(list);

  it("lets through only what a browser reads as an address on the list", () => {
    const piece = fc.constantFrom(
      "/",
      "//",
      "///",
      "\\",
      "/\\",
      "\\\\",
      "\t",
      "\n",
      "\r",
      " ",
      "@",
      ":",
      "?",
      "#",
      ";",
      "*",
      "%",
      ".",
      "..",
      "%2e",
      "%2E%2e",
      ".%2e",
      "%2f",
      "%5c",
      "%09",
      "%00",
      "%0d%0a",
      "\0",
      "\u3002",
      "\uff0f",
      "é",
      "．",
      "account",
      "below",
      "x",
      "evil.example",
      "host.example",
      "app.example.com",
      "bare.example.com",
      "callback",
      "/account",
      "/below/",
      "https:",
      "http:",
      "HTTPS:",
      "javascript:",
      "data:",
      "ws:",
      "com.example.app:",
      "/cb",
      "https://",
      "https:///",
      "https:/",
      "https://app.example.com/callback",
      "127.0.0.1:8080",
      "user@",
      "a:b@",
    );
    const target = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(""));
    let allowed = 0;
    fc.assert(
      fc.property(target, (text) => {
        if (check(text) !== true) return;
        allowed++;
        expect(
          list.some((entry) => isAt(new URL(text, base), entry)),
          text,
        ).toBe(true);
      }),
      { seed, numRuns: 60_000 },
    );
    // The sentence would hold of a check that says no to everything.
    expect(allowed).toBeGreaterThan(500);
  });

  it("hands a look-up the address a browser goes to, and nothing of this host", () => {
    const seen: string[] = [];
    const asks = targetCheck([{ reason: "for the test", allows: (url) => seen.push(url.href) > 0 }]);
    const piece = fc.constantFrom(
      "https:",
      "http:",
      "/",
      "//",
      "\\",
      "@",
      "evil.example",
      "x",
      ".",
      "..",
      ":",
      "?",
      "app:",
    );
    const target = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(target, (text) => {
        seen.length = 0;
        if (asks(text) !== true) return;
        expect(seen).toEqual([new URL(text, base).href]);
        expect(seen).toEqual([new URL(text, "http://host.example").href]);
      }),
      { seed, numRuns: 20_000 },
    );
  });

  it.each([
    "/account",
    "/account?x=//evil.example",
    "/account#x",
    "/below/x",
    "/below/x/y?z",
    "https://app.example.com/callback",
    "https://app.example.com/callback?code=a&state=b",
    "https://bare.example.com",
    "com.example.app:/cb?code=a",
  ])("lets %s through", (target) => {
    expect(check(target)).toBe(true);
  });

  it.each([
    "",
    "account",
    "/",
    "/account/",
    "/Account",
    "/account/../x",
    "/below/",
    "/below/..",
    "/below/../x",
    "/below/%2e%2e/x",
    "/below/.%2E/x",
    "/below/x/..%2f../%2e%2e",
    "/below\\..\\x",
    "//evil.example",
    "//evil.example/below/x",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    " /account",
    "/account ",
    "/account\r\nset-cookie: a=b",
    "/account%0d%0a/../../evil",
    "/%2f/evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https:\\\\evil.example",
    "https://app.example.com",
    "https://app.example.com/callback/x",
    "https://app.example.com./callback",
    "https://app.example.com:443/callback",
    "https://app.example.com/x/../callback",
    "https://app.example.com/callback/../x",
    "https://app.example.com@evil.example/callback",
    "https://app.example.com%40evil.example/callback",
    "https://user@app.example.com/callback",
    "https://@app.example.com/callback",
    "https://evil.example#https://app.example.com/callback",
    "https://evil.example/?https://app.example.com/callback",
    "https://evil.example\\@app.example.com/callback",
    "HTTPS://app.example.com/callback",
    "https://APP.example.com/callback",
    "https://app.example.com.evil.example/callback",
    "https://appxexample.com/callback",
    "https://app.example.com\u3002evil.example/callback",
    "https://\u0430pp.example.com/callback",
    "http://app.example.com/callback",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "blob:https://app.example.com/x",
    "file:///etc/passwd",
    "/account\0",
    "/account\u0085",
  ])("lets %j not through", (target) => {
    expect(check(target)).toBe(false);
  });

  it("asks no look-up for what browsers might read otherwise, or would run", () => {
    let asked = 0;
    const asks = targetCheck([{ reason: "for the test", allows: () => ++asked > 0 }]);
    const bad = [
      "/x",
      "//x",
      "javascript:x",
      "data:x",
      "https:x",
      "https:/x",
      "https:///x",
      "https://u@x",
      "https://@x",
    ];
    for (const target of [...bad, "https://x\\y", "https://é", "x", "https://x y", "view-source:https://x"]) {
      expect(asks(target), target).toBe(false);
    }
    expect(asked).toBe(0);
  });

  it("believes nothing but true, and asks one look-up after the other until one says it", async () => {
    const allows = (answer: unknown): RedirectLookup =>
      Object.assign({ reason: "for the test", allows: () => false }, { allows: () => answer });
    for (const answer of ["yes", 1, {}, undefined, null, false, Promise.resolve("yes"), Promise.resolve(false)]) {
      expect(await targetCheck([allows(answer)])("https://x.example/")).toBe(false);
    }
    expect(await targetCheck([allows(false), allows(Promise.resolve(true))])("https://x.example/")).toBe(true);
    expect(await targetCheck([allows(Promise.resolve(false)), allows(true)])("https://x.example/")).toBe(true);
  });

  it.each(["/", "/account", "/below/*", "/*", "https://app.example.com/cb", "https://app.example.com", "app.x:/cb"])(
    "takes %s as an entry",
    (entry) => {
      expect(allowlistProblem(entry)).toBeUndefined();
    },
  );

  it.each([
    ["*", "is neither"],
    ["", "is neither"],
    ["account", "is neither"],
    ["//evil.example", "is no plain path"],
    ["//evil.example/*", "is no plain path"],
    ["/a/*/b", "is no plain path"],
    ["/a*", "is no plain path"],
    ["/a/../b", "is no plain path"],
    ["/a?x", "is no plain path"],
    ["/a b", "is no plain path"],
    ["/é", "is no plain path"],
    ["https://*.example.com", "is neither"],
    ["https://app.example.com/*", "is neither"],
    ["https://app.example.com/?x", "is neither"],
    ["https://app.example.com/a/../b", "is read by browsers as https://app.example.com/b"],
    ["https://APP.example.com/", "is read by browsers as https://app.example.com/"],
    ["https://app.example.com:443/", "is read by browsers as https://app.example.com/"],
    ["https:app.example.com", "is an address no browser should be sent to"],
    ["https://user:pw@app.example.com/", "is an address no browser should be sent to"],
    ["javascript:alert(1)", "is an address no browser should be sent to"],
    ["http://app.example.com/", "goes over plain http"],
    [1, "is no address"],
    [null, "is no address"],
    [{ reason: "x" }, "is a look-up without"],
    [{ reason: " ", allows: () => true }, "is a look-up without"],
  ])("says what is wrong with the entry %j: it %s", (entry, problem) => {
    expect(allowlistProblem(entry)).toMatch(new RegExp(`^${problem.replaceAll(/[.?*/]/g, "\\$&")}`));
  });
});

function isAt(url: URL, entry: string): boolean {
  if (entry.endsWith("/*")) return url.origin === base && url.pathname.startsWith(entry.slice(0, -1));
  const there = new URL(entry, base);
  return url.protocol === there.protocol && url.host === there.host && url.pathname === there.pathname;
}
