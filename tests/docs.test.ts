import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { basename, dirname, join } from "node:path";
import { parseSync } from "oxc-parser";
import { defaults } from "portcullis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checklist } from "../packages/portcullis/src/checklist.ts";
import { apiKeysDefaults } from "../packages/portcullis/src/gates/api-keys.ts";
import { jwksUrlDefaults } from "../packages/portcullis/src/lib/jwks-url.ts";
import { jwtDefaults } from "../packages/portcullis/src/lib/jwt-options.ts";
import { coverageItems, departures, notYet, sourceLists } from "../scripts/coverage-items.ts";
import { documents, hasHole, isPlanned, rowsOf } from "../scripts/docs.ts";
import type * as Given from "./docs/given.ts";
import { anchors, codeBlocks, codeSpans, linkTargets, tableRows } from "./docs/markdown.ts";
import { exportedNames, libraryNames, libraryTexts } from "./docs/names.ts";

const root = join(import.meta.dirname, "..");
const pages = checklist.map(({ id }) => `docs/protections/${id}.md`);
const ours = [
  "README.md",
  "ARCHITECTURE.md",
  "SECURITY.md",
  "docs/coverage.md",
  "docs/express.md",
  "docs/fetch.md",
  "docs/next.md",
  "docs/issuers.md",
  "docs/identity.md",
  ...pages,
];
const everyDocument = globSync(["*.md", "docs/**/*.md", "examples/*/README.md", "bench/*.md"], { cwd: root });

function text(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

describe("generated documents", () => {
  it.each(documents(root))("$path is up to date (npm run docs)", ({ is, shouldBe }) => {
    expect(is).toBe(shouldBe);
  });
});

describe("coverage of the source checklists", () => {
  const items = coverageItems.map(({ item }) => item);

  it("has every item of the five lists, each once, in order", () => {
    const lengths = new Map([
      ["0", 62],
      ["1", 11],
      ["2", 11],
      ["3", 37],
      ["4", 26],
    ]);
    const all = sourceLists.flatMap(({ list }) =>
      Array.from({ length: lengths.get(list) ?? 0 }, (_, index) => `${list}.${index + 1}`),
    );
    expect(items).toEqual(all);
  });

  it("answers every item, by protections or by what the project is as a whole", () => {
    for (const { item, says, answer } of coverageItems) {
      expect.soft(says.length, item).toBeGreaterThan(2);
      expect.soft(answer.length, item).toBeGreaterThan(5);
    }
    const withoutRow = coverageItems.filter(({ item }) => rowsOf(item).length === 0).map(({ item }) => item);
    // The prover, the table in the README and the reports answer these; no single protection does.
    expect(withoutRow).toEqual(["0.58", "0.59", "0.60", "0.62", "3.35", "3.36", "3.37"]);
  });

  it("knows every item that a row of the checklist names", () => {
    for (const { id, sources } of checklist) for (const item of sources) expect(items, id).toContain(item);
  });

  it("calls nothing built that only planned protections answer", () => {
    for (const { item, state } of coverageItems) {
      const rows = rowsOf(item);
      if (rows.length > 0 && rows.every(isPlanned)) expect.soft(["planned", "otherwise"], item).toContain(state);
    }
  });

  it("explains every departure, and departs where it says so", () => {
    const departing = new Set(departures.flatMap((one) => one.items));
    for (const item of departing) expect(items).toContain(item);
    for (const { item, state } of coverageItems) if (state === "otherwise") expect([...departing]).toContain(item);
  });

  it("marks unfinished parts only of protections that exist", () => {
    for (const id of notYet.keys())
      expect(checklist.filter((row) => !isPlanned(row)).map((row) => row.id)).toContain(id);
  });
});

describe("the page of each protection", () => {
  const sections = [
    "What goes wrong",
    "The smallest fix",
    "Options",
    "How we probe it",
    "In source",
    "When not to use it, and what it does not cover",
    "Sources",
  ];

  it.each(checklist)("$id has its title and its sections, in order", ({ id, title, rule }) => {
    const page = text(`docs/protections/${id}.md`);
    expect(page.startsWith(`# ${title}\n`)).toBe(true);
    expect([...page.matchAll(/^## (.+)$/gm)].map((found) => found[1])).toEqual(
      sections.filter((section) => section !== "In source" || rule === "built"),
    );
  });

  it.each(checklist)("$id names its OWASP and ASVS entries among its sources", ({ id, owasp, asvs }) => {
    const sources = text(`docs/protections/${id}.md`).split("## Sources")[1] ?? "";
    for (const entry of owasp) expect(sources).toContain(`${entry}:2023`);
    for (const entry of asvs)
      expect(sources).toMatch(new RegExp(`(^|[ ,:])${entry.replaceAll(".", "\\.")}($|[^\\d])`, "m"));
  });

  it.each(checklist)("$id leads to its gate, its probe and a test where they exist", (row) => {
    const { id, gate, probe } = row;
    const [head = ""] = text(`docs/protections/${id}.md`).split("## ");
    const names = [...head.matchAll(/\[(\w+)\]\([^)]+\)/g)].map((found) => found[1]);
    const hasGate = gate === "built" || (typeof gate === "object" && "in" in gate);
    if (hasGate) expect(names).toEqual(expect.arrayContaining(["gate", "test"]));
    if (probe === "built") expect(names).toEqual(expect.arrayContaining(["probe", "test"]));
    expect(names.includes("hole")).toBe(hasHole(row));
  });

  it.each([
    ["jwt", { ...jwtDefaults, ...jwksUrlDefaults }, ["maxAgeSeconds"]],
    ["api-keys", apiKeysDefaults, []],
    ["rate-limit", { ...defaults.limits, failures: "60 per 5 min" }, []],
    ["body-size", { "body.maxBytes": defaults.bodyMaxBytes, "body.timeoutMs": defaults.bodyTimeoutMs }, []],
    ["errors", { handlerTimeoutMs: defaults.handlerTimeoutMs }, []],
    [
      "canonical-request",
      { target: defaults.targetMaxBytes, "header block": defaults.headersMaxBytes, query: defaults.queryMaxPairs },
      [],
    ],
  ])("%s says the defaults the code has", (id, values, elsewhere: readonly string[]) => {
    const rows = tableRows(text(`docs/protections/${id}.md`));
    let compared = 0;
    for (const [name, value] of Object.entries(values)) {
      if ((typeof value !== "number" && typeof value !== "string") || elsewhere.includes(name)) continue;
      const row = rows.find(([first]) => first === name || first?.split(/[, ]+/).includes(`\`${name}\``));
      if (row === undefined) continue;
      expect.soft((row[1] ?? "").replace(/(\d) (?=\d)/g, "$1"), name).toMatch(new RegExp(`^\`?${value}\\b`));
      compared++;
    }
    expect(compared).toBeGreaterThan(0);
  });
});

describe("names in the documents", () => {
  const names = libraryNames(root);
  const texts = libraryTexts(root);
  const exported = new Set([
    ...exportedNames(root, "packages/portcullis/src/index.ts"),
    ...exportedNames(root, "packages/portcullis/src/limits/presets.ts"),
    ...exportedNames(root, "packages/portcullis/src/adapters/node.ts"),
    ...exportedNames(root, "packages/portcullis/src/adapters/express.ts"),
    ...exportedNames(root, "packages/portcullis/src/adapters/redis.ts"),
    ...exportedNames(root, "packages/portcullis/src/adapters/next.ts"),
    ...exportedNames(root, "packages/portcullis/src/adapters/postgres.ts"),
    ...exportedNames(root, "packages/portcullis/src/issuers/issuers.ts"),
    ...exportedNames(root, "packages/server/src/identity/identity.ts"),
    ...exportedNames(root, "packages/server/src/identity/open-keys.ts"),
    ...exportedNames(root, "packages/server/src/storage/storage.ts"),
  ]);
  const isOurs = (name: string): boolean => names.has(name) || foreign.has(name) || promised.has(name);

  it.each(ours)("%s: every function, option and type of ours exists", (path) => {
    const unknown: string[] = [];
    for (const span of codeSpans(text(path))) {
      const called = /^([a-z]\w*)\(/.exec(span)?.[1];
      if (called !== undefined) {
        if (!exported.has(called) && !foreign.has(called) && !promised.has(called)) unknown.push(span);
      } else if (/^[a-z]+(?:[A-Z]\w*)$/.test(span) || /^[A-Z][a-z]+[A-Z]\w*$/.test(span)) {
        if (!isOurs(span)) unknown.push(span);
      } else if (/^[a-z]\w*(?:\.[a-z]\w*)+$/.test(span) && !/\.(?:ts|md|json|js|map|log|pem)$/.test(span)) {
        if (!foreign.has(span) && !span.split(".").every(isOurs)) unknown.push(span);
      } else if (/^[a-z]\w*: /.test(span)) {
        const key = span.slice(0, span.indexOf(":"));
        if (!isOurs(key)) unknown.push(span);
      }
    }
    expect(unknown).toEqual([]);
  });

  it("what is promised under a name does not exist yet", () => {
    for (const name of promised) expect([...exported, ...names]).not.toContain(name);
  });

  it.each(ours)("%s: every code, event and header of ours exists", (path) => {
    const ids = new Set<string>(checklist.map(({ id }) => id));
    const unknown = codeSpans(text(path)).filter(
      (span) =>
        /^[a-z]+(-[a-z0-9]+)+$/.test(span) &&
        !texts.has(span) &&
        !names.has(span) &&
        !ids.has(span) &&
        !foreign.has(span),
    );
    expect(unknown).toEqual([]);
  });

  it.each(pages)("%s: every option in its tables exists", (path) => {
    const unknown: string[] = [];
    for (const [first = ""] of tableRows(text(path).split("## Options")[1]?.split("## ")[0] ?? "")) {
      for (const span of codeSpans(first)) {
        if (/^[a-z]\w*$/i.test(span) && !isOurs(span)) unknown.push(span);
      }
    }
    expect(unknown).toEqual([]);
  });

  it.each(everyDocument)("%s: every path of this repository exists", (path) => {
    const roots = /^(?:packages|tests|docs|scripts|examples|bench)\//;
    const missing = codeSpans(text(path)).filter(
      (span) => roots.test(span) && !/[<>*…]/.test(span) && !existsSync(join(root, span)),
    );
    expect(missing).toEqual([]);
  });

  it.each(everyDocument)("%s: every link leads somewhere", (path) => {
    const dead = linkTargets(text(path)).filter((target) => {
      if (target.startsWith("https://")) return false;
      const [file = "", anchor] = target.split("#");
      const full = file === "" ? path : join(dirname(path), file);
      if (!existsSync(join(root, full))) return true;
      return anchor !== undefined && !anchors(text(full)).has(anchor);
    });
    expect(dead).toEqual([]);
  });
});

describe("code in the documents", () => {
  // Inside the checkout, so that packages are found; not below node_modules, where Node runs no TypeScript.
  const folder = join(root, `.portcullis/docs-${process.pid}`);
  const children: ChildProcess[] = [];
  beforeAll(() => void mkdirSync(folder, { recursive: true }));
  afterAll(() => {
    for (const child of children) child.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const example = codeBlocks(text("README.md")).find(({ code }) => code.startsWith("// api.ts"))?.code ?? "";
  const token = codeBlocks(text("README.md")).find(({ code }) => code.startsWith("// token.ts"))?.code ?? "";
  const hole = example.replace(/^.*objects: .*\n/m, "");

  it.each(everyDocument)("%s: every block of JavaScript and JSON can be read", (path) => {
    for (const { language, code, line } of codeBlocks(text(path))) {
      const where = `${path}:${line}`;
      if (language === "js") {
        const wrapped = `async () => {\n${code}\n}`;
        expect.soft(parseSync("block.js", wrapped).errors.map(({ message }) => `${where}: ${message}`)).toEqual([]);
      }
      if (language === "json") expect.soft(() => JSON.parse(code), where).not.toThrow();
      expect.soft(["ts", "js", "json", "jsonc", "yaml", "sh", "text", ""], where).toContain(language);
    }
  });

  it("every block of TypeScript compiles against the library, each on its own", () => {
    const exports = [...runTimeExports("index"), ...runTimeExports("limits/presets")];
    const nodeExports = runTimeExports("adapters/node");
    const files: string[] = [];
    for (const page of [...pages, "docs/express.md", "docs/fetch.md", "docs/issuers.md"]) {
      for (const { language, code, line } of codeBlocks(text(page))) {
        if (language !== "ts") continue;
        // What a block declares itself stands before what is given.
        const used = given.filter((name) => !new RegExp(`\\b(?:const|let) (?:\\{[^}]*\\b)?${name}\\b`).test(code));
        // What a block imports itself it does not need twice.
        const imports = code.match(/^import .*;$/gm) ?? [];
        const imported = (names: readonly string[]) =>
          names.filter((name) => !imports.some((line) => new RegExp(`\\b${name}\\b`).test(line))).join(", ");
        const body = code.replaceAll(/^import .*;$/gm, "");
        const file = `${page.replaceAll("/", "-").replace(/\.md$/, "")}-${line}.ts`;
        writeFileSync(
          join(folder, file),
          `${imports.join("\n")}\nimport { ${imported(exports)} } from "portcullis";\n` +
            `import { ${imported(nodeExports)} } from "portcullis/node";\n` +
            `import { z } from "zod";\nimport { ${used.join(", ")} } from "${join(root, "tests/docs/given.ts")}";\n` +
            `export async function example() {\n${body}\n}\n`,
        );
        files.push(file);
      }
    }
    writeFileSync(join(folder, "api.ts"), example);
    writeFileSync(join(folder, "hole.ts"), hole);
    writeFileSync(join(folder, "token.ts"), token);
    writeFileSync(
      join(folder, "control.ts"),
      'import { createApi } from "portcullis";\ncreateApi({ named: "wrong" });\n',
    );
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(root, "tsconfig.workspace.json"),
        compilerOptions: {
          noUnusedLocals: false,
          noUnusedParameters: false,
          incremental: false,
          tsBuildInfoFile: null,
        },
        include: [...files, "api.ts", "hole.ts", "token.ts", "control.ts"],
        exclude: [],
        // The library's sources themselves, whether or not they have been built; what is wrong in them is another test's.
        references: [],
      }),
    );
    expect(files.length).toBeGreaterThan(15);
    const run = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
    const complaints = run.stdout.split("\n").filter((line) => line.includes(basename(folder)));
    expect(run.stdout).toContain('readonly id: "an id without a rule: by(');
    // The control shows that the compiler looked; the README says that the hole is a type error.
    expect(complaints).toEqual([
      expect.stringContaining("control.ts(2,"),
      expect.stringMatching(/hole\.ts\(\d+,\d+\): error TS2345: /),
      expect.stringMatching(/hole\.ts\(\d+,\d+\): error TS2339: Property 'note' does not exist/),
    ]);
  });

  it("the example of the README runs: 401 for strangers, 200 for the owner, 404 for others", async () => {
    const secret = "a secret of the tests that is long enough";
    const { url, caPath } = await start(example, secret);
    const ca = readFileSync(join(folder, caPath), "utf8");
    const tokenOf = (sub: string): string => {
      const env = { ...process.env, JWT_SECRET: secret };
      return spawnSync(process.execPath, [join(folder, "token.ts"), sub], { env, encoding: "utf8" }).stdout.trim();
    };
    const milk = basename(url);
    expect((await get(url, ca)).status).toBe(401);
    expect(await get(url, ca, tokenOf("alice"))).toEqual({ status: 200, body: `{"id":"${milk}","text":"Buy milk."}` });
    const foreign = await get(url, ca, tokenOf("bob"));
    const missing = await get(url.replace(/1$/, "2"), ca, tokenOf("bob"));
    expect([foreign.status, missing.status]).toEqual([404, 404]);
    const shape = (body: string): string => body.replace(/"requestId":"[^"]+"/, "");
    expect(shape(foreign.body)).toBe(shape(missing.body));
  });

  it("without its objects the example does not start, and says what the README says", async () => {
    const said = codeBlocks(text("README.md")).find(({ language }) => language === "text")?.code ?? "";
    expect(hole).not.toBe(example);
    await expect(start(hole, "a secret of the tests that is long enough")).rejects.toThrow(said.trim());
  });

  it("with a short secret the example does not start", async () => {
    await expect(start(example, "too short")).rejects.toThrow("This API does not start: 1 problem");
  });

  /** Runs an api.ts on a free port until the tests end; rejects with what it said where it ends by itself. */
  function start(source: string, secret: string): Promise<{ url: string; caPath: string }> {
    const file = join(folder, `run-${children.length}.ts`);
    writeFileSync(file, source.replace("port: 8443", "port: 0"));
    const child = spawn(process.execPath, ["--conditions=source", file], {
      cwd: folder,
      env: { ...process.env, JWT_SECRET: secret },
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    return new Promise((resolve, reject) => {
      let out = "";
      child.stdout.on("data", (chunk: Buffer) => {
        out += chunk.toString();
        const line = /curl --cacert (\S+) (\S+)\n/.exec(out);
        if (line !== null) resolve({ caPath: line[1] ?? "", url: line[2] ?? "" });
      });
      child.stderr.on("data", (chunk: Buffer) => {
        out += chunk.toString();
      });
      child.once("exit", () => reject(new Error(out)));
    });
  }

  function get(url: string, ca: string, token?: string): Promise<{ status: number | undefined; body: string }> {
    return new Promise((resolve, reject) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const req = request(url, { ca, headers, agent: false }, (res) => {
        let body = "";
        res.on("data", (chunk: Buffer) => {
          body += chunk.toString();
        });
        res.on("end", () => resolve({ status: res.statusCode, body }));
      });
      req.on("error", reject);
      req.end();
    });
  }

  function runTimeExports(file: string): readonly string[] {
    const source = text(`packages/portcullis/src/${file}.ts`).replace(/export type [\s\S]*?;/g, "");
    const listed = [...source.matchAll(/^export \{([^}]+)\}/gm)].flatMap((found) => (found[1] ?? "").split(","));
    const declared = [...source.matchAll(/^export (?:const|function|async function) (\w+)/gm)].map(
      (found) => found[1] ?? "",
    );
    return [...listed, ...declared].map((name) => name.trim()).filter((name) => name !== "");
  }
});

/** What the examples on the pages take for granted. */
const given: readonly (keyof typeof Given)[] = [
  "api",
  "caller",
  "tokens",
  "browsers",
  "store",
  "auth",
  "adapter",
  "pool",
  "cert",
  "key",
  "body",
  "ProjectView",
  "NoteView",
  "NoteRow",
  "project",
  "note",
  "user",
  "comment",
  "projects",
  "notes",
  "users",
  "sessions",
  "ship",
  "report",
];

/** Names of other people's code, and fields of made-up tables, that the documents use. */
const foreign: ReadonlySet<string> = new Set(
  `
  form-action
  EdDSA console.error ajv.customOptions auth bodyLimit coerceTypes cors data exec express.json express.static
  express.urlencoded fetch getUser insecureHTTPParser req.session.regenerate jwtVerify localStorage removeAdditional
  req.headers.host resolveAndRefusePrivate timingSafeEqual trustProxy jwt.decode
  z.strictObject next cookie app.set stripe HttpOnly checkout.session.completed timestamp.body apiKey
  cookieOptions getToken portcullis.subject portcullis.tenant
  api.example.com api-version session_id isAdmin ownerId passwordHash stripeCustomerId
  `
    .trim()
    .split(/\s+/),
);

/** Names of ours that are promised and not there; once one exists, the documents have to change. */
const promised: ReadonlySet<string> = new Set(["redirectFrom"]);
