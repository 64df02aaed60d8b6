/**
 * `probes.ts [--whole]`: scans an instance by its own manifest, as it is and with each hole in turn, prints what the
 * probes say and writes it to `probes.md` beside this file. Exit 1 where a row is not held without a hole, or not broken
 * with one. `--whole` scans all rows instead, rate-limit apart with its limits as they are, and prints what is not held.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProtectionId } from "portcullis";
import { z } from "zod";
import { freePort } from "../../../scripts/free-ports.ts";
import { embeddedStores, type TestStores } from "../test/storage/open-stores.ts";
import { type Hole, holes } from "./holes.ts";
import { clientId, otherClientId, redirectUri } from "./instance.ts";
import { signIn, startInstance } from "./instances.ts";

/** Rows of the checklist that an identity server answers for; `sessions` has the checks of enumeration. */
export const rows = ["oauth", "sessions", "api-keys"] as const satisfies readonly ProtectionId[];

const password = "correct horse battery";
const people = ["alice", "bob", "carol"].map((name) => `${name}@example.com`);
const scope = "openid notes:read notes:write keys:read keys:write";
const portcullis = new URL("../../cli/src/portcullis.ts", import.meta.url).pathname;

const Report = z.object({
  verdicts: z.array(
    z.object({
      protection: z.string(),
      check: z.string(),
      operation: z.string().optional(),
      verdict: z.enum(["held", "broken", "inconclusive", "not-applicable"]),
      why: z.string(),
    }),
  ),
});

/** What one check said. */
export type Said = z.infer<typeof Report>["verdicts"][number];

/** What a scan said. */
export interface Scanned {
  /** Exit code: 0 held, 1 broken, 2 inconclusive; anything else failed. */
  readonly status: number;
  readonly stderr: string;
  readonly verdicts: readonly Said[];
}

/** How to scan. */
export interface Scanning {
  /** Opens these holes, by their places in the list. */
  readonly holes?: readonly number[];
  /** Rows to look at; default all but rate-limit, of which there is nothing to see here. */
  readonly only?: readonly string[];
  /** With its limits as they are; default without any. */
  readonly isLimited?: boolean;
  /** Callers are whoever the accounts sign in as; default: two people with tokens. */
  readonly byAccounts?: boolean;
  /** Nobody is given: the scan registers whom it needs. */
  readonly byNobody?: boolean;
  /** Times are measured as often as on every push; default: as before a release. */
  readonly isQuick?: boolean;
}

/** Scans a new instance. */
export async function scanned(
  stores: TestStores,
  { holes: open = [], only, isLimited = false, byAccounts = false, byNobody = false, isQuick = false }: Scanning,
): Promise<Scanned> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "portcullis-probes-"));
  const options = { port, issuerPort: port, isUnlimited: !isLimited, isUsual: isLimited };
  const at = await startInstance({ storage: await stores.place(), ...options }, open);
  try {
    for (const email of people) await at.ask({ do: "account", email, password });
    const [alice = "", bob = "", carol = ""] = people;
    const [one, two] = [await signIn(at, alice, password, scope), await signIn(at, bob, password, scope)];
    const { manifest = "" } = await at.ask({ do: "manifest" });
    const [of, report] = [join(folder, "manifest.json"), join(folder, "report.json")];
    writeFileSync(of, manifest);
    const flags = [
      ["--manifest", of, "--quiet", "--json", report],
      only === undefined ? ["--skip", "rate-limit"] : ["--only", only.join(",")],
      ["--profile", isQuick ? "quick" : "full"],
      byAccounts || byNobody ? [] : ["--as", `alice=Bearer ${one.access}`, "--as", `bob=Bearer ${two.access}`],
      byNobody ? [] : ["--no-register", "--account", `${alice}:${password}`, "--account", `${carol}:${password}`],
      ["--oauth", `client=${clientId},redirect=${redirectUri},scope=${scope}`],
      ["--oauth", `client=${otherClientId},redirect=${redirectUri},scope=${scope}`],
    ].flat();
    const { status, stderr } = await run(["--conditions=source", portcullis, "scan", at.origin, ...flags]);
    const verdicts = status <= 2 ? Report.parse(JSON.parse(readFileSync(report, "utf8"))).verdicts : [];
    return { status, stderr, verdicts };
  } finally {
    await at.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The worst that was said of a row. */
export function verdictOf(row: string, { verdicts }: Scanned): Said["verdict"] {
  const own = verdicts.filter(({ protection }) => protection === row);
  const kinds = ["broken", "inconclusive", "held"] as const;
  return kinds.find((kind) => own.some(({ verdict }) => verdict === kind)) ?? "not-applicable";
}

/** Whether that is what a hole is found by. */
export function isFound(hole: Hole, { protection, check, verdict }: Said): boolean {
  return protection === hole.protection && check === hole.check && verdict === "broken";
}

async function main(): Promise<void> {
  const stores = await embeddedStores();
  try {
    if (process.argv.includes("--whole")) await whole(stores);
    else await eachHole(stores);
  } finally {
    await stores.stop();
  }
}

async function whole(stores: TestStores): Promise<void> {
  for (const how of [{}, { only: ["rate-limit"], isLimited: true }]) {
    const said = await scanned(stores, how);
    tell(said);
    process.exitCode = Math.max(Number(process.exitCode ?? 0), said.status);
  }
}

async function eachHole(stores: TestStores): Promise<void> {
  const lines: string[] = [];
  const line = (isRight: boolean, row: string, what: string, why: string) => {
    if (!isRight) process.exitCode = 1;
    process.stdout.write(`${isRight ? "as it should" : "WRONG"}\t${row}\t${what}\t${why}\n`);
    lines.push(`| ${row} | ${what} | ${why.replaceAll("|", "\\|")} |`);
  };
  const asItIs = await scanned(stores, { only: rows });
  for (const row of rows) {
    const own = asItIs.verdicts.filter(({ protection }) => protection === row);
    const count = own.filter(({ verdict }) => verdict === "held").length;
    const verdict = verdictOf(row, asItIs);
    line(verdict === "held", row, "no hole", `${verdict}: ${count} checks`);
  }
  tell(asItIs);
  for (const [index, hole] of holes.entries()) {
    const { protection, name } = hole;
    const one = await scanned(stores, { only: [protection], holes: [index] }).catch(
      (error: unknown): Scanned => ({ status: 3, stderr: `${String(error)}\n`, verdicts: [] }),
    );
    const found = one.verdicts.find((said) => isFound(hole, said));
    line(
      found !== undefined,
      protection,
      name,
      found === undefined ? verdictOf(protection, one) : `broken: ${found.check}. ${found.why}`,
    );
    if (found === undefined) tell(one);
  }
  if (process.exitCode !== 1)
    writeFileSync(new URL("probes.md", import.meta.url), `${[head, ...lines].join("\n")}\n${tail}`);
}

const head = `# What the prover says of the identity server

Written by \`npm run proofs\`. Each hole is one change of our own source, in \`holes.ts\`; a process is started with it and
scanned by its own manifest. Enumeration is part of \`sessions\`.

| row | hole | what the prover says |
|---|---|---|`;

const tail = `
No holes, since nothing starts with them: a cookie without the \`__Host-\` prefix, and one to live longer than the 400 days
browsers keep any. A redirect address with a longer path gets through the comparison with its hole, and no further: the
route's own list of addresses stops it. What no scan can wait for or cause, tests with a clock of their own show: idle and
absolute lifetimes, keys that expire, accounts that are disabled.
`;

function tell({ verdicts, stderr }: Scanned): void {
  for (const said of verdicts) if (/broken|inconclusive/.test(said.verdict)) print(said);
  process.stdout.write(stderr);
}

function print({ protection, check, operation = "", verdict, why }: Said): void {
  process.stdout.write(`${verdict}\t${protection} ${check}\t${operation}\t${why}\n`);
}

function run(args: readonly string[]): Promise<{ readonly status: number; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { maxBuffer: 2 ** 26 }, (error, _out, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stderr });
    });
  });
}

if (import.meta.main) await main();
