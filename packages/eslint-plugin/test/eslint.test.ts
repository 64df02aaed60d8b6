import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ESLint, Linter } from "eslint";
import portcullis, { rules } from "eslint-plugin-portcullis";
import { describe, expect, it } from "vitest";
import { cases } from "./cases.ts";
import { expressExamples } from "./express-examples.ts";
import { parseForESLint } from "./parser.ts";

const linter = new Linter({ configType: "flat" });

/** What the one rule says in ESLint itself, in the order of the lines. */
function found(id: string, code: string, file: string): readonly string[] {
  const typescript = /\.tsx?$/.test(file);
  const config: Linter.Config = {
    files: ["**/*.{js,ts,tsx}"],
    plugins: { portcullis },
    rules: { [`portcullis/${id}`]: "error" },
    languageOptions: { sourceType: "module", ...(typescript ? { parser: { parseForESLint } } : {}) },
  };
  const messages = linter.verify(code, [config], { filename: file });
  return messages.map((message) => message.messageId ?? message.message);
}

for (const [id, ofRule] of Object.entries(cases)) {
  describe(`${id} in ESLint`, () => {
    it.each(ofRule.filter(({ found }) => found.length > 0))(
      "finds $name",
      ({ code, file = "src/app.ts", found: expected }) => {
        expect(found(id, code, file)).toEqual(expected);
      },
    );

    it.each(ofRule.filter(({ found }) => found.length === 0))("leaves $name", ({ code, file = "src/app.ts" }) => {
      expect(found(id, code, file)).toEqual([]);
    });
  });
}

describe("code like Express's own examples", () => {
  it.each(Object.entries(expressExamples))("%s: no rule finds anything", (_, code) => {
    const config: Linter.Config[] = [portcullis.configs.recommended, { languageOptions: { sourceType: "commonjs" } }];
    expect(linter.verify(code, config, { filename: "index.js" })).toEqual([]);
  });
});

describe("the plugin", () => {
  it("has cases for every rule, and every one of its messages is found by one", () => {
    for (const [id, rule] of Object.entries(rules)) {
      const messages = new Set((cases[id] ?? []).flatMap((one) => one.found));
      expect.soft([...messages].sort(), id).toEqual(Object.keys(rule.meta.messages).sort());
    }
  });

  it("switches every rule on in its recommended configuration", async () => {
    const eslint = new ESLint({ overrideConfigFile: true, overrideConfig: [portcullis.configs.recommended] });
    const [result] = await eslint.lintText('import jwt from "jsonwebtoken";\njwt.verify(token, "hunter2");\n', {
      filePath: "a.js",
    });
    expect(result?.messages.map(({ ruleId, messageId }) => [ruleId, messageId])).toEqual([
      ["portcullis/jwt", "algorithms"],
      ["portcullis/jwt", "secret"],
    ]);
    expect(Object.keys(portcullis.configs.recommended.rules)).toEqual(
      Object.keys(rules).map((id) => `portcullis/${id}`),
    );
  });

  it("names every rule in its README, and no other", () => {
    const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
    const named = [...readme.matchAll(/^\| `portcullis\/([a-z-]+)` \|/gm)].map(([, id]) => id);
    expect(named.toSorted()).toEqual(Object.keys(rules).toSorted());
  });

  it("says in every message what is wrong and how to mend it", () => {
    for (const [id, { meta }] of Object.entries(rules)) {
      expect(meta.docs.page).toBe(`docs/protections/${id}.md`);
      for (const { problem, fix } of Object.values(meta.docs.findings)) {
        expect.soft(problem, id).toMatch(/[.]$/);
        expect.soft(fix, id).toMatch(/[.]$/);
      }
    }
  });
});
