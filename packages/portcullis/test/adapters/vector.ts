/** What an adapter has to see or decide for a vector to mean anything. */
export type Fact =
  | "raw target"
  | "duplicate headers"
  /** The headers as they were sent, and none that a framework has added. */
  | "own headers"
  | "any method"
  | "body of a GET"
  | "missing host"
  | "parse errors"
  | "expectations"
  | "upgrades";

/** One request of the suite. */
export interface Sent {
  /** `GET /v1/open`. */
  readonly line: string;
  /** In this order, duplicates included. */
  readonly headers?: readonly (readonly [string, string])[];
  /** Subject of a token in Authorization. */
  readonly as?: string;
  readonly json?: unknown;
  /** Bytes as Latin-1 text. */
  readonly body?: string;
  /** The body in chunks, without a length. */
  readonly chunked?: true;
  /** The whole request as it goes over the wire; then nothing else is looked at, and only a socket can send it. */
  readonly raw?: string;
}

/** A request and what every adapter that can see it has to answer. */
export interface Vector {
  readonly name: string;
  readonly needs: readonly Fact[];
  readonly sent: Sent;
  readonly status: number;
  /** Code of the problem; undefined where the answer is none. */
  readonly code?: string;
  /** The whole body, where there is one that matters. */
  readonly json?: unknown;
  /** The body is no problem document, and the code stands in the record alone. */
  readonly ownBody?: true;
  /** Part of the body of a page. */
  readonly holds?: string;
  /** Headers of the answer; null for one that must not be there. */
  readonly headers?: Readonly<Record<string, string | null>>;
  /** Sent so often before; the last answer counts. Default 0. */
  readonly before?: number;
}

/** A vector as the lists write it. */
export type Row = readonly [
  name: string,
  sent: Sent | string,
  status: number,
  code?: string | undefined,
  more?: Partial<Vector>,
];

/** A vector with everything left out filled in. */
export function row([name, sent, status, code, more]: Row): Vector {
  return {
    name,
    needs: [],
    sent: typeof sent === "string" ? { line: sent } : sent,
    status,
    ...(code === undefined ? {} : { code }),
    ...more,
  };
}
