import { describe, expect, it } from "vitest";
import { read, signIn, signUp, write } from "../../src/limits/presets.ts";
import { parseRate } from "../../src/limits/rate.ts";

describe("rate-limit: presets", () => {
  it("reads 60 and writes 10 a minute per caller", () => {
    expect(read).toEqual({ rate: "60/min", by: "caller" });
    expect(write).toEqual({ rate: "10/min", by: "caller" });
  });

  it.each([
    [signIn, "sign-in"],
    [signUp, "sign-up"],
  ] as const)(
    "bounds sign-in and sign-up per address, and failures per account and address together and per account, over all such forms",
    (preset, sharedAs) => {
      expect(preset("body.email")).toEqual([
        { rate: "5/min", by: "address", sharedAs },
        { rate: "5/h", by: "body.email", and: "address", counts: "failures", sharedAs },
        { rate: "50/h", by: "body.email", counts: "failures", sharedAs },
      ]);
    },
  );

  it("has rates that can be read, and cannot be changed by who imports them", () => {
    for (const limit of [read, write, ...signIn("body.user"), ...signUp("body.user")]) {
      expect(Object.isFrozen(limit)).toBe(true);
      expect(() => parseRate(limit.rate)).not.toThrow();
    }
    expect(Object.isFrozen(signIn("body.user"))).toBe(true);
  });
});
