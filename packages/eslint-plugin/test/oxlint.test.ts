import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { rules } from "eslint-plugin-portcullis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cases } from "./cases.ts";

/** A diagnostic of oxlint, as far as it is read here. */
interface Diagnostic {
  readonly code: string;
  readonly filename: string;
  readonly message: string;
}

const oxlint = join(dirname(createRequire(import.meta.url).resolve("oxlint/package.json")), "bin/oxlint");
const folder = mkdtempSync(join(tmpdir(), "portcullis-oxlint-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Every case as a file of its own, under the folder of its rule and its number. */
const files = Object.entries(cases).flatMap(([id, ofRule]) =>
  ofRule.map((one, index) => ({ id, ...one, place: `${id}/${index}/${one.file ?? "src/app.ts"}` })),
);
let diagnostics: readonly Diagnostic[] = [];

beforeAll(() => {
  for (const { place, code } of files) {
    mkdirSync(join(folder, dirname(place)), { recursive: true });
    writeFileSync(join(folder, place), code);
  }
  const config = join(folder, ".oxlintrc.json");
  writeFileSync(
    config,
    JSON.stringify({
      jsPlugins: [join(import.meta.dirname, "../src/index.ts")],
      categories: { correctness: "off" },
      rules: Object.fromEntries(Object.keys(rules).map((id) => [`portcullis/${id}`, "error"])),
    }),
  );
  const run = spawnSync(process.execPath, ["--conditions=source", oxlint, "-c", config, "--format=json", folder], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    cwd: folder,
  });
  const parsed: { readonly diagnostics: readonly Diagnostic[] } = JSON.parse(run.stdout);
  diagnostics = parsed.diagnostics;
});

/** The messages that one rule has for a file; words that are filled in count as any. */
function said(id: string, place: string): readonly string[] {
  const messages = Object.entries(rules[id]?.meta.messages ?? {});
  return diagnostics
    .filter(({ code, filename }) => code === `portcullis(${id})` && filename.endsWith(place))
    .map(({ message }) => {
      const same = messages.find(([, text]) => matches(text, message));
      return same?.[0] ?? message;
    });
}

function matches(text: string, message: string): boolean {
  const [first = "", ...others] = text.split(/\{\{ *\w+ *\}\}/);
  return message.startsWith(first) && others.every((part) => message.includes(part));
}

describe("the rules in oxlint", () => {
  it.each(files)("$id: $name", ({ id, place, found }) => {
    expect([...said(id, place)].sort()).toEqual([...found].sort());
  });
});
