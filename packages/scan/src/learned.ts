import { madeUpCredential, type ProbeContext } from "./context.ts";
import { resembles } from "./oracle.ts";
import { type Legs, type Outcome, threeLegs } from "./probe.ts";

/**
 * Decides by three legs; where the attack looks like no refusal known so far, it first learns what a made-up credential
 * gets at this very operation, which is one more way of the API to say no, and decides again.
 */
export async function threeLegsLearning(context: ProbeContext, legs: Legs): Promise<Outcome> {
  const first = await threeLegs(legs);
  const { outgoing, answer } = legs.positive;
  if (first.verdict !== "inconclusive" || first.trials.at(-1)?.leg !== "attack" || outgoing.as === undefined)
    return first;
  const learned = await context.send("negative", madeUpCredential(context, outgoing, outgoing.as));
  if (resembles(learned.answer, answer)) return first;
  return await threeLegs({ ...legs, negatives: [learned, ...legs.negatives] });
}
