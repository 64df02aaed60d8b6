import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeBlocks } from "./docs/markdown.ts";

const root = join(import.meta.dirname, "..");
// As deep in the checkout as an example, so that packages are found.
const folder = join(root, `.portcullis/next-docs-${process.pid}`);
const blocks = codeBlocks(readFileSync(join(root, "docs/next.md"), "utf8"));

beforeAll(() => {
  for (const { language, code } of blocks) {
    const file = /^\/\/ (\S+)\n/.exec(code)?.[1];
    if (language === "ts" && file !== undefined) write(file, code);
  }
  const passwords = "lib/passwords.ts";
  write(passwords, readFileSync(join(root, "examples/next-projects", passwords), "utf8"));
  write("package.json", '{ "type": "module", "dependencies": { "next": "16.4.5", "portcullis": "0.1.0" } }');
  const example: { compilerOptions: object } = JSON.parse(
    readFileSync(join(root, "examples/next-projects/tsconfig.json"), "utf8"),
  );
  const compilerOptions = { ...example.compilerOptions, customConditions: ["source"], incremental: false };
  write("tsconfig.json", JSON.stringify({ ...example, compilerOptions, references: [] }));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the walk of docs/next.md", () => {
  it("names the file of every block of TypeScript", () => {
    const files = blocks.filter(({ language }) => language === "ts").map(({ code }) => code.split("\n")[0]);
    expect(files).toEqual(["// lib/api.ts", "// lib/data.ts", "// app/api/[[...path]]/route.ts", "// next.config.ts"]);
  });

  it("compiles", () => {
    const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
    // What is wrong in the library's own sources is another test's.
    expect(stdout.split("\n").filter((line) => /^(?:lib|app|next\.config|.*next-docs)/.test(line))).toEqual([]);
  });

  it("passes its own check, and a list of handlers that stay is as the page writes it", () => {
    expect(check()).toEqual({ status: 0, said: "5 source files, 1 route file (1 of ours): nothing found.\n" });
    const list = blocks.find(({ language, code }) => language === "json" && code.includes("notYet"))?.code ?? "";
    write("portcullis.json", list.replace("2027-01-31", "2999-01-31"));
    write("app/legacy/route.ts", "export const GET = () => new Response();\n");
    write("app/api/auth/[...nextauth]/route.ts", "export const GET = () => new Response();\n");
    expect(check()).toEqual({ status: 0, said: "7 source files, 3 route files (1 of ours): nothing found.\n" });
  });
});

function write(file: string, text: string): void {
  mkdirSync(join(folder, dirname(file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}

function check(): { readonly status: number | null; readonly said: string } {
  const command = join(root, "packages/cli/src/portcullis.ts");
  const run = spawnSync(process.execPath, ["--conditions=source", command, "check"], { cwd: folder, encoding: "utf8" });
  return { status: run.status, said: run.stdout + run.stderr };
}
