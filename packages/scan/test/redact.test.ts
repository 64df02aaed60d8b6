import { describe, expect, it } from "vitest";
import { createRedactor } from "../src/redact.ts";

describe("redact", () => {
  it("takes known secrets out, the longest first", () => {
    const redactor = createRedactor();
    redactor.add("abcdefgh", "short");
    redactor.add("abcdefgh-ijkl", "long");
    expect(redactor.apply("x abcdefgh-ijkl y abcdefgh")).toBe("x <long> y <short>");
  });

  it("takes everything out that is shaped like a token", () => {
    const token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.";
    expect(createRedactor().apply(`Bearer ${token} end`)).toBe("Bearer <token> end");
  });

  it("leaves text alone that merely contains a common word", () => {
    const redactor = createRedactor();
    redactor.add("secret", "jwt-key");
    expect(redactor.apply("a secret garden")).toBe("a secret garden");
  });

  it("takes out what a sign-in or a new key answers, and what a form sends, without knowing it", () => {
    const redactor = createRedactor();
    expect(redactor.apply('{"name":"x","key":"prj_live_0123456789"}')).toBe('{"name":"x","key":"<redacted>"}');
    expect(redactor.apply('{"accessToken": "0123456789", "password":"long enough"}')).toBe(
      '{"accessToken": "<redacted>", "password":"<redacted>"}',
    );
  });

  it("takes credentials out of the headers that carry them", () => {
    const redactor = createRedactor();
    expect(redactor.applyTo("set-cookie", "__Host-s=0123456789abcdef; Path=/; Secure")).toBe(
      "__Host-s=<cookie>; Path=/; Secure",
    );
    expect(redactor.applyTo("cookie", "a=0123456789abcdef; b=1")).toBe("a=<cookie>; b=1");
    expect(redactor.applyTo("authorization", "Bearer 0123456789abcdef")).toBe("Bearer <credential>");
    expect(redactor.applyTo("location", "/things/0123456789abcdef")).toBe("/things/0123456789abcdef");
  });

  it("takes a known secret out however it is written", () => {
    const secret = 'p/ss+w"rd & mör€ <1>';
    const redactor = createRedactor();
    redactor.add(secret, "alice");
    const bytes = Buffer.from(secret);
    const written = [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ p: secret }).toString(),
      JSON.stringify({ a: secret }),
      bytes.toString("hex"),
      bytes.toString("base64"),
      bytes.toString("base64url"),
      ...["a:", "ab:", "abc:"].flatMap((user) => [
        Buffer.from(`${user}${secret}`).toString("base64"),
        Buffer.from(`{"${user}":"${secret}x"}`).toString("base64url"),
      ]),
    ];
    for (const text of written) expect(redactor.apply(`it says ${text}`)).toMatch(/<alice>/);
    const kept = bytes.toString("base64").slice(6, -6);
    for (const text of written) expect(redactor.apply(text)).not.toContain(kept);
  });

  it("takes a short password out where its name says what it is, and leaves the same word elsewhere", () => {
    const redactor = createRedactor();
    redactor.add("admin", "password");
    expect(redactor.apply('{"role":"admin","password":"admin"}')).toBe('{"role":"admin","password":"<password>"}');
    expect(redactor.apply("user=admin&password=admin&next=1")).toBe("user=admin&password=<password>&next=1");
    expect(redactor.apply("password=admin")).toBe("password=<password>");
    expect(redactor.apply("password=administrator")).toBe("password=<redacted>");
  });

  it("takes out what a query or a form calls a secret", () => {
    expect(createRedactor().apply("/cb?state=1&access_token=0123456789abc#id_token=0123456789abc")).toBe(
      "/cb?state=1&access_token=<redacted>#id_token=<redacted>",
    );
  });

  it("takes out every one of many secrets, the longest of those that begin alike", () => {
    const redactor = createRedactor();
    for (let index = 0; index < 300; index += 1) redactor.add(`secret-number-${index}`, `s${index}`);
    expect(redactor.apply("secret-number-29secret-number-299 secret-number-3")).toBe("<s29><s299> <s3>");
  });
});
