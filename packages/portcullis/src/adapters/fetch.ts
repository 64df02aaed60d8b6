import type { Answer, Arrival, BodyFailure, Known } from "../exchange.ts";
import { defaults } from "../defaults.ts";
import type { Recorder } from "../events/recorder.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import { OptionsError } from "../lib/options-error.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import { withinTime } from "../lib/within-time.ts";
import type { Handled } from "../listen.ts";

/** What a host that speaks `Request` and `Response` may know beyond them. What is left out is unknown, and stays it. */
export interface FetchFacts {
  /** Address of the socket's other end, such as Deno's `info.remoteAddr.hostname`; a proxy's where one stands in front. */
  readonly peer?: string;
  /** How the socket itself is protected; never what a header or `request.url` says. */
  readonly scheme?: "https" | "http";
  /** The request target as it was sent, such as Node's `req.url`. `request.url` has been normalised. */
  readonly target?: string;
  /** Keeps the process alive until the records are written, such as a Worker's `ctx.waitUntil`. */
  readonly waitUntil?: (work: Promise<unknown>) => void;
}

/** What a `Request` can never tell, for the manifest. */
export const unknownToFetch = ["tls", "duplicate headers", "whether the answer arrived"] as const;

const factNames = ["peer", "scheme", "target", "waitUntil"] as const satisfies readonly (keyof FetchFacts)[];

/**
 * Facts come from the program and never from the request; a whole environment handed in their place would be believed.
 *
 * @throws OptionsError where there is anything but facts
 */
export function checkFacts(facts: FetchFacts): void {
  const [other] = unknownKeys(facts, factNames);
  if (other === undefined) return;
  throw new OptionsError(
    `api.fetch was given ${other}, which is no fact about a request.`,
    `Call it as (request) => api.fetch(request, { … }) with some of ${factNames.join(", ")}.`,
  );
}

/** A `Request` as the gates see it. */
export class FetchArrival implements Arrival {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly peer: Known<string>;
  readonly scheme: Known<"https" | "http">;
  readonly hasBody: boolean;
  readonly #request: Request;
  readonly #deadlines: Deadlines;

  constructor(request: Request, facts: FetchFacts, deadlines: Deadlines) {
    const url = new URL(request.url);
    this.method = request.method;
    this.target = facts.target ?? `${url.pathname}${url.search}`;
    this.headers = pairs(request.headers, url.host);
    this.peer = facts.peer ?? "unknown";
    this.scheme = facts.scheme ?? "unknown";
    this.hasBody = request.body !== null && announcesBody(request.headers);
    this.#request = request;
    this.#deadlines = deadlines;
  }

  async readBody(maxBytes: number, timeoutMs: number): Promise<Uint8Array | BodyFailure> {
    const { body } = this.#request;
    if (body === null) return new Uint8Array(0);
    if (this.#request.bodyUsed) {
      throw new Error("the body was read before the gates could; hand the request on before anything reads it");
    }
    const reader = body.getReader();
    let late = false;
    const deadline = this.#deadlines.add(timeoutMs, () => {
      late = true;
      void reader.cancel().catch(ignore);
    });
    try {
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for (;;) {
        const { done, value } = await reader.read();
        if (late) return "timeout";
        if (done) return joined(chunks, bytes);
        // A stream of anything but bytes could not be counted.
        if (!ArrayBuffer.isView(value)) {
          void reader.cancel().catch(ignore);
          return "aborted";
        }
        bytes += value.byteLength;
        if (bytes > maxBytes) {
          void reader.cancel().catch(ignore);
          return "too-large";
        }
        chunks.push(value);
      }
    } catch {
      return late ? "timeout" : "aborted";
    } finally {
      this.#deadlines.remove(deadline);
    }
  }

  signal(): AbortSignal {
    return this.#request.signal;
  }

  /** Tells the host that nobody will read the rest of a body. */
  leave(): void {
    const { body, bodyUsed } = this.#request;
    if (body !== null && !bodyUsed && !body.locked) void body.cancel().catch(ignore);
  }
}

/**
 * Has the records written although the process may stop once the answer is out: by the host, which is told to wait, or
 * else before the answer, for a little while. A host that cannot be told costs the records' time and never the answer.
 *
 * @param freezes  whether the process may stop behind its answers
 */
export async function keepRecords(
  { recorder, deadlines }: { readonly recorder: Recorder; readonly deadlines: Deadlines },
  facts: FetchFacts,
  freezes: boolean,
): Promise<void> {
  if (facts.waitUntil === undefined) {
    if (!freezes) return;
  } else {
    try {
      facts.waitUntil(recorder.flush());
      return;
    } catch (error) {
      // Such as a method that was taken from its object.
      recorder.failed(error, { requestId: undefined, route: undefined, stage: "waitUntil" });
    }
  }
  await withinTime(deadlines, defaults.recordsWaitMs, recorder.flush(), ignore);
}

/** The answer as a `Response`; one that no `Response` can carry is replaced by a bland 500. */
export function responseOf(handled: Handled): Response {
  try {
    return response(handled.answer, handled.isHead);
  } catch (error) {
    return response(handled.unsendable(error), handled.isHead);
  }
}

function response({ status, headers, body }: Answer, isHead: boolean): Response {
  const fields = new Headers();
  for (let i = 0; i < headers.length; i += 2) fields.append(headers[i] ?? "", headers[i + 1] ?? "");
  return new Response(isHead || body === undefined ? null : body, { status, headers: fields });
}

/** Names and values in turn. A `Request` made by a program has no Host; then its address names it. */
function pairs(headers: Headers, host: string): readonly string[] {
  const list: string[] = [];
  headers.forEach((value, name) => list.push(name, value));
  if (!headers.has("host")) list.push("host", host);
  return list;
}

/**
 * Hosts give many requests without a body an empty stream. One that has content says how long it is, how it is framed
 * or at least what it is (over HTTP/2 only that); a stream without any of them is never read.
 */
function announcesBody(headers: Headers): boolean {
  const length = headers.get("content-length");
  if (length !== null) return length !== "0";
  return headers.has("transfer-encoding") || headers.has("content-type");
}

function joined(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return first;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

function ignore(): void {
  // The other end has gone; the record says aborted.
}
