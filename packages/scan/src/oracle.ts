import { type Answer, isSuccess, mediaTypeOf } from "./answer.ts";
import { blockedBy } from "./block-page.ts";
import { isRecord, walk } from "./json.ts";

/**
 * What an answer means for a check. `limited`: the target slowed us down, it says nothing. `unclear`: it looks neither
 * like the known good answer nor like any known refusal, or like both.
 */
export type Judgement = "granted" | "refused" | "limited" | "unclear";

/** What an answer is compared with. */
export interface Known {
  /** The answer to the same request when it is allowed. */
  readonly positive: Answer;
  /** Answers to requests known to be bad. */
  readonly negatives: readonly Answer[];
  /** A marker only the owner's object contains; finding it is proof. */
  readonly canary?: string | undefined;
}

/**
 * Decides whether an answer granted or refused what was asked, by comparing it with the same request allowed and with
 * requests known to be refused. Never by a list of status codes: an API may refuse with 200, 302 or 500.
 */
export function judge(answer: Answer, known: Known): Judgement {
  if (isLimited(answer)) return "limited";
  if (known.canary !== undefined && answer.status !== 0 && answer.text.includes(known.canary)) return "granted";
  const good = resembles(answer, known.positive);
  const bad = known.negatives.some((negative) => sameSignature(answer, negative));
  // With a canary to find, the right shape without it is another object or an empty one: nothing was given away, even
  // where a list of what is not there is an empty list too.
  if (good && known.canary !== undefined && known.positive.text.includes(known.canary)) return "refused";
  if (good && bad) return "unclear";
  if (bad) return "refused";
  if (good) return "granted";
  if (answer.status === 0) return answer.failure === "no answer in time" ? "unclear" : "refused";
  // Neither: a client error or a redirect where the positive was a success gives nothing away.
  if (isSuccess(known.positive) && answer.status >= 300 && answer.status < 500) return "refused";
  return "unclear";
}

/** True where the target says "later" instead of yes or no. */
export function isLimited(answer: Answer): boolean {
  return answer.status === 429 || answer.status === 503 || blockedBy(answer) !== undefined;
}

/** True where two answers say the same thing: status, media type, members and the text without names and numbers. */
export function sameSignature(left: Answer, right: Answer): boolean {
  return signatureOf(left) === signatureOf(right);
}

/** What is left of an answer when everything that differs from request to request is taken out. */
export function signatureOf(answer: Answer): string {
  if (answer.status === 0) return "no answer";
  const body = answer.json === undefined ? blank(answer.text.slice(0, 4000)) : jsonSignature(answer.json);
  return `${answer.status} ${mediaTypeOf(answer)} ${body}`;
}

function jsonSignature(json: unknown): string {
  const parts = new Set<string>();
  walk(json, (path, name, value) => {
    if (typeof value === "string") {
      parts.add(
        /^(?:code|error|message|title|type|detail|status|reason)$/i.test(name)
          ? `${path}=${blank(value)}`
          : `${path}:text`,
      );
    } else if (typeof value === "boolean") parts.add(`${path}=${String(value)}`);
    else parts.add(`${path}:${value === null ? "null" : Array.isArray(value) ? "list" : typeof value}`);
  });
  return [...parts].sort().join(" ");
}

/** A text without ids, numbers, quoted values and times. */
export function blank(text: string): string {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, "#")
    .replace(/pc-[a-z0-9-]+/g, "#")
    .replace(/(["'`])[^"'`]{1,200}\1/g, "#")
    .replace(/[\w-]{8,}/g, withoutIds)
    .replace(/\d+/g, "#")
    .replace(/\s+/g, " ")
    .trim();
}

/** A run of letters, digits and dashes; what looks like an id in it is taken out. Looked at once, however long it is. */
function withoutIds(run: string): string {
  const from = run.search(/\w/);
  let to = run.length;
  while (to > from && run.charAt(to - 1) === "-") to -= 1;
  const core = from < 0 ? "" : run.slice(from, to);
  return core.length >= 8 && /\d/.test(core) ? `${run.slice(0, from)}#${run.slice(to)}` : run;
}

/**
 * True where an answer looks like the known good one: the same kind of status, the same media type and mostly the same
 * members. A list that is empty on one side still looks like a full one.
 */
export function resembles(answer: Answer, positive: Answer): boolean {
  if (isSuccess(answer) !== isSuccess(positive)) return false;
  if (!isSuccess(positive) && answer.status !== positive.status) return false;
  if (mediaTypeOf(answer) !== mediaTypeOf(positive)) return false;
  if (positive.json === undefined || answer.json === undefined) {
    if (positive.json !== answer.json) return false;
    return blank(answer.text) === blank(positive.text);
  }
  const left = shapeOf(answer.json);
  const right = shapeOf(positive.json);
  const empty = new Set([...left.empty, ...right.empty]);
  const hidden = (path: string) => listsAround(path).some((list) => empty.has(list));
  const ours = [...left.paths].filter((path) => !hidden(path));
  const theirs = new Set([...right.paths].filter((path) => !hidden(path)));
  const shared = ours.filter((path) => theirs.has(path)).length;
  const union = new Set([...ours, ...theirs]).size;
  return union === 0 || shared / union >= 0.7;
}

/** The lists a path leads through, outermost first: `a` and `a[].b` of `a[].b[].c`. */
function listsAround(path: string): readonly string[] {
  return [...path.matchAll(/\[\]/g)].map(({ index }) => path.slice(0, index));
}

function shapeOf(json: unknown): { paths: ReadonlySet<string>; empty: readonly string[] } {
  const paths = new Set<string>();
  const empty: string[] = [];
  walk(json, (path, _name, value) => {
    paths.add(path);
    if (Array.isArray(value) && value.length === 0) empty.push(path);
  });
  return { paths, empty };
}

/**
 * The answer's content without the values that change by themselves, for "is it the same as before?".
 *
 * @param volatile  paths found by {@link volatilePaths}
 */
export function contentOf(answer: Answer, volatile: ReadonlySet<string>): string {
  if (answer.json === undefined) return `${answer.status} ${answer.text}`;
  return `${answer.status} ${JSON.stringify(without(answer.json, volatile, ""))}`;
}

function without(value: unknown, volatile: ReadonlySet<string>, path: string): unknown {
  if (volatile.has(path)) return null;
  if (Array.isArray(value)) return value.map((entry: unknown) => without(entry, volatile, `${path}[]`));
  if (!isRecord(value)) return value;
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    out[key] = without(member, volatile, path === "" ? key : `${path}.${key}`);
  }
  return out;
}

/** The paths whose values differ between answers to the same request. */
export function volatilePaths(answers: readonly Answer[]): ReadonlySet<string> {
  const values = new Map<string, Set<string>>();
  for (const answer of answers) {
    const seen = new Map<string, string[]>();
    walk(answer.json, (path, _name, value) => {
      if (typeof value === "object" && value !== null) return;
      const list = seen.get(path) ?? [];
      list.push(JSON.stringify(value) ?? "");
      seen.set(path, list);
    });
    for (const [path, list] of seen) values.set(path, (values.get(path) ?? new Set()).add(list.join(",")));
  }
  return new Set([...values].filter(([, variants]) => variants.size > 1).map(([path]) => path));
}
