import { gzipSync } from "node:zlib";
import { type Answer, headerOf, isSuccess, noAnswer } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { HonestWrite } from "./honest-write.ts";
import { isLimited } from "./oracle.ts";
import { wireText } from "./raw.ts";
import { withHeaders } from "./requests.ts";

/** A valid body made too large, in the ways a length can be told or kept quiet. */
export interface Oversize {
  /** With its length in Content-Length. */
  declared(bytes: number): Promise<Trial>;
  /** In chunks, without a length (RFC 9112 section 7.1). */
  chunked(bytes: number): Promise<Trial>;
  /** Gzip that grows to so many bytes. */
  compressed(bytes: number): Promise<Trial>;
  /** Chunks that go on after so many bytes, without an end, for a second and a half. */
  endless(bytes: number): Promise<Endless>;
}

/** What became of a body without an end. */
export interface Endless {
  readonly trial: Trial;
  /** True where it was neither answered nor cut off while it came. */
  readonly isReadOn: boolean;
}

/** What is known of the largest body an operation takes, bytes. */
export interface SizeFound {
  /** Accepted; undefined where every size tried was refused. */
  readonly accepted?: number | undefined;
  /** Refused; undefined where every size tried was accepted. */
  readonly refused?: number | undefined;
  /** Set where an answer was a limit or an outage, so that nothing is known. */
  readonly limited: Trial | undefined;
  readonly trials: readonly Trial[];
}

/** The smallest size that is tried, bytes; what is smaller than it is refused by nobody on purpose. */
const firstBytes = 64 * 1024;

/** The gap between accepted and refused is halved until it is this part of what is accepted. */
const narrow = 8;

/** How long a body without an end trickles on, milliseconds, and how often. */
const trickle = { forMs: 1500, everyMs: 100 };

/**
 * Makes large bodies of an honest write: white space inside the JSON object, which changes nothing of what it says.
 *
 * @param write  its body is a JSON object; told of every answer, so that what was created is deleted
 */
export function oversize(context: ProbeContext, write: HonestWrite): Oversize {
  const { outgoing } = write;
  const text = typeof outgoing.body === "string" ? outgoing.body : "{}";
  const padded = (bytes: number) => `{${" ".repeat(Math.max(0, bytes - text.length))}${text.slice(1)}`;
  const told = (trial: Trial): Trial => {
    write.sent(shortened(trial));
    return trial;
  };
  return {
    declared: async (bytes) => told(await raw(context, outgoing, padded(bytes), false)),
    chunked: async (bytes) => told(await raw(context, outgoing, padded(bytes), true)),
    async compressed(bytes) {
      const body = gzipSync(padded(bytes));
      const small = withHeaders({ ...outgoing, body }, [["content-encoding", "gzip"]], `${outgoing.label}, compressed`);
      return told(await context.send("attack", small));
    },
    endless: (bytes) => endless(context, outgoing, bytes),
  };
}

/**
 * Looks for the largest body that is taken: doubles until one is refused, then halves the gap.
 *
 * @param ceiling  nothing larger is sent, bytes
 */
export async function searchSize(sizes: Oversize, ceiling: number): Promise<SizeFound> {
  const found: { accepted?: number; refused?: number; trials: Trial[] } = { trials: [] };
  const result = (limited?: Trial): SizeFound => ({
    accepted: found.accepted,
    refused: found.refused,
    limited,
    trials: found.trials,
  });
  let bytes: number | undefined = Math.min(firstBytes, ceiling);
  while (bytes !== undefined) {
    const trial = await sizes.declared(bytes);
    found.trials.push(shortened(trial));
    if (isLimited(trial.answer)) return result(trial);
    if (isSuccess(trial.answer)) found.accepted = bytes;
    else found.refused = bytes;
    bytes = nextSize(found, ceiling);
  }
  return result();
}

/** Double while nothing is refused, then the middle of the gap until it is small; undefined at the end. */
function nextSize({ accepted, refused }: Pick<SizeFound, "accepted" | "refused">, ceiling: number): number | undefined {
  if (accepted === undefined) return undefined;
  if (refused === undefined) return accepted < ceiling ? Math.min(accepted * 2, ceiling) : undefined;
  return refused - accepted > accepted / narrow ? Math.round((accepted + refused) / 2) : undefined;
}

/** `100 KiB`, `4 MiB`. */
export function sizeText(bytes: number): string {
  return bytes >= 1024 * 1024
    ? `${Number((bytes / 1024 / 1024).toFixed(1))} MiB`
    : `${Math.max(1, Math.round(bytes / 1024))} KiB`;
}

/** What is kept does not need the white space. */
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
  const headers = headerLines(context, outgoing);
  headers.push(chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${Buffer.byteLength(body)}`);
  const line = `${outgoing.method} ${outgoing.target} HTTP/1.1`;
  const parts = chunked
    ? [wireText(line, headers), ...chunksOf(body), "0\r\n\r\n"]
    : [wireText(line, headers), ...piecesOf(body)];
  const once = () => context.fetcher.raw({ parts }, outgoing);
  let conversation = await once();
  for (let tries = 0; tries < 2 && isLimited(answerOf(conversation)); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, waitMs(answerOf(conversation))));
    conversation = await once();
  }
  const how = chunked ? "in chunks" : "declared";
  return {
    leg: "attack",
    outgoing: { ...outgoing, body, label: `${outgoing.label}, ${sizeText(body.length)} ${how}` },
    answer: answerOf(conversation),
  };
}

/** As long as the target asks for, and no longer than a scan can spare. */
function waitMs(answer: Answer): number {
  const seconds = Number(headerOf(answer, "retry-after") ?? "1");
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000 + 50, 5000) : 1000;
}

function headerLines(context: ProbeContext, { headers }: Outgoing): string[] {
  return [
    `Host: ${context.fetcher.url.host}`,
    "Accept: application/json",
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
}

function answerOf({ answers, failure }: { answers: readonly Answer[]; failure: string | undefined }): Answer {
  return answers[0] ?? noAnswer(failure ?? "the connection was closed", 0);
}

const piece = 16 * 1024;

function* piecesOf(body: string): Generator<string> {
  for (let at = 0; at < body.length; at += piece) yield body.slice(at, at + piece);
}

function* chunksOf(body: string): Generator<string> {
  for (const part of piecesOf(body)) yield `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`;
}

/** The server has to answer or close while the body still comes; it need not have read all that was written. */
async function endless(context: ProbeContext, outgoing: Outgoing, bytes: number): Promise<Endless> {
  async function* parts(): AsyncGenerator<string> {
    const headers = [...headerLines(context, outgoing), "Transfer-Encoding: chunked"];
    yield wireText(`${outgoing.method} ${outgoing.target} HTTP/1.1`, headers);
    const chunk = `${piece.toString(16)}\r\n${" ".repeat(piece)}\r\n`;
    for (let written = 0; written < bytes; written += piece) yield chunk;
    const until = performance.now() + trickle.forMs;
    while (performance.now() < until) {
      yield chunk;
      await new Promise((resolve) => setTimeout(resolve, trickle.everyMs));
    }
  }
  const conversation = await context.fetcher.raw({ parts: parts(), timeoutMs: 500 }, outgoing);
  const trial: Trial = {
    leg: "attack",
    outgoing: { ...outgoing, body: "(white space without end)", label: `${outgoing.label}, endless` },
    answer: answerOf(conversation),
  };
  return { trial, isReadOn: conversation.answers.length === 0 && !conversation.closed };
}
