import { type Answer, isSuccess } from "./answer.ts";
import { type ProbeContext, subjectIn, takes } from "./context.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Identity } from "./identities.ts";
import { requestFor } from "./requests.ts";
import { BudgetSpent, ScanError, Unreachable } from "./scan-error.ts";
import { isGone, pathParameters, type Target, tightLimit } from "./target.ts";
import type { Verdict } from "./verdict.ts";

/**
 * Makes sure that every credential is accepted somewhere, since a scan with a dead one would call everything held, and
 * learns which account it is.
 *
 * @returns by name, the account and the request that was accepted
 */
export async function recogniseIdentities(
  target: Target,
  identities: readonly Identity[],
  send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>,
  now: number,
  patienceMs: number,
): Promise<{ subjects: ReadonlyMap<string, string>; proofs: ReadonlyMap<string, Trial> }> {
  const subjects = new Map<string, string>();
  const proofs = new Map<string, Trial>();
  const reads = target.operations.filter(
    (operation) =>
      operation.method === "GET" &&
      operation.access.kind !== "public" &&
      !isGone(operation, now) &&
      pathParameters(operation.path).length === 0 &&
      tightLimit(operation, 4, patienceMs) === undefined &&
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
      proofs.set(identity.name, trial);
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
  return { subjects, proofs };
}

/**
 * Takes back what refusals proved where they may have had another reason: a credential that died during the scan, or an
 * object that vanished under an attack of its own.
 */
export async function withoutTheDead(context: ProbeContext, verdicts: readonly Verdict[]): Promise<readonly Verdict[]> {
  const dead = await deadIdentities(context);
  const vanished = await context.objects.vanished();
  if (dead.size === 0 && vanished.size === 0) return verdicts;
  return verdicts.map((verdict) => {
    const attacks = verdict.verdict === "held" ? verdict.evidence.filter((exchange) => exchange.leg === "attack") : [];
    const name = attacks.find((exchange) => dead.has(exchange.as))?.as;
    if (name !== undefined)
      return { ...verdict, verdict: "inconclusive", why: `${name}'s credential stopped working during the scan.` };
    const gone = attacks.some(({ request }) => [...vanished].some((id) => request.target.includes(id)));
    return gone
      ? { ...verdict, verdict: "inconclusive", why: "The object it was tried on vanished during the scan." }
      : verdict;
  });
}

async function deadIdentities(context: ProbeContext): Promise<ReadonlySet<string>> {
  const dead = new Set<string>();
  for (const identity of context.identities) {
    const operation = context.target.operations.find(
      (entry) =>
        entry.method === "GET" &&
        entry.access.kind === "caller" &&
        entry.access.roles.length === 0 &&
        tightLimit(entry, 4, context.patienceMs) === undefined &&
        !isGone(entry, context.now()) &&
        pathParameters(entry.path).length === 0 &&
        takes(entry, identity, context.target) &&
        !entry.parameters.some((parameter) => parameter.required),
    );
    if (operation === undefined) continue;
    const answer = await answerWithinBudget(context, requestFor(operation, { as: identity }));
    if (answer === undefined) continue;
    if (answer.status === 401 || answer.status === 403) dead.add(identity.name);
  }
  return dead;
}

/** The answer, or undefined where no request may be sent any more. */
async function answerWithinBudget(context: ProbeContext, outgoing: Outgoing): Promise<Answer | undefined> {
  try {
    return (await context.send("positive", outgoing)).answer;
  } catch (error) {
    if (error instanceof BudgetSpent || error instanceof Unreachable) return undefined;
    throw error;
  }
}
