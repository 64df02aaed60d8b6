import { checklist, type ProtectionId } from "portcullis/checklist";
import { hostOf, isLoopbackName } from "./address.ts";
import { isSuccess } from "./answer.ts";
import { createContext, type ProbeContext, subjectIn, takes } from "./context.ts";
import { exchangeOf, type Leg, type Trial } from "./exchange.ts";
import { createFetcher, type Fetcher, type Outgoing } from "./fetcher.ts";
import { type Identity, subjectOf } from "./identities.ts";
import { kindsOf } from "./kinds.ts";
import { type Description, readTarget } from "./manifest.ts";
import { createObjects } from "./objects.ts";
import { createPacer } from "./pace.ts";
import { isSelected, type LedgerEntry, ledgerOf, type PlannedCheck, plan, type Selection } from "./plan.ts";
import type { NamedOutcome, Outcome } from "./probe.ts";
import { seeded } from "./random.ts";
import { createRedactor } from "./redact.ts";
import { requestFor } from "./requests.ts";
import { BudgetSpent, ScanError, Unreachable } from "./scan-error.ts";
import { type Account, createSessions } from "./sign-in.ts";
import { isGone, pathParameters, type Target } from "./target.ts";
import { countVerdicts, fold, type ProtectionResult, type Verdict, type VerdictKind, withoutProbe } from "./verdict.ts";

export type { Exchange } from "./exchange.ts";
export { identityOf, type Identity, parseIdentity, parseRoles } from "./identities.ts";
export type { LedgerEntry } from "./plan.ts";
export { ScanError } from "./scan-error.ts";
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
  /** PEM certificates to trust besides the system's. */
  readonly ca?: string;
  /** Repeats the same values; default: a new one. */
  readonly seed?: number;
  /** Longest wait for room in the target's own limits, milliseconds; default 15,000. */
  readonly maxWaitMs?: number;
  /** Called after every check. */
  readonly onProgress?: (progress: Progress) => void;
}

/** How far a scan has come. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly requests: number;
  readonly protection: ProtectionId;
  readonly check: string;
  readonly operation: string | undefined;
  readonly verdict: VerdictKind;
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
  /** 0 held, 1 broken, 2 something could not be decided. */
  readonly exitCode: 0 | 1 | 2;
}

/** Checks that run at the same time. */
const lanes = 6;

/**
 * Attacks every protection an API promises and says of each whether it is broken, held, or could not be decided.
 *
 * It contacts only the address given, stays below the limits the manifest declares, changes only what it created (and
 * its own identities' records, which it puts back), and deletes it at the end.
 *
 * @throws ScanError when the scan itself cannot be done: a target that is not loopback or not there, an unreadable
 *   description, a credential that is refused everywhere
 */
export async function scan(options: ScanOptions): Promise<ScanResult> {
  const startedAt = Date.now();
  const url = targetUrl(options.url);
  assertSelection(options);
  const target = await describedTarget(options);
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const fetcher = createFetcher({
    url,
    policy: target.policy,
    pacer: createPacer(options.maxWaitMs ?? 15_000),
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
  try {
    const context = await prepare(options, target, fetcher, seed);
    const planned = plan(context, options);
    const verdicts = await runAll(context, planned, options.onProgress);
    const late = await livenessOf(context, verdicts.list);
    const protections = checklist.map(({ id }) => resultOf(id, late, options));
    const counts = countVerdicts(protections);
    return {
      target: { url: url.origin, name: target.name, source: target.source, operations: target.operations.length },
      startedAt: new Date(startedAt).toISOString(),
      durationMs: Date.now() - startedAt,
      requests: fetcher.sent,
      seed,
      identities: context.identities.map((identity) => identity.name),
      assumptions: target.assumptions,
      protections,
      counts,
      verdicts: late,
      ledger: ledgerOf(target, late, options),
      leftovers: verdicts.leftovers,
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

function assertSelection(options: ScanOptions): void {
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

async function prepare(options: ScanOptions, target: Target, fetcher: Fetcher, seed: number): Promise<ProbeContext> {
  const names = options.identities.map((identity) => identity.name);
  const double = names.find((name, index) => names.indexOf(name) !== index);
  if (double !== undefined) throw new ScanError(`two identities are called ${double}`);
  const random = seeded(seed);
  const redactor = createRedactor();
  for (const identity of options.identities) redactor.add(identity.secret, identity.name);
  if (options.jwtKey !== undefined) redactor.add(options.jwtKey, "jwt-key");
  const send = async (leg: Leg, outgoing: Outgoing): Promise<Trial> => ({
    leg,
    outgoing,
    answer: await fetcher.send(outgoing),
  });
  const now = Date.now();
  const subjects = await recogniseIdentities(target, options.identities, send, now);
  const subject = (identity: Identity) => subjects.get(identity.name) ?? subjectOf(identity);
  return createContext({
    target,
    fetcher,
    redactor,
    identities: options.identities,
    random,
    jwtKey: options.jwtKey,
    ca: options.ca,
    now: Date.now,
    send,
    subjects,
    sessions: createSessions({
      target,
      identities: options.identities,
      accounts: options.accounts ?? [],
      redactor,
      random: random.fork("sign-in"),
      now,
      send,
    }),
    objects: createObjects({
      kinds: kindsOf(target, now),
      send,
      random: random.fork("objects"),
      runId: random.text(6),
      person(name, owner) {
        if (!/(?:user|member|account)_?id$/i.test(name)) return undefined;
        const others = options.identities.filter((identity) => identity.name !== owner.name);
        return others.map(subject).find((account) => account !== undefined && account !== subject(owner));
      },
    }),
  });
}

/**
 * Makes sure that every credential is accepted somewhere, since a scan with a dead one would call everything held, and
 * learns which account it is.
 */
async function recogniseIdentities(
  target: Target,
  identities: readonly Identity[],
  send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>,
  now: number,
): Promise<ReadonlyMap<string, string>> {
  const subjects = new Map<string, string>();
  const reads = target.operations.filter(
    (operation) =>
      operation.method === "GET" &&
      operation.access.kind !== "public" &&
      !isGone(operation, now) &&
      pathParameters(operation.path).length === 0 &&
      operation.limits.length === 0 &&
      !operation.parameters.some((parameter) => parameter.required),
  );
  const own = reads.filter((operation) => /\/(?:me|self|profile|account|user|whoami|session)$/i.test(operation.path));
  for (const identity of identities) {
    const candidates = [...own, ...reads.filter((operation) => !own.includes(operation))].filter((operation) =>
      takes(operation, identity, target),
    );
    let refusal: Trial | undefined;
    let accepted = candidates.length === 0;
    for (const operation of candidates.slice(0, 6)) {
      const trial = await send("positive", requestFor(operation, { as: identity }));
      if (!isSuccess(trial.answer)) {
        refusal ??= trial;
        continue;
      }
      accepted = true;
      const account = own.includes(operation) ? subjectIn(trial.answer) : undefined;
      if (account !== undefined) subjects.set(identity.name, account);
      break;
    }
    if (!accepted && refusal !== undefined) {
      throw new ScanError(
        `${identity.name}'s credential is refused everywhere: ${refusal.outgoing.method} ${refusal.outgoing.target} answered ${refusal.answer.status}`,
      );
    }
  }
  return subjects;
}

async function runAll(
  context: ProbeContext,
  planned: readonly PlannedCheck[],
  onProgress: ScanOptions["onProgress"],
): Promise<{ list: readonly Verdict[]; leftovers: readonly string[] }> {
  const results = new Map<PlannedCheck, readonly Verdict[]>();
  let done = 0;
  const run = async (entry: PlannedCheck) => {
    const verdicts = await verdictsOf(context, entry);
    results.set(entry, verdicts);
    done += 1;
    const worst = fold(entry.probe.id, verdicts).verdict;
    onProgress?.({
      done,
      total: planned.length,
      requests: context.fetcher.sent,
      protection: entry.probe.id,
      check: entry.check.check,
      operation: entry.check.operation?.id,
      verdict: worst,
    });
  };
  const isLimiter = (entry: PlannedCheck) => entry.probe.id === "rate-limit";
  const queue = planned.filter((entry) => !isLimiter(entry));
  let failed: unknown;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let entry = queue.shift(); entry !== undefined && failed === undefined; entry = queue.shift()) {
        await run(entry).catch((error: unknown) => {
          failed ??= error;
        });
      }
    }),
  );
  // Cleaning up needs the limits that the last probes use up.
  const leftovers = failed instanceof ScanError ? [] : await context.objects.cleanUp();
  if (failed !== undefined) throw failed;
  for (const entry of planned.filter(isLimiter)) await run(entry);
  return { list: planned.flatMap((entry) => results.get(entry) ?? []), leftovers };
}

async function verdictsOf(context: ProbeContext, { probe, check }: PlannedCheck): Promise<readonly Verdict[]> {
  const base = {
    protection: probe.id,
    check: check.check,
    ...(check.operation === undefined ? {} : { operation: check.operation.id }),
  };
  if ("notApplicable" in check) {
    return [{ ...base, verdict: "not-applicable", why: check.notApplicable, evidence: [] }];
  }
  let outcomes: readonly (Outcome | NamedOutcome)[];
  try {
    const found = await check.run();
    outcomes = isList(found) ? found : [found];
  } catch (error) {
    if (!(error instanceof Unreachable || error instanceof BudgetSpent)) throw error;
    outcomes = [{ verdict: "inconclusive", why: error.message, trials: [] }];
  }
  return outcomes.map((found) => ({
    ...base,
    ...("check" in found ? { check: found.check } : {}),
    verdict: found.verdict,
    why: sentence(context.redactor.apply(found.why)),
    evidence: found.trials.map((trial) => exchangeOf(trial, context.redactor)),
  }));
}

function isList(found: Outcome | readonly NamedOutcome[]): found is readonly NamedOutcome[] {
  return Array.isArray(found);
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** A credential that died during the scan makes every refusal it got worthless. */
async function livenessOf(context: ProbeContext, verdicts: readonly Verdict[]): Promise<readonly Verdict[]> {
  const dead = new Set<string>();
  for (const identity of context.identities) {
    const operation = context.target.operations.find(
      (entry) =>
        entry.method === "GET" &&
        entry.access.kind === "caller" &&
        entry.access.roles.length === 0 &&
        entry.limits.length === 0 &&
        !isGone(entry, context.now()) &&
        pathParameters(entry.path).length === 0 &&
        takes(entry, identity, context.target) &&
        !entry.parameters.some((parameter) => parameter.required),
    );
    if (operation === undefined) continue;
    const { answer } = await context.send("positive", requestFor(operation, { as: identity }));
    if (answer.status === 401 || answer.status === 403) dead.add(identity.name);
  }
  if (dead.size === 0) return verdicts;
  return verdicts.map((verdict) => {
    const name = verdict.evidence.find((exchange) => exchange.leg === "attack" && dead.has(exchange.as))?.as;
    if (verdict.verdict !== "held" || name === undefined) return verdict;
    return { ...verdict, verdict: "inconclusive", why: `${name}'s credential stopped working during the scan.` };
  });
}

function resultOf(id: ProtectionId, verdicts: readonly Verdict[], selection: Selection): ProtectionResult {
  const own = verdicts.filter((verdict) => verdict.protection === id);
  const why = withoutProbe(id) ?? (isSelected(id, selection) ? undefined : "Left out by --only or --skip.");
  return why === undefined ? fold(id, own) : { ...fold(id, []), why };
}
