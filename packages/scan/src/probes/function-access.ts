import { isSuccess } from "../answer.ts";
import { isAdministrative, peopleIn, sharesRecords } from "../administrative.ts";
import { claimedRole } from "../claimed-roles.ts";
import { isPrivileged, type ProbeContext, takes } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Identity } from "../identities.ts";
import { threeLegsLearning } from "../learned.ts";
import { missingScope } from "../missing-scope.ts";
import { outcome } from "../objects.ts";
import { isLimited, judge, resembles, sameSignature } from "../oracle.ts";
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
  threeLegs,
} from "../probe.ts";
import { withCredential, withHeaders } from "../requests.ts";
import { stageWrite } from "../stage.ts";
import { isGone, isSafe, type Operation, pathParameters } from "../target.ts";

/**
 * Operations of a role called by somebody without it, operations of a scope with a token that lacks it, roles that are
 * only claimed, and the headers by which a path is said to be another one. Where nothing names roles, what lies at an
 * administrator's path is tried, and called broken only where it shows others' records to everybody.
 */
export const functionAccess: Probe = { id: "function-access", plan: planFunctionAccess };

function planFunctionAccess(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks: Check[] = [];
  for (const operation of context.target.operations) {
    const { access } = operation;
    if (access.kind !== "caller" || isGone(operation, now)) continue;
    const { roles } = access;
    const role =
      roles[0] ?? (context.target.source !== "manifest" && isAdministrative(operation) ? "admin" : undefined);
    if (role !== undefined && isSafe(operation))
      checks.push({ check: "claimed-role", operation, run: () => claimedAt(context, operation, role) });
    if (role !== undefined && roles.length === 0) {
      checks.push(
        isSafe(operation)
          ? { check: "lower-role", operation, run: () => everybodyReads(context, operation) }
          : aimed(operation, { check: "lower-role", operation, run: () => lowerRoleWrites(context, operation) }),
      );
    }
    if (roles.length > 0) {
      const lower: Check = {
        check: "lower-role",
        operation,
        run: () => (isSafe(operation) ? lowerRoleReads(context, operation) : lowerRoleWrites(context, operation)),
      };
      checks.push(isSafe(operation) || context.target.source === "manifest" ? lower : aimed(operation, lower));
      if (isSafe(operation))
        checks.push({ check: "rewritten-path", operation, run: () => rewrittenPath(context, operation) });
    }
    if (access.scopes.length > 0) {
      checks.push({ check: "missing-scope", operation, run: () => missingScope(context, operation, access.scopes) });
    }
  }
  if (checks.length > 0) return checks;
  const why =
    context.target.source === "manifest"
      ? "No operation demands a role or a scope."
      : "The description names no roles; which functions belong to whom cannot be known.";
  return [{ check: "roles", notApplicable: why }];
}

/** Without a manifest, a write of administrators is only sent at something that is not there. */
function aimed(operation: Operation, check: Check): Check {
  if (pathParameters(operation.path).length > 0) return check;
  return {
    check: check.check,
    operation,
    notApplicable: "It names nothing that could be missing, so that whoever got through would do harm.",
  };
}

async function claimedAt(context: ProbeContext, operation: Operation, role: string): Promise<Outcome> {
  const positive = await context.baseline(operation);
  const [caller] = lowerCallers(context, operation);
  if (caller === undefined || positive.outgoing.as === undefined || positive.outgoing.as.name === caller.name)
    return notApplicable("It takes somebody who has the role and somebody without it.");
  if (!isSuccess(positive.answer)) return inconclusive(`the allowed request ${outcome(positive.answer)}`, [positive]);
  return await claimedRole(context, positive, caller, role);
}

/** A read at an administrator's path: it must not show everybody the records of others. */
async function everybodyReads(context: ProbeContext, operation: Operation): Promise<Outcome> {
  const [caller] = lowerCallers(context, operation);
  if (caller === undefined) return inconclusive("everybody given has a role; a caller without one is needed");
  const baseline = await context.baseline(operation);
  const admin = administrator(context, operation);
  const asAdmin =
    admin === undefined || admin.name === caller.name
      ? undefined
      : { ...withCredential(baseline.outgoing, admin.header, admin.name), as: admin };
  const positive = asAdmin === undefined ? baseline : await context.send("positive", asAdmin);
  const honest = { ...withCredential(positive.outgoing, caller.header, caller.name), as: caller };
  const stranger = await context.send("negative", withCredential(positive.outgoing, undefined, "nobody"));
  const found = await threeLegsLearning(context, {
    positive,
    negatives: [stranger, await context.nowhere()],
    attack: () => context.send("attack", honest),
    broken: `${caller.name}, who has no role, gets from ${operation.id} what its path says is for administrators: records of other people`,
    held: `${caller.name} is refused at ${operation.id}`,
  });
  const last = found.trials.at(-1);
  if (found.verdict !== "broken" || last === undefined) return found;
  if (peopleIn(context, last.answer, caller).size > 0 && sharesRecords(last.answer, positive.answer)) return found;
  return notApplicable(
    `${caller.name} gets in, and nothing in the answer is somebody else's: it may be meant for everybody.`,
  );
}

/** Callers who do not have the role, at most two. */
function lowerCallers(context: ProbeContext, operation: Operation): readonly Identity[] {
  // Where nothing names roles, whoever was given one is taken to be somebody special.
  const isSpecial = (identity: Identity) =>
    isPrivileged(identity, context.target) || (context.target.source !== "manifest" && identity.roles.length > 0);
  return context.identities
    .filter((identity) => !isSpecial(identity) && takes(operation, identity, context.target))
    .slice(0, 2);
}

/** Somebody who may call what is for administrators; where nothing names roles, whoever was given one. */
function administrator(context: ProbeContext, operation: Operation): Identity | undefined {
  const { access } = operation;
  if (access.kind === "caller" && access.roles.length > 0) return context.permitted(operation);
  return context.identities.find((identity) => identity.roles.length > 0);
}

async function lowerRoleReads(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const positive = await context.baseline(operation);
  const nowhere = await context.nowhere();
  const found: NamedOutcome[] = [];
  for (const caller of lowerCallers(context, operation)) {
    const honest = withCredential(positive.outgoing, caller.header, caller.name);
    const result = await threeLegsLearning(context, {
      positive,
      negatives: [nowhere],
      attack: () => context.send("attack", { ...honest, as: caller }),
      broken: `${caller.name} may call ${operation.id} without the role it demands`,
      held: `${caller.name} is refused at ${operation.id}`,
    });
    found.push({ check: "lower-role", ...asShown(context, operation, caller, positive, result) });
  }
  return found.length > 0
    ? found
    : [{ check: "lower-role", ...inconclusive("everybody given has the role; a caller without it is needed") }];
}

/**
 * Words of a description are less than a policy: it is broken where the caller got the very records that somebody with the
 * role gets, or those of others, and not where he got an empty list.
 */
function asShown(
  context: ProbeContext,
  operation: Operation,
  caller: Identity,
  positive: Trial,
  found: Outcome,
): Outcome {
  const last = found.trials.at(-1);
  if (found.verdict !== "broken" || context.target.source === "manifest" || last === undefined) return found;
  const others = peopleIn(context, last.answer, caller).size > 0;
  const admin = positive.outgoing.as;
  if (admin === undefined || !isPrivileged(admin, context.target)) {
    if (others) return found;
    return inconclusive(
      `${caller.name} may call ${operation.id}, and nobody was given who is known to have its role (--roles name=role)`,
      found.trials,
    );
  }
  if (others || sharesRecords(last.answer, positive.answer)) return found;
  return held(`${caller.name} gets nothing from ${operation.id} that ${admin.name} gets`, found.trials);
}

/** A write nobody may try for real: a random id, compared with what a stranger and an unknown path get. */
async function lowerRoleWrites(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const found: NamedOutcome[] = [];
  const nowhere = await context.nowhere();
  for (const caller of lowerCallers(context, operation)) {
    found.push({ check: "lower-role", ...(await lowerRoleWrite(context, operation, caller, nowhere)) });
  }
  return found.length > 0
    ? found
    : [{ check: "lower-role", ...inconclusive("everybody given has the role; a caller without it is needed") }];
}

async function lowerRoleWrite(
  context: ProbeContext,
  operation: Operation,
  caller: Identity,
  nowhere: Awaited<ReturnType<ProbeContext["nowhere"]>>,
): Promise<Outcome> {
  const stage = await stageWrite(context, operation, caller);
  const attack = await context.send("attack", stage.request(caller));
  const trials = [nowhere, attack];
  if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), trials);
  if (isSuccess(attack.answer) && !resembles(attack.answer, nowhere.answer)) {
    const again = await context.send("attack", stage.request(caller));
    if (isSuccess(again.answer))
      return broken(`${caller.name} may call ${operation.id} without the role it demands`, [...trials, again]);
  }
  const admin = administrator(context, operation);
  if (attack.answer.status !== 404 || admin === undefined) {
    const refused =
      judge(attack.answer, { positive: { ...attack.answer, status: 200 }, negatives: [nowhere.answer] }) === "refused";
    return refused || attack.answer.status === 403
      ? held(`${caller.name} is refused at ${operation.id} (${outcome(attack.answer)})`, trials)
      : inconclusive(`${caller.name} ${outcome(attack.answer)}, and its honest use could not be tried`, trials);
  }
  // Not found: was the role looked at, or only the object? The one who has the role, on the same object, tells.
  const allowed = await context.send("positive", {
    ...attack.outgoing,
    headers: replaceCredential(attack.outgoing.headers, caller, admin),
    as: admin,
    label: admin.name,
  });
  if (!sameSignature(allowed.answer, attack.answer))
    return held(`${caller.name} is refused at ${operation.id}`, [allowed, ...trials]);
  // What is missing may be looked for before anybody asks for roles, unless the API was seen to do it the other way.
  const seen = context.target.source === "manifest" ? [] : await roleRefusals(context, caller, admin);
  if (context.target.source !== "manifest" && seen.length === 0) {
    return notApplicable(
      "Whoever calls it is told that the object is missing; whether it asks for a role cannot be seen.",
    );
  }
  return broken(
    `${caller.name} reaches ${operation.id} like ${admin.name} does: both are told that the object is missing`,
    [...seen, allowed, ...trials],
  );
}

/** A read of administrators that the caller is refused, for his role and not for a missing object, and the admin is not. */
async function roleRefusals(context: ProbeContext, caller: Identity, admin: Identity): Promise<readonly Trial[]> {
  for (const operation of context.target.operations) {
    const { access } = operation;
    const isTheirs = access.kind === "caller" && (access.roles.length > 0 || isAdministrative(operation));
    if (!isTheirs || !isSafe(operation) || isGone(operation, context.now())) continue;
    const positive = await context.baseline(operation);
    if (positive.outgoing.as?.name !== admin.name || !isSuccess(positive.answer)) continue;
    const honest = { ...withCredential(positive.outgoing, caller.header, caller.name), as: caller };
    const refused = await context.send("negative", honest);
    if (refused.answer.status === 401 || refused.answer.status === 403) return [refused];
  }
  return [];
}

function replaceCredential(headers: readonly (readonly [string, string])[], from: Identity, to: Identity) {
  return [to.header, ...headers.filter(([name]) => name !== from.header[0])];
}

/** Headers that some proxies and frameworks take for the real path. */
async function rewrittenPath(context: ProbeContext, operation: Operation): Promise<Outcome> {
  const positive = await context.baseline(operation);
  const witness = await context.witness();
  const caller = lowerCallers(context, operation)[0];
  if (caller === undefined) return inconclusive("everybody given has the role; a caller without it is needed");
  const honest = await context.baseline(witness.operation);
  if (resembles(honest.answer, positive.answer)) return notApplicable("Its answer looks like that of other reads.");
  const target = positive.outgoing.target;
  const rewritten = withHeaders(
    withCredential(honest.outgoing, caller.header, `${caller.name}, path rewritten by header`),
    [
      ["x-original-url", target],
      ["x-rewrite-url", target],
      ["x-forwarded-uri", target],
      ["x-forwarded-prefix", "/"],
    ],
  );
  return await threeLegs({
    positive,
    negatives: [honest],
    attack: () => context.send("attack", { ...rewritten, as: caller }),
    broken: `${caller.name} reaches ${operation.id} by naming it in a header`,
    held: "a path named in a header changes nothing",
  });
}
