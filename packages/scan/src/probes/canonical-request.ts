import { isSuccess, noAnswer } from "../answer.ts";
import { namesObject } from "../bodies.ts";
import type { ProbeContext, Witness } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { plainCreation } from "../honest-write.ts";
import { type Header, headerWith } from "../identities.ts";
import { outcome } from "../objects.ts";
import { isLimited } from "../oracle.ts";
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
  unlessKept,
} from "../probe.ts";
import { wireText } from "../raw.ts";
import { withHeaders, withQuery } from "../requests.ts";
import { typeOf } from "../schema.ts";
import { isGone, isSafe, type Parameter, tightLimit } from "../target.ts";
import { validValue } from "../values.ts";

/**
 * Requests that two parsers could read differently: spellings of the target, headers that must stand once, framing, a
 * query key twice, overridden methods, and bodies that are no clean UTF-8. Served means broken; 400, 404, 415 or a closed
 * connection hold.
 */
export const canonicalRequest: Probe = { id: "canonical-request", plan: planCanonicalRequest };

function planCanonicalRequest(context: ProbeContext): readonly Check[] {
  const checks: Check[] = [
    { check: "targets", run: () => oddTargets(context) },
    { check: "headers", run: () => doubledHeaders(context) },
    { check: "framing", run: () => oddFraming(context) },
    { check: "query", run: () => doubledQuery(context) },
    { check: "method-override", run: () => overriddenMethod(context) },
  ];
  const creation = plainCreation(context);
  if (creation !== undefined) checks.push({ check: "bytes", operation: creation.create, run: () => oddBytes(context) });
  return checks;
}

/** The witness' request, paced as if nobody had sent it: whatever is refused here is refused before proof. */
function unproved(witness: Witness): Outgoing {
  const { as: _as, operation: _operation, ...rest } = witness.positive.outgoing;
  return rest;
}

function refused(witness: Witness, attack: () => Promise<Trial>, what: string): Promise<Outcome> {
  return mustRefuse({
    positive: witness.positive,
    negatives: witness.negatives,
    canary: witness.canary,
    attack,
    broken: `served like a clean request: ${what}`,
    held: `${what} is refused`,
    what,
  });
}

async function oddTargets(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await context.witness();
  const base = unproved(witness);
  const path = base.target.split("?")[0] ?? base.target;
  const segments = path.split("/");
  const head = segments.slice(0, 2).join("/");
  const tail = segments.slice(2).join("/");
  const last = segments.at(-1) ?? "";
  const targets: readonly (readonly [check: string, target: string, what: string])[] = [
    ["absolute-form", `http://evil.example${path}`, "an absolute target naming another host"],
    ["double-slash-first", `/${path}`, "a target with a double slash at the start"],
    ["double-slash", `${head}//${tail}`, "a target with a double slash"],
    ["trailing-slash", `${path}/`, "a target with a slash at the end"],
    ["dot-segment", `${head}/./${tail}`, "a target with a dot segment"],
    ["dot-dot-segment", `${head}/pc/../${tail}`, "a target with a dot-dot segment"],
    ["encoded-dots", `${head}/pc/%2e%2e/${tail}`, "a target with encoded dots"],
    ["encoded-slash", `${head}%2f${tail}`, "a target with an encoded slash"],
    [
      "double-encoded",
      `${head}/${encodeAll(last === tail ? tail : tail.replace(last, ""))}${last === tail ? "" : encodeAll(last)}`,
      "a target with letters encoded that need no encoding",
    ],
    ["backslash", `${head}\\${tail}`, "a target with a backslash"],
    ["matrix", `${path};a=b`, "a target with matrix parameters"],
    ["upper-case", path.toUpperCase(), "a target in capitals"],
    ["nul", `${path}%00`, "a target with an encoded NUL"],
    ["broken-escape", `${path}%zz`, "a target with a broken escape"],
    ["overlong-utf8", `${head}/pc%c0%ae%c0%ae/${tail}`, "a target with overlong UTF-8"],
    ["fragment", `${path}#pc`, "a target with a fragment"],
  ];
  const found: NamedOutcome[] = [];
  for (const [check, target, what] of targets) {
    if (target === path) continue;
    const outgoing = { ...base, target, label: `${witness.identity.name}, ${check}` };
    const result = await refused(witness, () => context.send("attack", outgoing), what);
    found.push({ check, ...unlessKept(context.target, "raw target", result) });
  }
  return found;
}

function encodeAll(text: string): string {
  return text.replace(/[a-z0-9]/gi, (unit) => `%${unit.charCodeAt(0).toString(16)}`);
}

/** Headers that must stand once, twice; the honest value first and last. */
async function doubledHeaders(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await context.witness();
  const base = unproved(witness);
  const credential = witness.identity.header;
  const other = headerWith(witness.identity, "pc-other-credential-000000");
  const rest = base.headers.filter(([name]) => name !== credential[0]);
  const cases: readonly (readonly [string, readonly Header[], string])[] = [
    ["two-credentials", [...rest, credential, other], "two credentials in one request"],
    ["two-credentials-reversed", [...rest, other, credential], "two credentials in one request, the wrong one first"],
    ["two-hosts", [...base.headers, ["host", "evil.example"]], "two Host headers"],
    [
      "two-lengths",
      [...base.headers, ["content-length", "0"], ["content-length", "5"]],
      "two different Content-Length headers",
    ],
    [
      "odd-transfer-encoding",
      [...base.headers, ["transfer-encoding", "chunked, identity"]],
      "a strange Transfer-Encoding",
    ],
  ];
  const found: NamedOutcome[] = [];
  for (const [check, headers, what] of cases) {
    const attack = () => sendRaw(context, { ...base, headers, label: `${witness.identity.name}, ${check}` });
    const result = await refused(witness, attack, what);
    found.push({ check, ...unlessKept(context.target, "duplicate headers", result) });
  }
  return found;
}

/** Sends through a connection of its own, so that nothing repairs what is broken on purpose. */
async function sendRaw(
  context: ProbeContext,
  outgoing: Outgoing,
  change: (lines: string[]) => void = () => {},
  body = "",
): Promise<Trial> {
  const lines = [
    `Host: ${outgoing.host ?? context.fetcher.url.host}`,
    "Accept: application/json",
    ...outgoing.headers.map(([name, value]) => `${name}: ${value}`),
  ];
  change(lines);
  const conversation = await context.fetcher.raw({
    parts: [wireText(`${outgoing.method} ${outgoing.target} HTTP/1.1`, lines, body)],
  });
  const answer = conversation.answers[0] ?? noAnswer(conversation.failure ?? "the connection was closed", 0);
  return { leg: "attack", outgoing, answer };
}

async function oddFraming(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await context.witness();
  const base = unproved(witness);
  const cases: readonly (readonly [string, (lines: string[]) => void, string, string])[] = [
    [
      "length-and-chunked",
      (lines) => lines.push("Content-Length: 5", "Transfer-Encoding: chunked"),
      "0\r\n\r\n",
      "Content-Length together with Transfer-Encoding",
    ],
    ["space-before-colon", (lines) => lines.push("X-Pc : 1"), "", "a space before a header's colon"],
    ["folded-header", (lines) => lines.push("X-Pc: 1\r\n folded: 2"), "", "a header folded over two lines"],
    ["bare-line-feed", (lines) => lines.push("X-Pc: 1\nX-Pd: 2"), "", "a header ended by a bare line feed"],
    ["nul-in-header", (lines) => lines.push("X-Pc: a\0b"), "", "a NUL in a header"],
    ["length-with-sign", (lines) => lines.push("Content-Length: +0"), "", "a Content-Length with a sign"],
  ];
  const found: NamedOutcome[] = [];
  for (const [check, change, body, what] of cases) {
    const attack = () => sendRaw(context, { ...base, label: `${witness.identity.name}, ${check}` }, change, body);
    found.push({ check, ...(await refused(witness, attack, what)) });
  }
  return found;
}

/** One query key twice, or as a list: which one counts is a guess. */
async function doubledQuery(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const key = queryKey(context);
  if (key === undefined)
    return [{ check: "query", ...notApplicable("No read takes a query parameter whose value is known.") }];
  const { operation, name, values } = key;
  const honest = (await context.baseline(operation)).outgoing;
  const isThere = new URLSearchParams(honest.target.split("?")[1]).has(name);
  const once = isThere ? honest : withQuery(honest, name, values[0]);
  const positive = await context.send("positive", once);
  const unknown = await context.send("negative", withQuery(honest, `pc_${context.random.text(6)}`, "1"));
  const nowhere = await context.nowhere();
  const cases: readonly (readonly [string, Outgoing, string])[] = [
    ["query-twice", withQuery(once, name, values[1]), "a query key twice"],
    ["query-list", withQuery(honest, `${name}[]`, values[0]), "a query key as a list"],
    ["query-object", withQuery(honest, `${name}[$gt]`, values[0]), "a query key as an object"],
  ];
  const found: NamedOutcome[] = [];
  for (const [check, outgoing, what] of cases) {
    const result = await mustRefuse({
      positive,
      negatives: [nowhere],
      attack: () => context.send("attack", { ...outgoing, label: `${outgoing.label}, ${check}` }),
      broken: `${what} is served on ${operation.id}`,
      held: `${what} is refused`,
    });
    const isServed = result.verdict === "broken" && result.trials.every(({ answer }) => answer.status < 500);
    // Whoever passes over every key he does not know has not read this one as a list either.
    const isPassedOver = check !== "query-twice" && isServed && isSuccess(unknown.answer);
    found.push({
      check,
      ...(isPassedOver ? notApplicable("It passes over every query key it does not know.") : result),
    });
  }
  return found;
}

/** A query parameter of a protected read and two values it takes; a page's size before anything else. */
function queryKey(context: ProbeContext) {
  const now = context.now();
  const found = context.target.operations
    .filter(
      (operation) =>
        isSafe(operation) &&
        operation.access.kind === "caller" &&
        !isGone(operation, now) &&
        tightLimit(operation, 8, context.patienceMs) === undefined,
    )
    .flatMap((operation) => operation.parameters.map((parameter) => ({ operation, parameter })))
    .filter(({ parameter }) => parameter.in === "query" && !namesObject(parameter.name));
  const size = found.find(({ parameter }) => parameter.name === "limit") ?? found.find(isSize);
  if (size !== undefined) return { operation: size.operation, name: size.parameter.name, values: ["2", "3"] as const };
  const other = found.find(({ parameter }) => /^(?:string|integer|boolean)$/.test(typeOf(parameter.schema) ?? ""));
  if (other === undefined || /cursor|token|after|before/i.test(other.parameter.name)) return undefined;
  const { name, schema } = other.parameter;
  const value = () => String(validValue(schema, { random: context.random }, name));
  return { operation: other.operation, name, values: [value(), value()] as const };
}

function isSize({ parameter }: { readonly parameter: Parameter }): boolean {
  return /^(?:per_?page|page_?size|size|count|take|first)$/i.test(parameter.name);
}

/** A GET that says it is a DELETE, on an object made for it: its owner must still find it. */
async function overriddenMethod(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const kind = context.objects.kinds.find((entry) => entry.read !== undefined && entry.remove !== undefined);
  const owner = kind?.read === undefined ? undefined : context.permitted(kind.read);
  if (kind?.read === undefined || owner === undefined)
    return [{ check: "method-override", ...notApplicable("No object can be read and deleted.") }];
  const headers: readonly Header[] = [
    ["x-http-method-override", "DELETE"],
    ["x-method-override", "DELETE"],
    ["x-http-method", "DELETE"],
  ];
  const found: NamedOutcome[] = [];
  for (const method of ["GET", "POST"]) {
    const thing = await context.objects.fresh(kind, owner);
    const before = await context.objects.reread(thing);
    const outgoing = withHeaders(
      { ...before.trial.outgoing, method },
      headers,
      `${owner.name}, ${method} that says DELETE`,
    );
    const attack = await context.send("attack", withQuery(outgoing, "_method", "DELETE"));
    const plain = await context.send("attack", outgoing);
    const after = await context.objects.reread(thing);
    const trials = [before.trial, attack, plain, after.trial];
    const what = `a ${method} that says it is a DELETE`;
    found.push({
      check: `override-${method.toLowerCase()}`,
      ...(before.exists
        ? after.exists
          ? held(`${what} deletes nothing`, trials)
          : broken(`${what} deletes`, trials)
        : inconclusive("the object was not there", trials)),
    });
  }
  return found;
}

/** Bodies that are not clean UTF-8, or in a charset JSON does not have (RFC 8259 section 8.1). */
async function oddBytes(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const kind = plainCreation(context);
  const owner = kind === undefined ? undefined : context.permitted(kind.create);
  if (kind === undefined || owner === undefined)
    return [{ check: "bytes", ...notApplicable("Nothing is created here.") }];
  const mark = context.objects.canary();
  const honest = context.objects.creation(kind, owner, undefined, mark);
  const text = typeof honest.body === "string" ? honest.body : "{}";
  const at = text.indexOf(mark);
  const bytes = Buffer.from(text);
  const broken8 =
    at < 0 ? undefined : Buffer.concat([bytes.subarray(0, at), Buffer.from([0xc3, 0x28]), bytes.subarray(at)]);
  const cases: readonly (readonly [string, Outgoing | undefined, string])[] = [
    ["broken-utf8", broken8 === undefined ? undefined : { ...honest, body: broken8 }, "a body that is no UTF-8"],
    [
      "byte-order-mark",
      { ...honest, body: Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]) },
      "a body with a byte order mark",
    ],
    [
      "utf-16",
      withHeaders({ ...honest, body: Buffer.from(text, "utf16le") }, [
        ["content-type", "application/json; charset=utf-16le"],
      ]),
      "a body in UTF-16",
    ],
    [
      "media-type-tab",
      withHeaders(honest, [["content-type", "application/json\t; a"]]),
      "a media type that cannot be parsed",
    ],
  ];
  const found: NamedOutcome[] = [];
  for (const [check, outgoing, what] of cases) {
    if (outgoing === undefined) continue;
    const trials: Trial[] = [];
    let taken = 0;
    for (let round = 0; round < 2; round += 1) {
      const trial = await context.send("attack", { ...outgoing, label: `${owner.name}, ${check}` });
      trials.push(trial);
      context.objects.adopt(kind, owner, trial, {}, mark);
      if (isSuccess(trial.answer)) taken += 1;
      else break;
    }
    const last = trials.at(-1);
    found.push({ check, ...bytesOutcome(taken, last, trials, what) });
  }
  return found;
}

function bytesOutcome(taken: number, last: Trial | undefined, trials: readonly Trial[], what: string): Outcome {
  if (taken === 2) return broken(`${what} is accepted`, trials);
  if (last === undefined || taken === 1) return inconclusive("it was accepted once and not again", trials);
  if (isLimited(last.answer)) return inconclusive(limitedWhy(last.answer), trials);
  if (last.answer.status >= 500) return broken(`${what} is an internal error (${outcome(last.answer)})`, trials);
  return held(`${what} is refused`, trials);
}
