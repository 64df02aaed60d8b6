import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { addStages, judgeTests } from "../scripts/check.ts";
import { closingLine } from "../scripts/closing-line-reporter.ts";
import { isInstalled, writeStamp } from "../scripts/install.ts";
import { packageFolders } from "./import-graph.ts";

const root = join(import.meta.dirname, "..");
const temporary: string[] = [];
afterAll(() => {
  for (const folder of temporary) rmSync(folder, { recursive: true });
});

describe("./start and ./test on a machine", () => {
  it("uses the machine's Node 24 and says nothing", () => {
    const run = setUp({ node: "v24.0.0" });
    expect(run).toEqual({ status: 0, said: "", ran: "v24.0.0 scripts/install.ts" });
  });

  it("uses the machine's Node when it is newer than 24", () => {
    expect(setUp({ node: "v26.1.0" }).ran).toBe("v26.1.0 scripts/install.ts");
  });

  it.each(["v20.20.2", "v25.9.0", "v9.0.0", "not a version"])("does not use a machine's Node that says %s", (node) => {
    expect(setUp({ node, tools: "v24.5.0" })).toEqual({ status: 0, said: "", ran: "v24.5.0 scripts/install.ts" });
  });

  it("installs Node 24 into .tools when the machine has none, and says so in one line", () => {
    const run = setUp({
      npm: `mkdir -p node_modules/node-here/bin; ${fakeNode("v24.9.0", "node_modules/node-here/bin")}`,
    });
    expect(run).toEqual({
      status: 0,
      said: "Installing Node 24 into .tools (once)…\n",
      ran: "v24.9.0 scripts/install.ts",
    });
  });

  it("says what to install when there is no Node 24 and no npm", () => {
    const run = setUp({ node: "v20.20.2" });
    expect(run.status).toBe(1);
    expect(run.said).toBe(
      "This needs Node 24, and there is no npm here to fetch it with. " +
        "Install Node 24 (https://nodejs.org/en/download) and run this again.\n",
    );
  });

  it("shows npm's own words when npm fails, then what to install", () => {
    const run = setUp({ npm: "echo the registry is away; exit 1" });
    expect(run.status).toBe(1);
    expect(run.said).toContain("the registry is away\nNode 24 could not be fetched from npm. Install Node 24 (");
  });

  it("says so when npm has no Node that runs on this platform", () => {
    const run = setUp({ npm: "exit 0" });
    expect(run.status).toBe(1);
    expect(run.said).toContain("npm has no Node 24 that runs on this platform (");
  });

  it("hands scan, check, manifest and keys to the command line and everything else to the demonstration", () => {
    const args = (...words: string[]) => setUp({ node: "v24.0.0", command: "start", words }).ran?.split("\n").at(-1);
    expect(args("scan", "https://localhost:1", "--json")).toBe(
      "v24.0.0 --conditions=source packages/cli/src/portcullis.ts scan https://localhost:1 --json",
    );
    expect(args("check", "a b")).toBe("v24.0.0 --conditions=source packages/cli/src/portcullis.ts check a b");
    expect(args("manifest", "a b.ts")).toBe(
      "v24.0.0 --conditions=source packages/cli/src/portcullis.ts manifest a b.ts",
    );
    expect(args("keys", "list")).toBe("v24.0.0 --conditions=source packages/cli/src/portcullis.ts keys list");
    expect(args("--check")).toBe("v24.0.0 --conditions=source scripts/start.ts --check");
    expect(args()).toBe("v24.0.0 --conditions=source scripts/start.ts");
  });

  it("closes ./test with one failure when the set-up fails", () => {
    const run = setUp({ node: "v20.20.2", command: "test" });
    expect(run.status).toBe(1);
    expect(run.ran).toBe("0 passed, 1 failed, 0 skipped");
  });

  it("runs what package.json starts under the Node that was found, with nothing of its own on stdout", () => {
    const lines = Object.values(readManifest(".").scripts ?? {});
    const ours = lines.filter((line) => /(^|[\s;&|])(node|vitest) /.test(line));
    expect(ours.length).toBeGreaterThan(3);
    expect(ours.filter((line) => !line.startsWith("sh scripts/run.sh "))).toEqual([]);
    const words = ["node", "--conditions=source", "bench/bench.ts", "--json", "a b"];
    const run = setUp({
      node: "v20.20.2",
      npm: `mkdir -p node_modules/node-here/bin; ${fakeNode("v24.9.0", "node_modules/node-here/bin")}`,
      command: "scripts/run.sh",
      words,
    });
    expect(run.said).toBe("Installing Node 24 into .tools (once)…\n");
    // The made-up node says what it was asked to run; install.ts itself says nothing on stdout.
    expect(run.ran?.split("\n")).toEqual([
      "v24.9.0 scripts/install.ts",
      "v24.9.0 --conditions=source bench/bench.ts --json a b",
    ]);
  });

  it("installs again exactly when package-lock.json changed", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "node_modules"));
    writeFileSync(join(folder, "package-lock.json"), "one");
    expect(isInstalled(folder)).toBe(false);
    writeStamp(folder);
    expect(isInstalled(folder)).toBe(true);
    writeFileSync(join(folder, "package-lock.json"), "two");
    expect(isInstalled(folder)).toBe(false);
  });
});

describe("the library's switch between runtimes", () => {
  it.each([
    ["from source", ["--conditions=source"], "src/adapters/node-runtime.ts"],
    ["as published", [], "dist/adapters/node-runtime.js"],
  ])("is the Node adapter on Node, %s", (_, flags, file) => {
    const library = join(root, "packages/portcullis");
    const script = 'console.log(import.meta.resolve("#runtime"))';
    const run = spawnSync(process.execPath, [...flags, "--input-type=module", "--eval", script], { cwd: library });
    expect(run.stdout.toString().trim()).toBe(pathToFileURL(join(library, file)).href);
  });
});

describe("the closing line", () => {
  it("counts passed, failed and skipped tests, and all that failed outside a test", { timeout: 60_000 }, () => {
    const counts = runVitest({
      "good.test.ts": `import { it } from "vitest"; it("a", () => {}); it("b", () => {}); it.skip("c", () => {}); it.todo("d");`,
      "bad.test.ts": `import { it } from "vitest"; it("a", () => { throw new Error("wrong"); });`,
      "unloadable.test.ts": `import "./nowhere.ts";`,
      "hook.test.ts": `import { beforeAll, describe, it } from "vitest";
        describe("s", () => { beforeAll(() => { throw new Error("hook"); }); it("a", () => {}); });`,
      "loose.test.ts": `import { it } from "vitest";
        it("a", async () => { void Promise.reject(new Error("loose")); await new Promise((done) => setTimeout(done, 50)); });`,
    });
    expect(counts).toEqual({ passed: 3, failed: 4, skipped: 3 });
  });

  it("has one form", () => {
    expect(closingLine({ passed: 12, failed: 0, skipped: 1 })).toBe("12 passed, 0 failed, 1 skipped");
  });

  it("counts each stage as one test", () => {
    const tests = { passed: 10, failed: 1, skipped: 2 };
    expect(addStages([true, false, true], tests)).toEqual({ passed: 12, failed: 2, skipped: 2 });
  });

  it("lets a run of tests stand as counted when its exit code agrees", () => {
    const good = { passed: 3, failed: 0, skipped: 1 };
    const bad = { passed: 3, failed: 2, skipped: 1 };
    expect(judgeTests(good, 0)).toEqual(good);
    expect(judgeTests(bad, 1)).toEqual(bad);
  });

  it("counts a run that crashed, failed without a name, or ran nothing as one failure", () => {
    expect(judgeTests(undefined, null)).toEqual({ passed: 0, failed: 1, skipped: 0 });
    expect(judgeTests({ passed: 3, failed: 0, skipped: 0 }, 1)).toEqual({ passed: 3, failed: 1, skipped: 0 });
    expect(judgeTests({ passed: 0, failed: 0, skipped: 5 }, 0)).toEqual({ passed: 0, failed: 1, skipped: 5 });
    expect(judgeTests({ passed: 0, failed: 0, skipped: 0 }, 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});

describe("the lint rules", () => {
  it("refuse what the compiler lets pass", { timeout: 60_000 }, () => {
    const found = lint({
      "packages/portcullis/src/gates/csrf.ts": `import { b } from "./cors.ts";\nexport const x = [b, process];\n`,
      "packages/portcullis/src/lib/a.ts": `import "node:fs";\nconsole.log(1);\nexport const x: any = 1;\n`,
      "packages/scan/src/plan.ts": `import { a } from "portcullis";\nimport { b } from "portcullis/checklist";\nexport const x = [a, b];\n`,
      "examples/a/api.ts": `import { a } from "../../packages/portcullis/src/index.ts";\nexport const x = a;\n`,
      "packages/cli/src/a.ts": [
        "async function work(): Promise<void> { await Promise.resolve(); }",
        "work();",
        "export const first = (list: string[]): string => list[0]!;",
        "export const cast = (value: unknown): string => value as string;",
        "export const loose = (a: unknown, b: unknown): boolean => a == b;",
        "",
      ].join("\n"),
    });
    expect(found).toEqual([
      "examples/a/api.ts eslint(no-restricted-imports)",
      "packages/cli/src/a.ts eslint(eqeqeq)",
      "packages/cli/src/a.ts typescript(no-floating-promises)",
      "packages/cli/src/a.ts typescript(no-non-null-assertion)",
      "packages/cli/src/a.ts typescript(no-unsafe-type-assertion)",
      "packages/portcullis/src/gates/csrf.ts eslint(no-restricted-globals)",
      "packages/portcullis/src/gates/csrf.ts eslint(no-restricted-imports)",
      "packages/portcullis/src/lib/a.ts eslint(no-console)",
      "packages/portcullis/src/lib/a.ts eslint(no-restricted-imports)",
      "packages/portcullis/src/lib/a.ts import(no-unassigned-import)",
      "packages/portcullis/src/lib/a.ts typescript(no-explicit-any)",
      "packages/scan/src/plan.ts eslint(no-restricted-imports)",
    ]);
  });
});

describe("the dependencies", () => {
  const manifests = [".", ".tools", ...packageFolders(root)];
  const locked = Object.entries(readLock("package-lock.json").packages);
  const lockedTools = Object.entries(readLock(".tools/package-lock.json").packages);
  const installed = [...locked, ...lockedTools].filter(
    ([path, { link }]) => path.includes("node_modules/") && link !== true,
  );

  it.each(manifests)("%s names every version exactly", (folder) => {
    const loose = dependenciesOf(folder).filter(
      ([, version]) => !/^(npm:[\w@/-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  // Users bring their own version of a peer; the range has to hold the one that the tests run with.
  it("name peers as a range from some version on, which ours is in", () => {
    const pinned = new Map(manifests.flatMap(dependenciesOf));
    const outside = manifests
      .flatMap((folder) => Object.entries(readManifest(folder).peerDependencies ?? {}))
      .filter(([name, range]) => {
        const least = /^>=(\d+\.\d+\.\d+)$/.exec(range)?.[1];
        return least === undefined || least.localeCompare(pinned.get(name) ?? "0", "en", { numeric: true }) > 0;
      });
    expect(outside).toEqual([]);
  });

  it("name one version of a package everywhere", () => {
    const versions = new Map<string, Set<string>>();
    for (const [name, version] of manifests.flatMap(dependenciesOf)) {
      versions.set(name, (versions.get(name) ?? new Set()).add(version));
    }
    expect([...versions].filter(([, seen]) => seen.size > 1)).toEqual([]);
  });

  it("are locked by hash", () => {
    expect(installed.length).toBeGreaterThan(100);
    expect(installed.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([]);
  });

  it("need no script of their own at installation", () => {
    expect(installed.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path)).toEqual([]);
  });

  // A release that lacks a platform's part makes `npm ci` refuse the whole lock file.
  it("have a locked part for every platform they name", () => {
    const names = new Set(installed.map(([path]) => path.slice(path.lastIndexOf("node_modules/") + 13)));
    const missing = installed.flatMap(([path, { optionalDependencies }]) =>
      Object.keys(optionalDependencies ?? {})
        .filter((name) => !names.has(name))
        .map((name) => `${path} names ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it("leave the library with jose alone at run time", () => {
    expect(Object.keys(readManifest("packages/portcullis").dependencies ?? {})).toEqual(["jose"]);
  });

  it("are what the lock file was made from", () => {
    const packages = readLock("package-lock.json").packages;
    for (const folder of manifests.filter((name) => name !== ".tools")) {
      const { dependencies, devDependencies } = readManifest(folder);
      expect(packages[folder === "." ? "" : folder]).toMatchObject({
        ...(dependencies && { dependencies }),
        ...(devDependencies && { devDependencies }),
      });
    }
  });

  it("bring a Node for Linux and macOS, each only to its own platform", () => {
    const platforms = lockedTools.flatMap(([path, { os, cpu }]) => (path === "" ? [] : [`${os}-${cpu}`]));
    expect(platforms.sort()).toEqual(["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64"]);
  });

  it("are installed under npm settings that refuse scripts, loose versions and a wrong Node", () => {
    const settings = readFileSync(join(root, ".npmrc"), "utf8").trim().split("\n");
    expect(settings).toEqual(expect.arrayContaining(["engine-strict=true", "save-exact=true", "ignore-scripts=true"]));
  });
});

/** A shell line that writes a node which says its version, and repeats what it was asked to run. */
function fakeNode(version: string, folder: string): string {
  const script = `case $1 in --version) echo "${version}" ;; *) echo "${version} $*" ;; esac`;
  return `printf '#!/bin/sh\\n%s\\n' '${script}' > ${folder}/node; chmod +x ${folder}/node`;
}

type Machine = {
  /** What the machine's own node says is its version; none when absent. */
  readonly node?: string;
  /** The version of a Node already in .tools. */
  readonly tools?: string;
  /** What the machine's npm does, as shell; none when absent. */
  readonly npm?: string;
  readonly command?: "start" | "test" | "scripts/run.sh";
  readonly words?: readonly string[];
};

/**
 * Runs the real scripts in a folder of their own on a machine that has only what is given.
 * `ran` is what reached node, with the folder's path taken out; `said` is what the user was told.
 */
function setUp({ node, tools, npm, command, words = [] }: Machine) {
  const folder = temporaryFolder();
  const bin = join(folder, "bin");
  mkdirSync(bin);
  mkdirSync(join(folder, ".tools"));
  mkdirSync(join(folder, "packages/cli/src"), { recursive: true });
  for (const name of ["start", "test", "scripts/setup.sh", "scripts/run.sh"])
    cpSync(join(root, name), join(folder, name));
  for (const name of ["scripts/start.ts", "packages/cli/src/portcullis.ts"]) writeFileSync(join(folder, name), "");
  for (const name of ["sh", "dirname", "uname", "mkdir", "chmod"]) symlinkSync(which(name), join(bin, name));
  if (node !== undefined) spawnSync("sh", ["-c", fakeNode(node, bin)]);
  if (tools !== undefined) {
    const toolsBin = join(folder, ".tools/node_modules/node-here/bin");
    mkdirSync(toolsBin, { recursive: true });
    spawnSync("sh", ["-c", fakeNode(tools, toolsBin)]);
  }
  if (npm !== undefined) {
    writeFileSync(join(bin, "npm"), `#!/bin/sh\n${npm}\n`);
    chmodSync(join(bin, "npm"), 0o755);
  }
  const script =
    command === undefined ? ["-c", 'set -eu; root=$0; . "$root/scripts/setup.sh"', folder] : [join(folder, command)];
  const run = spawnSync(join(bin, "sh"), [...script, ...words], { cwd: "/", env: { PATH: bin }, encoding: "utf8" });
  return { status: run.status, said: run.stderr, ran: run.stdout.trimEnd().replaceAll(`${folder}/`, "") };
}

/** The counts our reporter writes when vitest runs the given files. */
function runVitest(files: Readonly<Record<string, string>>): unknown {
  const folder = fixture(files);
  const countsFile = join(folder, "counts.json");
  const reporter = join(root, "scripts/closing-line-reporter.ts");
  spawnSync(join(root, "node_modules/.bin/vitest"), ["run", "--root", folder, `--reporter=${reporter}`], {
    cwd: folder,
    env: { ...process.env, PORTCULLIS_COUNTS: countsFile },
  });
  return JSON.parse(readFileSync(countsFile, "utf8"));
}

/** Which lint rules our configuration finds broken in the given files, as sorted `file rule(name)`. */
function lint(files: Readonly<Record<string, string>>): readonly string[] {
  const folder = fixture(files);
  cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  const compilerOptions = { strict: true, noUncheckedIndexedAccess: true, module: "nodenext", noEmit: true };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  const run = spawnSync(join(root, "node_modules/.bin/oxlint"), ["--format=json"], { cwd: folder, encoding: "utf8" });
  const { diagnostics }: { diagnostics: readonly { filename: string; code: string }[] } = JSON.parse(run.stdout);
  // What cannot be resolved in a folder without packages is noise here: values of an error type.
  const found = diagnostics.map(({ filename, code }) => `${filename} ${code}`);
  return [...new Set(found)]
    .filter((line) => !/typescript\(no-unsafe-(assignment|return|call|member|argument)/.test(line))
    .sort();
}

function fixture(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-foundation-"));
  temporary.push(folder);
  return folder;
}

function which(program: string): string {
  return spawnSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).stdout.trim();
}

type Manifest = {
  readonly scripts?: Record<string, string>;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
};

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
}

/** Each dependency and its version; those on our own packages are ours to move together. */
function dependenciesOf(folder: string): readonly (readonly [string, string])[] {
  const { dependencies, devDependencies, optionalDependencies } = readManifest(folder);
  return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies });
}

type Locked = {
  readonly link?: boolean;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Record<string, string>;
  readonly os?: string;
  readonly cpu?: string;
};

function readLock(file: string): { readonly packages: Record<string, Locked> } {
  return JSON.parse(readFileSync(join(root, file), "utf8"));
}
