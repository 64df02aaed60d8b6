import { checklist, type ProtectionId } from "portcullis/checklist";
import { hostOf, isLoopbackName } from "./address.ts";
import { sameOrigin } from "./browser.ts";
import { createCreations } from "./creations.ts";
import { createContext, type ProbeContext } from "./context.ts";
import type { Leg, Trial } from "./exchange.ts";
import { createFetcher, type Fetcher, type Outgoing } from "./fetcher.ts";
import { type Identity, readToken, subjectOf, withBrowsers } from "./identities.ts";
import { numberAt } from "./json.ts";
import { kindsOf } from "./kinds.ts";
import { type Description, readTarget } from "./manifest.ts";
import { createObjects } from "./objects.ts";
import { createPacer } from "./pace.ts";
import { isSelected, type LedgerEntry, ledgerOf, plan, type Selection } from "./plan.ts";
import { seeded } from "./random.ts";
import { recogniseIdentities } from "./recognise.ts";
import { createRedactor } from "./redact.ts";
import { preflight } from "./preflight.ts";
import { type Progress, runChecks } from "./run.ts";
import { ScanError } from "./scan-error.ts";
import type { WebhookSecret } from "./sign-delivery.ts";
import { type Account, createSessions } from "./sign-in.ts";
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

export type { Exchange } from "./exchange.ts";
export { identityOf, type Identity, parseIdentity, parseRoles } from "./identities.ts";
export type { Description } from "./manifest.ts";
export type { LedgerEntry } from "./plan.ts";
export type { Progress } from "./run.ts";
export { ScanError } from "./scan-error.ts";
export type { WebhookSecret } from "./sign-delivery.ts";
export type { Account } from "./sign-in.ts";
export type { ProtectionResult, Verdict, VerdictKind } from "./verdict.ts";

/** What to scan and as whom. */
export interface ScanOptions extends Selection {
  /** Address of the target: `https://localhost:8443`. Only loopback addresses are scanned; nothing else is contacted. */
  readonly url: string;
  /** Our manifest: a file or the document itself. With it every verdict is exact. */
  readonly manifest?: Description;
  /** An OpenAPI 3.x document: a file or the document itself. What it leaves open is assumed, and said. */
  readonly openapi?: Description;
  /** Who the scan can be. At least two callers without roles are needed to prove object-access. */
  readonly identities: readonly Identity[];
  /** Accounts for sign-in probes; their passwords are tried wrongly, twice each. */
  readonly accounts?: readonly Account[];
  /** A test signing key (secret, PEM or JWK) for attacks on single claims; default: those are not tried. */
  readonly jwtKey?: string;
  /** Secrets of webhooks, so that stale and changed deliveries can be tried; their handlers run for what is honest. */
  readonly webhooks?: readonly WebhookSecret[];
  /** PEM certificates to trust besides the system's. */
  readonly ca?: string;
  /** Repeats the same values; default: a new one. */
  readonly seed?: number;
  /**
   * How long the scan may take to stay below the target's own limits, milliseconds; default 10,000, which is enough where
   * limits count in seconds. A single wait of 15 s is always allowed, and no wait outlasts a token that expires.
   */
  readonly patienceMs?: number;
  /** Called after every check. */
  readonly onProgress?: (progress: Progress) => void;
  /**
   * Called with every verdict as it falls, secrets redacted, so that a scan that is cut off has said what it knew. The
   * result may take some back: those whose identity turned out to be dead.
   */
  readonly onVerdict?: (verdict: Verdict) => void;
}

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
}

/**
 * Attacks every protection an API promises and says of each whether it is broken, held or inconclusive.
 *
 * It contacts only the address given, stays below the limits the manifest declares, changes only what it created (and
 * its own identities' records, which it puts back), and deletes it at the end. A probe that fails or finds no room in
 * the target's limits is a verdict, `inconclusive`, and no error.
 *
 * @param options  the target, its description (`manifest`, which counts where both are given, or `openapi`) and who the
 *   scan can be; times in milliseconds
 * @returns what was found; `exitCode` is 1 where a protection is broken, else 2 where one is inconclusive, else 0
 * @throws ScanError when the scan itself cannot be done: a target that is not loopback or not there, no description or an
 *   unreadable one, an unknown protection in `only` or `skip`, two identities of one name, a credential that is refused
 *   everywhere
 * @see OWASP API Security Top 10 2023, whose rows the checklist names
 */
export async function scan(options: ScanOptions): Promise<ScanResult> {
  const startedAt = Date.now();
  const url = targetUrl(options.url);
  assertConsistent(options);
  const target = await describedTarget(options);
  const patienceMs = patienceOf(options, startedAt);
  const until = performance.now() + patienceMs;
  const pacer = createPacer(() => Math.max(15_000, until - performance.now()));
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const fetcher = createFetcher({
    url,
    policy: target.policy,
    pacer,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
  try {
    const context = await prepare(options, target, fetcher, seed, patienceMs);
    const planned = plan(context, options);
    const { verdicts, leftovers } = await runChecks(context, planned, pacer, options.onProgress, options.onVerdict);
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
      assumptions: [...target.assumptions, ...shortened(options, patienceMs)],
      protections,
      counts,
      verdicts,
      ledger: ledgerOf(target, verdicts, options),
      leftovers,
      exitCode: counts.broken > 0 ? 1 : counts.inconclusive > 0 ? 2 : 0,
    };
  } finally {
    fetcher.close();
  }
}

function targetUrl(text: string): URL {
  if (!URL.canParse(text)) throw new ScanError(`"${text}" is not a URL; write it as http://localhost:3000`);
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new ScanError(`${url.protocol}// cannot be scanned; http and https can`);
  if (url.username !== "" || url.password !== "") throw new ScanError("credentials do not belong in the URL; use --as");
  if (!isLoopbackName(hostOf(url))) {
    throw new ScanError(
      `${url.hostname} is not this machine: this version scans loopback addresses only (localhost, 127.0.0.0/8, ::1)`,
    );
  }
  return url;
}

function assertConsistent(options: ScanOptions): void {
  const names = options.identities.map((identity) => identity.name);
  const double = names.find((name, index) => names.indexOf(name) !== index);
  if (double !== undefined) throw new ScanError(`two identities are called ${double}`);
  const ids: readonly string[] = checklist.map((row) => row.id);
  for (const id of [...(options.only ?? []), ...(options.skip ?? [])]) {
    if (!ids.includes(id)) throw new ScanError(`no protection is called "${id}"; there are ${ids.join(", ")}`);
  }
}

async function describedTarget(options: ScanOptions): Promise<Target> {
  if (options.manifest !== undefined) return await readTarget(options.manifest, "manifest");
  if (options.openapi !== undefined) return await readTarget(options.openapi, "openapi");
  throw new ScanError('nothing says what the API offers: pass --manifest (from "portcullis manifest") or --openapi');
}

/** As asked for, and not beyond the life of the first token to expire: what a dead credential is refused proves nothing. */
function patienceOf(options: ScanOptions, now: number): number {
  const asked = options.patienceMs ?? 10_000;
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

async function prepare(
  options: ScanOptions,
  target: Target,
  fetcher: Fetcher,
  seed: number,
  patienceMs: number,
): Promise<ProbeContext> {
  const random = seeded(seed);
  const identities = withBrowsers(options.identities, sameOrigin(fetcher.url));
  const redactor = createRedactor();
  for (const identity of identities) redactor.add(identity.secret, identity.name);
  if (options.jwtKey !== undefined) redactor.add(options.jwtKey, "jwt-key");
  for (const { secret, endpoint } of options.webhooks ?? []) redactor.add(secret, `secret of ${endpoint}`);
  const prefix = `pc-${random.text(6)}`;
  const creations = createCreations(prefix, (operation) => sessions.signIns.includes(operation));
  const send = async (leg: Leg, outgoing: Outgoing): Promise<Trial> => {
    const trial: Trial = { leg, outgoing, answer: await fetcher.send(outgoing) };
    creations.watch(trial);
    return trial;
  };
  const now = Date.now();
  const sessions = createSessions({
    url: fetcher.url,
    target,
    identities,
    accounts: options.accounts ?? [],
    redactor,
    random: random.fork("sign-in"),
    now,
    send,
  });
  await preflight(fetcher, target, identities, now);
  const subjects = await recogniseIdentities(target, identities, send, now, patienceMs);
  const subject = (identity: Identity) => subjects.get(identity.name) ?? subjectOf(identity);
  return createContext({
    target,
    fetcher,
    redactor,
    identities,
    random,
    jwtKey: options.jwtKey,
    webhookSecrets: options.webhooks ?? [],
    ca: options.ca,
    now: Date.now,
    patienceMs,
    send,
    subjects,
    sessions,
    objects: createObjects({
      kinds: kindsOf(target, now),
      send,
      random: random.fork("objects"),
      prefix,
      creations,
      identities,
      person(owner) {
        const others = identities.filter((identity) => identity.name !== owner.name);
        return others.map(subject).find((account) => account !== undefined && account !== subject(owner));
      },
    }),
  });
}

function resultOf(id: ProtectionId, verdicts: readonly Verdict[], selection: Selection): ProtectionResult {
  const own = verdicts.filter((verdict) => verdict.protection === id);
  const why = withoutProbe(id) ?? (isSelected(id, selection) ? undefined : leftOut);
  return why === undefined ? fold(id, own) : { ...fold(id, []), why };
}
