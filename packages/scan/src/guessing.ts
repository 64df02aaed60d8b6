import { headerOf, isSuccess } from "./answer.ts";
import { type Burst, burst, busiest, type Timed } from "./burst.ts";
import type { ProbeContext } from "./context.ts";
import { bypasses } from "./limit-bypass.ts";
import { burstSize, described, type InTurn, inTurn, mostRequests, parallelRace, untilOpen } from "./limit-shape.ts";
import { sameSignature } from "./oracle.ts";
import { broken, held, inconclusive, type NamedOutcome, notApplicable, type Outcome } from "./probe.ts";
import type { Limit, Operation } from "./target.ts";

/** Forty wrong passwords without any answer to them are too many under every policy. */
const undeclared: Limit = { limit: 33, windowMs: 60_000 };
/** A declared limit that lets through more than a thousand guesses a minute is none: what counts then is what happens. */
const loosestPerMs = 1000 / 60_000;

/**
 * Guesses passwords of an account that does not exist, so that nobody is locked out: the answers must change after some
 * tries, and neither headers, spellings, parallel requests nor a sign-in of one's own may set the count back.
 */
export async function signInBurst(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const check = "sign-in";
  const declared = [...operation.limits].sort((left, right) => left.limit - right.limit)[0];
  const isLoose = declared !== undefined && declared.limit / declared.windowMs > loosestPerMs;
  const lowest = isLoose ? undefined : declared;
  const limit = lowest ?? undeclared;
  const count = burstSize(limit);
  if (count > mostRequests)
    return [{ check, ...notApplicable(`A limit of ${limit.limit} takes more requests to reach than a scan sends.`) }];
  const account = `pc-${context.random.text(10)}@example.com`;
  const attempt = (index: number) => context.sessions.attempt(operation, account, `pc-wrong-${index}`);
  const first = await burst(context, attempt, count, limit);
  // Who is refused from the first guess on is so for what came before.
  const again = isShut(first) && (await context.turns.aside(() => untilOpen(first.refused, first.tookMs)));
  const sent = again ? await burst(context, attempt, count, limit) : first;
  if (isShut(sent))
    return [{ check, ...inconclusive("it was limited before the first guess", sent.refused.slice(0, 1)) }];
  if (sent.refused.length > 0) {
    const tries = sent.trials.length - sent.refused.length;
    const more = lowest === undefined ? ` (${described(sent)})` : "";
    const found: NamedOutcome[] = [
      { check, ...held(`guessing a password is cut off after ${tries} tries${more}`, sent.refused.slice(0, 1)) },
      ...(await bypasses(context, attempt(count), check, sent)),
    ];
    // How a limiter counts is the same at every sign-in it stands before.
    const isFirst = context.sessions.signIns[0] === operation;
    if (lowest !== undefined || (!isFirst && !context.effort.everyLimit)) return found;
    // Another limit may have closed meanwhile, such as that of the account: the last refusal says best when it opens.
    const last = await context.send("negative", { ...attempt(count), burst: true });
    const closed = last.answer.status === 429 ? [last] : sent.refused;
    if (!(await context.turns.aside(() => untilOpen(closed, sent.tookMs))))
      return [...found, { check: "sign-in-parallel", ...notTold }];
    const turn = await inTurn(context, attempt, sent.trials.length * 2);
    const race = await parallelRace(context, attempt, sent, { known: turn });
    found.push({ check: "sign-in-parallel", ...race });
    // What follows reads its own count of what gets through in turn, which a race would have used up.
    if (race.verdict === "held") {
      const plain = await asOften(context, attempt, turn, tries);
      found.push({
        check: "sign-in-reset",
        ...(plain === undefined ? notTold : await ownSuccess(context, operation, plain)),
      });
    }
    return found;
  }
  const [known] = sent.trials;
  if (known === undefined) return [{ check, ...inconclusive("nothing was sent") }];
  const changed = sent.trials.findIndex((trial) => !sameSignature(trial.answer, known.answer));
  if (changed > 0)
    return [
      { check, ...held("guessing a password changes the answer after some tries (lock-out)", sent.trials.slice(-1)) },
    ];
  const told = isLoose ? `; ${declared.limit} in ${declared.windowMs / 1000} s are declared` : "";
  return [
    {
      check,
      ...broken(`${count} wrong passwords in a row are answered without any limit${told}`, sent.trials.slice(-1)),
    },
  ];
}

/** True where nothing of a burst got through. */
function isShut({ trials, refused }: Burst): boolean {
  return refused.length > 0 && refused.length === trials.length;
}

/** Less than at first may be what another check used up meanwhile: then it is tried again, alone. */
async function asOften(
  context: ProbeContext,
  attempt: Parameters<typeof inTurn>[1],
  turn: InTurn,
  tries: number,
): Promise<InTurn | undefined> {
  if (turn.refused === undefined || turn.count >= tries) return turn;
  return (await untilOpen([turn.refused], turn.tookMs))
    ? await inTurn(context, attempt, Math.max(turn.count, tries) * 2)
    : undefined;
}

const notTold = notApplicable("The limit, or the time until it is over, does not let it be told.");

/**
 * Signs in with the scan's own account between guesses: a count that this sets back is none. Told by more guesses inside
 * the window, whose length is what using it up took and what `Retry-After` says beyond, than were let through without.
 */
async function ownSuccess(context: ProbeContext, operation: Operation, plain: InTurn): Promise<Outcome> {
  const [own] = context.sessions.accounts;
  if (own === undefined) return notApplicable("It takes an account of one's own (--account email:password).");
  const victim = `pc-${context.random.text(10)}@example.com`;
  const guess = (index: number) => context.sessions.attempt(operation, victim, `pc-wrong-again-${index}`);
  if (plain.refused === undefined || plain.count < 4) return notTold;
  if (!(await untilOpen([plain.refused], plain.tookMs))) return notTold;
  const windowMs = plain.tookMs + (Number(headerOf(plain.refused.answer, "retry-after") ?? 0) - 1) * 1000;
  const guesses: Timed[] = [];
  for (let index = 0; index < plain.count * 2; index += 1) {
    if (index % (plain.count - 1) === plain.count - 2) {
      const honest = context.sessions.attempt(operation, own.user, own.password);
      const trial = await context.send("positive", { ...honest, burst: true });
      if (!isSuccess(trial.answer)) return held("a sign-in of one's own does not set the count back", [trial]);
    }
    const from = performance.now();
    const trial = await context.send("attack", { ...guess(index), burst: true });
    if (trial.answer.status === 429) return held("a sign-in of one's own does not set the count back", [trial]);
    guesses.push({ trial, from, to: performance.now() });
  }
  if (busiest(guesses, windowMs) <= plain.count * 1.5) return notTold;
  const last = guesses.slice(-1).map(({ trial }) => trial);
  return broken("signing in with an account of one's own sets the count of wrong passwords back", [
    plain.refused,
    ...last,
  ]);
}
