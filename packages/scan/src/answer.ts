import type { Header } from "./identities.ts";
import { parseJson } from "./json.ts";

/** Why a body is not whole: the scan read no further, or the target ended the connection; false where it is whole. */
export type Truncated = "too large" | "too slow" | "broken off" | false;

/**
 * What came back. Status 0 means that no answer came: the connection was closed or time ran out, which some APIs do to
 * refuse; `failure` says which.
 */
export interface Answer {
  readonly status: number;
  /** As received, in order, names in lower case. */
  readonly headers: readonly Header[];
  /** The body as text, at most the fetcher's `maxAnswerBytes`. */
  readonly text: string;
  /** The body as JSON; undefined where it is none. */
  readonly json: unknown;
  readonly ms: number;
  readonly failure: string | undefined;
  readonly truncated: Truncated;
}

/** The parts of an answer before it is read. */
export interface RawAnswer {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly ms: number;
  readonly truncated?: Truncated;
}

/** Makes an answer of what arrived. */
export function answerOf(raw: RawAnswer): Answer {
  const headers: Header[] = [];
  for (let at = 0; at + 1 < raw.rawHeaders.length; at += 2) {
    headers.push([(raw.rawHeaders[at] ?? "").toLowerCase(), raw.rawHeaders[at + 1] ?? ""]);
  }
  const text = raw.body.toString("utf8");
  const first = text.trimStart().charAt(0);
  const json = first === "{" || first === "[" || first === '"' ? parseJson(text) : undefined;
  return { status: raw.status, headers, text, json, ms: raw.ms, failure: undefined, truncated: raw.truncated ?? false };
}

/** Makes an answer of silence. */
export function noAnswer(failure: string, ms: number): Answer {
  return { status: 0, headers: [], text: "", json: undefined, ms, failure, truncated: false };
}

/** The first value of a header; undefined where it is absent. */
export function headerOf(answer: Answer, name: string): string | undefined {
  return answer.headers.find(([field]) => field === name)?.[1];
}

/** All values of a header. */
export function headersOf(answer: Answer, name: string): readonly string[] {
  return answer.headers.filter(([field]) => field === name).map(([, value]) => value);
}

/** The media type without parameters, lower case; "" where there is none. */
export function mediaTypeOf(answer: Answer): string {
  return (headerOf(answer, "content-type")?.split(";")[0] ?? "").trim().toLowerCase();
}

/** True for 2xx. */
export function isSuccess(answer: Answer): boolean {
  return answer.status >= 200 && answer.status < 300;
}
