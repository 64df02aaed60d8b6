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
});
