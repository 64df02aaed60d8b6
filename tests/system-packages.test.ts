import { describe, expect, it } from "vitest";
import { hasProgram, systemPackages, wanted } from "../scripts/system-packages.ts";

const container = { isRoot: true, isThrownAway: true, hasAptGet: true };

describe("what tests run against", () => {
  it("are installed where they are missing and the machine is thrown away", () => {
    expect(wanted(container, () => false)).toEqual(["redis-server", "postgresql", "chromium"]);
    expect(wanted(container, ({ name }) => name === "postgresql")).toEqual(["redis-server", "chromium"]);
    expect(wanted(container, () => true)).toEqual([]);
  });

  it.each(["isRoot", "isThrownAway", "hasAptGet"])("are left to people where not %s", (fact) => {
    expect(wanted({ ...container, [fact]: false }, () => false)).toEqual([]);
  });

  it("are found along PATH and where Debian puts them", () => {
    expect(hasProgram({ name: "sh", programs: ["sh"] })).toBe(true);
    expect(hasProgram({ name: "sh", programs: ["/usr/bi*/sh"] })).toBe(true);
    expect(hasProgram({ name: "none", programs: ["no-such-program", "/no/*/program"] })).toBe(false);
    expect(systemPackages.map(({ name }) => name)).toContain("redis-server");
  });
});
