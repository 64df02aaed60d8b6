import { type Answer, headerOf, headersOf, isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { outcome } from "../objects.ts";
import { isLimited } from "../oracle.ts";
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
  notHonest,
} from "../probe.ts";
import { withHeaders } from "../requests.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "../target.ts";

/**
 * Foreign origins in every disguise on each class of route, with the caller's credential, and in preflights. No
 * CORS header at all is the safe state, never a finding.
 */
export const cors: Probe = { id: "cors", plan: planCors };

function planCors(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const live = context.target.operations.filter(
    (operation) => !isGone(operation, now) && tightLimit(operation, 20, context.patienceMs) === undefined,
  );
  const reads = live.filter((operation) => isSafe(operation) && operation.access.kind !== "public");
  const item = reads.find((operation) => pathParameters(operation.path).length > 0);
  const plain = reads.find((operation) => pathParameters(operation.path).length === 0);
  const open = live.find((operation) => isSafe(operation) && operation.access.kind === "public");
  const write = live.find(
    (operation) =>
      !isSafe(operation) && operation.access.kind !== "public" && pathParameters(operation.path).length === 0,
  );
  const checks: Check[] = [];
  for (const operation of [plain, item, open]) {
    if (operation !== undefined)
      checks.push({ check: "origins", operation, run: () => foreignOrigins(context, operation) });
  }
  if (write !== undefined) checks.push({ check: "preflight", operation: write, run: () => preflights(context, write) });
  return checks.length > 0 ? checks : [{ check: "origins", notApplicable: "There is nothing a browser could read." }];
}

/** Origins that are not allowed and look as if they were. */
function disguises(context: ProbeContext): readonly (readonly [check: string, origin: string])[] {
  const allowed = context.target.policy.origins?.[0];
  const base = allowed ?? context.fetcher.url.origin;
  const { protocol, host, hostname } = new URL(base);
  const known = context.target.policy.origins ?? [];
  const list: readonly (readonly [string, string])[] = [
    ["foreign", `https://pc-${context.random.text(6)}.example`],
    ["null", "null"],
    ["suffix", `${protocol}//${hostname}.evil.example`],
    ["prefix", `${protocol}//evil${host}`],
    ["subdomain", `${protocol}//evil.${host}`],
    ["downgrade", `${protocol === "https:" ? "http:" : "https:"}//${host}`],
    ["other-port", `${protocol}//${hostname}:4443`],
    ["dot-replaced", `${protocol}//${hostname.replace(".", "x")}.example`],
    ["userinfo", `${protocol}//${host}@evil.example`],
    ["underscore", `${protocol}//${hostname}_.evil.example`],
  ];
  return list.filter(([, origin]) => !known.includes(origin));
}

async function foreignOrigins(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const honest = await context.baseline(operation);
  if (!isSuccess(honest.answer)) return [{ check: "origins", ...notHonest(honest) }];
  const found: NamedOutcome[] = [];
  const isPublic = operation.access.kind === "public";
  for (const [check, origin] of disguises(context)) {
    found.push({ check: `origin-${check}`, ...(await foreignOrigin(context, honest, origin, isPublic)) });
  }
  found.push({ check: "vary", ...(await vary(context, honest)) });
  return found;
}

async function foreignOrigin(
  context: ProbeContext,
  honest: Trial,
  origin: string,
  isPublic: boolean,
): Promise<Outcome> {
  const attempt = () =>
    context.send(
      "attack",
      withHeaders(honest.outgoing, [["origin", origin]], `${honest.outgoing.label}, from ${origin}`),
    );
  const first = await attempt();
  if (isLimited(first.answer)) return inconclusive(limitedWhy(first.answer), [honest, first]);
  const why = readable(first.answer, origin, isPublic, context.target.policy.origins !== undefined);
  if (why === undefined) return held(`the origin ${origin} may not read the answer`, [honest, first]);
  const second = await attempt();
  if (readable(second.answer, origin, isPublic, context.target.policy.origins !== undefined) === undefined) {
    return inconclusive("it was allowed once and not again", [honest, first, second]);
  }
  return broken(why, [honest, first, second]);
}

/** Why a browser would let the origin read the answer; undefined where it would not, or where it does no harm. */
function readable(answer: Answer, origin: string, isPublic: boolean, exact: boolean): string | undefined {
  const allowed = headerOf(answer, "access-control-allow-origin");
  const credentials = headerOf(answer, "access-control-allow-credentials") === "true";
  if (allowed === origin)
    return `answers may be read by the origin ${origin}${credentials ? ", with the user's cookies" : ""}`;
  if (allowed !== "*") return undefined;
  if (credentials) return "every origin is allowed together with credentials";
  return !isPublic && exact ? "every origin (*) may read answers that need a caller" : undefined;
}

/** Where the answer depends on the origin, a cache must know. */
async function vary(context: ProbeContext, honest: Trial): Promise<Outcome> {
  const allowed = context.target.policy.origins?.[0];
  const origin = allowed ?? "https://pc.example";
  const trial = await context.send(
    "positive",
    withHeaders(honest.outgoing, [["origin", origin]], `${honest.outgoing.label}, from ${origin}`),
  );
  const echo = headerOf(trial.answer, "access-control-allow-origin");
  const names = headersOf(trial.answer, "vary").join(",").toLowerCase();
  const varies = names.split(",").some((name) => name.trim() === "origin" || name.trim() === "*");
  if (allowed !== undefined && echo !== allowed)
    return broken(`the origin ${allowed} is configured and still may not read the answer`, [honest, trial]);
  if (echo === undefined || echo === "*") return notApplicable("No answer depends on the origin.");
  return varies
    ? held("answers that depend on the origin say Vary: Origin", [trial])
    : broken("an answer depends on the origin and does not say Vary: Origin", [trial]);
}

async function preflights(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const ask = (origin: string, label: string): Outgoing => ({
    method: "OPTIONS",
    target: operation.path,
    headers: [
      ["origin", origin],
      ["access-control-request-method", operation.method],
      ["access-control-request-headers", "authorization,content-type"],
    ],
    label,
  });
  const found: NamedOutcome[] = [];
  const exact = context.target.policy.origins !== undefined;
  for (const [check, origin] of disguises(context).slice(0, 4)) {
    const trial = await context.send("attack", ask(origin, `preflight from ${origin}`));
    const why = isLimited(trial.answer) ? undefined : readable(trial.answer, origin, false, exact);
    found.push({
      check: `preflight-${check}`,
      ...(why === undefined
        ? held(`a preflight from ${origin} is not granted`, [trial])
        : broken(`a preflight is granted: ${why}`, [trial])),
    });
  }
  const allowed = context.target.policy.origins?.[0];
  if (allowed !== undefined)
    found.push({
      check: "preflight-methods",
      ...(await allowedPreflight(context, operation, ask(allowed, `preflight from ${allowed}`))),
    });
  return found;
}

/** A preflight from a configured origin is granted for the route's own methods and no others. */
async function allowedPreflight(context: ProbeContext, operation: Operation, outgoing: Outgoing): Promise<Outcome> {
  const trial = await context.send("positive", outgoing);
  const { answer } = trial;
  if (headerOf(answer, "access-control-allow-origin") === undefined) {
    return broken(`a preflight from the configured origin is not granted (${outcome(answer)})`, [trial]);
  }
  const declared = context.target.operations
    .filter((entry) => entry.path === operation.path)
    .map((entry) => entry.method);
  const granted = (headerOf(answer, "access-control-allow-methods") ?? "")
    .split(",")
    .map((name) => name.trim().toUpperCase())
    .filter((name) => name !== "");
  const extra = granted.filter((name) => !declared.includes(name) && name !== "HEAD" && name !== "OPTIONS");
  if (extra.length > 0)
    return broken(`a preflight grants methods the route does not have: ${extra.join(", ")}`, [trial]);
  return held("a preflight grants the route's own methods only", [trial]);
}
