import { type Answer, isSuccess } from "../answer.ts";
import { type ProbeContext, requiredQuery } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { operatorTaken, pauseTaken, quoteBreaks, signalsOf } from "../injected.ts";
import type { JsonRecord } from "../json.ts";
import type { Kind } from "../kinds.ts";
import { outcome } from "../objects.ts";
import { contentOf, isLimited, judge, volatilePaths } from "../oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
  untried,
} from "../probe.ts";
import { bodyOf, requestFor, withFields } from "../requests.ts";
import { propertiesOf, simplified, typeOf } from "../schema.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "../target.ts";

/**
 * Values that are executed: conditions, quotes and pauses in SQL, operators in NoSQL, markup where a browser renders it.
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
        checks.push({
          check: `signals-${parameter.name}`,
          operation,
          run: () => querySignals(context, operation, parameter.name),
        });
        if (pathParameters(operation.path).length > 0) continue;
        checks.push({
          check: `pause-${parameter.name}`,
          operation,
          phase: "limits",
          run: () => pauseIn(context, operation, parameter.name),
        });
      }
      if (context.objects.kinds.some((kind) => kind.read === operation)) {
        checks.push({ check: "sql-path", operation, run: () => inPath(context, operation) });
        checks.push({ check: "signals-path", operation, run: () => pathSignals(context, operation) });
        if (pathParameters(operation.path).length === 1)
          checks.push({
            check: "pause-path",
            operation,
            phase: "limits",
            run: () => pauseIn(context, operation, "path"),
          });
      }
    } else if (context.sessions.signIns.includes(operation)) {
      checks.push({ check: "sql-sign-in", operation, run: () => inSignIn(context, operation) });
      checks.push({ check: "operator-sign-in", operation, run: () => operatorSignIn(context, operation) });
    } else if (context.objects.kinds.some((kind) => kind.create === operation && kind.parent === undefined)) {
      checks.push({ check: "signals-body", operation, run: () => bodySignals(context, operation) });
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
  const required = requiredQuery(operation, context.random);
  const ask = (value: string): Outgoing => ({
    ...requestFor(operation, { as, params, query: { ...required, [name]: value } }),
    label: owner.name,
  });
  const free = await context.send("positive", ask(`pc${context.random.text(6)}`));
  if ([400, 422].includes(free.answer.status)) return notApplicable("It takes values of a fixed form only.");
  let found = notApplicable("There is nothing to search for that the scan could create.");
  for (const kind of searchedKinds(context, operation)) {
    const thing = await context.objects.shared(kind, owner);
    found = await booleanPairs(context, thing.canary, context.objects.canary(), ask);
    if (found.verdict !== "not-applicable") return found;
  }
  return found;
}

/** Quotes, pauses, operators and markup in a query parameter. */
async function querySignals(
  context: ProbeContext,
  operation: Operation,
  name: string,
): Promise<readonly NamedOutcome[]> {
  const owner = context.worker(operation) ?? context.identities[0];
  if (owner === undefined)
    return [{ check: `quote-${name}`, ...notApplicable("No identity was given that could ask.") }];
  const as = operation.access.kind === "public" ? undefined : owner;
  const { params } = await context.objects.fill(operation, owner);
  const required = requiredQuery(operation, context.random);
  const ask = (query: Readonly<Record<string, string>>): Outgoing => ({
    ...requestFor(operation, { as, params, query: { ...required, ...query } }),
    label: owner.name,
  });
  const plain = await context.send("positive", ask({ [name]: `pc${context.random.text(6)}` }));
  const refuses = [400, 422].includes(plain.answer.status);
  const found = await signalsOf(context, name, (text) => ask({ [name]: text }));
  const kind = searchedKinds(context, operation)[0];
  if (kind === undefined || refuses) return found;
  const thing = await context.objects.shared(kind, owner);
  const { [name]: _replaced, ...others } = required;
  const operator = await operatorTaken(
    context,
    (text) => ask({ [name]: text }),
    (sign, value) => ({
      ...requestFor(operation, { as, params, query: { ...others, [`${name}[${sign}]`]: value } }),
      label: owner.name,
    }),
    thing.canary,
    (answer) => contentOf(answer, new Set()),
  );
  return [...found, { check: `operator-${name}`, ...operator }];
}

/** Quotes and pauses in the place of an object's id. */
async function pathSignals(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const owner = context.worker(operation) ?? context.identities[0];
  if (owner === undefined) return [{ check: "quote-path", ...notApplicable("There is no object to read.") }];
  const { params } = await context.objects.fill(operation, owner);
  const parameter = pathParameters(operation.path).at(-1) ?? "";
  const ask = (text: string) => requestFor(operation, { as: owner, params: { ...params, [parameter]: text } });
  return await signalsOf(context, "path", ask);
}

/**
 * A pause in the place of a query's value or an id. Where the path names other objects it is not tried: it runs after
 * everything was deleted, alone, since a target that one request holds up is slow for all of them.
 */
async function pauseIn(context: ProbeContext, operation: Operation, place: string): Promise<Outcome> {
  const owner = context.worker(operation) ?? context.identities[0];
  if (owner === undefined) return notApplicable("No identity was given that could ask.");
  const as = operation.access.kind === "public" ? undefined : owner;
  const required = requiredQuery(operation, context.random);
  const [parameter = ""] = pathParameters(operation.path);
  const ask = (text: string): Outgoing => ({
    ...requestFor(
      operation,
      place === "path" ? { as, params: { [parameter]: text } } : { as, query: { ...required, [place]: text } },
    ),
    label: owner.name,
  });
  const plain = await context.send("positive", ask(`pc${context.random.text(6)}`));
  if ([400, 422].includes(plain.answer.status)) return held("only values of a fixed form are taken", [plain]);
  return await pauseTaken(context, ask);
}

/** Most members of a body that are tried, each with objects of its own. */
const mostMembers = 4;

/** Quotes in the text members of something that is created; what is created is deleted at the end. */
async function bodySignals(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const owner = context.worker(operation) ?? context.identities[0];
  const kind = context.objects.kinds.find((entry) => entry.create === operation);
  if (owner === undefined || kind === undefined)
    return [{ check: "quote-body", ...notApplicable("Nobody was given who could create it.") }];
  const found: NamedOutcome[] = [];
  const texts = [...propertiesOf(operation.body?.schema ?? {})].filter(([, schema]) => isFreeText(schema));
  for (const [name] of texts.slice(0, mostMembers)) {
    const ask = (text: string): Outgoing => {
      const honest = context.objects.creation(kind, owner, undefined, context.objects.canary());
      return withFields(honest, { [name]: `${context.objects.canary()}${text}` });
    };
    const send = async (leg: Trial["leg"], outgoing: Outgoing) => {
      const trial = await context.send(leg, outgoing);
      context.objects.adopt(kind, owner, trial, {}, "");
      return trial;
    };
    found.push({ check: `quote-body-${name}`, ...(await quoteBreaks({ ...context, send }, ask)) });
  }
  return found.length > 0 ? found : [{ check: "quote-body", ...notApplicable("It takes no free text.") }];
}

function isFreeText(schema: JsonRecord): boolean {
  const plain = simplified(schema);
  return (
    typeOf(plain) === "string" && ["enum", "const", "format", "pattern"].every((word) => plain[word] === undefined)
  );
}

/** An operator in the place of the password signs in as anybody. */
async function operatorSignIn(context: ProbeContext, operation: Operation): Promise<Outcome> {
  const account = context.sessions.accounts[0];
  if (account === undefined) return untried(`operators at ${operation.id} (--account email:password)`);
  const honest = context.sessions.attempt(operation, account.user, account.password);
  const positive = await context.send("positive", honest);
  if (!isSuccess(positive.answer)) return inconclusive(`the account given ${outcome(positive.answer)}`, [positive]);
  const wrong = context.random.text(16);
  const negative = await context.send("negative", context.sessions.attempt(operation, account.user, wrong));
  const body = bodyOf(honest) ?? {};
  const password = Object.keys(body).find((name) => body[name] === account.password);
  if (password === undefined) return notApplicable("Its password is no member of a body.");
  const signsIn = async (operator: string, value: string) => {
    const trial = await context.send("attack", {
      ...honest,
      body: JSON.stringify({ ...body, [password]: { [operator]: value } }),
    });
    return {
      trial,
      granted: judge(trial.answer, { positive: positive.answer, negatives: [negative.answer] }) === "granted",
    };
  };
  const first = await signsIn("$ne", wrong);
  if (isLimited(first.trial.answer)) return inconclusive(limitedWhy(first.trial.answer), [first.trial]);
  if (!first.granted)
    return held("an operator in the place of the password is refused", [positive, negative, first.trial]);
  const equal = await signsIn("$eq", wrong);
  const again = await signsIn("$ne", wrong);
  const trials = [positive, negative, first.trial, equal.trial, again.trial];
  if (equal.granted || !again.granted) return inconclusive("an operator signed in, and its opposite did too", trials);
  return broken("an operator in the place of the password signs in (NoSQL: $ne)", trials);
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
