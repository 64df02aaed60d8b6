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
});
