import { isSuccess } from "../answer.ts";
import { isPrivileged, type ProbeContext, takes } from "../context.ts";
import { signerOf } from "../forge.ts";
import { headerWith, type Identity, readToken, scopesOf } from "../identities.ts";
import { textAt } from "../json.ts";
import { threeLegsLearning } from "../learned.ts";
import { outcome } from "../objects.ts";
import { isLimited, judge, resembles } from "../oracle.ts";
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
  untried,
} from "../probe.ts";
import { withCredential, withHeaders } from "../requests.ts";
import { stageWrite } from "../stage.ts";
import { isGone, isSafe, type Operation } from "../target.ts";

/**
 * Operations of a role called by somebody without it, operations of a scope with a token that lacks it, and the headers
 * by which a path is said to be another one.
 */
export const functionAccess: Probe = { id: "function-access", plan: planFunctionAccess };

function planFunctionAccess(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks: Check[] = [];
  for (const operation of context.target.operations) {
    const { access } = operation;
    if (access.kind !== "caller" || isGone(operation, now)) continue;
    if (access.roles.length > 0) {
      checks.push({
        check: "lower-role",
        operation,
        run: () => (isSafe(operation) ? lowerRoleReads(context, operation) : lowerRoleWrites(context, operation)),
      });
      if (isSafe(operation))
        checks.push({ check: "rewritten-path", operation, run: () => rewrittenPath(context, operation) });
    }
    if (access.scopes.length > 0 && isSafe(operation)) {
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

/** Callers who do not have the role, at most two. */
function lowerCallers(context: ProbeContext, operation: Operation): readonly Identity[] {
  return context.identities
    .filter((identity) => !isPrivileged(identity, context.target) && takes(operation, identity, context.target))
    .slice(0, 2);
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
    found.push({ check: "lower-role", ...result });
  }
  return found.length > 0
    ? found
    : [{ check: "lower-role", ...inconclusive("everybody given has the role; a caller without it is needed") }];
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
  const admin = context.permitted(operation);
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
  if (allowed.answer.status !== attack.answer.status)
    return held(`${caller.name} is refused at ${operation.id}`, [allowed, ...trials]);
  return broken(
    `${caller.name} reaches ${operation.id} like ${admin.name} does: both are told that the object is missing`,
    [allowed, ...trials],
  );
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

/** A token of the same caller without the scopes; signed with the test key, or one that was given without them. */
async function missingScope(context: ProbeContext, operation: Operation, scopes: readonly string[]): Promise<Outcome> {
  const positive = await context.baseline(operation);
  const identity = positive.outgoing.as;
  const token = identity === undefined ? undefined : readToken(identity.secret);
  const nowhere = await context.nowhere();
  const poor = context.identities.find((entry) => {
    const own = scopesOf(entry);
    return own !== undefined && !scopes.every((scope) => own.includes(scope));
  });
  let credential = poor?.header;
  if (credential === undefined && identity !== undefined && token !== undefined && context.jwtKey !== undefined) {
    const signer = await signerOf(context.jwtKey, textAt(token.header, "alg") ?? "HS256");
    const { scope: _scope, scp: _scp, scopes: _scopes, ...claims } = token.claims;
    credential = headerWith(identity, await signer.sign(token.header, { ...claims, scope: "pc:nothing" }));
  }
  if (credential === undefined) {
    return untried(`calls without the scope ${scopes.join(" ")}, which take such a caller or --jwt-key`);
  }
  const changed = withCredential(positive.outgoing, credential, "a caller without the scope");
  // A right signature proves the caller: whatever it is refused counts against the caller, not against the address.
  const caller = poor ?? identity;
  const outgoing = caller === undefined ? changed : { ...changed, as: caller };
  return await threeLegsLearning(context, {
    positive,
    negatives: [nowhere],
    attack: () => context.send("attack", outgoing),
    broken: `${operation.id} answers a token without the scope ${scopes.join(" ")}`,
    held: `${operation.id} refuses a token without the scope ${scopes.join(" ")}`,
  });
}
