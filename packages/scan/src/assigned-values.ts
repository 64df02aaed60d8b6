import { isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { type JsonRecord, listAt, walk } from "./json.ts";
import { ScanError, Unreachable } from "./scan-error.ts";
import { simplified, typeOf } from "./schema.ts";
import { validValue } from "./values.ts";

/**
 * A value of the field's own type that nobody would have chosen. Where the schema names the values, one that it is not, and
 * in the second round another.
 *
 * @param current  the value it has, undefined where it is not known
 * @param round    1 or 2; the two values differ
 */
export function candidate(
  context: ProbeContext,
  name: string,
  current: unknown,
  schema: JsonRecord | undefined,
  round: number,
): unknown {
  if (typeof current === "boolean") return round === 1 ? !current : current;
  if (typeof current === "number") return current + 7919 * round;
  // What names somebody is given to somebody else the scan can be, who can delete it at the end.
  const others = peopleBeside(context, current);
  const other = others[round - 1];
  if (other !== undefined) return other;
  const choices = listAt(simplified(schema ?? {}), "enum");
  if (choices.length > 1) {
    const unlike = choices.filter((choice) => choice !== current);
    return round === 1 ? unlike[0] : (unlike[1] ?? choices.find((choice) => choice !== unlike[0]));
  }
  const type = schema === undefined ? undefined : typeOf(schema);
  if (schema !== undefined && type === "string") {
    try {
      return validValue(schema, { random: context.random }, name);
    } catch (error) {
      if (error instanceof ScanError || !(error instanceof Unreachable)) throw error;
    }
  }
  if (typeof current === "string" && /^[0-9a-f]{8}-[0-9a-f]{4}-/i.test(current)) return context.random.uuid();
  if (name.endsWith("At")) return new Date(Date.UTC(2001, round, 1)).toISOString();
  if (/^(?:is[A-Z]|admin$|verified$)/.test(name)) return round === 1;
  if (name === "roles") return [`pc-role-${round}`];
  return `pc-${name}-${round}${context.random.text(4)}`;
}

/** The other accounts of the scan, where a value is one of them; else none. */
function peopleBeside(context: ProbeContext, value: unknown): readonly string[] {
  const people = new Set(context.identities.flatMap((identity) => context.subject(identity) ?? []));
  return typeof value === "string" && people.delete(value) ? [...people] : [];
}

/** True where an answer shows the value in a member of that name. */
export function sticks(trial: Trial | undefined, name: string, value: unknown): boolean {
  if (trial === undefined || !isSuccess(trial.answer)) return false;
  let found = false;
  walk(trial.answer.json, (_path, member, seen) => {
    if (member !== name) return;
    if (JSON.stringify(seen) === JSON.stringify(value)) found = true;
    // A database without booleans answers 1 and 0.
    if (typeof value === "boolean" && seen === Number(value)) found = true;
  });
  return found;
}
