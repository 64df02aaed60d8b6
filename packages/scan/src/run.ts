import type { ProtectionId } from "portcullis/checklist";
import type { ProbeContext } from "./context.ts";
import { exchangeOf } from "./exchange.ts";
import type { Interrupt } from "./interrupt.ts";
import type { Pacer } from "./pace.ts";
import type { PlannedCheck } from "./plan.ts";
import type { NamedOutcome, Outcome } from "./probe.ts";
import { withoutTheDead } from "./recognise.ts";
import { BudgetSpent, ScanError, TargetGone, Unreachable } from "./scan-error.ts";
import { fold, type Verdict, type VerdictKind } from "./verdict.ts";

/** How far a scan has come. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly requests: number;
  readonly protection: ProtectionId;
  readonly check: string;
  readonly operation: string | undefined;
  readonly verdict: VerdictKind;
  /** How long it will still take at this pace, milliseconds; undefined while that cannot be told. */
  readonly remainingMs: number | undefined;
  /** How long until the next request may be sent, because the target's own limits are used up; undefined where none waits. */
  readonly waitingMs: number | undefined;
}

/** Checks that run at the same time: most of them wait for a limit of the target, and more where that takes minutes. */
const lanes = { usual: 16, patient: 24, large: 2 };

/** How often progress is told while nothing but waiting happens, milliseconds. */
const tickMs = 1000;

/** Before that, milliseconds, a pace says nothing, and a limit may still count what was sent before it is looked at. */
const settledMs = { pace: 5000, limits: 1000 };

/** What a run is steered by, and who is told of it. */
export interface Running {
  /** Asked how long it waits, for the progress. */
  readonly pacer: Pacer;
  /** Ends it early. */
  readonly interrupt: Interrupt;
  readonly onProgress?: (progress: Progress) => void;
  /** Given every verdict as it falls; one whose identity turns out to be dead is taken back at the end. */
  readonly onVerdict?: (verdict: Verdict) => void;
}

/**
 * Runs the plan: most checks several at a time, then those that fill collections up, then the deletion of everything that
 * was created beside what only strangers do, and last the checks that use limits up.
 *
 * @returns the verdicts; where the target stopped listening on the way, `gone` says after which request
 * @throws ScanError when it cannot be trusted any more
 */
export async function runChecks(
  context: ProbeContext,
  planned: readonly PlannedCheck[],
  { pacer, interrupt, onProgress, onVerdict }: Running,
): Promise<{ verdicts: readonly Verdict[]; leftovers: readonly string[]; gone?: string }> {
  const results = new Map<PlannedCheck, readonly Verdict[]>();
  const started = performance.now();
  let last: PlannedCheck | undefined;
  const tell = (): void => {
    if (last === undefined) return;
    const elapsed = performance.now() - started;
    const done = results.size;
    onProgress?.({
      done,
      total: planned.length,
      requests: context.fetcher.sent,
      protection: last.probe.id,
      check: last.check.check,
      operation: last.check.operation?.id,
      verdict: fold(last.probe.id, results.get(last) ?? []).verdict,
      remainingMs: elapsed < settledMs.pace ? undefined : (elapsed / done) * (planned.length - done),
      waitingMs: pacer.waitingMs(),
    });
  };
  const run = async (entry: PlannedCheck) => {
    const verdicts = await verdictsWhileThere(entry);
    // What ran on into the clean-up was given up.
    if (results.has(entry)) return;
    results.set(entry, verdicts);
    for (const verdict of verdicts) onVerdict?.(verdict);
    last = entry;
    tell();
  };
  let gone: TargetGone | undefined;
  /** A target that is gone answers nothing more: what was found stays, and the rest says why it is not decided. */
  const verdictsWhileThere = async (entry: PlannedCheck): Promise<readonly Verdict[]> => {
    try {
      if (gone !== undefined && !("notApplicable" in entry.check)) throw gone;
      if (interrupt.isStopped && !("notApplicable" in entry.check)) return [cutOff(entry)];
      const verdicts = await verdictsOf(context, entry);
      // Without its last requests a check may have seen too little to call anything held.
      if (interrupt.isStopped) return verdicts.map((one) => (one.verdict === "held" ? cutOff(entry, one) : one));
      await context.fetcher.assertListening();
      return verdicts;
    } catch (error) {
      if (!(error instanceof TargetGone)) throw error;
      gone ??= error;
      const why = sentence(context.redactor.apply(gone.message));
      return [{ ...baseOf(entry), verdict: "inconclusive", why, evidence: [] }];
    }
  };
  const ticking = setInterval(tell, tickMs);
  try {
    return await runPhases();
  } finally {
    clearInterval(ticking);
  }

  async function runPhases() {
    const phase = (name: PlannedCheck["probe"]["phase"]) => planned.filter((entry) => phaseOf(entry) === name);
    const inOrder = () => planned.flatMap((entry) => results.get(entry) ?? []);
    // Sign-ins have low limits: whoever waits for them begins first, and the others go on beside.
    const isSignIn = ({ check: { operation } }: PlannedCheck) =>
      operation !== undefined && context.sessions.signIns.includes(operation);
    const usual = phase(undefined);
    const ran = inLanes([...usual.filter(isSignIn), ...usual.filter((entry) => !isSignIn(entry))]).then(() =>
      Promise.all(phase("crowding").map(run)),
    );
    await interrupt.settled(ran);
    const early = [...usual, ...phase("crowding")];
    for (const entry of early) if (!results.has(entry)) results.set(entry, [cutOff(entry)]);
    context.fetcher.spendRest();
    const tidy = <Got>(go: () => Promise<Got>, otherwise: Got) => interrupt.tidying(() => unlessGone(go, otherwise));
    const living = await tidy(() => withoutTheDead(context, inOrder()), inOrder());
    const limits = phase("limits");
    const strangers = inLanes(phase("strangers"));
    const leftovers = await tidy(() => context.objects.cleanUp(), ["nothing could be deleted: the target is gone"]);
    const tidied = performance.now();
    const measured = limits.filter((entry) => !isBurst(entry));
    await interrupt.settled(
      strangers.then(() => inTurn([...measured.filter((entry) => !isSignIn(entry)), ...measured.filter(isSignIn)])),
    );
    const quietMs = settledMs.limits - (performance.now() - tidied);
    if (limits.some(isBurst) && !interrupt.isStopped)
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, quietMs)));
    // Bursts of callers while the limits of sign-ins, which the checks before used up in part, come back.
    const bursts = limits.filter(isBurst);
    const byCallers = bursts.filter(usesUpCallers);
    const others = bursts.filter((entry) => !usesUpCallers(entry));
    // What counts is known where limits are declared; elsewhere one burst may meet the limit of another.
    const isDeclared = context.target.source === "manifest";
    const go = (entry: PlannedCheck) => (isDeclared ? run(entry) : context.turns.take(() => run(entry)));
    const together = (callers: readonly PlannedCheck[]) => Promise.all([inTurn(callers, go), inTurn(others, go)]);
    // What strangers failed at before counts at the address a sign-in comes from too: that is given time to be over.
    const declared = () => inTurn(byCallers.slice(0, -1), go).then(() => together(byCallers.slice(-1)));
    await interrupt.settled(isDeclared ? declared() : together(byCallers));
    const rest = [...phase("strangers"), ...limits];
    for (const entry of rest) if (!results.has(entry)) results.set(entry, [cutOff(entry)]);
    const late = new Set(rest.flatMap((entry) => results.get(entry) ?? []));
    return {
      verdicts: [...living, ...inOrder().filter((verdict) => late.has(verdict))],
      leftovers,
      ...(gone === undefined ? {} : { gone: sentence(gone.message) }),
    };
  }

  /** What is said of a check that was not done, or not done to its end, when the scan had to end. */
  function cutOff(entry: PlannedCheck, verdict?: Verdict): Verdict {
    const why = sentence(interrupt.why);
    return { ...baseOf(entry), evidence: [], ...verdict, verdict: "inconclusive", why };
  }

  async function inLanes(entries: readonly PlannedCheck[]): Promise<void> {
    const large = entries.filter(({ check }) => "run" in check && check.isLarge === true);
    const queue = entries.filter((entry) => !large.includes(entry));
    const lane = async (own: PlannedCheck[]) => {
      for (let entry = own.shift(); entry !== undefined; entry = own.shift()) await run(entry);
    };
    const count = context.patienceMs > 60_000 ? lanes.patient : lanes.usual;
    await Promise.all([
      ...Array.from({ length: count }, () => lane(queue)),
      ...Array.from({ length: lanes.large }, () => lane(large)),
    ]);
  }

  async function inTurn(entries: readonly PlannedCheck[], go = run): Promise<void> {
    for (const entry of entries) await go(entry);
  }

  async function unlessGone<Got>(go: () => Promise<Got>, otherwise: Got): Promise<Got> {
    try {
      return gone === undefined ? await go() : otherwise;
    } catch (error) {
      if (!(error instanceof TargetGone)) throw error;
      gone ??= error;
      return otherwise;
    }
  }
}

/** True for checks of limits themselves; the others of that phase measure times and want it quiet. */
function isBurst({ probe }: PlannedCheck): boolean {
  return probe.phase === "limits";
}

function usesUpCallers({ check }: PlannedCheck): boolean {
  return "run" in check && check.usesUp === "callers";
}

/** When a check runs: its own word counts before that of its probe. */
function phaseOf({ probe, check }: PlannedCheck): PlannedCheck["probe"]["phase"] {
  return ("run" in check ? check.phase : undefined) ?? probe.phase;
}

function baseOf({ probe, check }: PlannedCheck): Pick<Verdict, "protection" | "check" | "operation"> {
  return {
    protection: probe.id,
    check: check.check,
    ...(check.operation === undefined ? {} : { operation: check.operation.id }),
  };
}

async function verdictsOf(context: ProbeContext, entry: PlannedCheck): Promise<readonly Verdict[]> {
  const { check } = entry;
  const base = baseOf(entry);
  if ("notApplicable" in check) {
    const { notApplicable: why, untried } = check;
    return [
      {
        ...base,
        verdict: "not-applicable",
        why: sentence(why),
        evidence: [],
        ...(untried === undefined ? {} : { untried }),
      },
    ];
  }
  let outcomes: readonly (Outcome | NamedOutcome)[];
  try {
    const found = await context.objects.during(() => check.run());
    outcomes = isList(found) ? found : [found];
  } catch (error) {
    if (error instanceof ScanError) throw error;
    const known = error instanceof Unreachable || error instanceof BudgetSpent;
    // A check that fails by itself is no statement about the target, and no reason to lose the others.
    const why = `${known ? "" : "the check itself failed: "}${error instanceof Error ? error.message : String(error)}`;
    outcomes = [{ verdict: "inconclusive", why, trials: [] }];
  }
  return outcomes.map((found) => ({
    ...base,
    ...("check" in found ? { check: found.check } : {}),
    verdict: found.verdict,
    why: sentence(context.redactor.apply(found.why)),
    evidence: found.trials.map((trial) => exchangeOf(trial, context.redactor)),
    ...("untried" in found && found.untried ? { untried: found.untried } : {}),
  }));
}

function isList(found: Outcome | readonly NamedOutcome[]): found is readonly NamedOutcome[] {
  return Array.isArray(found);
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
