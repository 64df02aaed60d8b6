import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { member, namesIn, textAt } from "../member.ts";

/** A route file that is not ours, and why that may be. */
export interface Listed {
  /** The file, relative to the folder: `app/api/auth/[...nextauth]/route.ts`. */
  readonly route: string;
  readonly reason: string;
  /** The last day on which it may be so, as 2027-01-31; undefined where another library answers for good. */
  readonly until: string | undefined;
}

/** What portcullis.json of an application says of routes that are not ours. */
export interface ListedRoutes {
  /** Whether there is such a file. */
  readonly isThere: boolean;
  readonly listed: readonly Listed[];
  /** What is wrong with the file, each with its fix. */
  readonly mistakes: readonly { readonly problem: string; readonly fix: string }[];
}

/** The file the list stands in. */
export const listFile = "portcullis.json";

/**
 * Reads the routes that Portcullis does not guard:
 *
 *     { "notYet":    [{ "route": "app/legacy/route.ts", "reason": "…", "until": "2027-01-31" }],
 *       "elsewhere": [{ "route": "app/api/auth/[...nextauth]/route.ts", "reason": "…" }] }
 *
 * `notYet` is moved behind Portcullis until a day, `elsewhere` is another library's to answer for. An entry without a
 * reason or a date, or past it, counts for nothing.
 *
 * @param today  as 2026-11-22
 * @throws SyntaxError where the file is no JSON
 */
export async function listedRoutes(folder: string, today: string): Promise<ListedRoutes> {
  let text: string;
  try {
    text = await readFile(join(folder, listFile), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return { isThere: false, listed: [], mistakes: [] };
    }
    throw error;
  }
  const content: unknown = JSON.parse(text);
  const mistakes: { problem: string; fix: string }[] = [];
  const listed: Listed[] = [];
  for (const key of namesIn(content)) {
    if (key !== "notYet" && key !== "elsewhere") {
      mistakes.push({ problem: `"${key}" means nothing here.`, fix: 'There are "notYet" and "elsewhere".' });
      continue;
    }
    const entries = member(content, key);
    for (const entry of Array.isArray(entries) ? entries : [undefined]) {
      const one = {
        route: filledAt(entry, "route"),
        reason: filledAt(entry, "reason"),
        until: filledAt(entry, "until"),
      };
      const mistake = mistakeIn(key, one, today);
      if (mistake === undefined && one.route !== undefined && one.reason !== undefined) {
        listed.push({ route: one.route, reason: one.reason, until: one.until });
      } else if (mistake !== undefined) mistakes.push(mistake);
    }
  }
  return { isThere: true, listed, mistakes };
}

function mistakeIn(
  key: "notYet" | "elsewhere",
  { route, reason, until }: { [Field in keyof Listed]: Listed[Field] | undefined },
  today: string,
): { problem: string; fix: string } | undefined {
  if (route === undefined) return { problem: `An entry of ${key} names no route.`, fix: "Name the file it stands in." };
  if (reason === undefined) return { problem: `${route} is listed without a reason.`, fix: "Say why, for reviewers." };
  if (key === "elsewhere") {
    return until === undefined
      ? undefined
      : { problem: `${route} has an end and stands in elsewhere.`, fix: "List it under notYet." };
  }
  if (until === undefined || !isDay(until)) {
    return { problem: `${route} has no last day.`, fix: 'Write it as "until": "2027-01-31".' };
  }
  return until < today
    ? { problem: `${route} was to be guarded by ${until}.`, fix: "Guard it, or decide anew and write a later day." }
    : undefined;
}

/** "2027-02-30" is read as a day of March by some. */
function isDay(text: string): boolean {
  const day = Date.parse(`${text}T00:00:00Z`);
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(day) && new Date(day).toISOString().startsWith(text);
}

function filledAt(value: unknown, name: string): string | undefined {
  const text = textAt(value, name);
  return text === undefined || text.trim() === "" ? undefined : text;
}
