import { checklist, type ProtectionId } from "portcullis/checklist";
import { hostOf, isLoopbackName } from "./address.ts";
import { describeTarget } from "./describe.ts";
import { efforts } from "./effort.ts";
import { estimate } from "./estimate.ts";
import type { ScanOptions } from "./options.ts";
import { createFetcher } from "./fetcher.ts";
import { readToken } from "./identities.ts";
import { createInterrupt, type Interrupt } from "./interrupt.ts";
import { numberAt } from "./json.ts";
import { createPacer } from "./pace.ts";
import { plainCredentials } from "./plain-credentials.ts";
import { prepare } from "./prepare.ts";
import { isSelected, type LedgerEntry, ledgerOf, plan, type Selection } from "./plan.ts";
import { createRedactor, type Redactor } from "./redact.ts";
import { runChecks, type Running } from "./run.ts";
import { BudgetSpent, ScanError, Unreachable } from "./scan-error.ts";
import type { Target } from "./target.ts";
import {
  countVerdicts,
  fold,
  leftOut,
  type ProtectionResult,
  type Verdict,
  type VerdictKind,
  withoutProbe,
} from "./verdict.ts";
import { withWebhooks } from "./webhook-options.ts";

export type { Exchange } from "./exchange.ts";
export { identityOf, type Identity, parseIdentity, parseRoles } from "./identities.ts";
export type { Sources } from "./describe.ts";
export type { Profile } from "./effort.ts";
export type { Planned } from "./estimate.ts";
export type { ScanOptions } from "./options.ts";
export type { Description } from "./documents.ts";
export type { LedgerEntry } from "./plan.ts";
export type { Progress } from "./run.ts";
export { ScanError } from "./scan-error.ts";
export { type OAuthClient, parseOAuthClient } from "./oauth-client.ts";
export type { HmacScheme, WebhookSecret } from "./sign-delivery.ts";
export type { Account } from "./account.ts";
export type { SupabaseOptions } from "./supabase.ts";
export type { ProtectionResult, Verdict, VerdictKind } from "./verdict.ts";
export { parseWebhook } from "./webhook-options.ts";

/** What a scan found. It holds no secret. */
export interface ScanResult {
  readonly target: {
    readonly url: string;
    readonly name: string;
    readonly source: Target["source"];
    readonly operations: number;
  };
  /** ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly requests: number;
  readonly seed: number;
  readonly identities: readonly string[];
  /** What had to be assumed because the description does not say it. */
  readonly assumptions: readonly string[];
  /** One per row of the checklist, in its order. */
  readonly protections: readonly ProtectionResult[];
  readonly counts: Readonly<Record<VerdictKind, number>>;
  readonly verdicts: readonly Verdict[];
  /** Operations by protections. */
  readonly ledger: readonly LedgerEntry[];
  /** Objects the scan created and could not delete. */
  readonly leftovers: readonly string[];
  /** 0 held, 1 broken, 2 something is inconclusive. */
  readonly exitCode: 0 | 1 | 2;
  /** True where somebody asked it to end early; what was not decided by then is inconclusive. */
  readonly interrupted?: true;
  /** True where its time (`timeoutMs`) ran out; what was not decided by then is inconclusive. */
  readonly timedOut?: true;
}

/**
 * Attacks every protection an API promises and says of each whether it is broken, held or inconclusive.
 *
 * It contacts only the address given, stays below the limits the manifest declares, changes only what it created (and
 * its own identities' records, which it puts back), and deletes it at the end. A probe that fails or finds no room in
 * the target's limits is a verdict, `inconclusive`, and no error.
 *
 * @param options  the target, what describes it (`manifest` counts before `openapi`, `requests` adds to it; without any, the
 *   target is asked) and who the scan can be; times in milliseconds
 * @returns what was found; `exitCode` is 1 where a protection is broken, else 2 where one is inconclusive, else 0
 * @throws ScanError when the scan itself cannot be done: a target that nobody consented to or that is not there, a description
 *   that cannot be read or none to be found, an unknown protection in `only` or `skip`, two identities of one name, a credential that is refused
 *   everywhere
 * @see OWASP API Security Top 10 2023, whose rows the checklist names
 */
export async function scan(options: ScanOptions): Promise<ScanResult> {
  const startedAt = Date.now();
  const mayContact = (host: string) => isLoopbackName(host) || (options.consent ?? []).includes(host.toLowerCase());
  const url = targetUrl(options.url, mayContact);
  assertConsistent(options);
  const ca = options.ca === undefined ? {} : { ca: options.ca };
  const interrupt = createInterrupt(options.signal, options.timeoutMs);
  const redactor = knowing(options);
  try {
    return await scanUntil(interrupt, { options, url, mayContact, startedAt, ca, redactor });
  } catch (error) {
    throw withoutSecrets(error, redactor);
  } finally {
    interrupt.close();
  }
}

/** What is known before anything is asked. */
interface Beginning {
  readonly options: ScanOptions;
  readonly url: URL;
  readonly mayContact: (host: string) => boolean;
  readonly startedAt: number;
  readonly ca: { readonly ca?: string };
  readonly redactor: Redactor;
}

async function scanUntil(
  interrupt: Interrupt,
  { options, url, mayContact, startedAt, ca, redactor }: Beginning,
): Promise<ScanResult> {
  const warnings = new Set<string>();
  const warn = (line: string) => {
    if (!warnings.has(line)) options.onWarning?.(line);
    warnings.add(line);
  };
  const plain = isSomebody(options) ? plainCredentials(url) : undefined;
  if (plain !== undefined) warn(plain);
  const around = { url, mayContact, identities: options.identities, interrupt, ...ca };
  const described = withWebhooks(await describeTarget(options, around).catch(tooLittle), options.webhooks ?? []);
  const patienceMs = patienceOf(options, startedAt);
  const until = performance.now() + patienceMs;
  const pacer = createPacer(() => interrupt.longestWaitMs(Math.max(15_000, until - performance.now())));
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const fetcher = createFetcher({
    url,
    policy: described.policy,
    pacer,
    interrupt,
    ...ca,
    ...(options.rate === undefined ? {} : { rate: options.rate }),
    ...(options.budget === undefined ? {} : { maxRequests: options.budget }),
  });
  try {
    const context = await prepare({
      options,
      described,
      fetcher,
      redactor,
      seed,
      patienceMs,
      mayContact,
      interrupt,
      warn,
    }).catch(tooLittle);
    const { target } = context;
    const planned = plan(context, options);
    options.onPlanned?.(estimate(context, planned, options.rate));
    const ran = await runChecks(context, planned, { pacer, interrupt, ...tellers(options) });
    const { verdicts } = ran;
    const rows = await interrupt.tidying(async () => (await context.supabase?.cleanUp()) ?? []);
    const leftovers = [...ran.leftovers, ...rows];
    const [isInterrupted, isTimedOut] = [options.signal?.aborted === true, interrupt.isTimedOut];
    const protections = checklist.map(({ id }) => resultOf(id, verdicts, options));
    const counts = countVerdicts(protections);
    return {
      target: {
        url: url.origin,
        name: target.name,
        source: target.source,
        operations: target.operations.length + target.webhooks.length,
      },
      startedAt: new Date(startedAt).toISOString(),
      durationMs: Date.now() - startedAt,
      requests: fetcher.sent,
      seed,
      identities: context.identities.map((identity) => identity.name),
      assumptions: [
        ...target.assumptions,
        ...warnings,
        ...shortened(options, patienceMs),
        ...fetcher.notes,
        ...(ran.gone === undefined ? [] : [`${ran.gone} Everything after it is inconclusive.`]),
        ...(isInterrupted ? ["The scan was interrupted: what it had not decided by then is inconclusive."] : []),
        ...(isTimedOut ? ["Time ran out (--timeout): what was not decided by then is inconclusive."] : []),
      ].map((line) => context.redactor.apply(line)),
      protections,
      counts,
      verdicts,
      ledger: ledgerOf(target, verdicts, options),
      leftovers: leftovers.map((line) => context.redactor.apply(line)),
      exitCode: counts.broken > 0 ? 1 : counts.inconclusive > 0 ? 2 : 0,
      ...(isInterrupted ? { interrupted: true } : {}),
      ...(isTimedOut ? { timedOut: true } : {}),
    };
  } finally {
    fetcher.close();
  }
}

/** A redactor that knows every secret the scan was given. */
function knowing(options: ScanOptions): Redactor {
  const redactor = createRedactor();
  for (const { secret, scheme, name } of options.identities) {
    redactor.add(secret, name);
    const [, password = ""] = /^[^:]*:([\s\S]+)$/.exec(Buffer.from(secret, "base64").toString("utf8")) ?? [];
    if (/^basic$/i.test(scheme)) redactor.add(password, name);
  }
  for (const { password } of options.accounts ?? []) redactor.add(password, "password");
  if (options.jwtKey !== undefined) redactor.add(options.jwtKey, "jwt-key");
  if (options.supabase !== undefined) redactor.add(options.supabase.anonKey, "anon-key");
  for (const { secret, id } of options.oauth ?? []) if (secret !== undefined) redactor.add(secret, `secret of ${id}`);
  for (const { secret, endpoint } of options.webhooks ?? []) {
    if (secret !== undefined) redactor.add(secret, `secret of ${endpoint}`);
  }
  return redactor;
}

/** What ends a scan may name the request it ended at; its text, its stack and what caused it are printed by many. */
function withoutSecrets(error: unknown, redactor: Redactor): unknown {
  if (!(error instanceof Error)) return error;
  const message = redactor.apply(error.message);
  if (message === error.message) return error;
  return error instanceof ScanError ? new ScanError(message) : new Error(message);
}

/** Whether the scan was given credentials to send. */
function isSomebody({ identities, auth, accounts = [], oauth = [] }: ScanOptions): boolean {
  return identities.length > 0 || auth !== undefined || accounts.length > 0 || oauth.length > 0;
}

/** Who is told while it runs. */
function tellers({ onProgress, onVerdict }: ScanOptions): Pick<Running, "onProgress" | "onVerdict"> {
  return { ...(onProgress === undefined ? {} : { onProgress }), ...(onVerdict === undefined ? {} : { onVerdict }) };
}

function targetUrl(text: string, mayContact: (host: string) => boolean): URL {
  if (!URL.canParse(text)) throw new ScanError(`"${text}" is not a URL; write it as http://localhost:3000`);
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new ScanError(`${url.protocol}// cannot be scanned; http and https can`);
  if (url.username !== "" || url.password !== "") throw new ScanError("credentials do not belong in the URL; use --as");
  if (!mayContact(hostOf(url))) {
    throw new ScanError(
      `${url.hostname} is not this machine: it is attacked only where its owner agrees (--consent ${url.hostname})`,
    );
  }
  return url;
}

/** Most that `timeoutMs` may be; a timer of a month and more would be over at once. */
const longestMs = 7 * 86_400_000;

/** Who cannot even begin says so as a reason of the scan, not of a check. */
function tooLittle(error: unknown): never {
  if (error instanceof BudgetSpent || error instanceof Unreachable)
    throw new ScanError(`the scan could not begin: ${error.message}`, { cause: error });
  throw error;
}

function assertConsistent(options: ScanOptions): void {
  const names = options.identities.map((identity) => identity.name);
  const double = names.find((name, index) => names.indexOf(name) !== index);
  if (double !== undefined) throw new ScanError(`two identities are called ${double}`);
  const { timeoutMs = longestMs } = options;
  if (!(timeoutMs >= 1000 && timeoutMs <= longestMs)) throw new ScanError("timeoutMs is 1000 to 604800000, seven days");
  const ids: readonly string[] = checklist.map((row) => row.id);
  for (const id of [...(options.only ?? []), ...(options.skip ?? [])]) {
    if (!ids.includes(id)) throw new ScanError(`no protection is called "${id}"; there are ${ids.join(", ")}`);
  }
}

/** As asked for, and not beyond the life of the first token to expire: what a dead credential is refused proves nothing. */
function patienceOf(options: ScanOptions, now: number): number {
  const asked = options.patienceMs ?? efforts[options.profile ?? "quick"].patienceMs;
  const ends = options.identities.flatMap(({ secret }) => numberAt(readToken(secret)?.claims, "exp") ?? []);
  const left = Math.min(...ends.map((seconds) => seconds * 1000 - now - 60_000));
  return Math.min(asked, Math.max(left, 10_000));
}

/** That a token ends before the patience does, where it does. */
function shortened(options: ScanOptions, patienceMs: number): readonly string[] {
  if (options.patienceMs === undefined || patienceMs >= options.patienceMs) return [];
  const minutes = Math.floor(patienceMs / 60_000);
  return [`A token given with --as expires soon: the scan waited for the API's limits for ${minutes} min at most.`];
}

function resultOf(id: ProtectionId, verdicts: readonly Verdict[], selection: Selection): ProtectionResult {
  const own = verdicts.filter((verdict) => verdict.protection === id);
  const why = withoutProbe(id) ?? (isSelected(id, selection) ? undefined : leftOut);
  return why === undefined ? fold(id, own) : { ...fold(id, []), why };
}
