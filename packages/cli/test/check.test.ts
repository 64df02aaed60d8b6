import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Finding, rules } from "eslint-plugin-portcullis";
import { afterAll, describe, expect, it } from "vitest";
import { cases } from "../../eslint-plugin/test/cases.ts";
import { findIn } from "../src/checks/source.ts";
import { portcullis } from "./command.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A folder of these files. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-check-"));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const check = (folder: string, ...flags: readonly string[]) => portcullis(["check", folder, ...flags]);

const hole = 'process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";\n';

describe("portcullis check", () => {
  it("exits 0 and says what it looked at where nothing is found", async () => {
    expect(await check(folderOf({ "a.ts": "export const a = 1;\n" }))).toEqual({
      code: 0,
      out: "1 source file: nothing found.\n",
      err: "",
    });
  });

  it("exits 1 and says by file: where, which protection, the line, the fix and the page", async () => {
    const source =
      '\nimport jwt from "jsonwebtoken";\nexport function read(token: string) {\n  return jwt.verify(token, process.env.KEY);\n}\n';
    expect(await check(folderOf({ "src/b.ts": source, "src/c.ts": hole }))).toEqual({
      code: 1,
      err: "",
      out: [
        "src/b.ts",
        "  4:10  jwt  No algorithms are named, so the token has a say in how it is checked.",
        "      4 | return jwt.verify(token, process.env.KEY);",
        "        |        ^",
        '        fix: Name them, with issuer and audience: { algorithms: ["RS256"], issuer, audience }; "HS256" for a secret.',
        "        see: docs/protections/jwt.md",
        "",
        "src/c.ts",
        "  1:1  transport  No outgoing connection of this process checks a certificate any more.",
        '      1 | process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";',
        "        | ^",
        "        fix: Take it out, and name a private authority with NODE_EXTRA_CA_CERTS.",
        "        see: docs/protections/transport.md",
        "",
        "2 source files: 2 findings of 2 protections.",
        "",
      ].join("\n"),
    });
  });

  it("says the same as JSON", async () => {
    const { code, out } = await check(folderOf({ "a.js": hole }), "--json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({
      found: [
        {
          file: "a.js",
          line: 1,
          column: 1,
          text: hole.trim(),
          protection: "transport",
          problem: "No outgoing connection of this process checks a certificate any more.",
          fix: "Take it out, and name a private authority with NODE_EXTRA_CA_CERTS.",
          page: "docs/protections/transport.md",
        },
      ],
      unread: [],
      lookedAt: "1 source file",
    });
  });

  it("leaves out dependencies, tests, declarations, hidden folders and what .gitignore names, in each folder", async () => {
    const folder = folderOf({
      "node_modules/a/index.js": hole,
      "dist/a.js": hole,
      "src/a.test.ts": hole,
      "tests/a.ts": hole,
      "src/a.d.ts": "declare const a: 1;\n",
      ".next/a.js": hole,
      ".gitignore": "generated/\n*.gen.ts\n!kept.gen.ts\n",
      "generated/a.ts": hole,
      "src/a.gen.ts": hole,
      "packages/b/.gitignore": "/own.ts\n",
      "packages/b/own.ts": hole,
      "packages/b/src/own.ts": "export const own = 1;\n",
      "kept.gen.ts": "export const kept = 1;\n",
    });
    expect(await check(folder)).toEqual({ code: 0, out: "2 source files: nothing found.\n", err: "" });
  });

  it("lets a finding stand for a written reason, on the line before it and for that protection only", async () => {
    const folder = folderOf({
      "a.ts": `// portcullis-ignore transport: the test network has its own authority\n${hole}`,
      "b.ts": `// portcullis-ignore jwt: wrong one\n${hole}`,
      "c.ts": `/* portcullis-ignore transport: above a line */\n\n${hole}`,
    });
    const { code, out } = await check(folder, "--json");
    expect(code).toBe(1);
    const { found }: { found: readonly { file: string }[] } = JSON.parse(out);
    expect(found.map(({ file }) => file)).toEqual(["b.ts", "c.ts"]);
  });

  it.each(["// portcullis-ignore transport", "// portcullis-ignore transport:  "])(
    "counts %s without a reason for nothing, and says so",
    async (comment) => {
      const { code, out } = await check(folderOf({ "a.ts": `${comment}\n${hole}` }));
      expect(code).toBe(1);
      expect(out).toContain("To let it stand, say why: // portcullis-ignore transport: reason");
    },
  );

  it("exits 3 and names the file it cannot read, and 1 where another one has a finding", async () => {
    const broken = "const = ;\n";
    const alone = await check(folderOf({ "a.ts": broken, "b.ts": "export {};\n" }));
    expect(alone.code).toBe(3);
    expect(alone.err).toMatch(/^portcullis check: cannot read a\.ts: \S/);
    expect((await check(folderOf({ "a.ts": broken, "b.ts": hole }))).code).toBe(1);
  });

  it("cuts a long line to what is around the finding, and lets no source move the cursor", async () => {
    const long = `/* \u001b[2J */ ${"a();".repeat(500)} ${hole.trim()} ${"b();".repeat(500)}`;
    const { out } = await check(folderOf({ "a.js": long }));
    const [, , line = "", mark = ""] = out.split("\n");
    expect(line.length).toBeLessThan(130);
    expect(line.slice(mark.indexOf("^"))).toMatch(/^process\.env\.NODE_TLS/);
    expect(out).not.toContain("\u001b");
    const short = await check(folderOf({ "a.js": `  /*\u001b[2J*/${hole}` }));
    expect(short.out).toContain("1 | /* [2J*/process.env");
  });

  it("exits 3 where there is nothing to look at, so that a wrong folder does not pass", async () => {
    expect(await check(folderOf({ "README.md": "", "a.min.js": hole }))).toMatchObject({ code: 3, out: "" });
  });

  it("exits 3 for a folder that is not there, and for a file", async () => {
    const folder = folderOf({ "a.ts": "" });
    expect(await check(join(folder, "nowhere"))).toMatchObject({
      code: 3,
      out: "",
      err: `portcullis check: ${join(folder, "nowhere")} is not there, or cannot be read\n`,
    });
    expect(await check(join(folder, "a.ts"))).toMatchObject({
      code: 3,
      out: "",
      err: expect.stringContaining("is not a folder"),
    });
  });

  it.each([
    [
      "new TypeScript",
      "a.ts",
      "enum A { B }\nnamespace C { export const d = 1; }\nusing e = f();\nconst g = <const T,>(h: T) => h satisfies T;\n@i() class J { accessor k = 1; #l!: string; }\nimport m = require('m');\nexport type { n } from './n.ts';\n",
    ],
    ["JSX", "a.tsx", "export const A = <T,>(p: { b: T }) => <div {...p}>{`c`}</div>;\n"],
    ["JSX in a .js file", "a.js", "export default function A() { return <a href='b'>c</a>; }\n"],
    ["old scripts", "a.js", "with (a) { b = 010; }\nreturn;\n"],
    ["CommonJS", "a.cjs", "const a = require('a');\nmodule.exports = { a, await: 1 };\n"],
    ["CommonJS in TypeScript", "a.cts", "import a = require('a');\nexport = a;\n"],
    ["a #! line", "a.mjs", "#!/usr/bin/env node\nexport const a = 1;\n"],
    ["a byte order mark", "a.ts", "\uFEFFexport const a = 1;\n"],
    ["an empty file", "a.ts", ""],
  ])("reads %s", (_, file, text) => {
    expect(findIn(file, text)).toEqual([]);
    expect(findIn(file, `${text.startsWith("with") ? "" : text}${hole}`)).toHaveLength(1);
  });

  it("finds what the rules find in ESLint and oxlint, and leaves what they leave", () => {
    for (const [id, ofRule] of Object.entries(cases)) {
      for (const { name, code, file = "src/app.ts", found } of ofRule) {
        const problems = findIn(file, code).filter(({ protection }) => protection === id);
        const findings: Readonly<Record<string, Finding>> = rules[id]?.meta.docs.findings ?? {};
        const expected = found.map((message) => findings[message]?.problem ?? message).map(beforeWords);
        expect
          .soft(
            problems.map(({ problem }) => problem),
            `${id}: ${name}`,
          )
          .toEqual(expected.map((start) => expect.stringContaining(start)));
      }
    }
  });
});

/** A problem up to, or from, the words that are filled in. */
function beforeWords(problem: string): string {
  const parts = problem.split(/\{\{ *\w+ *\}\}/);
  return parts.toSorted((a, b) => b.length - a.length)[0] ?? "";
}
