import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCookies } from "../../src/lib/cookies.ts";
import type { CookieAttributes } from "../../src/lib/set-cookie.ts";
import { deleteCookie, serializeCookie } from "../../src/lib/set-cookie.ts";

describe("sessions: writing cookies", () => {
  it("is the strictest cookie when nothing is said", () => {
    expect(serializeCookie("__Host-session", "abc")).toBe(
      "__Host-session=abc; Path=/; Secure; HttpOnly; SameSite=Strict",
    );
  });

  it("writes every attribute it was given", () => {
    expect(
      serializeCookie("theme", "dark", {
        path: "/app",
        domain: "example.com",
        maxAgeSeconds: 60,
        sameSite: "Lax",
        httpOnly: false,
        secure: false,
      }),
    ).toBe("theme=dark; Path=/app; Domain=example.com; Max-Age=60; SameSite=Lax");
    expect(serializeCookie("a", "", { sameSite: "None", partitioned: true })).toBe(
      "a=; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
    );
  });

  it("deletes with the attributes the cookie was set with", () => {
    expect(deleteCookie("__Host-session", { maxAgeSeconds: 60 })).toBe(
      "__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict",
    );
  });

  const refused: [string, string, string, CookieAttributes][] = [
    ["a name with a space", "a b", "x", {}],
    ["an empty name", "", "x", {}],
    ["a name with =", "a=b", "x", {}],
    ["a name with ;", "a;b", "x", {}],
    ["a value with ;", "a", "x; Domain=evil.example", {}],
    ["a value with a line break", "a", "x\r\nSet-Cookie: b=1", {}],
    ["a value with a space", "a", "x y", {}],
    ["a value with a quote", "a", '"x"', {}],
    ["a value with a comma", "a", "x,b=1", {}],
    ["a value beyond ASCII", "a", "é", {}],
    ["a value over 4096 bytes", "a", "x".repeat(4_096), {}],
    ["a relative path", "a", "x", { path: "app" }],
    ["an empty path", "a", "x", { path: "" }],
    ["a path with ;", "a", "x", { path: "/;Domain=evil" }],
    ["a path with a line break", "a", "x", { path: "/\n" }],
    ["a domain with ;", "a", "x", { domain: "a.example;x" }],
    ["a domain with a leading dot", "a", "x", { domain: ".example.com" }],
    ["an empty domain", "a", "x", { domain: "" }],
    ["a domain in capitals", "a", "x", { domain: "Example.com" }],
    ["a fractional age", "a", "x", { maxAgeSeconds: 1.5 }],
    ["a negative age", "a", "x", { maxAgeSeconds: -1 }],
    ["an age that is no number", "a", "x", { maxAgeSeconds: Number.NaN }],
    ["an age over 400 days", "a", "x", { maxAgeSeconds: 34_560_001 }],
    ["SameSite=None without secure", "a", "x", { sameSite: "None", secure: false }],
    ["Partitioned without secure", "a", "x", { partitioned: true, secure: false }],
    ["__Host- without secure", "__Host-a", "x", { secure: false }],
    ["__Host- with a domain", "__Host-a", "x", { domain: "example.com" }],
    ["__Host- with another path", "__Host-a", "x", { path: "/app" }],
    ["__host- with another path", "__host-a", "x", { path: "/app" }],
    ["__Secure- without secure", "__Secure-a", "x", { secure: false }],
    ["__Http- readable by scripts", "__Http-a", "x", { httpOnly: false }],
    ["__Host-Http- readable by scripts", "__Host-Http-a", "x", { httpOnly: false }],
    ["__Host-Http- with another path", "__Host-Http-a", "x", { path: "/app" }],
  ];
  it.each(refused)("refuses %s", (_what, name, value, attributes) => {
    expect(() => serializeCookie(name, value, attributes)).toThrow(TypeError);
  });

  it("refuses a SameSite that came from somewhere without types", () => {
    const attributes: CookieAttributes = JSON.parse('{"sameSite":"Strict; Domain=evil.example"}');
    expect(() => serializeCookie("a", "x", attributes)).toThrow(TypeError);
  });

  it("never says the value in its error", () => {
    expect(() => serializeCookie("a", "top secret")).toThrow(/^(?!.*top secret)/);
  });

  it("cannot be made to write another attribute, and reads back what it wrote", () => {
    const hostile = fc.string({ unit: fc.constantFrom(...'a;=, "\\\r\n\t\0é'), maxLength: 6 });
    const name = fc.oneof({ weight: 4, arbitrary: fc.stringMatching(/^[a-zA-Z!#~_-]{1,8}$/) }, hostile);
    const value = fc.oneof({ weight: 4, arbitrary: fc.base64String({ maxLength: 20 }) }, hostile);
    const path = fc.oneof({ weight: 4, arbitrary: fc.webPath() }, hostile);
    const domain = fc.oneof({ weight: 4, arbitrary: fc.domain() }, hostile);
    let writes = 0;
    fc.assert(
      fc.property(name, value, path, domain, (name, value, path, domain) => {
        let written: string;
        try {
          written = serializeCookie(name, value, { path, domain });
        } catch {
          return;
        }
        writes++;
        const [pair = "", ...attributes] = written.split("; ");
        expect(attributes).toEqual([`Path=${path}`, `Domain=${domain}`, "Secure", "HttpOnly", "SameSite=Strict"]);
        expect(readCookies(pair, [name])).toMatchObject({ [name]: value });
        expect(written).toMatch(/^[\x20-\x7e]+$/);
      }),
      { seed: 20260111, numRuns: 3_000 },
    );
    expect(writes).toBeGreaterThan(500);
  });
});
