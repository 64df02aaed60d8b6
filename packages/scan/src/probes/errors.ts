import { type Answer, isSuccess, mediaTypeOf } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { isKept, reachOf } from "../framework.ts";
import { honestWrite, plainCreation } from "../honest-write.ts";
import { isRecord, numberAt, textAt } from "../json.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
} from "../probe.ts";
import { withCredential, withHeaders } from "../requests.ts";

/**
 * Provokes errors of every kind and reads them: internal errors for a client's mistake, shapes that differ, and text of
 * the machinery behind. A leak needs two signals, or three stack frames.
 */
export const errors: Probe = { id: "errors", plan: planErrors };

function planErrors(context: ProbeContext): readonly Check[] {
  return [{ check: "answers", run: () => provoke(context) }];
}

async function provoke(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const trials: Trial[] = [];
  for (const outgoing of await provocations(context)) {
    const trial = await context.send("attack", outgoing);
    if (!isSuccess(trial.answer) && trial.answer.status !== 0 && trial.answer.status !== 429) trials.push(trial);
  }
  if (trials.length === 0) return [{ check: "answers", ...inconclusive("nothing provoked an error") }];
  return [
    { check: "leaks", ...leaks(trials) },
    { check: "status", ...wrongStatus(trials) },
    { check: "shape", ...shape(context, trials) },
    { check: "request-id", ...requestIds(context, trials) },
  ];
}

async function provocations(context: ProbeContext): Promise<readonly Outgoing[]> {
  const witness = await context.witness();
  const { outgoing } = witness.positive;
  const { as: _as, operation: _operation, ...unproved } = outgoing;
  const path = outgoing.target.split("?")[0] ?? outgoing.target;
  const up = path.slice(0, path.lastIndexOf("/"));
  const list: Outgoing[] = [
    withCredential(outgoing, undefined, "nobody"),
    withCredential(outgoing, [witness.identity.header[0], "Bearer eyJhbGciOiJ"], "half a token"),
    { ...unproved, target: `${reachOf(context.target)}/pc-${context.random.text(8)}`, label: "an unknown path" },
    { ...unproved, target: `${up}/%00`, label: "a NUL" },
    ...(isKept(context.target, "raw target") ? [] : [{ ...unproved, target: `${up}/%zz`, label: "a broken escape" }]),
    { ...unproved, target: `${up}/'%22%3Cpc%3E`, label: "quotes in an id" },
    { ...unproved, target: `${up}/99999999999999999999999999`, label: "a huge id" },
    { ...unproved, target: `${path}?limit=%27`, label: "a quote in the query" },
    { ...unproved, target: `${path}?a[b][c]=1&a=2`, label: "a strange query" },
  ];
  const kind = plainCreation(context);
  const write = kind === undefined ? "" : await honestWrite(context, kind.create, 8);
  if (typeof write !== "string") {
    const { outgoing: honest } = write;
    const bodies: readonly (readonly [string, string])[] = [
      ["cut JSON", '{"name": '],
      ["no JSON", "pc"],
      ["an empty body", ""],
      ["null", "null"],
      ["a list", "[]"],
      ["wrong types", '{"name": {"toString": 1}, "url": 7, "id": []}'],
      ["a huge number", '{"name": 1e400}'],
    ];
    for (const [label, body] of bodies) list.push({ ...honest, body, label: `${honest.label}, ${label}` });
    list.push(withHeaders(honest, [["content-type", "application/xml"]], `${honest.label}, XML`));
  }
  return list;
}

/** Stack frames of the usual run-times. */
const frame =
  /(?:^|\n|\\n|<br>|&nbsp;)\s*(?:at (?:async )?[\w.<>$[\] ]* ?\(?(?:file:\/\/|node:|\/|[A-Z]:\\)[^\s()]*:\d+:\d+\)?|File "[^"]+", line \d+|\s*at [\w.$]+\([\w]+\.java:\d+\))/g;

/** Words that only the machinery behind an API says. */
const machinery: readonly RegExp[] = [
  /\bnode_modules\b/,
  /\b(?:TypeError|ReferenceError|RangeError|SyntaxError|URIError): /,
  /\b(?:SQLITE_[A-Z]+|SqliteError|SQLSTATE|ER_[A-Z_]{4,}|ECONNREFUSED|MongoServerError|PrismaClient\w*|SequelizeDatabaseError|QueryFailedError)\b/,
  /\b(?:near "[^"]*": syntax error|unrecognized token|no such (?:table|column)|syntax error at or near|duplicate key value violates)\b/i,
  /\bUnexpected (?:token|end of JSON input)\b|\bin JSON at position \d+/,
  /\bFailed to decode param\b/,
  /\b(?:select|insert into|update|delete from)\s+[\w"*.,\s]+\s(?:from|where|values|set)\s/i,
  /(?:\/(?:home|usr|var|app|srv|opt|root|Users)\/[\w./-]+\.(?:[cm]?[jt]s|py|java|rb|php))/,
  /\bZodError\b|"code":\s*"(?:invalid_type|unrecognized_keys|too_small)"/,
  /"stack"\s*:/,
];

function leaks(trials: readonly Trial[]): Outcome {
  for (const trial of trials) {
    const { text } = trial.answer;
    const frames = [...text.matchAll(frame)].length;
    const signals = machinery.filter((pattern) => pattern.test(text)).length;
    if (frames >= 3 || (frames >= 1 && signals >= 1) || signals >= 2) {
      return broken(
        `an error shows the machinery behind (${trial.outgoing.label}: ${frames} stack frames, ${signals} tell-tale words)`,
        [trial],
      );
    }
  }
  return held("no error shows what is behind the API", trials.slice(0, 2));
}

function wrongStatus(trials: readonly Trial[]): Outcome {
  const bad = trials.filter((trial) => trial.answer.status >= 500 && trial.answer.status !== 503);
  const first = bad[0];
  if (first === undefined) return held("a client's mistake is never an internal error", trials.slice(0, 2));
  return broken(
    `a client's mistake is an internal error: ${first.outgoing.label} answered ${first.answer.status}`,
    bad.slice(0, 3),
  );
}

/** RFC 9457: type or title, and a status that agrees with the answer's. */
function isProblem(answer: Answer): boolean {
  if (mediaTypeOf(answer) !== "application/problem+json" || !isRecord(answer.json)) return false;
  return textAt(answer.json, "title") !== undefined && numberAt(answer.json, "status") === answer.status;
}

function shape(context: ProbeContext, trials: readonly Trial[]): Outcome {
  const odd = trials.filter((trial) => !isProblem(trial.answer));
  if (odd.length === 0) return held("every error is a problem document (RFC 9457)", trials.slice(0, 2));
  if (context.target.source === "manifest") {
    const first = odd[0];
    const type = first === undefined ? "" : mediaTypeOf(first.answer);
    return broken(
      `${odd.length} of ${trials.length} errors are no problem documents (${first?.outgoing.label ?? ""}: ${type === "" ? "no media type" : type})`,
      odd.slice(0, 3),
    );
  }
  const types = new Set(trials.map((trial) => mediaTypeOf(trial.answer)));
  return types.size === 1
    ? held("every error has the same media type", trials.slice(0, 2))
    : broken(`errors have different shapes: ${[...types].join(", ")}`, odd.slice(0, 3));
}

/** A request id lets somebody find the log entry; only promised by a manifest. */
function requestIds(context: ProbeContext, trials: readonly Trial[]): Outcome {
  if (context.target.source !== "manifest") return notApplicable("The description promises no request id.");
  const ids = trials.map((trial) => requestIdOf(trial.answer));
  const missing = trials.filter((_trial, index) => ids[index] === undefined);
  if (missing.length > 0)
    return broken(`${missing.length} of ${trials.length} errors carry no request id`, missing.slice(0, 2));
  if (new Set(ids).size < ids.length) return broken("two errors carry the same request id", trials.slice(0, 2));
  return held("every error carries a request id of its own", trials.slice(0, 2));
}

function requestIdOf(answer: Answer): string | undefined {
  const header = answer.headers.find(([name]) => /^(?:x-)?request-?id$/.test(name))?.[1];
  if (header !== undefined) return header;
  const names = ["requestId", "request_id", "instance", "traceId"];
  return names.map((name) => textAt(answer.json, name)).find((value) => value !== undefined);
}
