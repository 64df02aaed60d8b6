import type { Answer } from "./answer.ts";
import { isRecord, walk } from "./json.ts";

/** What an answer tells of the machinery behind an API. */
export interface Tells {
  /** Stack frames of the usual run-times. */
  readonly frames: number;
  /** Kinds of words that only drivers, parsers and run-times say. */
  readonly words: number;
  /** The validation library whose own issues are sent on; undefined where none is. */
  readonly validator: string | undefined;
}

/**
 * Reads an answer for what no client has use for. One word proves nothing: a leak is three stack frames, one with a
 * word beside it, or two kinds of words (EvoMaster's StackTraceUtils counts alike).
 */
export function tellsOf(answer: Answer): Tells {
  const text = readable(answer.text);
  return {
    frames: [...text.matchAll(frame)].length,
    words: words.filter((pattern) => pattern.test(text)).length,
    validator: validatorIn(answer.json),
  };
}

/** True where what is told is more than chance. */
export function isLeak({ frames, words: kinds }: Tells): boolean {
  return frames >= 3 || (frames >= 1 && kinds >= 1) || kinds >= 2;
}

/** A page's text as its author wrote it. */
function readable(text: string): string {
  return text
    .replaceAll(/<br\s*\/?>/gi, "\n")
    .replaceAll("&nbsp;", " ")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll(/&(?:quot|#34);/g, '"')
    .replaceAll(/&(?:#39|apos);/g, "'");
}

/** Counts are bounded here and below: an answer of megabytes may be made so that each place in it is read to its end. */
const frame =
  /(?:^|\n|\\n)[^\S\n]{0,100}(?:at (?:async )?[\w.<>$[\] ]{0,300} ?\(?(?:file:\/\/|node:|\/|[A-Z]:\\)[^\s()]{0,500}:\d+:\d+\)?|File \\?"[^"\\]{1,500}\\?", line \d+|at [\w.$]{1,300}\([\w]{1,100}\.java:\d+\))/g;

const words: readonly RegExp[] = [
  /\bnode_modules\b/,
  /\b(?:TypeError|ReferenceError|RangeError|SyntaxError|URIError): /,
  /\b(?:SQLITE_[A-Z]+|SqliteError|SQLSTATE|ER_[A-Z_]{4,}|ECONNREFUSED|MongoServerError|PrismaClient\w*|SequelizeDatabaseError|QueryFailedError)\b/,
  /\b(?:near \\?"[^"\\]{0,500}\\?": syntax error|unrecognized token|no such (?:table|column)|syntax error at or near|duplicate key value violates)\b/i,
  /\bUnexpected (?:token|end of JSON input)\b|\bin JSON at position \d+/,
  /\bFailed to decode param\b/,
  /\b(?:select|insert into|update|delete from)\s[\w"*.,\s]{1,500}\s(?:from|where|values|set)\s/i,
  /(?:\/(?:home|usr|var|app|srv|opt|root|Users)\/[\w./-]{1,300}\.(?:[cm]?[jt]s|py|java|rb|php))/,
  /\bZodError\b/,
  /"stack"\s*:/,
];

/** Members that issues of a library have together, and no error format of an API's own has by chance. */
const issues: readonly (readonly [library: string, isIt: (issue: Readonly<Record<string, unknown>>) => boolean])[] = [
  ["Zod", (issue) => Array.isArray(issue["path"]) && "message" in issue && isZodCode(issue["code"])],
  ["Ajv", (issue) => "schemaPath" in issue && "keyword" in issue && "params" in issue],
  ["Joi", (issue) => Array.isArray(issue["path"]) && "context" in issue && /^\w+\.\w+$/.test(String(issue["type"]))],
  ["class-validator", (issue) => isRecord(issue["constraints"]) && "property" in issue],
  ["Valibot", (issue) => "kind" in issue && "expected" in issue && "received" in issue && "message" in issue],
  [
    "Pydantic",
    (issue) => Array.isArray(issue["loc"]) && String(issue["url"]).startsWith("https://errors.pydantic.dev/"),
  ],
];

function isZodCode(code: unknown): boolean {
  return (
    typeof code === "string" &&
    /^(?:invalid_(?:type|value|literal|string|format|union|enum_value|key|element|date|union_discriminator)|unrecognized_keys|too_small|too_big|not_multiple_of|custom)$/.test(
      code,
    )
  );
}

function validatorIn(json: unknown): string | undefined {
  let found: string | undefined;
  walk(json, (_path, _name, value) => {
    if (found !== undefined || !isRecord(value)) return;
    found = issues.find(([, isIt]) => isIt(value))?.[0];
  });
  return found;
}
