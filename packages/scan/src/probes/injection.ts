import { isSuccess } from "../answer.ts";
import { type ProbeContext, requiredQuery } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { operatorTaken, pauseTaken, signalsOf } from "../injected.ts";
import { bodyChecks } from "../injected-bodies.ts";
import { outcome } from "../objects.ts";
import { contentOf, isLimited, judge } from "../oracle.ts";
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
import { bodyOf, requestFor } from "../requests.ts";
import { simplified, typeOf } from "../schema.ts";
import { booleanPairs, searchedKinds } from "../sql-conditions.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "../target.ts";

/**
 * Values that are executed: conditions, quotes and pauses in SQL, operators in NoSQL, markup where a browser renders it.
 * SQL by boolean pairs: a true condition must answer like the plain value, a false one like nothing, with two different
 * pairs of random numbers, while the same text without a condition must not answer like the plain value. A search that
 * merely ignores the quote fails the last test and is not reported.
 */
export const injection: Probe = { id: "injection", plan: planInjection };

function planInjection(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks = context.target.operations.flatMap((operation): readonly Check[] => {
    const own = isGone(operation, now) ? [] : checksOf(context, operation);
    const tight = tightLimit(operation, 20, context.patienceMs);
    const [first] = own;
    return first === undefined || tight === undefined ? own : [{ check: first.check, operation, notApplicable: tight }];
  });
  return checks.length > 0 ? checks : [{ check: "sql", notApplicable: "No read takes a text." }];
}

function checksOf(context: ProbeContext, operation: Operation): readonly Check[] {
  if (isSafe(operation)) return readChecks(context, operation);
  if (!context.sessions.signIns.includes(operation)) return bodyChecks(context, operation);
  return [
    { check: "sql-sign-in", operation, run: () => inSignIn(context, operation) },
    { check: "operator-sign-in", operation, run: () => operatorSignIn(context, operation) },
  ];
}

function readChecks(context: ProbeContext, operation: Operation): readonly Check[] {
  const checks: Check[] = [];
  // What names objects has none any more when pauses are asked for.
  const parameters = pathParameters(operation.path).length;
  const pause = (place: string): Check => ({
    check: `pause-${place}`,
    operation,
    phase: "limits",
    run: () => pauseIn(context, operation, place),
  });
  for (const { name, in: place, schema } of operation.parameters) {
    if (place !== "query" || typeOf(simplified(schema)) !== "string" || name === "cursor") continue;
    checks.push({ check: `sql-${name}`, operation, run: () => inQuery(context, operation, name) });
    checks.push({ check: `signals-${name}`, operation, run: () => querySignals(context, operation, name) });
    if (parameters === 0) checks.push(pause(name));
  }
  if (context.objects.kinds.some((kind) => kind.read === operation)) {
    checks.push({ check: "sql-path", operation, run: () => inPath(context, operation) });
    checks.push({ check: "signals-path", operation, run: () => pathSignals(context, operation) });
    if (parameters === 1) checks.push(pause("path"));
  }
  return checks;
}

/** A search term: the canary of an object alice made finds something, a random word finds nothing. */
async function inQuery(context: ProbeContext, operation: Operation, name: string): Promise<Outcome> {
  const owner = context.permitted(operation) ?? context.identities[0];
  if (owner === undefined) return notApplicable("No identity was given that could search.");
  const as = operation.access.kind === "public" ? undefined : owner;
  const { params, query: required } = await context.objects.fill(operation, owner);
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
  const { params, query: required } = await context.objects.fill(operation, owner);
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

/** An operator in the place of the password, or of the user name, signs in as anybody. */
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
  const user = Object.keys(body).find((name) => body[name] === account.user);
  if (password === undefined) return notApplicable("Its password is no member of a body.");
  const trials = [positive, negative];
  for (const [member, what] of [
    [password, "password"],
    [user, "user name"],
  ] as const) {
    if (member === undefined) continue;
    const signsIn = async (operator: string) => {
      const changed = JSON.stringify({ ...body, [member]: { [operator]: wrong } });
      const trial = await context.send("attack", { ...honest, body: changed });
      trials.push(trial);
      return {
        trial,
        granted: judge(trial.answer, { positive: positive.answer, negatives: [negative.answer] }) === "granted",
      };
    };
    const first = await signsIn("$ne");
    if (isLimited(first.trial.answer)) return inconclusive(limitedWhy(first.trial.answer), [first.trial]);
    if (!first.granted) continue;
    const equal = await signsIn("$eq");
    const again = await signsIn("$ne");
    if (equal.granted || !again.granted) return inconclusive("an operator signed in, and its opposite did too", trials);
    return broken(`an operator in the place of the ${what} signs in (NoSQL: $ne)`, trials);
  }
  return held("an operator in the place of the user name or the password is refused", trials);
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
  const inPassword = (number: string) => signsIn(stranger, `${wrong}' OR '7'='${number}`);
  if ((await inPassword("7")) && !(await inPassword("8")) && (await inPassword("7")))
    return broken("a condition in the password signs in without an account", trials);
  const limited = trials.find((trial) => isLimited(trial.answer));
  return limited === undefined
    ? held("conditions in the user name and the password are treated as text", trials.slice(0, 4))
    : inconclusive(limitedWhy(limited.answer), [limited]);
}
