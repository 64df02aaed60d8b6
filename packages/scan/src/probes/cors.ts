import { type Answer, headerOf, headersOf, isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { outcome } from "../objects.ts";
import { isLimited } from "../oracle.ts";
import { type Disguise, disguises } from "../origins.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  notApplicable,
  notHonest,
  type Outcome,
  type Probe,
  untried,
} from "../probe.ts";
import { requestFor, withHeaders } from "../requests.ts";
import { Unreachable } from "../scan-error.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "../target.ts";

/**
 * Foreign origins in every disguise on each class of route, with the caller's credential and with a cookie beside it,
 * and in preflights. One finding per disguise for the whole API. No CORS header at all is the safe state, never a
 * finding.
 */
export const cors: Probe = { id: "cors", plan: planCors };

function planCors(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const live = context.target.operations.filter(
    (operation) => !isGone(operation, now) && tightLimit(operation, 30, context.patienceMs) === undefined,
  );
  const reads = live.filter(isSafe);
  const isOpen = (operation: Operation) => operation.access.kind === "public";
  const isItem = (operation: Operation) => pathParameters(operation.path).length > 0;
  const classes = [
    reads.find((operation) => !isOpen(operation) && !isItem(operation)),
    reads.find((operation) => !isOpen(operation) && isItem(operation)),
    reads.find(isOpen),
  ].filter((operation) => operation !== undefined);
  const written = live.filter((operation) => !isSafe(operation) && !isItem(operation));
  const write = written.find((operation) => !isOpen(operation)) ?? written[0];
  const checks: Check[] = [];
  if (classes.length > 0) checks.push({ check: "origins", run: () => everyOrigin(context, classes) });
  if (write !== undefined) checks.push({ check: "preflight", run: () => preflights(context, [write, ...classes]) });
  return checks.length > 0 ? checks : [{ check: "origins", notApplicable: "There is nothing a browser could read." }];
}

/** A route of a class and its answer to who may read it. */
interface Sample {
  readonly operation: Operation;
  readonly honest: Trial;
}

async function everyOrigin(context: ProbeContext, classes: readonly Operation[]): Promise<readonly NamedOutcome[]> {
  const samples: Sample[] = [];
  let refused: Outcome | undefined;
  for (const operation of classes) {
    const honest = await context.baseline(operation).catch(unlessUnreachable);
    if (honest instanceof Unreachable) refused ??= inconclusive(honest.message);
    else if (isSuccess(honest.answer)) samples.push({ operation, honest });
    else refused ??= notHonest(honest);
  }
  const [first] = samples;
  if (first === undefined) return [{ check: "origins", ...(refused ?? inconclusive("no read was answered")) }];
  samples.push(...(await byCookie(context, first)));
  const allowed = await allowedOrigins(context, first);
  const [foreign, ...others] = disguises(context, allowed);
  if (foreign === undefined) return [];
  const found = [await tryOrigin(context, samples, foreign, true)];
  // Where any origin at all is let in, the others are let in for the same reason.
  if (found[0]?.verdict !== "broken") {
    for (const disguise of others) found.push(await tryOrigin(context, samples, disguise, disguise.check === "null"));
  }
  return [...found, { check: "vary", ...(await vary(context, first, allowed)) }];
}

/** The same as somebody whose credential is a cookie: that is what a foreign page would bring along. */
async function byCookie(context: ProbeContext, { operation, honest }: Sample): Promise<readonly Sample[]> {
  const web = context.identities.find(({ kind }) => kind === "cookie");
  const isNew = honest.outgoing.as !== undefined && honest.outgoing.as.kind !== "cookie";
  if (web === undefined || !isNew || pathParameters(operation.path).length > 0) return [];
  const trial = await context.send("positive", requestFor(operation, { as: web }));
  return isSuccess(trial.answer) ? [{ operation, honest: trial }] : [];
}

function unlessUnreachable(error: unknown): Unreachable {
  if (error instanceof Unreachable) return error;
  throw error;
}

/** Origins that may read: those that are stated, else those that were seen and that an answer allows by name. */
async function allowedOrigins(context: ProbeContext, { honest }: Sample): Promise<readonly string[]> {
  const stated = context.target.policy.origins;
  if (stated !== undefined) return stated;
  const allowed: string[] = [];
  for (const origin of context.target.seenOrigins.slice(0, 5)) {
    const { answer } = await context.send("positive", from(honest, origin));
    if (headerOf(answer, "access-control-allow-origin") === origin) allowed.push(origin);
  }
  return allowed;
}

function from({ outgoing }: Trial, origin: string): Outgoing {
  return withHeaders(outgoing, [["origin", origin]], `${outgoing.label}, from ${origin}`);
}

/**
 * One origin on every class of route.
 *
 * @param thorough  also with a cookie beside the credential: some APIs let an origin in only where one is sent
 */
async function tryOrigin(
  context: ProbeContext,
  samples: readonly Sample[],
  { check, origin }: Disguise,
  thorough: boolean,
): Promise<NamedOutcome> {
  const exact = context.target.policy.origins !== undefined;
  const legs: Trial[] = [];
  const hits: { why: string; operation: Operation; trials: readonly Trial[] }[] = [];
  let unsure: Outcome | undefined;
  for (const { operation, honest } of samples) {
    const isPublic = operation.access.kind === "public";
    const why = ({ answer }: Trial) => readable(answer, origin, isPublic, exact);
    const attempts = [from(honest, origin)];
    const cookies = honest.outgoing.headers.some(([name]) => name === "cookie");
    if (thorough && !isPublic && !cookies)
      attempts.push(withHeaders(from(honest, origin), [["cookie", "pc=1"]], `${honest.outgoing.label}, with a cookie`));
    for (const outgoing of attempts) {
      const first = await context.send("attack", outgoing);
      legs.push(honest, first);
      if (isLimited(first.answer)) unsure ??= inconclusive(limitedWhy(first.answer), [honest, first]);
      const reason = why(first);
      if (reason === undefined) continue;
      const second = await context.send("attack", outgoing);
      if (why(second) === undefined)
        unsure ??= inconclusive("it was allowed once and not again", [honest, first, second]);
      else hits.push({ why: reason, operation, trials: [honest, first, second] });
      if (why(second) !== undefined) break;
    }
  }
  const [hit] = hits;
  if (hit === undefined)
    return { check: `origin-${check}`, ...(unsure ?? held(`the origin ${origin} may read nothing`, legs.slice(0, 2))) };
  const where = [...new Set(hits.map(({ operation }) => operation.id))].join(", ");
  return { check: `origin-${check}`, ...broken(`${hit.why} (${where})`, hit.trials) };
}

/** Why a browser would let the origin read the answer; undefined where it would not, or where it does no harm. */
function readable(answer: Answer, origin: string, isPublic: boolean, exact: boolean): string | undefined {
  if (!isSuccess(answer)) return undefined;
  return allows(answer, origin, isPublic, exact);
}

function allows(answer: Answer, origin: string, isPublic: boolean, exact: boolean): string | undefined {
  const allowed = headerOf(answer, "access-control-allow-origin");
  const credentials = headerOf(answer, "access-control-allow-credentials") === "true";
  // What anybody may read without a credential, anybody may read from anywhere.
  if (allowed === origin && (credentials || !isPublic || exact))
    return `answers may be read by the origin ${origin}${credentials ? ", with the user's cookies" : ""}`;
  if (allowed !== "*") return undefined;
  if (credentials) return "every origin is allowed together with credentials";
  return !isPublic && exact ? "every origin (*) may read answers that need a caller" : undefined;
}

/** Where the answer depends on the origin, a cache must know. */
async function vary(context: ProbeContext, { honest }: Sample, allowed: readonly string[]): Promise<Outcome> {
  const [origin] = allowed;
  if (origin === undefined) {
    return context.target.policy.origins === undefined
      ? untried("what an allowed origin is told: none is known (--origin <url>)")
      : notApplicable("No origin may read answers, so none depends on it.");
  }
  const trial = await context.send("positive", from(honest, origin));
  if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), [trial]);
  const echo = headerOf(trial.answer, "access-control-allow-origin");
  const names = headersOf(trial.answer, "vary").join(",").toLowerCase().split(",");
  const varies = names.some((name) => name.trim() === "origin" || name.trim() === "*");
  if (echo === undefined) return unheard(context, origin, "still may not read the answer", [honest, trial]);
  if (echo !== origin) return notApplicable("No answer depends on the origin.");
  return varies
    ? held("answers that depend on the origin say Vary: Origin", [trial])
    : broken("an answer depends on the origin and does not say Vary: Origin", [trial]);
}

/** An origin that should be let in and is not: a fault of the policy's, or of who named it. */
function unheard(context: ProbeContext, origin: string, what: string, trials: readonly Trial[]): Outcome {
  return context.target.source === "manifest"
    ? broken(`the origin ${origin} is configured and ${what}`, trials)
    : untried(`what an allowed origin is told: ${origin} (--origin) is let in nowhere`);
}

async function preflights(context: ProbeContext, operations: readonly Operation[]): Promise<readonly NamedOutcome[]> {
  const [operation] = operations;
  if (operation === undefined) return [];
  const allowed = context.target.policy.origins?.[0];
  const exact = context.target.policy.origins !== undefined;
  const found: NamedOutcome[] = [];
  for (const { check, origin } of disguises(context, context.target.policy.origins ?? []).slice(0, 5)) {
    const ask = () => context.send("attack", preflight(operation, origin));
    const first = await ask();
    const why = isLimited(first.answer) ? undefined : allows(first.answer, origin, false, exact);
    if (isLimited(first.answer))
      found.push({ check: `preflight-${check}`, ...inconclusive(limitedWhy(first.answer), [first]) });
    else if (why === undefined)
      found.push({ check: `preflight-${check}`, ...held(`a preflight from ${origin} is not granted`, [first]) });
    else {
      const second = await ask();
      const again = allows(second.answer, origin, false, exact) !== undefined;
      found.push({
        check: `preflight-${check}`,
        ...(again
          ? broken(`a preflight is granted: ${why}`, [first, second])
          : inconclusive("a preflight was granted once and not again", [first, second])),
      });
      if (again && check === "foreign") break;
    }
  }
  if (allowed !== undefined)
    found.push({ check: "preflight-methods", ...(await grantedMethods(context, operations, allowed)) });
  return found;
}

function preflight({ method, path }: Operation, origin: string): Outgoing {
  return {
    method: "OPTIONS",
    target: path,
    headers: [
      ["origin", origin],
      ["access-control-request-method", method],
      ["access-control-request-headers", "authorization,content-type"],
    ],
    label: `preflight from ${origin}`,
  };
}

/** A preflight from an allowed origin is granted for the route's own methods and no others. */
async function grantedMethods(
  context: ProbeContext,
  operations: readonly Operation[],
  allowed: string,
): Promise<Outcome> {
  const trials: Trial[] = [];
  for (const operation of operations.filter(({ path }) => pathParameters(path).length === 0).slice(0, 2)) {
    const trial = await context.send("positive", preflight(operation, allowed));
    trials.push(trial);
    const { answer } = trial;
    if (isLimited(answer)) return inconclusive(limitedWhy(answer), trials);
    if (headerOf(answer, "access-control-allow-origin") === undefined)
      return unheard(context, allowed, `its preflight is not granted (${outcome(answer)})`, trials);
    const declared = context.target.operations
      .filter((entry) => entry.path === operation.path)
      .map((entry) => entry.method);
    const granted = (headerOf(answer, "access-control-allow-methods") ?? "")
      .split(",")
      .map((name) => name.trim().toUpperCase())
      .filter((name) => name !== "");
    const extra = granted.filter((name) => !declared.includes(name) && name !== "HEAD" && name !== "OPTIONS");
    if (extra.length > 0)
      return broken(`a preflight grants methods ${operation.path} does not have: ${extra.join(", ")}`, trials);
  }
  return held("a preflight grants the route's own methods only", trials);
}
