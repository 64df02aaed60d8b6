import { isSuccess } from "./answer.ts";
import { candidate, sticks } from "./assigned-values.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Identity } from "./identities.ts";
import { isRecord, type JsonRecord } from "./json.ts";
import { outcome } from "./objects.ts";
import { isLimited } from "./oracle.ts";
import { broken, held, inconclusive, limitedWhy, type NamedOutcome, type Outcome } from "./probe.ts";
import { requestFor } from "./requests.ts";
import { propertiesOf } from "./schema.ts";
import { fieldOutcomes, type TriedField } from "./stuck-fields.ts";
import { isGone, type Operation } from "./target.ts";

/** Fields of one's own record that grant power. Others, such as its id, are left alone: the caller might be lost with them. */
const powers = ["role", "roles", "isAdmin", "is_admin", "admin", "verified", "permissions", "scopes"];

/**
 * Reads that show the record an operation changes: the same path, else what is known to show the caller itself. A record
 * may be changed at `/me` and read with the session.
 */
function ownViews(context: ProbeContext, operation: Operation): readonly Operation[] {
  const same = plainReads(context).filter((entry) => entry.path === operation.path);
  return same.length > 0 || !isOwn(operation.path) ? same : selfViews(context);
}

/** True for a change of the caller's own record, which something shows, so that it can be put back. */
export function isOwnRecord(context: ProbeContext, operation: Operation): boolean {
  return (
    /^(?:PATCH|PUT)$/.test(operation.method) && !operation.path.includes("{") && ownViews(context, operation).length > 0
  );
}

/** Reads that show callers themselves, by their paths: `/me`, the session. */
export function selfViews(context: ProbeContext): readonly Operation[] {
  return plainReads(context).filter((entry) => isOwn(entry.path) && entry.access.kind !== "public");
}

function plainReads(context: ProbeContext): readonly Operation[] {
  return context.target.operations.filter(
    (entry) => entry.method === "GET" && !entry.path.includes("{") && !isGone(entry, context.now()),
  );
}

function isOwn(path: string): boolean {
  return /\/(?:me|self|profile|account|user|whoami|session)$/i.test(path);
}

/** The caller's own record: only fields that grant power, and what stuck is put back. */
export async function ownRecord(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const owner = context.permitted(operation);
  if (owner === undefined) return [{ check: "own-record", ...inconclusive("no identity may call it") }];
  const seen = await viewOf(context, operation, owner);
  if (!("record" in seen)) {
    const why = seen.trial === undefined ? "nothing shows it" : `reading it ${outcome(seen.trial.answer)}`;
    return [{ check: "own-record", ...inconclusive(why, seen.trial === undefined ? [] : [seen.trial]) }];
  }
  const { view, record } = seen;
  const declared = propertiesOf(operation.body?.schema ?? {});
  const base = writableOf(operation, record);
  const shown = propertiesOf(view.responses.get(200) ?? {});
  const tried: TriedField[] = [];
  for (const name of powers) {
    if (declared.has(name)) continue;
    const write = (value: unknown) => requestFor(operation, { as: owner, body: { ...base, [name]: value } });
    const values = [1, 2].map((round) => candidate(context, name, record[name], shown.get(name), round));
    const read = () => context.send("reread", requestFor(view, { as: owner }));
    const result = await tryField(context, name, values, write, read);
    let beside: string | undefined;
    if (result.touched && record[name] !== undefined) {
      await context.send("positive", write(record[name]));
      const after = await read();
      if (!sticks(after, name, record[name])) beside = "could not be put back to what it was before";
    } else if (result.outcome.verdict === "broken") {
      // It was not there, and nothing takes a member out of a record but by chance.
      await context.send("positive", write(null));
      const { json } = (await read()).answer;
      const left = isRecord(json) ? json[name] : undefined;
      if (left !== undefined && left !== null) beside = "could not be taken out again";
    }
    const found = result.outcome;
    const isSaidApart = beside !== undefined && found.verdict !== "broken";
    tried.push({ name, outcome: isSaidApart ? { ...found, why: `${found.why}; "${name}" ${beside}` } : found, beside });
  }
  return fieldOutcomes("own-record", tried, " of the caller's own record");
}

/** What an operation may write of a record, as it is. */
export function writableOf(operation: Operation, record: JsonRecord): JsonRecord {
  const declared = [...propertiesOf(operation.body?.schema ?? {}).keys()];
  return Object.fromEntries(declared.filter((name) => record[name] !== undefined).map((name) => [name, record[name]]));
}

/** The first of the reads that shows a record the operation could change; else what the last of them came to. */
export async function viewOf(
  context: ProbeContext,
  operation: Operation,
  owner: Identity,
): Promise<{ view: Operation; record: JsonRecord } | { trial: Trial | undefined }> {
  const declared = propertiesOf(operation.body?.schema ?? {});
  let trial: Trial | undefined;
  for (const view of ownViews(context, operation)) {
    trial = await context.send("reread", requestFor(view, { as: owner }));
    const { json } = trial.answer;
    const isIt = view.path === operation.path || (isRecord(json) && [...declared.keys()].some((name) => name in json));
    if (isSuccess(trial.answer) && isRecord(json) && isIt) return { view, record: json };
  }
  return { trial };
}

/** Sends both values one after the other; only two that stick are proof. */
async function tryField(
  context: ProbeContext,
  name: string,
  values: readonly unknown[],
  write: (value: unknown) => Trial["outgoing"],
  read: () => Promise<Trial>,
): Promise<{ outcome: Outcome; touched: boolean }> {
  const trials: Trial[] = [];
  const told = (outcome: Outcome, touched: boolean) => ({ outcome, touched });
  let stuck = 0;
  let touched = false;
  for (const value of values) {
    const attack = await context.send("attack", write(value));
    trials.push(attack);
    if (isLimited(attack.answer)) return told(inconclusive(limitedWhy(attack.answer), trials), touched);
    // What fails on the way out may have been stored before.
    touched ||= isSuccess(attack.answer) || attack.answer.status >= 500;
    if (!isSuccess(attack.answer) && attack.answer.status < 500) break;
    const after = await read();
    trials.push(after);
    // The second value may be the one it had before, and proves nothing alone.
    if (!sticks(after, name, value)) break;
    stuck += 1;
  }
  if (stuck === values.length) {
    const why = `"${name}" of the caller's own record is set by the client: two different values stuck`;
    return told(broken(why, trials), touched);
  }
  if (stuck > 0) return told(inconclusive(`"${name}" stuck once and not again`, trials), touched);
  return told(held(`"${name}" is not taken over`, trials), touched);
}
