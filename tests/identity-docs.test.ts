import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../scripts/free-ports.ts";
import { createBrowser } from "../packages/server/test/identity/browser.ts";
import type * as Given from "./docs/given-identity.ts";
import { codeBlocks } from "./docs/markdown.ts";

const root = join(import.meta.dirname, "..");
// Inside the checkout, so that packages are found; not below node_modules, where Node runs no TypeScript.
const folder = join(root, `.portcullis/identity-docs-${process.pid}`);
const pages = ["docs/identity.md", "packages/server/README.md"];
const blocksOf = (page: string) =>
  codeBlocks(readFileSync(join(root, page), "utf8")).filter(({ language }) => language === "ts");
const server = blocksOf("docs/identity.md").find(({ code }) => code.startsWith("// server.ts\n"))?.code ?? "";

beforeAll(() => void mkdirSync(folder, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("docs/identity.md, compiled", () => {
  const declared: readonly (keyof typeof Given)[] = [
    "api",
    "identity",
    "storage",
    "origin",
    "secret",
    "clientSecret",
    "other",
    "provider",
  ];
  /** What a block uses and neither declares nor imports. */
  const given = {
    "@portcullis/server/identity": ["openIdentity", "openBrowserSessions"],
    "@portcullis/server/storage": ["openStorage"],
    portcullis: ["createApi"],
    [join(root, "tests/docs/given-identity.ts")]: declared,
  };

  /** A whole program of a block: options without what they are of are checked as such. */
  function program(code: string): string {
    const imports = code.match(/^import .*;$/gm) ?? [];
    const own = (name: string) => new RegExp(`^(?:const|let) ${name}\\b|^import .*\\b${name}\\b`, "m").test(code);
    const lines = Object.entries(given).map(
      ([from, names]) => `import { ${names.filter((name) => !own(name)).join(", ")} } from "${from}";`,
    );
    const body = code.replaceAll(/^import .*;$/gm, "");
    const isOptions = /^\s*\w+: /.test(body);
    const types =
      'import type { IdentityOptions } from "@portcullis/server/identity";\nimport type { ApiConfig } from "portcullis";';
    return [
      ...imports,
      ...lines,
      types,
      isOptions
        ? `export const options = {\n${body}\n} satisfies Partial<IdentityOptions> & Partial<ApiConfig>;`
        : `export async function example() {\n${body}\n}`,
    ].join("\n");
  }

  it("every block of TypeScript is what it says, and a wrong option would be seen", () => {
    const files = ["server.ts", "control.ts"];
    writeFileSync(join(folder, "server.ts"), server);
    writeFileSync(join(folder, "control.ts"), program("browserSessions: { returnsTo: [] },\n"));
    for (const page of pages) {
      for (const { code, line } of blocksOf(page)) {
        if (code === server) continue;
        const file = `${basename(page, ".md")}-${line}.ts`;
        writeFileSync(join(folder, file), program(code));
        files.push(file);
      }
    }
    expect(files.length).toBeGreaterThan(6);
    const compilerOptions = {
      noUnusedLocals: false,
      noUnusedParameters: false,
      incremental: false,
      tsBuildInfoFile: null,
    };
    const project = {
      extends: join(root, "tsconfig.workspace.json"),
      compilerOptions,
      include: files,
      exclude: [],
      references: [],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(project));
    const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
    // What is wrong in the sources themselves is another test's.
    const complaints = stdout.split("\n").filter((line) => line.includes(basename(folder)));
    expect(complaints).toEqual([expect.stringMatching(/control\.ts.*returnsTo/)]);
  });
});

describe("docs/identity.md, from nothing to signed in", () => {
  const children: ChildProcess[] = [];
  const secret = "tests-only: 48 characters of nothing in particular";
  let port = 0;
  let file = "";
  beforeAll(async () => {
    port = await freePort();
    file = join(folder, "walk.ts");
    writeFileSync(file, server.replaceAll("8787", `${port}`));
  });
  afterAll(() => {
    for (const child of children) child.kill();
  });

  /** Runs the program in a folder of its own until `until` is said, or it ends. */
  async function run(where: string, env: NodeJS.ProcessEnv, until: (said: string) => boolean) {
    const cwd = join(folder, where);
    mkdirSync(cwd, { recursive: true });
    const child = spawn(process.execPath, ["--conditions=source", file], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    let said = "";
    let look = (): void => {};
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        look();
      });
    }
    const isOver = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const waitFor = (is: (said: string) => boolean): Promise<string> =>
      Promise.race([isOver, new Promise<void>((resolve) => (look = () => void (is(said) && resolve())))]).then(
        () => said,
      );
    await waitFor(until);
    return { said: () => said, waitFor };
  }

  it("signs up, confirms by the printed mail, and comes back to the API signed in", async () => {
    const address = `http://localhost:${port}`;
    const { waitFor } = await run("walked", { SECRET: secret }, (said) =>
      said.includes(`${address}/account/sign-up\n`),
    );
    const browser = createBrowser(address);
    const person = { email: "new.user@example.com", password: "harbour lights at nine" };
    const mailed = waitFor((said) => /\/account\/verify\/\S+\s/.test(said));
    const sent = await browser.submit(await browser.open(`${address}/account/sign-up`), person);
    expect(sent.text).toContain("Look at your mail");
    const link = /http:\S+\/account\/verify\/\S+/.exec(await mailed)?.[0] ?? "";
    const { text } = await browser.submit(await browser.open(link), person);
    expect(text).toContain("is confirmed");
    const onward = /<a class="button" href="([^"]+)">Sign in</.exec(text)?.[1];
    expect(onward).toBe("/auth/sign-in");
    const signedIn = await browser.submit(await browser.open(`${address}${onward}`), person);
    expect([signedIn.url.pathname, signedIn.status]).toEqual(["/api/me", 200]);
    const session = (await browser.open(`${address}/auth/session`)).text;
    expect(JSON.parse(session)).toMatchObject({ session: { email: person.email, emailVerified: true } });
  });

  it("says what to do where there is no secret, and where it runs already", async () => {
    const [without, twice] = await Promise.all([
      run("without", { SECRET: "" }, () => false),
      run("walked", { SECRET: secret }, () => false),
    ]);
    expect(without.said()).toContain(
      "fix: Make one and keep it, the same at every start: export SECRET=$(openssl rand -base64 48)",
    );
    expect(twice.said()).toContain(
      "another process has .data/store open: stop it, or use PostgreSQL for several processes",
    );
  });
});
