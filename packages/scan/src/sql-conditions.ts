import { type Answer, isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Ask } from "./injected.ts";
import type { Kind } from "./kinds.ts";
import { outcome } from "./objects.ts";
import { contentOf, isLimited, volatilePaths } from "./oracle.ts";
import { broken, held, inconclusive, limitedWhy, notApplicable, type Outcome } from "./probe.ts";
import type { Operation } from "./target.ts";

/**
 * Pairs of conditions inside a value that finds something: the true ones must find what the value finds, the false ones
 * and the text without a condition must not, with two pairs of random numbers.
 *
 * @param value  finds something
 * @param other  finds nothing
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function booleanPairs(context: ProbeContext, value: string, other: string, ask: Ask): Promise<Outcome> {
  const plain = [await context.send("positive", ask(value)), await context.send("positive", ask(value))];
  const nothing = await context.send("negative", ask(other));
  const first = plain[0] ?? nothing;
  const control = [first, nothing];
  if (!isSuccess(first.answer)) return inconclusive(`the honest request ${outcome(first.answer)}`, control);
  const volatile = volatilePaths(plain.map((trial) => trial.answer));
  // What was asked for may be echoed, and the value may stand in what was found: neither tells two answers apart.
  const content = (answer: Answer, sent: string) =>
    [sent, JSON.stringify(sent).slice(1, -1), value].reduce(
      (text, echo) => text.replaceAll(echo, ""),
      contentOf(answer, volatile),
    );
  const full = content(first.answer, value);
  if (full === content(nothing.answer, other)) {
    return notApplicable("A known and an unknown value are answered alike, so a condition could not be seen.");
  }
  const trials: Trial[] = [...control];
  for (const [name, before, after] of contexts) {
    const run = async (condition: string) => {
      const sent = `${value}${before}${after(condition)}`;
      const trial = await context.send("attack", ask(sent));
      return { trial, like: content(trial.answer, sent) === full && isSuccess(trial.answer) };
    };
    const numbers = [context.random.int(1000, 9999), context.random.int(1000, 9999)] as const;
    const yes = await run(`${numbers[0]}=${numbers[0]}`);
    if (isLimited(yes.trial.answer)) return inconclusive(limitedWhy(yes.trial.answer), [...control, yes.trial]);
    trials.push(yes.trial);
    if (!yes.like) continue;
    const no = await run(`${numbers[0]}=${numbers[0] + 1}`);
    const nonsense = await run(`${numbers[0]} ${numbers[1]}`);
    const again = await run(`${numbers[1]}=${numbers[1]}`);
    const never = await run(`${numbers[1] + 1}=${numbers[1]}`);
    if (!no.like && !nonsense.like && again.like && !never.like) {
      return broken(`a condition inside the value is executed as SQL (${name})`, [...control, yes.trial, no.trial]);
    }
  }
  return held("conditions inside the value are treated as text", trials.slice(0, 3));
}

/** Closing a literal and opening it again, with a condition in between. `%` first: text searches are the usual place. */
const contexts: readonly (readonly [name: string, before: string, after: (condition: string) => string])[] = [
  ["like", "%' AND ", (condition) => `${condition} AND '1%'='1`],
  ["quoted", "' AND ", (condition) => `${condition} AND '1'='1`],
  ["bracketed", "') AND ", (condition) => `${condition} AND ('1'='1`],
  ["like-bracketed", "%') AND ", (condition) => `${condition} AND ('1%'='1`],
  ["double-quoted", '" AND ', (condition) => `${condition} AND "1"="1`],
  ["commented", "' AND ", (condition) => `${condition} -- `],
  ["numeric", " AND ", (condition) => condition],
];

/** The kind an operation is said to show; where nothing says it, whichever of them a search finds. */
export function searchedKinds(context: ProbeContext, operation: Operation): readonly Kind[] {
  const kinds = context.objects.kinds.filter((kind) => kind.parent === undefined && kind.create !== undefined);
  const shown = kinds.filter((kind) => operation.outputs.some((output) => output.resource === kind.name));
  return shown.length > 0 ? shown : kinds;
}
