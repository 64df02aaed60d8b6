import { isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { type HonestWrite, honestWrite } from "../honest-write.ts";
import { type JsonRecord, listAt, numberAt, textsAt } from "../json.ts";
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
import { bodyOf, withHeaders, withQuery } from "../requests.ts";
import { isClosed, propertiesOf, simplified, typeOf } from "../schema.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "../target.ts";

/**
 * Bodies, queries and paths that the schema forbids: unknown members, other types, too long, not in the list, missing,
 * in another media type, with a member twice, with prototype keys. Accepted or answered with an internal error is broken;
 * any other refusal holds.
 */
export const input: Probe = { id: "input", plan: planInput };

function planInput(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks: Check[] = [];
  for (const operation of context.target.operations) {
    if (isGone(operation, now)) continue;
    if (operation.body !== undefined)
      checks.push({ check: "body", operation, run: () => badBodies(context, operation) });
    if (
      isSafe(operation) &&
      operation.access.kind === "caller" &&
      tightLimit(operation, 14, context.patienceMs) === undefined
    ) {
      checks.push({ check: "query", operation, run: () => badQueries(context, operation) });
    }
  }
  return checks.length > 0 ? checks : [{ check: "input", notApplicable: "Nothing takes any input." }];
}

async function badBodies(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const schema = operation.body?.schema ?? {};
  const write = await honestWrite(context, operation, 14 + 4 * propertiesOf(schema).size);
  if (typeof write === "string") return [{ check: "body", ...notApplicable(write) }];
  const honest = bodyOf(write.outgoing);
  if (honest === undefined) return [{ check: "body", ...notApplicable("Its body is no JSON object.") }];
  const positive = await context.send("positive", write.outgoing);
  write.sent(positive);
  if (!isSuccess(positive.answer)) {
    return [{ check: "body", ...inconclusive(`a valid body ${outcome(positive.answer)}`, [positive]) }];
  }
  const found: NamedOutcome[] = [];
  for (const [check, outgoing, what] of badRequests(context, write.outgoing, honest, schema)) {
    found.push({
      check,
      ...(await mustNotBeTaken(
        context,
        positive,
        { ...outgoing, label: `${positive.outgoing.label}, ${what}` },
        what,
        write,
      )),
    });
  }
  return found;
}

type Bad = readonly [check: string, outgoing: Outgoing, what: string];

function badRequests(context: ProbeContext, honest: Outgoing, body: JsonRecord, schema: JsonRecord): readonly Bad[] {
  const text = JSON.stringify(body);
  const bad: Bad[] = [];
  const as = (value: unknown): Outgoing => ({ ...honest, body: JSON.stringify(value) });
  const raw = (value: string): Outgoing => ({ ...honest, body: value });
  const closed = isClosed(schema);
  const inside = text.slice(1, -1);
  if (closed) {
    bad.push(["unknown-field", as({ ...body, [`pc_${context.random.text(6)}`]: "x" }), "an unknown field"]);
    bad.push([
      "prototype-key",
      raw(`{"__proto__":{"isAdmin":true}${inside === "" ? "" : ","}${inside}}`),
      "a __proto__ key",
    ]);
    bad.push([
      "constructor-key",
      raw(`{"constructor":{"prototype":{"isAdmin":true}}${inside === "" ? "" : ","}${inside}}`),
      "a constructor key",
    ]);
  }
  const first = Object.keys(body)[0];
  if (first !== undefined && closed) {
    bad.push([
      "duplicate-key",
      raw(`{${JSON.stringify(first)}:${JSON.stringify(body[first])},${inside}}`),
      "a field twice",
    ]);
  }
  if (typeOf(schema) === "object") bad.push(["wrong-root", as([body]), "a list in place of an object"]);
  for (const name of textsAt(simplified(schema), "required")) {
    const { [name]: _left, ...rest } = body;
    bad.push([`missing-${name}`, as(rest), `no ${name}`]);
  }
  for (const [name, member] of propertiesOf(schema)) {
    if (body[name] !== undefined) bad.push(...badMembers(body, name, simplified(member), as));
  }
  bad.push(["text-plain", withHeaders(honest, [["content-type", "text/plain"]]), "JSON called text/plain"]);
  bad.push([
    "form",
    withHeaders(honest, [["content-type", "application/x-www-form-urlencoded"]]),
    "JSON called a form",
  ]);
  bad.push([
    "no-content-type",
    { ...honest, headers: honest.headers.filter(([name]) => name !== "content-type") },
    "no content type",
  ]);
  bad.push(["not-json", raw(text.slice(0, -1)), "JSON cut short"]);
  return bad;
}

function badMembers(
  body: JsonRecord,
  name: string,
  schema: JsonRecord,
  as: (value: unknown) => Outgoing,
): readonly Bad[] {
  const bad: Bad[] = [];
  const type = typeOf(schema);
  const value = body[name];
  const wrong: readonly unknown[] =
    type === "string"
      ? [[value], { $ne: null }, 7, true]
      : type === "array"
        ? ["x", {}]
        : type === "object"
          ? ["x"]
          : ["x", [value]];
  for (const [index, entry] of wrong.entries()) {
    if (type !== undefined)
      bad.push([`type-${name}-${index + 1}`, as({ ...body, [name]: entry }), `${name} as ${kindOf(entry)}`]);
  }
  const most = numberAt(schema, "maxLength");
  if (most !== undefined && typeof value === "string" && schema["enum"] === undefined) {
    bad.push([
      `length-${name}`,
      as({ ...body, [name]: lengthened(value, most + 1) }),
      `${name} over ${most} characters`,
    ]);
  }
  if (listAt(schema, "enum").length > 0)
    bad.push([`enum-${name}`, as({ ...body, [name]: "pc-not-in-the-list" }), `${name} not in the list`]);
  const high = numberAt(schema, "maximum");
  if (high !== undefined) bad.push([`range-${name}`, as({ ...body, [name]: high + 1 }), `${name} over ${high}`]);
  return bad;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null) return "null";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function lengthened(value: string, length: number): string {
  const at = value.indexOf("@");
  // A long local part keeps an address an address and a URL a URL: only the length is wrong.
  if (at > 0) return `${"a".repeat(Math.max(1, length - (value.length - at)))}${value.slice(at)}`;
  return value + "a".repeat(Math.max(0, length - value.length));
}

async function mustNotBeTaken(
  context: ProbeContext,
  positive: Trial,
  outgoing: Outgoing,
  what: string,
  write?: HonestWrite,
): Promise<Outcome> {
  const trials: Trial[] = [positive];
  for (let round = 1; round <= 2; round += 1) {
    const attack = await context.send("attack", outgoing);
    trials.push(attack);
    write?.sent(attack);
    if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), trials);
    const taken = isSuccess(attack.answer);
    if (!taken && attack.answer.status < 500) return held(`${what} is refused`, trials);
    if (round === 2)
      return broken(taken ? `${what} is accepted` : `${what} is an internal error (${attack.answer.status})`, trials);
  }
  return inconclusive("it was not decided", trials);
}

/** Unknown, malformed and out-of-range query values and path ids of a read. */
async function badQueries(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const positive = await context.baseline(operation);
  if (!isSuccess(positive.answer)) return [{ check: "query", ...notHonest(positive) }];
  const exact = context.target.source === "manifest";
  const bad: Bad[] = [];
  if (exact)
    bad.push([
      "unknown-query",
      withQuery(positive.outgoing, `pc_${context.random.text(5)}`, "1"),
      "an unknown query parameter",
    ]);
  for (const parameter of operation.parameters) {
    if (parameter.in !== "query") continue;
    const schema = simplified(parameter.schema);
    const type = typeOf(schema);
    const set = (value: string) => replaceQuery(positive.outgoing, parameter.name, value);
    if (type === "integer" || type === "number")
      bad.push([`type-${parameter.name}`, set("pc"), `${parameter.name} that is no number`]);
    const most = numberAt(schema, "maxLength");
    if (type === "string" && most !== undefined && most < 4000) {
      bad.push([`length-${parameter.name}`, set("a".repeat(most + 1)), `${parameter.name} over ${most} characters`]);
    }
  }
  const id = pathParameters(operation.path).at(-1);
  const idSchema = operation.parameters.find((entry) => entry.in === "path" && entry.name === id)?.schema;
  if (id !== undefined && idSchema?.["format"] === "uuid") {
    const target = positive.outgoing.target.replace(
      /[0-9a-f]{8}-[0-9a-f-]{27}(?![\s\S]*[0-9a-f]{8}-[0-9a-f-]{27})/i,
      "pc-no-uuid",
    );
    bad.push([`format-${id}`, { ...positive.outgoing, target }, `${id} that is no UUID`]);
  }
  const found: NamedOutcome[] = [];
  for (const [check, outgoing, what] of bad) {
    found.push({
      check,
      ...(await mustNotBeTaken(context, positive, { ...outgoing, label: `${positive.outgoing.label}, ${what}` }, what)),
    });
  }
  return found.length > 0 ? found : [{ check: "query", ...notApplicable("It takes neither query nor id.") }];
}

function replaceQuery(outgoing: Outgoing, name: string, value: string): Outgoing {
  const [path = "", query = ""] = outgoing.target.split("?");
  const parameters = new URLSearchParams(query);
  parameters.set(name, value);
  return { ...outgoing, target: `${path}?${parameters.toString()}` };
}
