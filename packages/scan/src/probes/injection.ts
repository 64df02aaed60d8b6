import { type Answer, isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import type { Kind } from "../kinds.ts";
import { outcome } from "../objects.ts";
import { contentOf, isLimited, judge, volatilePaths } from "../oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  notApplicable,
  type Outcome,
  type Probe,
  untried,
} from "../probe.ts";
import { requestFor } from "../requests.ts";
import { simplified, typeOf } from "../schema.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "../target.ts";

/**
 * SQL by boolean pairs: a true condition must answer like the plain value, a false one like nothing, with two different
 * pairs of random numbers, while the same text without a condition must not answer like the plain value. A search that
 * merely ignores the quote fails the last test and is not reported.
 */
export const injection: Probe = { id: "injection", plan: planInjection };

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

function planInjection(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks: Check[] = [];
  for (const operation of context.target.operations) {
    if (isGone(operation, now) || tightLimit(operation, 20, context.patienceMs) !== undefined) continue;
    if (isSafe(operation)) {
      for (const parameter of operation.parameters) {
        if (
          parameter.in !== "query" ||
          typeOf(simplified(parameter.schema)) !== "string" ||
          parameter.name === "cursor"
        )
          continue;
        checks.push({
          check: `sql-${parameter.name}`,
          operation,
          run: () => inQuery(context, operation, parameter.name),
        });
      }
      if (context.objects.kinds.some((kind) => kind.read === operation)) {
        checks.push({ check: "sql-path", operation, run: () => inPath(context, operation) });
      }
    } else if (context.sessions.signIns.includes(operation)) {
      checks.push({ check: "sql-sign-in", operation, run: () => inSignIn(context, operation) });
    }
  }
  return checks.length > 0 ? checks : [{ check: "sql", notApplicable: "No read takes a text." }];
}

/** A search term: the canary of an object alice made finds something, a random word finds nothing. */
async function inQuery(context: ProbeContext, operation: Operation, name: string): Promise<Outcome> {
  const owner = context.permitted(operation) ?? context.identities[0];
  if (owner === undefined) return notApplicable("No identity was given that could search.");
  const as = operation.access.kind === "public" ? undefined : owner;
  const { params } = await context.objects.fill(operation, owner);
  const ask = (value: string): Outgoing => ({
    ...requestFor(operation, { as, params, query: { [name]: value } }),
    label: owner.name,
  });
  let found = notApplicable("There is nothing to search for that the scan could create.");
  for (const kind of searchedKinds(context, operation)) {
    const thing = await context.objects.shared(kind, owner);
    found = await booleanPairs(context, thing.canary, context.objects.canary(), ask);
    if (found.verdict !== "not-applicable") return found;
  }
  return found;
}

/** The kind an operation is said to show; where nothing says it, whichever of them a search finds. */
function searchedKinds(context: ProbeContext, operation: Operation): readonly Kind[] {
  const kinds = context.objects.kinds.filter((kind) => kind.parent === undefined && kind.create !== undefined);
  const shown = kinds.filter((kind) => operation.outputs.some((output) => output.resource === kind.name));
  return shown.length > 0 ? shown : kinds;
}

async function inPath(context: ProbeContext, operation: Operation): Promise<Outcome> {
  const owner = context.permitted(operation) ?? context.identities[0];
  const kind = context.objects.kinds.find((entry) => entry.read === operation);
  if (owner === undefined || kind === undefined) return notApplicable("There is no object to read.");
  const thing = await context.objects.shared(kind, owner);
  const parameter = pathParameters(operation.path).at(-1) ?? "";
  const ask = (value: string) => requestFor(operation, { as: owner, params: { ...thing.params, [parameter]: value } });
  return await booleanPairs(context, thing.id, context.objects.missingId(kind), ask);
}

async function booleanPairs(
  context: ProbeContext,
  value: string,
  other: string,
  ask: (value: string) => Outgoing,
): Promise<Outcome> {
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

/** Signing in: a condition after a known user name, and one that is true for everybody. */
async function inSignIn(context: ProbeContext, operation: Operation): Promise<Outcome> {
  const account = context.sessions.accounts[0];
  if (account === undefined) {
    return untried(
      `${operation.id}, which takes an account to know what a sign-in looks like (--account email:password)`,
    );
  }
  const tight = tightLimit(operation, 16, context.patienceMs);
  if (tight !== undefined) return notApplicable(tight);
  const attempt = (leg: Trial["leg"], user: string, password: string) =>
    context.send(leg, context.sessions.attempt(operation, user, password));
  const positive = await attempt("positive", account.user, account.password);
  if (!isSuccess(positive.answer)) return inconclusive(`the account given ${outcome(positive.answer)}`, [positive]);
  const wrong = context.random.text(16);
  const stranger = `pc-${context.random.text(8)}@example.com`;
  const negative = await attempt("negative", stranger, wrong);
  const known = { positive: positive.answer, negatives: [negative.answer] };
  const trials = [positive, negative];
  const signsIn = async (user: string, password: string) => {
    const trial = await attempt("attack", user, password);
    trials.push(trial);
    return judge(trial.answer, known) === "granted";
  };
  const number = context.random.int(1000, 9999);
  for (const [before, after] of [
    ["' AND ", " -- "],
    ["' AND ", " AND '1'='1"],
    ['" AND ', ' AND "1"="1'],
  ] as const) {
    const condition = (text: string) => `${account.user}${before}${text}${after}`;
    if (!(await signsIn(condition(`${number}=${number}`), account.password))) continue;
    const falsehood = await signsIn(condition(`${number}=${number + 1}`), account.password);
    const nonsense = await signsIn(condition(`${number} ${number}`), account.password);
    if (!falsehood && !nonsense && (await signsIn(condition(`${number + 1}=${number + 1}`), account.password))) {
      return broken("a condition inside the user name is executed as SQL", trials);
    }
  }
  for (const tail of ["' OR 7=7 -- ", "' OR '7'='7"]) {
    if (!(await signsIn(`${stranger}${tail}`, wrong))) continue;
    if (!(await signsIn(`${stranger}${tail.replace(/7(?!.*7)/, "8")}`, wrong))) {
      return broken("a condition in the user name signs in without a password", trials);
    }
  }
  const limited = trials.find((trial) => isLimited(trial.answer));
  return limited === undefined
    ? held("conditions in the user name are treated as text", trials.slice(0, 4))
    : inconclusive(limitedWhy(limited.answer), [limited]);
}
