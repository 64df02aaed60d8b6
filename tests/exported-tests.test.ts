import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scan } from "@portcullis/scan";
import { type Report, reportOf } from "@portcullis/scan/reporters";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportTests } from "../packages/cli/src/outputs/export-tests.ts";
import { type Demonstration, type DemonstrationTarget, startTargets } from "../scripts/demonstration/targets.ts";

// Inside the checkout, so that the tests find the prover.
const folder = join(import.meta.dirname, `../.portcullis/exported-${process.pid}`);
const tests = join(folder, "tests");
let demonstration: Demonstration;
let report: Report;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  const first = await startTargets(join(folder, "scanned"), 0);
  const { unprotectedTarget: target, manifest } = first;
  const description = join(folder, "manifest.json");
  writeFileSync(description, JSON.stringify(manifest));
  const { url, identities, accounts, jwtKey } = target;
  const found = reportOf(await scan({ url, manifest, identities, accounts, jwtKey, seed: 1 }));
  // The gravest of each protection: every probe is looked at again, and the run stays short.
  const firsts = new Map(found.findings.toReversed().map((finding) => [finding.protection, finding]));
  report = { ...found, findings: [...firsts.values()] };
  await exportTests(tests, report, { description, kind: "manifest", identities });
  // What the scan used up of the API's limits would be held against the tests.
  await Promise.all([first.protectedTarget.close(), target.close()]);
  demonstration = await startTargets(join(folder, "tested"), 0);
}, 240_000);
afterAll(async () => {
  await Promise.all([demonstration.protectedTarget.close(), demonstration.unprotectedTarget.close()]);
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly out: string;
}

/** Runs the exported tests as a team would: `node --test`, with credentials in the environment. */
async function run(target: DemonstrationTarget, ca?: string): Promise<Ran> {
  const credentials = target.identities.map(({ name, header }) => [
    `PORTCULLIS_AS_${name.toUpperCase().replaceAll("-", "_")}`,
    header[1],
  ]);
  const [account] = target.accounts;
  const env = {
    ...process.env,
    ...Object.fromEntries(credentials),
    NODE_OPTIONS: "--conditions=source",
    PORTCULLIS_URL: target.url,
    PORTCULLIS_JWT_KEY: target.jwtKey,
    PORTCULLIS_ACCOUNT: `${account?.user}:${account?.password}`,
    ...(ca === undefined ? {} : { PORTCULLIS_CA: ca }),
  };
  // One at a time: what one test uses up of the API's limits, the next would miss.
  const args = ["--test", "--test-concurrency=1", "--test-reporter=tap", "*.test.mjs"];
  const out = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: tests, env, maxBuffer: 32 * 1024 * 1024 }, (_error, text) => resolve(text));
  });
  const named = (word: string) =>
    [...out.matchAll(new RegExp(`^${word} \\d+ - ([\\w-]+) \\(`, "gm"))].map((match) => match[1] ?? "");
  return { passed: named("ok").sort(), failed: named("not ok").sort(), out };
}

describe("the tests that a scan exports", () => {
  it("are one file per finding, with no credential in any", () => {
    const files = readdirSync(tests).filter((name) => name.endsWith(".test.mjs"));
    expect(files).toHaveLength(report.findings.length);
    const all = readdirSync(tests).map((name) => readFileSync(join(tests, name), "utf8"));
    const secrets = demonstration.unprotectedTarget.identities.map(({ secret }) => secret);
    for (const text of all) for (const secret of secrets) expect(text).not.toContain(secret);
  });

  it("fail while the hole is there", { timeout: 240_000 }, async () => {
    const { passed, failed, out } = await run(demonstration.unprotectedTarget);
    expect(passed, out).toEqual([]);
    expect(failed).toEqual(report.findings.map(({ protection }) => protection).sort());
    expect(failed.length).toBeGreaterThan(20);
  });

  it("pass once it is closed", { timeout: 240_000 }, async () => {
    const { protectedTarget } = demonstration;
    const { passed, failed, out } = await run(protectedTarget, protectedTarget.caPath);
    expect(failed, out).toEqual([]);
    expect(passed).toEqual(report.findings.map(({ protection }) => protection).sort());
  });
});
