import { copyFile, mkdir } from "node:fs/promises";
import { extname, join } from "node:path";
import { type OAuthClient, ScanError, type ScanOptions, type WebhookSecret } from "@portcullis/scan";
import { openFindings, type Report, type ReportedFinding, visible } from "@portcullis/scan/reporters";
import { isAddress } from "./address.ts";
import { saved } from "./reports.ts";

/** What a test needs to scan again, beside the finding. Nothing of it is a credential. */
export interface TestFacts {
  /** What was scanned, a path in it included. */
  readonly url: string;
  /** The file that describes the API, which is copied beside the tests, or its address; undefined: the API is asked again. */
  readonly description: string | undefined;
  readonly kind: "manifest" | "openapi";
  readonly identities: readonly { readonly name: string; readonly roles: readonly string[] }[];
  /** True where users came from an authentication file; the tests read one too, which is not copied: it holds passwords. */
  readonly auth: boolean;
  readonly roles: readonly (readonly [name: string, roles: readonly string[]])[];
  readonly register: boolean;
  readonly allowUnsafe: boolean;
  readonly consent: readonly string[];
  readonly origins: readonly string[];
  /** Clients of an authorization server without their secrets; `isSecret` where a client has one. */
  readonly oauth: readonly (Omit<OAuthClient, "secret"> & { readonly isSecret: boolean })[];
  /** Webhooks in the same way. */
  readonly webhooks: readonly (Omit<WebhookSecret, "secret"> & { readonly isSecret: boolean })[];
  readonly profile: ScanOptions["profile"];
}

/** What is needed to scan again as these options say, with every credential left out. */
export function factsOf(options: ScanOptions): TestFacts {
  const { manifest, openapi, identities, roles, oauth = [], webhooks = [] } = options;
  const description = manifest ?? openapi;
  return {
    url: options.url,
    description: typeof description === "string" ? description : undefined,
    kind: manifest === undefined ? "openapi" : "manifest",
    identities: identities.map((identity) => ({ name: identity.name, roles: identity.roles })),
    auth: options.auth !== undefined,
    roles: [...(roles ?? [])],
    register: options.register !== false,
    allowUnsafe: options.allowUnsafe === true,
    consent: options.consent ?? [],
    origins: options.origins ?? [],
    oauth: oauth.map(({ secret, ...client }) => ({ ...client, isSecret: secret !== undefined })),
    webhooks: webhooks.map(({ secret, ...webhook }) => ({ ...webhook, isSecret: secret !== undefined })),
    profile: options.profile,
  };
}

/**
 * Writes a file for `node --test` per open finding, which fails until its hole is closed, and what they share. Each looks
 * at its finding again with the prover itself, so that it sets up what it attacks, and deletes it again; a test whose check
 * could not decide fails too. Credentials come from the environment, as `PORTCULLIS_AS_ALICE`.
 *
 * @throws ScanError when the folder cannot be written
 */
export async function exportTests(folder: string, report: Report, facts: TestFacts): Promise<void> {
  const { description: source } = facts;
  const copied = source === undefined || isAddress(source) ? undefined : `description${extname(source) || ".json"}`;
  try {
    await mkdir(folder, { recursive: true });
    if (source !== undefined && copied !== undefined) await copyFile(source, join(folder, copied));
  } catch (cause) {
    throw new ScanError(`cannot write the tests to ${folder}`, { cause });
  }
  await saved(join(folder, "portcullis.mjs"), helper(report, facts, copied));
  for (const finding of openFindings(report)) await saved(join(folder, fileOf(finding)), testOf(finding));
}

/** Says before a scan that its findings could not be exported. @throws ScanError where recorded requests describe the API */
export function assertExportable({ requests }: { readonly requests?: string }): void {
  if (requests !== undefined)
    throw new ScanError(
      "--export-tests does not go with --requests, which may hold credentials: describe the API with --manifest or --openapi",
    );
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

test(${JSON.stringify(visible(`${protection} (${severity}): ${why}`))}, async () => {
  const seen = await look(${wanted});
  assert.ok(seen.isClosed, seen.why);
});
`;
}

function helper(report: Report, facts: TestFacts, copied: string | undefined): string {
  // An identity may bring its credential along; a file for a repository gets its name and roles alone.
  const identities = facts.identities.map(({ name, roles }) => ({ name, roles }));
  return `// Written by portcullis scan --export-tests: what the tests beside it share.
//   PORTCULLIS_URL        where the API listens; default: where it was scanned
//   PORTCULLIS_AS_<NAME>  the credential of an identity, such as "Bearer …"
//   PORTCULLIS_CA         file with a certificate authority to trust
//   PORTCULLIS_JWT_KEY    test signing key, for findings about single claims
//   PORTCULLIS_ACCOUNT    email:password, for findings about sign-in
${variables(facts)}import { readFileSync } from "node:fs";
import { join } from "node:path";
import { identityOf, scan } from "@portcullis/scan";
import { isClosedBy, visible } from "@portcullis/scan/reporters";

const { env } = process;
const identities = ${JSON.stringify(identities, null, 2)};

/** Looks at one finding again: closed only where its check holds; what could not be decided is not closed. */
export async function look(finding) {
  const { operation } = finding;
  const [user, ...password] = (env.PORTCULLIS_ACCOUNT ?? "").split(":");
  const result = await scan({
    url: env.PORTCULLIS_URL ?? ${JSON.stringify(facts.url)},
    ${describing(facts, copied)}identities: identities.map(({ name, roles }) => identityOf(name, credentialOf(name), roles)),
    only: [finding.protection],
    checks: [{ ...finding, operation: operation === "" ? undefined : operation }],
    patienceMs: Number(env.PORTCULLIS_PATIENCE_MS ?? 60_000),
    seed: ${report.result.seed},
${given(facts)}    ...(user === "" ? {} : { accounts: [{ user, password: password.join(":") }] }),
    ...(env.PORTCULLIS_JWT_KEY === undefined ? {} : { jwtKey: env.PORTCULLIS_JWT_KEY }),
    ...(env.PORTCULLIS_CA === undefined ? {} : { ca: readFileSync(env.PORTCULLIS_CA, "utf8") }),
  });
  const own = result.protections.find(({ protection }) => protection === finding.protection);
  return { isClosed: isClosedBy(result, finding), why: visible(\`\${own?.verdict}: \${own?.why}\`) };
}

function credentialOf(name) {
  return fromEnvironment(\`PORTCULLIS_AS_\${variableOf(name)}\`, \`the credential of \${name}, such as "Bearer …"\`);
}

function variableOf(name) {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
}

function fromEnvironment(variable, what) {
  const value = env[variable];
  if (value === undefined || value === "") throw new Error(\`set \${variable} to \${what}\`);
  return value;
}
`;
}

/** What describes the API: a file beside the tests, an address, or nothing, and then it is asked again. */
function describing({ description, kind }: TestFacts, copied: string | undefined): string {
  if (copied !== undefined) return `${kind}: join(import.meta.dirname, ${JSON.stringify(copied)}),\n    `;
  return description === undefined ? "" : `${kind}: ${JSON.stringify(description)},\n    `;
}

/** Everything else the scan was given that is no secret, and where the secrets come from. */
function given({ auth, roles, register, allowUnsafe, consent, origins, oauth, webhooks, profile }: TestFacts): string {
  const lines: string[] = [];
  if (auth) lines.push('auth: fromEnvironment("PORTCULLIS_AUTH", "the authentication file of the scan"),');
  if (auth && roles.length > 0) lines.push(`roles: new Map(${JSON.stringify(roles)}),`);
  if (!register) lines.push("register: false,");
  if (allowUnsafe) lines.push("allowUnsafe: true,");
  if (consent.length > 0) lines.push(`consent: ${JSON.stringify(consent)},`);
  if (origins.length > 0) lines.push(`origins: ${JSON.stringify(origins)},`);
  if (profile !== undefined) lines.push(`profile: ${JSON.stringify(profile)},`);
  const clients = oauth.map((one) => withSecret(one, secretOfClient(one.id), `client ${one.id}`));
  if (clients.length > 0) lines.push(`oauth: [${clients.join(", ")}],`);
  const senders = webhooks.map((one) => withSecret(one, secretOfWebhook(one.endpoint), `the webhook ${one.endpoint}`));
  if (senders.length > 0) lines.push(`webhooks: [${senders.join(", ")}],`);
  return lines.map((line) => `    ${line}\n`).join("");
}

/** Source of an object whose secret, where it has one, comes from the environment. */
function withSecret({ isSecret, ...plain }: { readonly isSecret: boolean }, variable: string, whose: string): string {
  const written = JSON.stringify(plain);
  if (!isSecret) return written;
  return `{ ...${written}, secret: fromEnvironment(${JSON.stringify(variable)}, ${JSON.stringify(`the secret of ${whose}`)}) }`;
}

function secretOfClient(id: string): string {
  return `PORTCULLIS_OAUTH_SECRET_${variablePart(id)}`;
}

function secretOfWebhook(endpoint: string): string {
  return `PORTCULLIS_WEBHOOK_SECRET_${variablePart(endpoint)}`;
}

function variablePart(text: string): string {
  return text
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, "_")
    .replaceAll(/^_|_$/g, "");
}

/** The lines of the head that say which variables hold what the scan was given beside the usual. */
function variables({ auth, oauth, webhooks }: TestFacts): string {
  const secrets = [
    ...oauth.flatMap(({ id, isSecret }) => (isSecret ? [[secretOfClient(id), `client ${id}`] as const] : [])),
    ...webhooks.flatMap(({ endpoint, isSecret }) => (isSecret ? [[secretOfWebhook(endpoint), endpoint] as const] : [])),
  ];
  return [
    ...(auth ? ["PORTCULLIS_AUTH       the authentication file the scan was given (--auth)"] : []),
    ...secrets.map(([variable, whose]) => `${variable}  the secret of ${visible(whose)}`),
  ]
    .map((line) => `//   ${line}\n`)
    .join("");
}
