import type { Problem } from "../environment.ts";
import { isBlank } from "../lib/blank.ts";
import type { Served } from "../listen.ts";

/** Something weaker than it should be, why, and until when. */
interface Temporary {
  readonly reason: string;
  readonly until: string;
}

/**
 * What is wrong with something that is meant to end: no reason, no date, a date that has passed.
 *
 * @param where  names it in the message
 * @param field  the option it stands in; its own members are named below it
 */
export function temporaryProblems(where: string, field: string, { reason, until }: Temporary): readonly Problem[] {
  const found: Problem[] = [];
  const add = (member: string, problem: string, fix: string): void => {
    found.push({ where, field: `${field}.${member}`, problem, fix });
  };
  if (typeof reason !== "string" || isBlank(reason)) {
    add("reason", "has no reason", "say why, for whoever reviews the manifest");
  }
  const left = daysLeft(until);
  if (left === undefined) {
    add("until", `${JSON.stringify(until)} is no date`, 'write the last day as "2027-01-31"');
  } else if (left < 0) {
    add("until", `${until} has passed`, "guard it now, or decide anew and write a later date");
  }
  return found;
}

/** Tells operators of what ends within two weeks, so that no start is refused as a surprise. */
export function noteNearDates(api: Served, what: readonly { readonly name: string; readonly until: string }[]): void {
  for (const { name, until } of what) {
    const left = daysLeft(until);
    if (left === undefined || left > nearDays) continue;
    const when = left < 0 ? "has passed" : left === 0 ? "is today" : `is in ${left} ${left === 1 ? "day" : "days"}`;
    api.note("date-near", `${name}: ${until} ${when}; after it the process does not start`);
  }
}

const nearDays = 14;
const dayMs = 86_400_000;

/** Whole days until that day, UTC; 0 on the day itself, negative after it, undefined where it is no date. */
function daysLeft(until: unknown): number | undefined {
  if (typeof until !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(until)) return undefined;
  const day = Date.parse(`${until}T00:00:00Z`);
  // "2027-02-30" is read as a day of March by some.
  if (Number.isNaN(day) || new Date(day).toISOString().slice(0, 10) !== until) return undefined;
  return Math.floor(day / dayMs) - Math.floor(Date.now() / dayMs);
}
