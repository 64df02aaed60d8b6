import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");

interface Row {
  readonly id: string;
  readonly level: string;
  readonly shown: string;
}

const text = readFileSync(join(root, "docs/asvs.md"), "utf8");
const rows: readonly Row[] = [...text.matchAll(/^\| (\d+\.\d+\.\d+) \| (L[123]) \| [^|]+ \| (.+) \|$/gm)].map(
  ([, id = "", level = "", shown = ""]) => ({ id, level, shown }),
);

/** Those of V6, V7, V9 and V10 that apply to a server like this one. */
const asked = `
  6.1.1 6.1.2 6.1.3 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.2.9 6.2.10 6.2.11 6.2.12
  6.3.1 6.3.2 6.3.3 6.3.4 6.3.5 6.3.6 6.3.7 6.3.8 6.4.1 6.4.2 6.4.3 6.4.6 6.5.2 6.5.3 6.5.4 6.5.5 6.6.3 6.8.1 6.8.2 6.8.4
  7.1.1 7.1.2 7.1.3 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2 7.5.3 7.6.1 7.6.2
  9.1.1 9.1.2 9.1.3 9.2.1 9.2.2 9.2.3 9.2.4
  10.1.1 10.1.2 10.2.1 10.2.2 10.2.3 10.3.1 10.3.2 10.3.3 10.3.4 10.3.5
  10.4.1 10.4.2 10.4.3 10.4.4 10.4.5 10.4.6 10.4.7 10.4.8 10.4.9 10.4.10 10.4.11 10.4.12 10.4.13 10.4.14 10.4.15 10.4.16
  10.5.1 10.5.2 10.5.3 10.5.4 10.5.5 10.6.1 10.6.2 10.7.1 10.7.2 10.7.3`
  .trim()
  .split(/\s+/);

describe("docs/asvs.md", () => {
  it("has a row for each requirement that applies, once, in order", () => {
    const ids = rows.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(asked.filter((id) => !ids.includes(id))).toEqual([]);
    const weight = (id: string) => id.split(".").reduce((sum, part) => sum * 1000 + Number(part), 0);
    expect(ids).toEqual(ids.toSorted((one, other) => weight(one) - weight(other)));
  });

  it.each(rows)("$id: what shows it exists, or a reason says why it is open", ({ shown }) => {
    if (/^(?:open|does not apply): .{10,}/.test(shown)) return;
    const links = [...shown.matchAll(/\[[^\]]+\]\(([^)]+)\)(?:: "((?:[^"]|"(?!<br>|$))+)")?/g)];
    expect(links.length).toBeGreaterThan(0);
    for (const [, target = "", name] of links) {
      const path = join(root, "docs", target);
      expect(existsSync(path), target).toBe(true);
      if (!target.endsWith(".test.ts")) continue;
      expect(name, target).toBeDefined();
      expect(readFileSync(path, "utf8")).toContain(`"${name}"`);
    }
  });

  it("counts right", () => {
    const open = rows.filter(({ shown }) => shown.startsWith("open:")).length;
    const none = rows.filter(({ shown }) => shown.startsWith("does not apply:")).length;
    const met = rows.length - open - none;
    expect(text).toContain(`${rows.length} requirements, ${met} met, ${open} open, ${none} do not apply`);
  });
});
