import type { Header } from "./identities.ts";
import type { Answer } from "./answer.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Redactor } from "./redact.ts";

/** What part a request plays in a verdict. */
export type Leg = "positive" | "negative" | "attack" | "reread";

/** One request that was sent and what came back. */
export interface Trial {
  readonly leg: Leg;
  readonly outgoing: Outgoing;
  readonly answer: Answer;
}

/** One request and its answer as evidence: secrets redacted, bodies cut to 2,000 characters. */
export interface Exchange {
  readonly leg: Leg;
  /** Who sent it: an identity's name, `nobody`, or what was changed. */
  readonly as: string;
  readonly request: {
    readonly method: string;
    readonly target: string;
    readonly headers: readonly Header[];
    readonly body?: string;
  };
  readonly answer:
    | { readonly status: number; readonly headers: readonly Header[]; readonly body: string; readonly ms: number }
    | { readonly failed: string };
}

/** Makes evidence of a trial. */
export function exchangeOf(trial: Trial, redactor: Redactor): Exchange {
  const { outgoing, answer } = trial;
  const clean = (text: string) => redactor.apply(text);
  const headers = (list: readonly Header[]): readonly Header[] =>
    list.map(([name, value]) => [name, cut(redactor.applyTo(name.toLowerCase(), value), 400)]);
  const body = outgoing.body === undefined ? undefined : shown(bodyText(outgoing.body), clean);
  return {
    leg: trial.leg,
    as: outgoing.label,
    request: {
      method: outgoing.method,
      target: clean(outgoing.target),
      headers: headers([
        ...(outgoing.host === undefined ? [] : [["host", outgoing.host] as const]),
        ...outgoing.headers,
      ]),
      ...(body === undefined ? {} : { body }),
    },
    answer:
      answer.status === 0
        ? { failed: answer.failure ?? "the connection was closed" }
        : {
            status: answer.status,
            headers: headers(answer.headers),
            body: shown(answer.text, clean),
            ms: Math.round(answer.ms),
          },
  };
}

function bodyText(body: string | Uint8Array): string {
  return typeof body === "string" ? body : Buffer.from(body).toString("latin1");
}

/** Longer than any secret: what is cut off beyond it cannot be the rest of one that begins in what is shown. */
const secretReach = 16_384;

/** Redacted first and cut then: half a secret is known to nobody and would be shown. */
function shown(text: string, clean: (text: string) => string, most = 2000): string {
  const whole = clean(text.slice(0, most + secretReach));
  const isCut = text.length > most || whole.length > most;
  return ownCopy(isCut ? `${whole.slice(0, most)}… (${text.length} characters)` : whole);
}

/** The same text in memory of its own: a part of a text keeps all of it, and evidence outlives bodies of megabytes. */
function ownCopy(text: string): string {
  return Buffer.from(text, "utf16le").toString("utf16le");
}

function cut(text: string, most = 2000): string {
  return text.length > most ? ownCopy(`${text.slice(0, most)}… (${text.length} characters)`) : text;
}
