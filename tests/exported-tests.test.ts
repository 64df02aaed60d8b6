import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scan } from "@portcullis/scan";
import { type Report, reportOf } from "@portcullis/scan/reporters";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { exportTests, factsOf } from "../packages/cli/src/outputs/export-tests.ts";
import { clients, startAuthorizationServer } from "../packages/scan/test/authorization-server.ts";
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
  const options = { url, manifest: description, identities, accounts, jwtKey, seed: 1 };
  const found = reportOf(await scan(options));
  // The gravest of each protection: every probe is looked at again, and the run stays short.
  const firsts = new Map(found.findings.toReversed().map((finding) => [finding.protection, finding]));
  report = { ...found, findings: [...firsts.values()] };
  await exportTests(tests, report, factsOf(options));
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

/** Credentials and addresses of the demonstration, as the exported tests take them. */
function environmentOf(target: DemonstrationTarget, ca?: string): Readonly<Record<string, string>> {
  const credentials = target.identities.map(({ name, header }) => [
    `PORTCULLIS_AS_${name.toUpperCase().replaceAll("-", "_")}`,
    header[1],
  ]);
  const [account] = target.accounts;
  return {
    ...Object.fromEntries(credentials),
    PORTCULLIS_URL: target.url,
    PORTCULLIS_JWT_KEY: target.jwtKey,
    PORTCULLIS_ACCOUNT: `${account?.user}:${account?.password}`,
    ...(ca === undefined ? {} : { PORTCULLIS_CA: ca }),
  };
}

/** Runs exported tests as a team would: `node --test`, with credentials in the environment. */
async function run(cwd: string, given: Readonly<Record<string, string>>): Promise<Ran> {
  const env = { ...process.env, ...given, NODE_OPTIONS: "--conditions=source" };
  // One at a time: what one test uses up of the API's limits, the next would miss. All in one process: the prover is
  // read once, and not once per finding.
  const args = ["--test", "--test-isolation=none", "--test-reporter=tap", "*.test.mjs"];
  const out = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd, env, maxBuffer: 32 * 1024 * 1024 }, (_error, text) => resolve(text));
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

  // Side by side, each against an API of its own, in a process of its own.
  it.concurrent("fail while the hole is there", { timeout: 240_000 }, async () => {
    const { passed, failed, out } = await run(tests, environmentOf(demonstration.unprotectedTarget));
    expect(passed, out).toEqual([]);
    expect(failed).toEqual(report.findings.map(({ protection }) => protection).sort());
    expect(failed.length).toBeGreaterThan(20);
  });

  it.concurrent("pass once it is closed", { timeout: 240_000 }, async () => {
    const { protectedTarget } = demonstration;
    const { passed, failed, out } = await run(tests, environmentOf(protectedTarget, protectedTarget.caPath));
    expect(failed, out).toEqual([]);
    expect(passed).toEqual(report.findings.map(({ protection }) => protection).sort());
  });
});

describe("the tests of a scan that was given more than credentials", () => {
  it("take an authentication file, clients and passwords from the environment, and fail until it is closed", {
    timeout: 60_000,
  }, async () => {
    for (const name of ["warn", "info"] as const) vi.spyOn(console, name).mockReturnValue();
    const password = "a password of the tests";
    const web = { ...clients.web, scope: "openid offline_access" };
    const away = join(folder, "away");
    const wrong = await startAuthorizationServer({ configuration: { pkce: { required: () => false } } });
    const right = await startAuthorizationServer();
    try {
      const auth = join(folder, "auth.json");
      const header = { name: "Authorization", value: "Bearer a-token-of-the-tests-0000" };
      writeFileSync(auth, JSON.stringify({ auth: [{ name: "alice", fixedHeaders: [header] }] }));
      const options = {
        url: wrong.url,
        identities: [],
        only: ["oauth"],
        accounts: [{ user: "alice@example.com", password }],
        oauth: [web],
        webhooks: [{ endpoint: "POST /hooks/stripe", scheme: "stripe", secret: "whsec_of_the_tests" }],
        consent: ["staging.example.com"],
        auth,
        seed: 1,
      };
      const found = reportOf(await scan(options));
      expect(found.findings.map(({ check }) => check)).toEqual(["pkce-optional"]);
      await exportTests(away, found, factsOf(options));
      const written = readdirSync(away).map((name) => readFileSync(join(away, name), "utf8"));
      for (const secret of [password, web.secret, header.value, auth, "whsec_of_the_tests"])
        expect(written.join()).not.toContain(secret);
      expect(written.join()).toContain('consent: ["staging.example.com"]');
      const given = {
        PORTCULLIS_AUTH: auth,
        PORTCULLIS_ACCOUNT: `alice@example.com:${password}`,
        PORTCULLIS_OAUTH_SECRET_WEB: web.secret,
        PORTCULLIS_WEBHOOK_SECRET_POST_HOOKS_STRIPE: "whsec_of_the_tests",
      };
      expect((await run(away, given)).failed).toEqual(["oauth"]);
      const closed = await run(away, { ...given, PORTCULLIS_URL: right.url });
      expect(closed.passed, closed.out).toEqual(["oauth"]);
      const { PORTCULLIS_AUTH: _auth, ...less } = given;
      expect((await run(away, { ...less, PORTCULLIS_URL: right.url })).out).toContain("set PORTCULLIS_AUTH");
    } finally {
      await Promise.all([wrong.close(), right.close()]);
    }
  });
});
