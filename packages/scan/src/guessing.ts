import { isSuccess } from "./answer.ts";
import { type Burst, burst } from "./burst.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { bypasses } from "./limit-bypass.ts";
import { burstSize, described, mostRequests, parallelRace, untilOpen } from "./limit-shape.ts";
import { sameSignature } from "./oracle.ts";
import { broken, held, inconclusive, type NamedOutcome, notApplicable, type Outcome } from "./probe.ts";
import type { Limit, Operation } from "./target.ts";

/** Forty wrong passwords without any answer to them are too many under every policy. */
const undeclared: Limit = { limit: 33, windowMs: 60_000 };

/**
 * Guesses passwords of an account that does not exist, so that nobody is locked out: the answers must change after some
 * tries, and neither headers, spellings, parallel requests nor a sign-in of one's own may set the count back.
 */
export async function signInBurst(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const check = "sign-in";
  const lowest = [...operation.limits].sort((left, right) => left.limit - right.limit)[0];
  const limit = lowest ?? undeclared;
  const count = burstSize(limit);
  if (count > mostRequests)
    return [{ check, ...notApplicable(`A limit of ${limit.limit} takes more requests to reach than a scan sends.`) }];
  const account = `pc-${context.random.text(10)}@example.com`;
  const attempt = (index: number) => context.sessions.attempt(operation, account, `pc-wrong-${index}`);
  const sent = await burst(context, attempt, count, limit);
  if (sent.refused.length > 0) {
    const tries = sent.trials.length - sent.refused.length;
    const more = lowest === undefined ? ` (${described(sent)})` : "";
    const found: NamedOutcome[] = [
      { check, ...held(`guessing a password is cut off after ${tries} tries${more}`, sent.refused.slice(0, 1)) },
      ...(await bypasses(context, attempt(count), check, sent)),
    ];
    if (lowest !== undefined) return found;
    return [
      ...found,
      { check: "sign-in-parallel", ...(await parallelRace(context, attempt, sent)) },
      { check: "sign-in-reset", ...(await ownSuccess(context, operation, sent)) },
    ];
  }
  const first = sent.trials[0];
  if (first === undefined) return [{ check, ...inconclusive("nothing was sent") }];
  const changed = sent.trials.findIndex((trial) => !sameSignature(trial.answer, first.answer));
  if (changed > 0)
    return [
      { check, ...held("guessing a password changes the answer after some tries (lock-out)", sent.trials.slice(-1)) },
    ];
  return [
    { check, ...broken(`${count} wrong passwords in a row are answered without any limit`, sent.trials.slice(-1)) },
  ];
}

/** Signs in with the scan's own account between guesses: a count that this sets back is none. */
async function ownSuccess(context: ProbeContext, operation: Operation, sent: Burst): Promise<Outcome> {
  const own = context.sessions.accounts[0];
  const tries = sent.trials.length - sent.refused.length;
  if (own === undefined) return notApplicable("It takes an account of one's own (--account email:password).");
  if (tries < 3) return notApplicable("The limit leaves no room between two guesses.");
  const last = await context.send("negative", {
    ...context.sessions.attempt(operation, `pc-${context.random.text(10)}@example.com`, "pc-wrong"),
    burst: true,
  });
  const limited = last.answer.status === 429 ? { refused: [last] } : sent;
  if (!(await untilOpen(limited)))
    return notApplicable("Nothing says when the limit is over, or not soon enough to try again.");
  const victim = `pc-${context.random.text(10)}@example.com`;
  const trials: Trial[] = [];
  for (let guess = 0; guess < tries * 2; guess += 1) {
    if (guess % (tries - 1) === tries - 2) {
      const honest = context.sessions.attempt(operation, own.user, own.password);
      const trial = await context.send("positive", { ...honest, burst: true });
      trials.push(trial);
      if (!isSuccess(trial.answer)) return held("a sign-in of one's own does not set the count back", trials.slice(-1));
    }
    const attempt = context.sessions.attempt(operation, victim, `pc-wrong-${guess}`);
    const trial = await context.send("attack", { ...attempt, burst: true });
    trials.push(trial);
    if (trial.answer.status === 429)
      return held("a sign-in of one's own does not set the count back", trials.slice(-1));
  }
  // The window may simply have passed: then as many get through without signing in.
  const plain: Trial[] = [];
  for (let guess = 0; guess < tries * 2; guess += 1) {
    const attempt = context.sessions.attempt(operation, victim, `pc-wrong-again-${guess}`);
    const trial = await context.send("negative", { ...attempt, burst: true });
    plain.push(trial);
    if (trial.answer.status === 429)
      return broken(`signing in with an account of one's own sets the count of wrong passwords back`, [
        ...trials.slice(0, tries),
        trial,
      ]);
  }
  return inconclusive("the limit was over before it could be told", plain.slice(-1));
}
