import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Cell, checklist, type Protection, protection } from "../packages/portcullis/src/checklist.ts";
import { refusals } from "../packages/portcullis/src/refusal.ts";
import { probes } from "../packages/scan/src/probes.ts";
import { fold, withoutProbe } from "../packages/scan/src/verdict.ts";
import { hasHole, isPlanned } from "../scripts/docs.ts";

const root = join(import.meta.dirname, "..");

/** Where the files of each kind stand; a file is named after its protection. */
const kinds = [
  { kind: "gate", places: "packages/portcullis/src/gates/*.ts", cell: (row: Protection): Cell => row.gate },
  { kind: "probe", places: "packages/scan/src/probes/*.ts", cell: (row: Protection): Cell => row.probe },
  { kind: "rule", places: "packages/eslint-plugin/src/rules/*.ts", cell: (row: Protection): Cell => row.rule },
] as const;

function namesAt(places: string): readonly string[] {
  return globSync(places, { cwd: root }).map((path) => basename(path).replace(/\.[a-z]+$/, ""));
}

function idsWhere(holds: (row: Protection) => boolean): readonly string[] {
  return checklist.filter(holds).map(({ id }) => id);
}

describe("the names of the checklist", () => {
  it("are kebab-case and stand there once", () => {
    const ids = checklist.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  for (const { kind, places, cell } of kinds) {
    it(`every ${kind} that is built is a file of its name, and every file is a ${kind} that is built`, () => {
      const built = idsWhere((row) => cell(row) === "built");
      expect([...namesAt(places)].sort()).toEqual([...built].sort());
    });
  }

  it("every gate that is built, alone or inside another, has its tests, and every file of tests a gate", () => {
    const gated = idsWhere(({ gate }) => gate === "built" || (typeof gate === "object" && "in" in gate));
    const tests = namesAt("packages/portcullis/test/gates/*.ts").map((name) => name.replace(/\.test$/, ""));
    expect([...tests].sort()).toEqual([...gated].sort());
  });

  it("every group of a gate's tests begins with its name, so that ./test -t finds it", () => {
    for (const path of globSync("packages/portcullis/test/gates/*.test.ts", { cwd: root })) {
      const id = basename(path, ".test.ts");
      const groups = readFileSync(join(root, path), "utf8").matchAll(/^(?:describe\(|\]\)\()"([^"]+)"/gm);
      const names = [...groups].map(([, name]) => name ?? "");
      expect.soft(names, path).not.toEqual([]);
      for (const name of names) expect.soft(name.startsWith(id), `${path}: ${name}`).toBe(true);
    }
  });

  it("every protection has its page, and every page its protection", () => {
    expect([...namesAt("docs/protections/*.md")].sort()).toEqual(checklist.map(({ id }) => id).sort());
  });

  it("a gate inside another one stands in one that is built", () => {
    for (const { gate } of checklist) {
      if (typeof gate === "object" && "in" in gate) expect(idsWhere((row) => row.gate === "built")).toContain(gate.in);
    }
  });

  it("where there is nothing to build, the row says why", () => {
    for (const row of checklist) {
      for (const what of [row.gate, row.probe, row.rule]) {
        if (typeof what === "object" && "none" in what) expect(what.none).toMatch(/^[A-Z].{15,}\.$/);
      }
    }
  });

  it("every probe that is built is run by the prover under its own name, and no other", () => {
    expect(probes.map(({ id }) => id).sort()).toEqual([...idsWhere((row) => row.probe === "built")].sort());
  });

  it("every probe that is built has the hole it must find, unless its gate is planned or it attacks a server of its own, and every hole its probe", () => {
    expect([...namesAt("tests/holes/*.ts")].sort()).toEqual([...idsWhere(hasHole)].sort());
  });

  it("every way to say no belongs to a protection whose gate is built, or one without a gate of its own", () => {
    for (const [code, { protection: id }] of Object.entries(refusals)) {
      expect.soft(protection(id).gate, code).not.toBe("planned");
    }
  });
});

describe("what is planned", () => {
  const planned = checklist.filter(isPlanned);

  it("says so on its page, and nothing else does", () => {
    for (const { id } of checklist) {
      const page = readFileSync(join(root, `docs/protections/${id}.md`), "utf8");
      expect.soft(/^\*\*Planned\.\*\* /m.test(page), id).toBe(planned.some((row) => row.id === id));
    }
  });

  it("is never held: where a probe is planned the prover claims nothing", () => {
    for (const { id } of checklist.filter((row) => row.probe === "planned")) {
      expect(withoutProbe(id)).toBe("Its probe is planned; nothing is claimed.");
      expect(fold(id, []).verdict).toBe("not-applicable");
    }
  });
});

describe("the sources of the checklist", () => {
  it("are item numbers, in order, each once in a row", () => {
    for (const { id, sources } of checklist) {
      const sorted = [...new Set(sources)].sort(
        (a, b) => Number(a.split(".")[0]) - Number(b.split(".")[0]) || itemOf(a) - itemOf(b),
      );
      expect.soft([...sources], id).toEqual(sorted);
      for (const item of sources) expect(item).toMatch(/^[0-4]\.[1-9]\d?$/);
    }
  });
});

function itemOf(number: string): number {
  return Number(number.split(".")[1]);
}
