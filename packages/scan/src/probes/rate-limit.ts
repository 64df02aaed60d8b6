import { headerOf, isSuccess } from "../answer.ts";
import { burst, type Burst } from "../burst.ts";
import { isPrivileged, madeUpCredential, type ProbeContext, takes } from "../context.ts";
import type { Outgoing } from "../fetcher.ts";
import { signInBurst } from "../guessing.ts";
import { canAct, type Identity } from "../identities.ts";
import { bypasses } from "../limit-bypass.ts";
import { burstSize, clearMs, mostRequests, windowEdge } from "../limit-shape.ts";
import { outcome } from "../objects.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
} from "../probe.ts";
import { requestFor, withCredential } from "../requests.ts";
import { isGone, isSafe, type Limit, type Operation, pathParameters } from "../target.ts";
import { undeclaredLimit } from "../undeclared-limit.ts";

/**
 * Bursts of a fifth more than each limit allows, inside its window: the rest must be 429 with a Retry-After that is true,
 * no header a client can send may lift it, and nobody else may suffer. Runs last, since it uses limits up.
 */
export const rateLimit: Probe = { id: "rate-limit", phase: "limits", plan: planRateLimit };

function planRateLimit(context: ProbeContext): readonly Check[] {
  const { target } = context;
  const now = context.now();
  const checks: Check[] = [];
  const proved = new Map<string, Operation>();
  let edge: { readonly operation: Operation; readonly limit: Limit } | undefined;
  let beganAt: number | undefined;
  for (const operation of target.operations) {
    if (operation.limits.length === 0 || isGone(operation, now)) continue;
    const limit = operation.limits.find((entry) => entry.by === "caller" && entry.counts === "requests");
    const guesses = context.sessions.signIns.includes(operation);
    const kind = guesses ? JSON.stringify(operation.limits) : `${limit?.limit} ${limit?.windowMs}`;
    const same = proved.get(kind);
    if (guesses && same === undefined) {
      proved.set(kind, operation);
      checks.push({ check: "sign-in", operation, run: () => signInBurst(context, operation) });
    } else if (!guesses && (limit === undefined || !isCheap(context, operation))) {
      checks.push({ check: "route", operation, notApplicable: "A burst of it would change or cost too much." });
    } else if (same !== undefined && !context.effort.everyLimit) {
      checks.push({ check: "route", operation, notApplicable: `The same limit is proved on ${same.id}.` });
    } else if (limit !== undefined) {
      proved.set(kind, operation);
      checks.push({
        check: "route",
        operation,
        usesUp: "callers",
        run: () => {
          beganAt ??= performance.now();
          return callerBurst(context, [operation], limit, "route");
        },
      });
      if (edge === undefined || limit.windowMs < edge.limit.windowMs) edge = { operation, limit };
    }
  }
  if (edge !== undefined) {
    // All limits are counted by one limiter: its windows are looked at once, where that takes least time.
    const { operation, limit } = edge;
    const quietMs = () => (beganAt === undefined ? 0 : performance.now() - beganAt);
    checks.push({
      check: "route-window",
      operation,
      usesUp: "callers",
      run: () => edgeOf(context, operation, limit, quietMs()),
    });
  }
  const { caller, address, failures } = target.policy.limits;
  const cheap = target.operations.filter((operation) => isCheap(context, operation));
  if (caller !== undefined && cheap.length > 0) {
    checks.push({ check: "caller", usesUp: "callers", run: () => callerLimit(context, cheap, caller) });
  }
  const strangers = [address, failures].filter((limit) => limit !== undefined);
  const lowest = strangers.sort((left, right) => left.limit - right.limit)[0];
  if (lowest !== undefined) checks.push({ check: "strangers", run: () => strangerBurst(context, lowest) });
  if (checks.some((check) => !("notApplicable" in check))) return checks;
  // A declared parameter with another value is one more spelling that a counter may take for another request.
  const representative = cheap.find(({ parameters }) => parameters.some((entry) => entry.in === "query")) ?? cheap[0];
  return [...checks, ...guessed(context, representative)];
}

/** Without declared limits: guessing passwords must slow down, and so must calling, where the description speaks of 429. */
function guessed(context: ProbeContext, cheap: Operation | undefined): readonly Check[] {
  const checks: Check[] = context.sessions.signIns.map((operation) => ({
    check: "sign-in",
    operation,
    run: () => signInBurst(context, operation),
  }));
  if (cheap !== undefined) {
    checks.push({
      check: "caller",
      operation: cheap,
      usesUp: "callers",
      run: () => undeclaredLimit(context, cheap, callersOf(context, cheap)),
    });
  }
  return checks.length > 0 ? checks : [{ check: "limits", notApplicable: "There is nothing to call often." }];
}

/** True for reads without parameters that some caller without a role may make. */
function isCheap(context: ProbeContext, operation: Operation): boolean {
  const caller = context.permitted(operation);
  return (
    isSafe(operation) &&
    operation.access.kind === "caller" &&
    operation.access.roles.length === 0 &&
    pathParameters(operation.path).length === 0 &&
    !isGone(operation, context.now()) &&
    !operation.parameters.some((parameter) => parameter.required || /^(?:q|query|search)$/.test(parameter.name)) &&
    caller !== undefined &&
    canAct(caller)
  );
}

/** The limit of a caller over all routes: spread over so many that none of their own limits is reached first. */
async function callerLimit(
  context: ProbeContext,
  cheap: readonly Operation[],
  limit: Limit,
): Promise<readonly NamedOutcome[]> {
  const count = burstSize(limit);
  const room = (operation: Operation) =>
    Math.min(...operation.limits.map((entry) => entry.limit * Math.max(1, limit.windowMs / entry.windowMs)));
  const roomy = [...cheap].sort((left, right) => room(right) - room(left));
  let needed = 1;
  while (needed <= roomy.length && roomy.slice(0, needed).some((operation) => room(operation) * 0.9 < count / needed))
    needed += 1;
  if (needed > roomy.length) {
    return [{ check: "caller", ...notApplicable("The limits of single routes are reached before the caller's own.") }];
  }
  return await callerBurst(context, roomy.slice(0, needed), limit, "caller");
}

async function callerBurst(
  context: ProbeContext,
  operations: readonly Operation[],
  limit: Limit,
  name: string,
): Promise<readonly NamedOutcome[]> {
  const count = burstSize(limit);
  const first = operations[0];
  const [alice, bob] = first === undefined ? [] : callersOf(context, first);
  if (alice === undefined || first === undefined) return [{ check: name, ...inconclusive("no identity may call it") }];
  if (count > mostRequests)
    return [
      { check: name, ...notApplicable(`A limit of ${limit.limit} takes more requests to reach than a scan sends.`) },
    ];
  const honest = requestFor(first, { as: alice });
  const spread = operations.map((operation) => requestFor(operation, { as: alice }));
  const sent = await burst(context, (index) => spread[index % spread.length] ?? honest, count, limit);
  const what = operations.length === 1 ? first.id : `${operations.length} routes together`;
  const result = judgeBurst(sent, limit, `${alice.name} at ${what}`);
  const found: NamedOutcome[] = [{ check: name, ...result }];
  if (result.verdict !== "held") return found;
  found.push(...(await bypasses(context, honest, name, sent)));
  if (bob !== undefined) {
    const other = await context.send("attack", { ...requestFor(first, { as: bob }), burst: true });
    const verdict =
      other.answer.status === 429
        ? broken(`${bob.name} is limited because ${alice.name} called too often`, [...sent.refused.slice(0, 1), other])
        : held(`${bob.name} is served while ${alice.name} waits`, [other]);
    found.push({ check: `${name}-others`, ...verdict });
  }
  found.push({ check: `${name}-retry-after`, ...(await retryAfter(context, honest, limit)) });
  return found;
}

/** @param quietMs  for how long no other operation of that limit was called, milliseconds */
async function edgeOf(context: ProbeContext, operation: Operation, limit: Limit, quietMs: number): Promise<Outcome> {
  const [alice] = callersOf(context, operation);
  if (alice === undefined) return inconclusive("no identity may call it");
  const { caller } = context.target.policy.limits;
  // Three times the limit inside one window must be the caller's to spend.
  const hasRoom =
    caller === undefined || caller.limit * Math.min(1, limit.windowMs / caller.windowMs) >= limit.limit * 3;
  const isFresh = hasRoom && quietMs >= clearMs(limit) && !context.effort.everyLimit;
  const alike = context.target.operations.filter(
    (other) =>
      isFresh &&
      other !== operation &&
      isCheap(context, other) &&
      callersOf(context, other).includes(alice) &&
      other.limits.every(({ limit: count, windowMs, by, counts }) =>
        by === "caller" && counts === "requests" ? count === limit.limit && windowMs === limit.windowMs : false,
      ),
  );
  const fresh = alike.filter(({ limits }) => limits.length > 0).map((other) => requestFor(other, { as: alice }));
  return await windowEdge(context, requestFor(operation, { as: alice }), limit, fresh);
}

function callersOf(context: ProbeContext, operation: Operation): readonly Identity[] {
  return context.identities.filter(
    (identity) =>
      canAct(identity) && takes(operation, identity, context.target) && !isPrivileged(identity, context.target),
  );
}

function judgeBurst(sent: Burst, limit: Limit, what: string): Outcome {
  const per = `${limit.limit} per ${limit.windowMs / 1000} s`;
  const evidence = [...sent.trials.slice(0, 1), ...sent.refused.slice(0, 1)];
  if (sent.admitted > limit.limit) {
    return broken(
      `${sent.admitted} requests got through inside one window (${what}), ${per} are declared`,
      evidence.length > 0 ? evidence : sent.trials.slice(0, 1),
    );
  }
  if (sent.refused.length > 0) return held(`the limit of ${per} holds (${what})`, evidence);
  if (sent.sent <= limit.limit)
    return inconclusive(
      `the target was too slow to send more than ${limit.limit} requests inside the window`,
      evidence,
    );
  return inconclusive(`the burst was answered with neither success nor 429 (${what})`, sent.trials.slice(-2));
}

/** Retry-After says when the same request succeeds, not earlier and not much later. */
async function retryAfter(context: ProbeContext, honest: Outgoing, limit: Limit): Promise<Outcome> {
  const limited = await context.send("negative", { ...honest, burst: true });
  if (limited.answer.status !== 429) return notApplicable("The limit was over before Retry-After could be read.");
  const value = headerOf(limited.answer, "retry-after");
  if (value === undefined || !/^\d+$/.test(value)) return broken("429 carries no Retry-After in seconds", [limited]);
  const seconds = Number(value);
  if (seconds * 1000 > limit.windowMs + 1000)
    return broken(`Retry-After says ${seconds} s, the window is ${limit.windowMs / 1000} s`, [limited]);
  if (seconds > 5) return held(`429 says Retry-After: ${seconds}`, [limited]);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000 + 30));
  const after = await context.send("positive", { ...honest, burst: true });
  if (after.answer.status === 429)
    return broken(`Retry-After said ${seconds} s, and then it was still refused`, [limited, after]);
  return isSuccess(after.answer)
    ? held("after Retry-After the same request succeeds", [limited, after])
    : inconclusive(`after Retry-After it ${outcome(after.answer)}`, [limited, after]);
}

/** Strangers with made-up credentials: they are cut off, whatever address they claim, and proved callers are not. */
async function strangerBurst(context: ProbeContext, limit: Limit): Promise<readonly NamedOutcome[]> {
  const count = burstSize(limit);
  if (count > mostRequests)
    return [
      {
        check: "strangers",
        ...notApplicable(`A limit of ${limit.limit} takes more requests to reach than a scan sends.`),
      },
    ];
  const witness = await context.witness();
  const honest = witness.positive.outgoing;
  // Bursts before this one may have used up the witness's own limits: what is refused now is no stranger's doing.
  const before = await context.send("positive", honest);
  const guess = (index: number) => {
    const made = madeUpCredential(context, honest, witness.identity);
    return withCredential(
      made,
      [witness.identity.header[0], `${witness.identity.scheme} pc${index}${context.random.text(30)}`.trim()],
      "nobody, guessing",
    );
  };
  const sent = await burst(context, guess, count, limit);
  const what = "guessing credentials";
  const first =
    sent.refused.length > 0
      ? held(`${what} is cut off after ${sent.trials.length - sent.refused.length} tries`, sent.refused.slice(0, 1))
      : judgeBurst(sent, limit, what);
  const found: NamedOutcome[] = [{ check: "strangers", ...first }];
  if (first.verdict !== "held") return found;
  found.push(...(await bypasses(context, { ...guess(count), burst: true }, "strangers", sent)));
  if (before.answer.status === 429) {
    const why = `${witness.identity.name} was over a limit before anybody guessed`;
    return [...found, { check: "strangers-others", ...inconclusive(why, [before]) }];
  }
  let caller = await context.send("attack", { ...honest, burst: true });
  // Bursts of the caller's own run beside this: refused by the strangers' doing is who is so each time, after a rest.
  for (let tries = 0; tries < 2 && caller.answer.status === 429; tries += 1) {
    await context.send("positive", honest);
    await burst(context, guess, count, limit);
    caller = await context.send("attack", { ...honest, burst: true });
  }
  found.push({
    check: "strangers-others",
    ...(caller.answer.status === 429
      ? broken(`${witness.identity.name} is refused because strangers at the same address guessed`, [
          ...sent.refused.slice(0, 1),
          caller,
        ])
      : held("a proved caller is served while strangers are cut off", [caller])),
  });
  return found;
}
