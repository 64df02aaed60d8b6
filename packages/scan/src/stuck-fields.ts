import { broken, held, inconclusive, type NamedOutcome, type Outcome } from "./probe.ts";

/** What became of one field that a client must not set. */
export interface TriedField {
  readonly name: string;
  readonly outcome: Outcome;
  /** What is to be said of it besides, such as that it could not be put back. */
  readonly beside?: string | undefined;
}

/** What a field decides about, the worst first. */
const grades = ["power", "owner", "other"] as const;
type Grade = (typeof grades)[number];

/**
 * One finding for all the fields that stuck at an operation, the worst first, under the name of the worst: a team that lets
 * `createdAt` be set hears of it when `role` sticks too, and hears nothing new when `updatedAt` does. Of each grade that
 * nothing stuck of, whether it held.
 *
 * @param check  the name of the check; `-power` or `-owner` is put behind it where the worst field decides about that
 * @param whose  what the fields belong to, as it goes on after them: ` of the caller's own record`
 */
export function fieldOutcomes(check: string, tried: readonly TriedField[], whose = ""): readonly NamedOutcome[] {
  const stuck = worstFirst(tried.filter(({ outcome }) => outcome.verdict === "broken"));
  const [worst] = stuck;
  const found: NamedOutcome[] = [];
  for (const grade of grades) {
    const own = tried.filter(({ name }) => gradeOf(name) === grade);
    const name = grade === "other" ? check : `${check}-${grade}`;
    if (worst !== undefined && gradeOf(worst.name) === grade) found.push({ check: name, ...finding(stuck, whose) });
    else if (own.length > 0 && !own.some((one) => stuck.includes(one))) found.push({ check: name, ...unharmed(own) });
  }
  return found;
}

function finding(stuck: readonly TriedField[], whose: string): Outcome {
  const verb = stuck.length === 1 ? "is" : "are";
  const besides = stuck.flatMap(({ name, beside }) => (beside === undefined ? [] : [`"${name}" ${beside}`]));
  const why = `${quoted(stuck)}${whose} ${verb} set by the client: two different values${stuck.length === 1 ? "" : " of each"} stuck`;
  return broken([why, ...besides].join("; "), stuck[0]?.outcome.trials ?? []);
}

function unharmed(own: readonly TriedField[]): Outcome {
  const open = own.find(({ outcome }) => outcome.verdict !== "held");
  if (open !== undefined) return inconclusive(open.outcome.why, open.outcome.trials);
  const [first] = own;
  if (own.length === 1 && first !== undefined) return first.outcome;
  return held(`${quoted(own)}: none is taken over`, first?.outcome.trials ?? []);
}

function quoted(fields: readonly TriedField[]): string {
  return fields.map(({ name }) => `"${name}"`).join(", ");
}

function worstFirst(fields: readonly TriedField[]): readonly TriedField[] {
  return fields.toSorted((left, right) => grades.indexOf(gradeOf(left.name)) - grades.indexOf(gradeOf(right.name)));
}

function gradeOf(name: string): Grade {
  if (/role|admin|permission|scope|privilege|superuser|staff/i.test(name)) return "power";
  return /^(?:owner|tenant|user|account|org|organi[sz]ation|author|creator|customer|workspace)(?:_?id|Id|ID)?$|(?:owner|tenant|created_?by)/i.test(
    name,
  )
    ? "owner"
    : "other";
}
