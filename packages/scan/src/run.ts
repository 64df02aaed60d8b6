import type { ProtectionId } from "portcullis/checklist";
import type { ProbeContext } from "./context.ts";
import { exchangeOf } from "./exchange.ts";
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

/** Checks that run at the same time: more of them where most will be waiting for minutes. */
const lanes = { usual: 6, patient: 24 };

/** How often progress is told while nothing but waiting happens, milliseconds. */
const tickMs = 1000;

/** Before that, milliseconds, a pace says nothing. */
const settledMs = 5000;

/**
 * Runs the plan: most checks several at a time, then those that fill collections up, then the deletion of everything that
 * was created, and last the checks that use limits up.
 *
 * @param pacer  asked how long it waits, for the progress
 * @param onVerdict  given every verdict as it falls; one whose identity turns out to be dead is taken back at the end
 * @returns the verdicts; where the target stopped listening on the way, `gone` says after which request
 * @throws ScanError when it cannot be trusted any more
 */
export async function runChecks(
  context: ProbeContext,
  planned: readonly PlannedCheck[],
  pacer: Pacer,
  onProgress: ((progress: Progress) => void) | undefined,
  onVerdict: ((verdict: Verdict) => void) | undefined,
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
      remainingMs: elapsed < settledMs ? undefined : (elapsed / done) * (planned.length - done),
      waitingMs: pacer.waitingMs(),
    });
  };
  const run = async (entry: PlannedCheck) => {
    const verdicts = await verdictsWhileThere(entry);
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
      const verdicts = await verdictsOf(context, entry);
      await context.fetcher.assertListening();
      return verdicts;
    } catch (error) {
      if (!(error instanceof TargetGone)) throw error;
      gone ??= error;
      return [{ ...baseOf(entry), verdict: "inconclusive", why: sentence(gone.message), evidence: [] }];
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
    const queue = phase(undefined);
    await Promise.all(
      Array.from({ length: context.patienceMs > 60_000 ? lanes.patient : lanes.usual }, async () => {
        for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) await run(entry);
      }),
    );
    await Promise.all(phase("crowding").map(run));
    context.fetcher.spendRest();
    const living = await unlessGone(() => withoutTheDead(context, inOrder()), inOrder());
    const leftovers = await unlessGone(
      () => context.objects.cleanUp(),
      ["nothing could be deleted: the target is gone"],
    );
    for (const entry of phase("limits")) await run(entry);
    const late = new Set(phase("limits").flatMap((entry) => results.get(entry) ?? []));
    return {
      verdicts: [...living, ...inOrder().filter((verdict) => late.has(verdict))],
      leftovers,
      ...(gone === undefined ? {} : { gone: sentence(gone.message) }),
    };
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
