import { headerOf, isSuccess } from "../answer.ts";
import type { ProbeContext, Witness } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { type Kind, kindAt } from "../kinds.ts";
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
import { withCredential, withHeaders } from "../requests.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "../target.ts";
import { undeclaredWrites } from "../undeclared-writes.ts";
import { validValue } from "../values.ts";

/**
 * Undeclared methods on declared paths, judged by what they change where the scan can make an object, unknown paths, what is past its sunset or deprecated, and older or newer versions
 * of declared paths that nobody declared.
 */
export const versioning: Probe = { id: "versioning", plan: planVersioning };

function planVersioning(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks: Check[] = [{ check: "unknown-path", run: () => unknownPath(context) }];
  const seen = new Set<string>();
  // What clients sent, or what was found, is no inventory: whatever else is served may well be meant to be.
  const isDeclared = context.target.source === "manifest" || context.target.source === "openapi";
  for (const operation of context.target.operations) {
    if (isGone(operation, now)) {
      checks.push({ check: "sunset", operation, run: () => afterSunset(context, operation) });
      continue;
    }
    if (operation.deprecated) checks.push({ check: "deprecated", operation, run: () => announced(context, operation) });
    if (seen.has(operation.path) || !isDeclared) continue;
    seen.add(operation.path);
    const kind = context.objects.kinds.find((entry) => entry.item === operation.path);
    // Where the scan can make one of it, writes are tried for what they do; elsewhere only what can do no harm.
    if (kind?.create !== undefined && kind.read !== undefined && isAmple(context, kind)) {
      const answer = (trial: Trial, methods: readonly string[], what: string) =>
        methodAnswer(context, trial, methods, what);
      const declared = methodsAt(context, operation);
      checks.push({
        check: "undeclared-method",
        operation,
        run: () => undeclaredWrites(context, kind, declared, answer),
      });
      continue;
    }
    checks.push({ check: "undeclared-method", operation, run: () => undeclaredMethod(context, operation) });
  }
  if (isDeclared) checks.push({ check: "other-versions", run: () => otherVersions(context) });
  else
    checks.push({
      check: "undeclared",
      notApplicable: "methods and versions nobody declared, since nothing describes the API (--openapi)",
      untried: true,
    });
  checks.push({ check: "trace", run: () => traceMethod(context) });
  return checks;
}

/** True where its own limits leave room for a handful of objects. */
function isAmple(context: ProbeContext, { create, read }: Kind): boolean {
  return [create, read].every(
    (entry) => entry === undefined || tightLimit(entry, 10, context.patienceMs) === undefined,
  );
}

/** Of the path, those the scan leaves alone among them. */
function methodsAt({ target }: ProbeContext, { path }: Operation): readonly string[] {
  const written = path.replace(/\{([^{}]+)\}/g, ":$1");
  const untouched = target.untouched.flatMap(({ operation }) => {
    const [method = "", where] = operation.split(" ");
    return where === written ? [method] : [];
  });
  return [...target.operations.filter((entry) => entry.path === path).map(({ method }) => method), ...untouched];
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
  const declared = methodsAt(context, operation);
  // DELETE and POST on a path nobody described could do harm; PATCH with an empty object does least, and PUT with one
  // is sent to ids nobody has, or by nobody.
  const method = ["PATCH", "PUT"].find((name) => !declared.includes(name));
  if (method === undefined) return notApplicable("Every method that is safe to try is declared.");
  const isHarmless = method === "PATCH" || pathParameters(operation.path).length > 0;
  const identity = isHarmless ? context.identities[0] : undefined;
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
    // A method of WebDAV, which no API serves: some refuse with 200 and an error text.
    const strange = await context.send("negative", { ...outgoing, method: "PROPPATCH", label: "a strange method" });
    const alike = [nowhere, strange].find((negative) => sameSignature(answer, negative.answer));
    if (alike !== undefined) return inconclusive("it answers everything alike", [alike, trial]);
    return broken(`${method} ${operation.path} is served and not declared`, [strange, trial]);
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
  const exact = context.target.source === "manifest";
  if (allow === undefined)
    return exact ? broken(`${what}: 405 without Allow`, [trial]) : held(`${what} is refused (405)`, [trial]);
  const named = allow
    .split(",")
    .map((name) => name.trim().toUpperCase())
    .filter((name) => name !== "");
  const extra = named.filter((name) => !declared.includes(name) && name !== "HEAD" && name !== "OPTIONS");
  const missing = declared.filter((name) => !named.includes(name));
  if (extra.length > 0) return broken(`Allow names methods nobody declared: ${extra.join(", ")}`, [trial]);
  if (missing.length > 0 && exact) return broken(`Allow leaves declared methods out: ${missing.join(", ")}`, [trial]);
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
  if (isSuccess(trial.answer)) {
    const again = await context.send("attack", outgoing);
    return isSuccess(again.answer)
      ? broken(`${operation.id} is past its sunset and still served`, [trial, again])
      : inconclusive("it was served once and not again", [trial, again]);
  }
  if (context.target.source !== "manifest") return held(`it is refused (${outcome(trial.answer)})`, [trial]);
  return broken(`${operation.id} is past its sunset and ${outcome(trial.answer)} in place of 410`, [trial]);
}

async function announced(context: ProbeContext, operation: Operation): Promise<Outcome> {
  if (operation.method !== "GET") return notApplicable("It changes things; its headers are not looked at.");
  const trial = await context.baseline(operation);
  const { answer } = trial;
  if (!isSuccess(answer)) return notHonest(trial);
  const ended = Date.parse(headerOf(answer, "sunset") ?? "");
  if (ended < context.now())
    return broken(`its own Sunset was ${new Date(ended).toISOString().slice(0, 10)}, and it is still served`, [trial]);
  if (context.target.source !== "manifest")
    return held("it is deprecated, and its Sunset, if it has one, is still to come", [trial]);
  if (headerOf(answer, "deprecation") === undefined)
    return broken("it is deprecated and does not say so (Deprecation)", [trial]);
  if (operation.sunsetAt !== undefined && headerOf(answer, "sunset") === undefined)
    return broken("it has a sunset and does not say so (Sunset)", [trial]);
  return held("it says that it is deprecated", [trial]);
}

/** The version header with values nobody declared; whatever it falls back to is another version than was asked for. */
async function otherHeaderVersions(context: ProbeContext, header: string): Promise<readonly NamedOutcome[]> {
  const witness = await versionedRead(context, ({ headers }) => headers.some(([name]) => name === header));
  if (witness === undefined) {
    return [{ check: "other-versions", ...notApplicable(`No read that it could try is chosen by ${header}.`) }];
  }
  const { as, operation: _operation, ...base } = witness.positive.outgoing;
  const found: NamedOutcome[] = [];
  for (const value of ["999", "0", "latest", "*", "beta"]) {
    const isDeclared = context.target.operations.some(({ headers }) =>
      headers.some(([name, declared]) => name === header && declared === value),
    );
    if (isDeclared || value === context.target.policy.version?.default) continue;
    const outgoing = withHeaders(base, [[header, value]], `${as?.name ?? "nobody"}, undeclared version`);
    const result = await mustRefuse({
      ...witness,
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
  const witness = await versionedRead(context, ({ path }) => inVersion.test(path));
  if (witness === undefined) return [{ check: "other-versions", ...notApplicable("Its paths carry no version.") }];
  const { as, operation, ...base } = witness.positive.outgoing;
  const [, before = "", number = "1", rest = ""] = inVersion.exec(base.target) ?? [];
  const numbers = Array.from({ length: 6 }, (_, back) => Number(number) + 1 - back).filter((one) => one >= 0);
  const others = [...numbers.map((one) => `v${one}`), "beta", "internal", ""].filter(
    (name) => name !== `v${number}` && !isDeclaredVersion(context, operation?.path ?? base.target, before, name),
  );
  const found: NamedOutcome[] = [];
  for (const name of others) {
    const target = `${before}${name === "" ? "" : `/${name}`}${rest}`;
    const result = await mustRefuse({
      ...witness,
      attack: () => context.send("attack", { ...base, target, label: `${as?.name ?? "nobody"}, undeclared version` }),
      broken: `an undeclared version is served: ${target.slice(0, target.length - rest.length)}/…`,
      held: `${name === "" ? "no version" : name} is refused`,
    });
    found.push({ check: `version-${name === "" ? "none" : name}`, ...result });
  }
  return found;
}

const inVersion = /^(.*?)\/v(\d+)(\/.*)$/;

/** A read that says its version, and whose good and bad answers are known. */
async function versionedRead(
  context: ProbeContext,
  isVersioned: (operation: Operation) => boolean,
): Promise<Pick<Witness, "positive" | "negatives" | "canary"> | undefined> {
  const witness = await context.witness();
  const { operation: usual } = witness.positive.outgoing;
  if (usual !== undefined && isVersioned(usual)) return witness;
  const now = context.now();
  const read = context.target.operations.find(
    (operation) =>
      isSafe(operation) &&
      operation.access.kind === "caller" &&
      isVersioned(operation) &&
      pathParameters(operation.path).length === 0 &&
      !isGone(operation, now),
  );
  if (read === undefined) return undefined;
  const positive = await context.baseline(read);
  const stranger = await context.send("negative", withCredential(positive.outgoing, undefined, "nobody"));
  return { positive, negatives: [stranger, await context.nowhere()], canary: undefined };
}

/** True where the same path in that version is declared, or others below it are: then it is no shadow of another. */
function isDeclaredVersion({ target }: ProbeContext, path: string, before: string, name: string): boolean {
  const same = path.replace(inVersion, `$1${name === "" ? "" : `/${name}`}$3`);
  return target.operations.some(
    (operation) =>
      operation.sunsetAt === undefined &&
      (operation.path === same || (name !== "" && operation.path.startsWith(`${before}/${name}/`))),
  );
}

/** TRACE would send credentials back (ASVS 5.0 13.4.4). */
async function traceMethod(context: ProbeContext): Promise<Outcome> {
  const witness = await context.witness();
  const { as: _as, operation: _operation, ...base } = witness.positive.outgoing;
  const mark = context.objects.canary();
  const outgoing = { ...base, method: "TRACE", label: `${witness.identity.name}, TRACE` };
  const marked = withHeaders(outgoing, [["x-pc-trace", mark]]);
  const trial = await context.send("attack", marked);
  if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), [trial]);
  if (isSuccess(trial.answer)) {
    if (!trial.answer.text.includes(mark))
      return held("TRACE is answered, and nothing of the request comes back", [trial]);
    const again = await context.send("attack", marked);
    return again.answer.text.includes(mark)
      ? broken("TRACE is served: the request comes back with its credential", [trial, again])
      : inconclusive("TRACE was served once and not again", [trial, again]);
  }
  return held(`TRACE is refused (${outcome(trial.answer)})`, [trial]);
}
