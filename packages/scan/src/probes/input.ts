import { isSuccess } from "../answer.ts";
import { type ProbeContext, requiredQuery } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { badForms } from "../bad-forms.ts";
import { badValues } from "../bad-values.ts";
import { honestWrite } from "../honest-write.ts";
import { type JsonRecord, listAt, numberAt, textAt } from "../json.ts";
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
import { bodyOf, isForm, withHeaders, withQuery } from "../requests.ts";
import { isClosed, propertiesOf, simplified, typeOf } from "../schema.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "../target.ts";

/**
 * Bodies, queries and paths that the schema forbids: unknown members, other types, too long, not in the list, missing,
 * in another media type, with a member twice, with prototype keys. Accepted or answered with an internal error is broken;
 * any other refusal holds. One verdict for each kind of mistake, whichever member lets it in.
 */
export const input: Probe = { id: "input", plan: planInput };

/** Most mistakes of one kind that are tried, members by turns. */
const mostOfAKind = 8;

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
    if (operation.body !== undefined && operation.parameters.some((parameter) => parameter.in === "query"))
      checks.push({ check: "query", operation, run: () => badWriteQueries(context, operation) });
  }
  return checks.length > 0 ? checks : [{ check: "input", notApplicable: "Nothing takes any input." }];
}

/** Mistakes of one kind, each a request. */
interface Bad {
  readonly check: string;
  readonly what: string;
  readonly outgoing: Outgoing;
}

async function badBodies(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const schema = operation.body?.schema ?? {};
  const write = await honestWrite(context, operation, 14 + 4 * propertiesOf(schema).size);
  if (typeof write === "string") return [{ check: "body", ...notApplicable(write) }];
  const honest = bodyOf(write.outgoing);
  const isOfForm = isForm(write.outgoing);
  if (honest === undefined && !isOfForm) return [{ check: "body", ...notApplicable("Its body is no JSON object.") }];
  const positive = await context.send("positive", write.outgoing);
  write.sent(positive);
  if (!isSuccess(positive.answer)) {
    return [{ check: "body", ...inconclusive(`a valid body ${outcome(positive.answer)}`, [positive]) }];
  }
  // A member that stands in every recorded body may be optional all the same.
  const isSaid = ({ check }: Bad) => check !== "missing" || context.target.source !== "requests";
  const bad =
    honest === undefined || isOfForm
      ? badForms(write.outgoing, schema, `pc_${context.random.text(6)}`).filter(isSaid)
      : [
          ...badTexts(context, write.outgoing, honest, schema),
          ...badMembers(write.outgoing, honest, schema).filter(isSaid),
        ];
  return await kindByKind(context, positive, bad, (trial) => write.sent(trial));
}

/** What is wrong with the body as a whole. */
function badTexts(context: ProbeContext, honest: Outgoing, body: JsonRecord, schema: JsonRecord): readonly Bad[] {
  const text = JSON.stringify(body);
  const inside = text.slice(1, -1);
  const raw = (value: string): Outgoing => ({ ...honest, body: value });
  const bad: Bad[] = [];
  const add = (check: string, what: string, outgoing: Outgoing) => void bad.push({ check, what, outgoing });
  if (isClosed(schema)) {
    const behind = inside === "" ? "" : `,${inside}`;
    const unknown = JSON.stringify({ ...body, [`pc_${context.random.text(6)}`]: "x" });
    add("unknown-field", "an unknown field", raw(unknown));
    add("prototype-key", "a __proto__ key", raw(`{"__proto__":{"isAdmin":true}${behind}}`));
    add("constructor-key", "a constructor key", raw(`{"constructor":{"prototype":{"isAdmin":true}}${behind}}`));
    const first = Object.keys(body)[0];
    if (first !== undefined) {
      const again = `${JSON.stringify(first)}:${JSON.stringify(body[first])}`;
      add("duplicate-key", "a field twice", raw(`{${again},${inside}}`));
      // Escapes make two spellings of one name; a reader that looks at the text alone sees two names.
      const escaped = `"${first.replace(/^./, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;
      add("duplicate-key", "a field twice, escaped once", raw(`{${inside},${escaped}:${JSON.stringify(body[first])}}`));
    }
  }
  if (typeOf(schema) === "object")
    add("wrong-root", "a list in place of an object", { ...honest, body: JSON.stringify([body]) });
  add("text-plain", "JSON called text/plain", withHeaders(honest, [["content-type", "text/plain"]]));
  add("form", "JSON called a form", withHeaders(honest, [["content-type", "application/x-www-form-urlencoded"]]));
  const headers = honest.headers.filter(([name]) => name !== "content-type");
  add("no-content-type", "no content type", { ...honest, headers });
  add("not-json", "JSON cut short", raw(text.slice(0, -1)));
  return bad;
}

function badMembers(honest: Outgoing, body: JsonRecord, schema: JsonRecord): readonly Bad[] {
  return badValues(body, schema).map(({ fault, what, body: changed }) => ({
    check: fault,
    what,
    outgoing: { ...honest, body: JSON.stringify(changed) },
  }));
}

/** One verdict for each kind: the first mistake that is taken, or that all were refused. */
async function kindByKind(
  context: ProbeContext,
  positive: Trial,
  bad: readonly Bad[],
  sent?: (trial: Trial) => void,
): Promise<readonly NamedOutcome[]> {
  const found: NamedOutcome[] = [];
  for (const [check, all] of Map.groupBy(bad, (one) => one.check)) {
    const outcomes: Outcome[] = [];
    const tried = spread(all);
    for (const { what, outgoing } of tried) {
      const label = `${positive.outgoing.label}, ${what}`;
      outcomes.push(await mustNotBeTaken(context, positive, { ...outgoing, label }, what, sent));
      if (outcomes.at(-1)?.verdict === "broken") break;
    }
    const worst =
      outcomes.find(({ verdict }) => verdict === "broken") ?? outcomes.find(({ verdict }) => verdict !== "held");
    const names = tried.map(({ what }) => what);
    const why = names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
    const trials = outcomes[0]?.trials ?? [];
    found.push({ check, ...(worst ?? held(names.length > 1 ? `refused: ${why}` : `${why} is refused`, trials)) });
  }
  return found;
}

/** A few of a kind, as far apart as they lie: every member has its turn before one has its second. */
function spread(all: readonly Bad[]): readonly Bad[] {
  if (all.length <= mostOfAKind) return all;
  const step = all.length / mostOfAKind;
  return Array.from({ length: mostOfAKind }, (_one, index) => all[Math.floor(index * step)]).filter(
    (one) => one !== undefined,
  );
}

async function mustNotBeTaken(
  context: ProbeContext,
  positive: Trial,
  outgoing: Outgoing,
  what: string,
  sent?: (trial: Trial) => void,
): Promise<Outcome> {
  const trials: Trial[] = [positive];
  for (let round = 1; round <= 2; round += 1) {
    const attack = await context.send("attack", outgoing);
    trials.push(attack);
    sent?.(attack);
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
  return await queriesBeside(context, operation, await context.baseline(operation));
}

/** The same of a write, which is honest but for its query. */
async function badWriteQueries(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const write = await honestWrite(context, operation, 4 + 2 * operation.parameters.length);
  if (typeof write === "string") return [{ check: "query", ...notApplicable(write) }];
  let { outgoing } = write;
  for (const [name, value] of Object.entries(requiredQuery(operation, context.random)))
    outgoing = replaceQuery(outgoing, name, value);
  const positive = await context.send("positive", outgoing);
  write.sent(positive);
  return await queriesBeside(context, operation, positive, (trial) => void write.sent(trial));
}

async function queriesBeside(
  context: ProbeContext,
  operation: Operation,
  positive: Trial,
  sent?: (trial: Trial) => void,
): Promise<readonly NamedOutcome[]> {
  if (!isSuccess(positive.answer)) return [{ check: "query", ...notHonest(positive) }];
  const bad: Bad[] = [];
  const add = (check: string, what: string, outgoing: Outgoing) => void bad.push({ check, what, outgoing });
  if (context.target.source === "manifest") {
    const unknown = withQuery(positive.outgoing, `pc_${context.random.text(5)}`, "1");
    add("unknown-query", "an unknown query parameter", unknown);
  }
  for (const { name, in: place, schema: given } of operation.parameters) {
    if (place !== "query") continue;
    const schema = simplified(given);
    const type = typeOf(schema);
    const set = (value: string) => replaceQuery(positive.outgoing, name, value);
    if (type === "integer" || type === "number") add("query-type", `${name} that is no number`, set("pc"));
    if (type === "boolean") add("query-type", `${name} that is neither true nor false`, set("pc"));
    if (listAt(schema, "enum").length > 0) add("query-enum", `${name} not in the list`, set("pc-not-in-the-list"));
    if (textAt(schema, "format") === "uuid") add("query-format", `${name} that is no UUID`, set("pc-no-uuid"));
    const most = numberAt(schema, "maxLength");
    if (type === "string" && most !== undefined && most < 4000)
      add("query-length", `${name} over ${most} characters`, set("a".repeat(most + 1)));
  }
  const id = pathParameters(operation.path).at(-1);
  const idSchema = operation.parameters.find((entry) => entry.in === "path" && entry.name === id)?.schema;
  if (isSafe(operation) && id !== undefined && idSchema?.["format"] === "uuid") {
    const target = positive.outgoing.target.replace(
      /[0-9a-f]{8}-[0-9a-f-]{27}(?![\s\S]*[0-9a-f]{8}-[0-9a-f-]{27})/i,
      "pc-no-uuid",
    );
    add("path-format", `${id} that is no UUID`, { ...positive.outgoing, target });
  }
  const found = await kindByKind(context, positive, bad, sent);
  return found.length > 0 ? found : [{ check: "query", ...notApplicable("It takes neither query nor id.") }];
}

function replaceQuery(outgoing: Outgoing, name: string, value: string): Outgoing {
  const [path = "", query = ""] = outgoing.target.split("?");
  const parameters = new URLSearchParams(query);
  parameters.set(name, value);
  return { ...outgoing, target: `${path}?${parameters.toString()}` };
}
