import { gzipSync } from "node:zlib";
import { isSuccess, noAnswer } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { type HonestWrite, honestWrite } from "../honest-write.ts";
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
} from "../probe.ts";
import { wireText } from "../raw.ts";
import { withHeaders } from "../requests.ts";
import { isGone, type Operation } from "../target.ts";

/**
 * A valid body made too large with white space: declared, in chunks, compressed; and one that never ends, that is nested
 * too deep or has too many keys. Accepted means broken; so does reading on without end.
 */
export const bodySize: Probe = { id: "body-size", plan: planBodySize };

/** Where nothing says how much is too much. */
const assumedMaxBytes = 8 * 1024 * 1024;

function planBodySize(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const writes = context.target.operations.filter(
    (operation) => operation.body !== undefined && /json/.test(operation.body.mediaType) && !isGone(operation, now),
  );
  if (writes.length === 0) return [{ check: "bodies", notApplicable: "Nothing takes a body." }];
  return writes.map((operation) => ({ check: "bodies", operation, run: () => tooMuch(context, operation) }));
}

async function tooMuch(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const write = await honestWrite(context, operation, 8);
  if (typeof write === "string") return [{ check: "bodies", ...notApplicable(write) }];
  const text = typeof write.outgoing.body === "string" ? write.outgoing.body : "";
  if (!text.startsWith("{")) return [{ check: "bodies", ...notApplicable("Its body is no JSON object.") }];
  const positive = await context.send("positive", write.outgoing);
  write.sent(positive);
  if (!isSuccess(positive.answer))
    return [{ check: "bodies", ...inconclusive(`a body of honest size ${outcome(positive.answer)}`, [positive]) }];
  const most = operation.bodyMaxBytes ?? context.target.policy.bodyMaxBytes ?? assumedMaxBytes;
  const padding = " ".repeat(most + 1024 - text.length);
  const size = most >= 1024 * 1024 ? `${Math.round(most / 1024 / 1024)} MiB` : `${Math.round(most / 1024)} KiB`;
  const large = `{${padding}${text.slice(1)}`;
  const found: NamedOutcome[] = [
    {
      check: "declared",
      ...(await refusedTwice(
        write,
        positive,
        () => raw(context, write.outgoing, large, false),
        `a declared body over ${size}`,
      )),
    },
    {
      check: "chunked",
      ...(await refusedTwice(
        write,
        positive,
        () => raw(context, write.outgoing, large, true),
        `a chunked body over ${size}`,
      )),
    },
    {
      check: "compressed",
      ...(await refusedTwice(
        write,
        positive,
        () => compressed(context, write.outgoing, large),
        `a compressed body that grows over ${size}`,
      )),
    },
    { check: "endless", ...(await endless(context, write, most)) },
  ];
  const depth = (context.target.policy.json.maxDepth ?? 64) + 8;
  const nested = `${"[".repeat(depth)}${"]".repeat(depth)}`;
  const keys = (context.target.policy.json.maxKeys ?? 20_000) + 10;
  const many = Array.from({ length: keys }, (_entry, index) => `"k${index.toString(36)}":0`).join(",");
  const inside = text.slice(1, -1);
  const extra = (member: string): Outgoing => ({
    ...write.outgoing,
    body: `{"pcExtra":${member}${inside === "" ? "" : ","}${inside}}`,
  });
  found.push(
    {
      check: "deep",
      ...(await refusedTwice(
        write,
        positive,
        () => context.send("attack", extra(nested)),
        `JSON nested ${depth} deep`,
      )),
    },
    {
      check: "many-keys",
      ...(await refusedTwice(
        write,
        positive,
        () => context.send("attack", extra(`{${many}}`)),
        `JSON with ${keys} keys`,
      )),
    },
  );
  return found;
}

async function refusedTwice(
  write: HonestWrite,
  positive: Trial,
  attack: () => Promise<Trial>,
  what: string,
): Promise<Outcome> {
  const trials = [positive];
  for (let round = 1; round <= 2; round += 1) {
    const trial = await attack();
    trials.push(shortened(trial));
    write.sent(trial);
    if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), trials);
    if (trial.answer.status === 0 && trial.answer.failure === "no answer in time")
      return broken(`${what} is never answered`, trials);
    const taken = isSuccess(trial.answer);
    if (!taken && trial.answer.status < 500) return held(`${what} is refused (${outcome(trial.answer)})`, trials);
    if (round === 2)
      return broken(taken ? `${what} is accepted` : `${what} is an internal error (${trial.answer.status})`, trials);
  }
  return inconclusive("it was not decided", trials);
}

/** Evidence does not need the white space. */
function shortened(trial: Trial): Trial {
  const { body } = trial.outgoing;
  if (body === undefined || body.length < 4000) return trial;
  return {
    ...trial,
    outgoing: { ...trial.outgoing, body: typeof body === "string" ? body.slice(0, 3000) : body.subarray(0, 3000) },
  };
}

/** Writes the body on a connection of its own: an early refusal must be seen, not lost to a reset. */
async function raw(context: ProbeContext, outgoing: Outgoing, body: string, chunked: boolean): Promise<Trial> {
  const headers = [
    `Host: ${context.fetcher.url.host}`,
    "Accept: application/json",
    ...outgoing.headers.map(([name, value]) => `${name}: ${value}`),
  ];
  headers.push(chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${Buffer.byteLength(body)}`);
  const line = `${outgoing.method} ${outgoing.target} HTTP/1.1`;
  const parts = chunked
    ? [wireText(line, headers), ...chunksOf(body), "0\r\n\r\n"]
    : [wireText(line, headers), ...piecesOf(body)];
  const conversation = await context.fetcher.raw({ parts }, outgoing);
  const answer = conversation.answers[0] ?? noAnswer(conversation.failure ?? "the connection was closed", 0);
  return {
    leg: "attack",
    outgoing: {
      ...outgoing,
      body: body.slice(0, 200),
      label: `${outgoing.label}, ${chunked ? "chunked" : "declared"}`,
    },
    answer,
  };
}

const piece = 16 * 1024;

function* piecesOf(body: string): Generator<string> {
  for (let at = 0; at < body.length; at += piece) yield body.slice(at, at + piece);
}

function* chunksOf(body: string): Generator<string> {
  for (const part of piecesOf(body)) yield `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`;
}

async function compressed(context: ProbeContext, outgoing: Outgoing, body: string): Promise<Trial> {
  return await context.send(
    "attack",
    withHeaders({ ...outgoing, body: gzipSync(body) }, [["content-encoding", "gzip"]], `${outgoing.label}, compressed`),
  );
}

/** Chunks that never end: the server must stop reading long before us. */
async function endless(context: ProbeContext, write: HonestWrite, most: number): Promise<Outcome> {
  const { outgoing } = write;
  const stop = most * 8 + 1024 * 1024;
  let written = 0;
  function* parts(): Generator<string> {
    const headers = [
      `Host: ${context.fetcher.url.host}`,
      ...outgoing.headers.map(([name, value]) => `${name}: ${value}`),
      "Transfer-Encoding: chunked",
    ];
    yield wireText(`${outgoing.method} ${outgoing.target} HTTP/1.1`, headers);
    const chunk = `${piece.toString(16)}\r\n${" ".repeat(piece)}\r\n`;
    while (written < stop) {
      written += piece;
      yield chunk;
    }
  }
  const conversation = await context.fetcher.raw({ parts: parts(), timeoutMs: 1500 }, outgoing);
  const answer = conversation.answers[0] ?? noAnswer(conversation.failure ?? "the connection was closed", 0);
  const trial: Trial = {
    leg: "attack",
    outgoing: { ...outgoing, body: "(white space without end)", label: `${outgoing.label}, endless` },
    answer,
  };
  if (isLimited(answer)) return inconclusive(limitedWhy(answer), [trial]);
  if (conversation.answers.length === 0 && !conversation.closed) {
    return broken(`a body without end is read on and on (${Math.round(written / 1024)} KiB and no answer)`, [trial]);
  }
  return held("a body without end is cut off", [trial]);
}
