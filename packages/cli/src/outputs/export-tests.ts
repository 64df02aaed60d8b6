import { copyFile, mkdir } from "node:fs/promises";
import { extname, join } from "node:path";
import { ScanError } from "@portcullis/scan";
import { openFindings, type Report, type ReportedFinding } from "@portcullis/scan/reporters";
import { isAddress } from "./address.ts";
import { saved } from "./reports.ts";

/** What a test needs to scan again, beside the finding. */
export interface TestFacts {
  /** The file that describes the API, which is copied beside the tests, or its address. */
  readonly description: string | undefined;
  readonly kind: "manifest" | "openapi";
  readonly identities: readonly { readonly name: string; readonly roles: readonly string[] }[];
}

/**
 * Writes a file for `node --test` per open finding, which fails until its hole is closed, and what they share. Each looks
 * at its finding again with the prover itself, so that it sets up what it attacks, and deletes it again; a test whose check
 * could not decide fails too. Credentials come from the environment, as `PORTCULLIS_AS_ALICE`.
 *
 * @throws ScanError when the folder cannot be written
 */
export async function exportTests(folder: string, report: Report, facts: TestFacts): Promise<void> {
  assertExportable(facts);
  const { description: source = "" } = facts;
  const description = isAddress(source) ? source : `description${extname(source) || ".json"}`;
  try {
    await mkdir(folder, { recursive: true });
    if (!isAddress(source)) await copyFile(source, join(folder, description));
  } catch (cause) {
    throw new ScanError(`cannot write the tests to ${folder}`, { cause });
  }
  await saved(join(folder, "portcullis.mjs"), helper(report, facts, description));
  for (const finding of openFindings(report)) await saved(join(folder, fileOf(finding)), testOf(finding));
}

/** Says before a scan that its findings could not be exported. @throws ScanError where nothing describes the API */
export function assertExportable({ description }: TestFacts): void {
  if (description === undefined)
    throw new ScanError("--export-tests needs --manifest or --openapi: the tests look again by the same description");
}

function fileOf({ protection, check, fingerprint }: ReportedFinding): string {
  const name = check.replaceAll(/[^A-Za-z0-9]+/g, "-").slice(0, 60);
  return `${protection}-${name}-${fingerprint.slice(0, 8)}.test.mjs`;
}

function testOf(finding: ReportedFinding): string {
  const { fingerprint, protection, check, operation = "", severity, why } = finding;
  const wanted = JSON.stringify({ fingerprint, protection, check, operation }, null, 2);
  return `// Written by portcullis scan --export-tests; it fails until the hole is closed. How to close it: portcullis mcp, or ${finding.page}.
import assert from "node:assert/strict";
import test from "node:test";
import { look } from "./portcullis.mjs";

test(${JSON.stringify(`${protection} (${severity}): ${why}`)}, async () => {
  const seen = await look(${wanted});
  assert.ok(seen.isClosed, seen.why);
});
`;
}

function helper(report: Report, facts: TestFacts, description: string): string {
  // An identity may bring its credential along; a file for a repository gets its name and roles alone.
  const identities = facts.identities.map(({ name, roles }) => ({ name, roles }));
  return `// Written by portcullis scan --export-tests: what the tests beside it share.
//   PORTCULLIS_URL        where the API listens; default: where it was scanned
//   PORTCULLIS_AS_<NAME>  the credential of an identity, such as "Bearer …"
//   PORTCULLIS_CA         file with a certificate authority to trust
//   PORTCULLIS_JWT_KEY    test signing key, for findings about single claims
//   PORTCULLIS_ACCOUNT    email:password, for findings about sign-in
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { identityOf, scan } from "@portcullis/scan";
import { isClosedBy } from "@portcullis/scan/reporters";

const { env } = process;
const identities = ${JSON.stringify(identities, null, 2)};

/** Looks at one finding again: closed only where its check holds; what could not be decided is not closed. */
export async function look(finding) {
  const { operation } = finding;
  const [user, ...password] = (env.PORTCULLIS_ACCOUNT ?? "").split(":");
  const result = await scan({
    url: env.PORTCULLIS_URL ?? ${JSON.stringify(report.result.target.url)},
    ${facts.kind}: ${isAddress(description) ? JSON.stringify(description) : `join(import.meta.dirname, ${JSON.stringify(description)})`},
    identities: identities.map(({ name, roles }) => identityOf(name, credentialOf(name), roles)),
    only: [finding.protection],
    checks: [{ ...finding, operation: operation === "" ? undefined : operation }],
    patienceMs: Number(env.PORTCULLIS_PATIENCE_MS ?? 60_000),
    seed: ${report.result.seed},
    ...(user === "" ? {} : { accounts: [{ user, password: password.join(":") }] }),
    ...(env.PORTCULLIS_JWT_KEY === undefined ? {} : { jwtKey: env.PORTCULLIS_JWT_KEY }),
    ...(env.PORTCULLIS_CA === undefined ? {} : { ca: readFileSync(env.PORTCULLIS_CA, "utf8") }),
  });
  const own = result.protections.find(({ protection }) => protection === finding.protection);
  return { isClosed: isClosedBy(result, finding), why: \`\${own?.verdict}: \${own?.why}\` };
}

function credentialOf(name) {
  const variable = \`PORTCULLIS_AS_\${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}\`;
  const credential = env[variable];
  if (credential === undefined) throw new Error(\`set \${variable} to the credential of \${name}, such as "Bearer …"\`);
  return credential;
}
`;
}
