import type { ProtectionId } from "portcullis/checklist";
import { type Answer, isSuccess, mediaTypeOf } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { blockedBy } from "./block-page.ts";
import { isKept, type Kept } from "./framework.ts";
import { outcome } from "./objects.ts";
import { isLimited, type Judgement, judge, resembles } from "./oracle.ts";
import type { Operation, Target } from "./target.ts";
import type { VerdictKind } from "./verdict.ts";

/** Attacks one protection from outside. One file in `probes/` per probe, named after the protection. */
export interface Probe {
  readonly id: ProtectionId;
  /**
   * When its checks run. `crowding`: after all others, because they fill collections up. `strangers`: while everything is
   * deleted, because they need no object and no caller, and may wait long for the limits of strangers. `limits`: last of
   * all and after everything was deleted, because they use limits up. Default: among all others, several at a time.
   */
  readonly phase?: Phase;
  /**
   * What it would do to this target: one entry per check, each with what it runs or why it does not apply. Nothing is
   * sent while planning.
   */
  plan(context: ProbeContext): readonly Check[];
}

/** When a check runs. */
export type Phase = "crowding" | "strangers" | "limits";

/** One attack, or the reason why there is nothing to attack. */
export type Check = Attack | NotApplicable;

/** One attack of a plan. */
export interface Attack {
  /** Stable kebab-case name, such as `alg-none`. */
  readonly check: string;
  readonly operation?: Operation;
  /** When it runs, where that is not when the others of its probe do; see {@link Probe.phase}. */
  readonly phase?: Phase;
  /**
   * Whose limits it uses up, where those are callers' alone: where limits are declared, such checks need not wait for
   * those that use up the limits of strangers.
   */
  readonly usesUp?: "callers";
  /** It sends megabytes: few of those run at the same time. */
  readonly isLarge?: true;
  /** Several outcomes, where one run answers several questions; each has its own check name then. */
  run(): Promise<Outcome | readonly NamedOutcome[]>;
}

/** A check that this target gives no occasion for. */
export interface NotApplicable {
  readonly check: string;
  readonly operation?: Operation;
  readonly notApplicable: string;
  /** There is an occasion, and the scan was not given what it takes, such as a key: reports say so beside a `held`. */
  readonly untried?: true;
}

/** What an attack found, with the requests that prove it. */
export interface Outcome {
  readonly verdict: VerdictKind;
  readonly why: string;
  readonly trials: readonly Trial[];
  /** As in {@link NotApplicable}. */
  readonly untried?: true;
}

/** An outcome of one of several questions. */
export interface NamedOutcome extends Outcome {
  readonly check: string;
}

/**
 * The attack took effect: a finding.
 *
 * @param why     one sentence that a person can act on
 * @param trials  the requests that prove it, in the order they were sent; without proof nothing is broken
 */
export function broken(why: string, trials: readonly Trial[]): Outcome {
  return { verdict: "broken", why, trials };
}

/**
 * The attack was sent and refused: the protection stood.
 *
 * @param why     one sentence that says what was refused
 * @param trials  the requests that show it; default none
 */
export function held(why: string, trials: readonly Trial[] = []): Outcome {
  return { verdict: "held", why, trials };
}

/**
 * The attack was tried, or could not be, and tells neither; it never counts as held.
 *
 * @param why     one sentence that says what stood in the way
 * @param trials  the requests that were sent; default none
 */
export function inconclusive(why: string, trials: readonly Trial[] = []): Outcome {
  return { verdict: "inconclusive", why, trials };
}

/**
 * The target gives no occasion for the attack; it never counts as held.
 *
 * @param why  one sentence that says what is not there
 */
export function notApplicable(why: string): Outcome {
  return { verdict: "not-applicable", why, trials: [] };
}

/**
 * An outcome the API has no part in where a framework in front decides it: then nothing was promised. What is refused all
 * the same holds.
 */
export function unlessKept(target: Target, what: Kept, outcome: Outcome): Outcome {
  if (outcome.verdict !== "broken" || !isKept(target, what)) return outcome;
  return notApplicable(`The framework in front settles it before the API sees anything (unknown: ${what}).`);
}

/**
 * The attack was not tried because the scan was not given what it takes. It is `not-applicable`, and the report names it
 * beside whatever else was found, so that a `held` claims no more than it proves.
 *
 * @param why  one phrase: what was not tried, and the option that would let it be tried
 */
export function untried(why: string): Outcome {
  return { verdict: "not-applicable", why, trials: [], untried: true };
}

/** The three legs of a verdict. */
export interface Legs {
  /** The request when it is allowed; it has succeeded. */
  readonly positive: Trial;
  /** Requests known to be bad. */
  readonly negatives: readonly Trial[];
  /** Sends the attack; called twice where the first one gets through. */
  readonly attack: () => Promise<Trial>;
  readonly canary?: string | undefined;
  /** What it means when the attack gets through. */
  readonly broken: string;
  /** What it means when it does not. */
  readonly held: string;
  /** What was sent, where an internal error is to be named after it; default: the attack. */
  readonly what?: string;
}

/**
 * Decides by three legs: `broken` only where the attack looks like the allowed request and not like a refused one,
 * twice; what looks like neither or both is not decided. Gone (410) is `not-applicable`.
 *
 * @param legs  the allowed request, the bad ones and the attack, which is sent once or twice
 * @throws what sending the attack rejects with, such as `BudgetSpent`
 */
export async function threeLegs(legs: Legs): Promise<Outcome> {
  const { positive, negatives } = legs;
  const control = [positive, ...negatives.slice(0, 1)];
  if (positive.answer.status === 410) return notApplicable("It is gone (410) and answers nobody.");
  if (!isSuccess(positive.answer)) {
    return inconclusive(`the allowed request itself ${outcome(positive.answer)}`, control);
  }
  if (positive.answer.truncated === "broken off") {
    return inconclusive("the answer to the allowed request breaks off before its end", control);
  }
  if (!isAsPromised(positive)) {
    const type = mediaTypeOf(positive.answer);
    return inconclusive(
      `the allowed request is answered with ${type === "" ? "no media type" : type} where JSON is promised`,
      control,
    );
  }
  const decide = judgeFor(legs);
  if (decide === undefined) {
    return inconclusive("requests known to be bad are answered like good ones, so answers tell nothing here", control);
  }
  const first = await legs.attack();
  const trials = [...control, first];
  const judgement = decide(first.answer);
  if (judgement === "refused") return held(legs.held, trials);
  if (judgement === "limited") return inconclusive(limitedWhy(first.answer), trials);
  if (judgement === "unclear") {
    return inconclusive(`the attack ${outcome(first.answer)}, which is neither a clear yes nor a known no`, trials);
  }
  const second = await legs.attack();
  if (decide(second.answer) === "granted") return broken(legs.broken, [...trials, second]);
  return inconclusive("the attack got through once and not again", [...trials, second]);
}

/** False where an answer is a page or a text although its operation promises JSON. */
function isAsPromised({ outgoing, answer }: Trial): boolean {
  const promised = outgoing.operation?.responses.get(answer.status);
  return promised === undefined || answer.text === "" || answer.json !== undefined || answer.truncated !== false;
}

/**
 * How the answers of these legs are judged. Where bad requests get answers of the same shape, only the very content of
 * the allowed answer is proof; where even that is the same, nothing is (undefined).
 */
function judgeFor({ positive, negatives, canary }: Legs): ((answer: Answer) => Judgement) | undefined {
  const known = { positive: positive.answer, negatives: negatives.map((trial) => trial.answer), canary };
  const proof = canary !== undefined && positive.answer.text.includes(canary);
  const alike = known.negatives.length > 0 && known.negatives.every((answer) => resembles(answer, positive.answer));
  if (proof || !alike) return (answer) => judge(answer, known);
  const { text } = positive.answer;
  if (text === "" || known.negatives.some((answer) => answer.text === text)) return undefined;
  return (answer) => (isLimited(answer) ? "limited" : answer.text === text ? "granted" : "refused");
}

/**
 * Refused or not, for requests that no honest client sends: a client error or a closed connection is a refusal, and an
 * internal error, twice, is as broken as an answer.
 *
 * @param legs  as for {@link threeLegs}; the attack is sent at most three times
 * @throws what sending the attack rejects with, such as `BudgetSpent`
 */
export async function mustRefuse(legs: Legs): Promise<Outcome> {
  const found = await threeLegs(legs);
  const last = found.trials.at(-1);
  if (found.verdict !== "inconclusive" || last?.leg !== "attack" || isLimited(last.answer)) return found;
  if (last.answer.status >= 400 && last.answer.status < 500) return held(legs.held, found.trials);
  if (last.answer.status < 500) return found;
  const again = await legs.attack();
  if (again.answer.status < 500 || isLimited(again.answer)) return found;
  return broken(`${legs.what ?? "the attack"}: an internal error (${again.answer.status})`, [...found.trials, again]);
}

/** The reason of an `inconclusive` where the answer to an attack was a limit, an outage (429, 503) or a firewall's page. */
export function limitedWhy(answer: Answer): string {
  const firewall = blockedBy(answer);
  if (firewall !== undefined)
    return `a firewall in front (${firewall}) answered in place of the API: scan the API itself, or let the scan's address through`;
  return `the target ${outcome(answer)} and kept doing so: it was limiting or unavailable`;
}

/**
 * A check's outcome when it is tried on a second, untouched object too: `broken` only where both are.
 *
 * @param attack  takes an object of its own each time; run again only where the first run is broken
 * @throws what the attack rejects with
 */
export async function twice(attack: () => Promise<Outcome>): Promise<Outcome> {
  const first = await attack();
  if (first.verdict !== "broken") return first;
  const second = await attack();
  if (second.verdict === "broken") return first;
  return inconclusive("the attack took effect once and not again", [...first.trials, ...second.trials]);
}

/**
 * What to say where an honest request of a probe did not succeed: gone (410) is `not-applicable`, anything else
 * `inconclusive`.
 *
 * @param trial  the request and its answer
 * @param what   names it in the reason; default "the honest request"
 */
export function notHonest(trial: Trial, what = "the honest request"): Outcome {
  if (trial.answer.status === 410) return notApplicable("It is gone (410) and answers nobody.");
  return inconclusive(`${what} ${outcome(trial.answer)}`, [trial]);
}
