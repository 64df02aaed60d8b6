import { type Answer, isSuccess, mediaTypeOf } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { isKept, reachOf } from "../framework.ts";
import { honestWrite, plainCreation } from "../honest-write.ts";
import { isRecord, numberAt, textAt } from "../json.ts";
import { isLeak, tellsOf } from "../machinery.ts";
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
import { requestFor, withCredential, withHeaders } from "../requests.ts";
import { Unreachable } from "../scan-error.ts";
import { isGone } from "../target.ts";

/**
 * Provokes errors of every kind and reads them: internal errors for a client's mistake, shapes that differ, and text of
 * the machinery behind. A leak needs two signals, or three stack frames, twice.
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
    { check: "leaks", ...(await leaks(context, trials)) },
    { check: "validator", ...(await validators(context, trials)) },
    { check: "status", ...(await wrongStatus(context, trials)) },
    { check: "shape", ...shape(context, trials) },
    { check: "request-id", ...requestIds(context, trials) },
  ];
}

async function provocations(context: ProbeContext): Promise<readonly Outgoing[]> {
  const witness = await context.witness();
  const { outgoing } = witness.positive;
  const { as: _as, operation: _operation, ...unproved } = outgoing;
  const path = outgoing.target.split("?")[0] ?? outgoing.target;
  const up = await collectionOf(context, path);
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

/** Where the ids of objects stand: what is no id there reaches what reads them. */
async function collectionOf(context: ProbeContext, path: string): Promise<string> {
  const now = context.now();
  const kind = context.objects.kinds.find(
    ({ read, create }) => read !== undefined && create !== undefined && !isGone(read, now),
  );
  const owner = kind?.create === undefined ? undefined : context.permitted(kind.create);
  const thing =
    kind === undefined || owner === undefined
      ? undefined
      : await context.objects.shared(kind, owner).catch((error: unknown) => {
          if (error instanceof Unreachable) return undefined;
          throw error;
        });
  const target = kind?.read === undefined || thing === undefined ? path : requestFor(kind.read, thing).target;
  return target.slice(0, target.lastIndexOf("/"));
}

/** Sent again, an answer has to show the same: an error of the moment is no finding. */
async function leaks(context: ProbeContext, trials: readonly Trial[]): Promise<Outcome> {
  const leaking = trials.find(({ answer }) => isLeak(tellsOf(answer)));
  if (leaking === undefined) return held("no error shows what is behind the API", trials.slice(0, 2));
  const { frames, words } = tellsOf(leaking.answer);
  const again = await context.send("attack", leaking.outgoing);
  if (!isLeak(tellsOf(again.answer)))
    return inconclusive("an error showed the machinery behind once and not again", [leaking, again]);
  return broken(
    `an error shows the machinery behind (${leaking.outgoing.label}: ${frames} stack frames, ${words} tell-tale words)`,
    [leaking, again],
  );
}

/** The issues of a validation library tell how the inside looks, and which library to look up. */
async function validators(context: ProbeContext, trials: readonly Trial[]): Promise<Outcome> {
  const telling = trials.find(({ answer }) => tellsOf(answer).validator !== undefined);
  const library = telling === undefined ? undefined : tellsOf(telling.answer).validator;
  if (telling === undefined || library === undefined)
    return held("no error passes on what a validation library says", trials.slice(0, 2));
  const again = await context.send("attack", telling.outgoing);
  if (tellsOf(again.answer).validator !== library)
    return inconclusive("a validation library's issues were shown once and not again", [telling, again]);
  return broken(`an error passes on ${library}'s own issues (${telling.outgoing.label})`, [telling, again]);
}

async function wrongStatus(context: ProbeContext, trials: readonly Trial[]): Promise<Outcome> {
  const isInternal = ({ answer }: Trial) => answer.status >= 500 && answer.status !== 503;
  const [first] = trials.filter(isInternal);
  if (first === undefined) return held("a client's mistake is never an internal error", trials.slice(0, 2));
  const again = await context.send("attack", first.outgoing);
  if (!isInternal(again))
    return inconclusive("a client's mistake was an internal error once and not again", [first, again]);
  return broken(`a client's mistake is an internal error: ${first.outgoing.label} answered ${first.answer.status}`, [
    first,
    again,
  ]);
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
  // An answer without a body has no shape to differ in.
  const types = new Set(trials.filter(({ answer }) => answer.text !== "").map(({ answer }) => mediaTypeOf(answer)));
  return types.size <= 1
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
