import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-ports.ts";
import { walkIdentity, writeIdentityServer } from "./newcomer/identity.ts";

/**
 * The README and docs/identity.md as a newcomer meets them, in an empty folder and from packed tarballs, where npm runs no
 * scripts: on the oldest Node and the oldest TypeScript that are promised, and on the newest. `npm run newcomer -- [--json]`
 */
const root = join(import.meta.dirname, "..");
const nodes = ["22.18.0", "24.21.0"];
const compilers = ["5.9.3", "7.0.2"];
const platform = `${process.platform}-${process.arch}`;
const folder = mkdtempSync(join(tmpdir(), "newcomer-"));
const say = (text: string): void => void process.stdout.write(`${text}\n`);
/** Whether each step was as promised. */
const tried: boolean[] = [];

const compilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  module: "nodenext",
  target: "es2023",
  lib: ["es2023"],
  types: ["node"],
  allowImportingTsExtensions: true,
  noEmit: true,
};

try {
  say("Packing our packages, and installing them in empty folders: some minutes.");
  npm(root, "run", "--silent", "build");
  const packs = join(folder, "packs");
  mkdirSync(packs);
  for (const name of readdirSync(join(root, "packages"))) {
    npm(root, "pack", "--silent", "--pack-destination", packs, `./packages/${name}`);
  }
  const tarballs = readdirSync(packs).map((name) => join(packs, name));
  for (const [index, node] of nodes.entries()) await walk(node, compilers[index] ?? "", tarballs);
  await walkAccounts(nodes.at(-1) ?? "", compilers.at(-1) ?? "", tarballs);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const bad = tried.filter((isGood) => !isGood);
say(`${tried.length - bad.length} of ${tried.length} as promised`);
if (process.argv.includes("--json")) say(JSON.stringify({ tried: tried.length, bad: bad.length }));
process.exitCode = bad.length === 0 ? 0 : 1;

/** Installs, type-checks, starts and asks, as the README says. */
async function walk(node: string, typescript: string, tarballs: readonly string[]): Promise<void> {
  const { here, binary, record, complaints } = prepare("readme", node, typescript, [...tarballs, "zod", "jose"]);
  const port = await freePort();
  for (const [name, text] of readmeFiles()) writeFileSync(join(here, name), text.replaceAll("8443", String(port)));
  writeFileSync(join(here, "entries.ts"), entriesText());
  record("runs as itself", version(binary), version(binary) === `v${node}`);
  record("the README compiles", ...complaints());
  const entries = attempt(binary, join(here, "entries.ts"));
  record("every entry loads", entries.trim().slice(0, 200), entries.trim() === "loaded");

  const env = {
    ...process.env,
    JWT_SECRET: "a secret of a newcomer, long enough to be one: 0123456789",
    NODE_ENV: "test",
  } as const;
  const server = spawn(binary, ["api.ts"], { cwd: here, env, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const line = await firstLine(server.stdout);
    record("starts and says how to call it", line, line.includes(`https://localhost:${port}/v1/notes/`));
    const url = /https:\S+/.exec(line)?.[0] ?? "";
    const ask = (as?: string): string => {
      const token =
        as === undefined ? "" : execFileSync(binary, ["token.ts", as], { cwd: here, env }).toString().trim();
      const header = as === undefined ? [] : ["-H", `Authorization: Bearer ${token}`];
      const ca = join(here, ".portcullis", "tls", "ca.pem");
      const options = ["--silent", "--cacert", ca, "-o", "/dev/null", "-w", "%{http_code}"];
      return execFileSync("curl", [...options, ...header, url]).toString();
    };
    for (const [as, status] of [
      [undefined, "401"],
      ["alice", "200"],
      ["bob", "404"],
    ] as const) {
      const came = ask(as);
      record(`answers ${as ?? "a stranger"} with ${status}`, came, came === status);
    }
  } finally {
    server.kill();
  }
}

/** The same with docs/identity.md, whose server runs on Node 24 and newer. */
async function walkAccounts(node: string, typescript: string, tarballs: readonly string[]): Promise<void> {
  const { here, binary, record, complaints } = prepare("identity", node, typescript, ["zod", ...tarballs]);
  const port = await freePort();
  writeIdentityServer(here, readFileSync(join(root, "docs/identity.md"), "utf8"), port);
  record("docs/identity.md compiles", ...complaints());
  await walkIdentity(binary, here, port, record);
}

/** An empty folder with packages, and the Node and the TypeScript under test. */
function prepare(what: string, node: string, typescript: string, packages: readonly string[]) {
  const here = join(folder, `${what}-${node}`);
  mkdirSync(here);
  writeFileSync(join(here, "package.json"), JSON.stringify({ name: "newcomer", private: true, type: "module" }));
  writeFileSync(join(here, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  // engine-strict stays off in a newcomer's folder; the runtime under test is the one that runs, not npm's.
  for (const wanted of [
    [...packages, `@types/node@${node.split(".")[0]}`],
    [`typescript@${typescript}`],
    [`node-${platform}@${node}`],
  ]) {
    npm(here, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", ...wanted);
  }
  const binary = join(here, "node_modules", `node-${platform}`, "bin", "node");
  return {
    here,
    binary,
    record: (said: string, came: string, isGood: boolean): void => {
      tried.push(isGood);
      say(`${isGood ? "ok " : "BAD"} Node ${node}, TypeScript ${typescript}: ${said}: ${came}`);
    },
    complaints: (): [string, boolean] => {
      const text = attempt(binary, join(here, "node_modules", "typescript", "bin", "tsc"), "--noEmit", "-p", here);
      return [text === "" ? "no complaint" : text.slice(0, 400), text === ""];
    },
  };
}

/** The blocks of the README that begin with the name of their file. */
function readmeFiles(): readonly (readonly [string, string])[] {
  const text = readFileSync(join(root, "README.md"), "utf8");
  return [...text.matchAll(/```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)```/g)].map(([, name = "", body = ""]) => [name, body]);
}

/** Loads every entry that needs nothing else to be installed. */
function entriesText(): string {
  const manifest: { readonly exports: Readonly<Record<string, unknown>> } = JSON.parse(
    readFileSync(join(root, "packages/portcullis/package.json"), "utf8"),
  );
  const names = Object.keys(manifest.exports).filter((name) => name !== "./package.json");
  const lines = names.map((name, n) => `import * as entry${n} from "portcullis${name.slice(1)}";`);
  const uses = names.map((_, n) => `entry${n}`).join(", ");
  return `${lines.join("\n")}\nif ([${uses}].every((entry) => Object.keys(entry).length > 0)) console.log("loaded");\n`;
}

function npm(cwd: string, ...parts: readonly string[]): void {
  execFileSync("npm", parts, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}

/** What a command prints, also where it fails. */
function attempt(binary: string, ...parts: readonly string[]): string {
  try {
    return execFileSync(binary, parts, { stdio: ["ignore", "pipe", "pipe"] }).toString();
  } catch (error) {
    return error instanceof Error && "stdout" in error ? `${String(error.stdout)}${error.message}` : String(error);
  }
}

function version(binary: string): string {
  return attempt(binary, "--version").trim();
}

function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const line = text.split("\n").find((one) => one.startsWith("curl"));
      if (line !== undefined) resolve(line);
    });
    stream.on("end", () => reject(new Error(`the API of the README ended: ${text}`)));
  });
}
