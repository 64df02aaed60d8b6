import { headerOf, isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { kindAt } from "../kinds.ts";
import { outcome } from "../objects.ts";
import { isLimited, sameSignature } from "../oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  mustRefuse,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
  notHonest,
} from "../probe.ts";
import { withHeaders } from "../requests.ts";
import { isGone, type Operation, pathParameters } from "../target.ts";
import { validValue } from "../values.ts";

/**
 * Undeclared methods on declared paths, unknown paths, what is past its sunset or deprecated, and older or newer versions
 * of declared paths that nobody declared.
 */
export const versioning: Probe = { id: "versioning", plan: planVersioning };

function planVersioning(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks: Check[] = [{ check: "unknown-path", run: () => unknownPath(context) }];
  const seen = new Set<string>();
  for (const operation of context.target.operations) {
    if (isGone(operation, now)) {
      checks.push({ check: "sunset", operation, run: () => afterSunset(context, operation) });
      continue;
    }
    if (operation.deprecated) checks.push({ check: "deprecated", operation, run: () => announced(context, operation) });
    if (seen.has(operation.path)) continue;
    seen.add(operation.path);
    checks.push({ check: "undeclared-method", operation, run: () => undeclaredMethod(context, operation) });
  }
  checks.push({ check: "other-versions", run: () => otherVersions(context) });
  checks.push({ check: "trace", run: () => traceMethod(context) });
  return checks;
}

async function unknownPath(context: ProbeContext): Promise<Outcome> {
  const trial = await context.nowhere();
  const { answer } = trial;
  if (answer.status === 404) return held("an unknown path is 404", [trial]);
  if (isSuccess(answer)) {
    // A page for every path may be meant, and a plain description does not say otherwise.
    return context.target.source === "manifest"
      ? broken("an unknown path is answered like a known one", [trial])
      : inconclusive("every path is answered, so unknown ones cannot be told from known ones", [trial]);
  }
  return held(`an unknown path is refused (${outcome(answer)})`, [trial]);
}

/** Random ids: whatever an undeclared method does, it does to nothing. */
function somewhere(context: ProbeContext, operation: Operation): string {
  let path = operation.path;
  for (const name of pathParameters(operation.path)) {
    const kind = kindAt(context.objects.kinds, operation.path, name);
    const schema = operation.parameters.find((entry) => entry.in === "path" && entry.name === name)?.schema ?? {};
    const value =
      kind === undefined
        ? String(validValue(schema, { random: context.random }, name))
        : context.objects.missingId(kind);
    path = path.replace(`{${name}}`, encodeURIComponent(value));
  }
  return path;
}

async function undeclaredMethod(context: ProbeContext, operation: Operation): Promise<Outcome> {
  const declared = context.target.operations
    .filter((entry) => entry.path === operation.path)
    .map((entry) => entry.method);
  // DELETE and POST on a path nobody described could do harm; PUT and PATCH with an empty object do least.
  const method = ["PATCH", "PUT"].find((name) => !declared.includes(name));
  if (method === undefined) return notApplicable("Every method that is safe to try is declared.");
  const identity = context.identities[0];
  const outgoing: Outgoing = {
    method,
    target: somewhere(context, operation),
    headers: [...(identity === undefined ? [] : [identity.header]), ["content-type", "application/json"]],
    body: "{}",
    label: `${identity?.name ?? "nobody"}, undeclared method`,
  };
  const trial = await context.send("attack", outgoing);
  const { answer } = trial;
  if (isLimited(answer)) return inconclusive(limitedWhy(answer), [trial]);
  if (isSuccess(answer)) {
    const nowhere = await context.nowhere();
    if (sameSignature(answer, nowhere.answer)) return inconclusive("it answers everything alike", [nowhere, trial]);
    return broken(`${method} ${operation.path} is served and not declared`, [trial]);
  }
  return methodAnswer(context, trial, declared, `${method} ${operation.path}`);
}

/** RFC 9110 section 15.5.6: 405 with Allow. */
function methodAnswer(context: ProbeContext, trial: Trial, declared: readonly string[], what: string): Outcome {
  const { answer } = trial;
  if (answer.status >= 500 && answer.status !== 501)
    return broken(`${what} is an internal error (${answer.status})`, [trial]);
  if (answer.status !== 405) {
    if (context.target.source !== "manifest") return held(`${what} is refused (${outcome(answer)})`, [trial]);
    return broken(`${what} is not told 405 but ${answer.status}`, [trial]);
  }
  const allow = headerOf(answer, "allow");
  if (allow === undefined) return broken(`${what}: 405 without Allow`, [trial]);
  const named = allow
    .split(",")
    .map((name) => name.trim().toUpperCase())
    .filter((name) => name !== "");
  const extra = named.filter((name) => !declared.includes(name) && name !== "HEAD" && name !== "OPTIONS");
  const missing = declared.filter((name) => !named.includes(name));
  if (extra.length > 0) return broken(`Allow names methods nobody declared: ${extra.join(", ")}`, [trial]);
  if (missing.length > 0) return broken(`Allow leaves declared methods out: ${missing.join(", ")}`, [trial]);
  return held(`${what} is 405 with the declared methods in Allow`, [trial]);
}

async function afterSunset(context: ProbeContext, operation: Operation): Promise<Outcome> {
  const identity = context.permitted(operation) ?? context.identities[0];
  const outgoing: Outgoing = {
    method: operation.method,
    target: somewhere(context, operation),
    headers: [...operation.headers, ...(identity === undefined ? [] : [identity.header])],
    ...(identity === undefined ? {} : { as: identity }),
    operation,
    label: identity?.name ?? "nobody",
  };
  const trial = await context.send("attack", outgoing);
  if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), [trial]);
  if (trial.answer.status === 410) return held("it is gone since its sunset (410)", [trial]);
  if (isSuccess(trial.answer)) return broken(`${operation.id} is past its sunset and still served`, [trial]);
  return broken(`${operation.id} is past its sunset and ${outcome(trial.answer)} in place of 410`, [trial]);
}

async function announced(context: ProbeContext, operation: Operation): Promise<Outcome> {
  if (operation.method !== "GET") return notApplicable("It changes things; its headers are not looked at.");
  const trial = await context.baseline(operation);
  const { answer } = trial;
  if (!isSuccess(answer)) return notHonest(trial);
  if (headerOf(answer, "deprecation") === undefined)
    return broken("it is deprecated and does not say so (Deprecation)", [trial]);
  if (operation.sunsetAt !== undefined && headerOf(answer, "sunset") === undefined)
    return broken("it has a sunset and does not say so (Sunset)", [trial]);
  return held("it says that it is deprecated", [trial]);
}

/** The version header with values nobody declared; whatever it falls back to is another version than was asked for. */
async function otherHeaderVersions(context: ProbeContext, header: string): Promise<readonly NamedOutcome[]> {
  const witness = await context.witness();
  const { as: _as, operation: _operation, ...base } = witness.positive.outgoing;
  const found: NamedOutcome[] = [];
  for (const value of ["999", "0", "latest", "*", "beta"]) {
    const isDeclared = context.target.operations.some(({ headers }) =>
      headers.some(([name, declared]) => name === header && declared === value),
    );
    if (isDeclared || value === context.target.policy.version?.default) continue;
    const outgoing = withHeaders(base, [[header, value]], `${witness.identity.name}, undeclared version`);
    const result = await mustRefuse({
      positive: witness.positive,
      negatives: witness.negatives,
      canary: witness.canary,
      attack: () => context.send("attack", outgoing),
      broken: `an undeclared version is served (${header}: ${value})`,
      held: `${header}: ${value} is refused`,
    });
    found.push({ check: `version-${value === "*" ? "any" : value}`, ...result });
  }
  return found;
}

/** `/v1/me` as `/v0/me`, `/v2/me`, `/beta/me`, `/internal/me` and without a version. */
async function otherVersions(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const header = context.target.policy.version?.header;
  if (header !== undefined) return await otherHeaderVersions(context, header);
  const witness = await context.witness();
  const { as: _as, operation: _operation, ...base } = witness.positive.outgoing;
  const version = /^(.*?)\/v(\d+)(\/.*)$/.exec(base.target);
  if (version?.[3] === undefined) return [{ check: "other-versions", ...notApplicable("Its paths carry no version.") }];
  const [, before = "", number = "1", rest] = version;
  const others = [
    `v${Number(number) + 1}`,
    ...(Number(number) > 0 ? [`v${Number(number) - 1}`] : []),
    "beta",
    "internal",
    "",
  ];
  const found: NamedOutcome[] = [];
  for (const name of others) {
    const target = `${before}${name === "" ? "" : `/${name}`}${rest}`;
    const result = await mustRefuse({
      positive: witness.positive,
      negatives: witness.negatives,
      canary: witness.canary,
      attack: () => context.send("attack", { ...base, target, label: `${witness.identity.name}, undeclared version` }),
      broken: `an undeclared version is served: ${target.slice(0, target.length - rest.length)}/…`,
      held: `${name === "" ? "no version" : name} is refused`,
    });
    found.push({ check: `version-${name === "" ? "none" : name}`, ...result });
  }
  return found;
}

/** TRACE would send credentials back (ASVS 5.0 13.4.4). */
async function traceMethod(context: ProbeContext): Promise<Outcome> {
  const witness = await context.witness();
  const { as: _as, operation: _operation, ...base } = witness.positive.outgoing;
  const trial = await context.send("attack", { ...base, method: "TRACE", label: `${witness.identity.name}, TRACE` });
  if (isSuccess(trial.answer)) return broken("TRACE is served", [trial]);
  return held(`TRACE is refused (${outcome(trial.answer)})`, [trial]);
}
