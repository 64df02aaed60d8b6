import { randomBytes } from "node:crypto";
import { type MutantName, type Switch, switchTo } from "../mutants.ts";
import { createData, type Data } from "../product/data.ts";
import type { Incoming, Reply } from "./exchange.ts";
import { createKeys, type Keys } from "./keys.ts";
import { createLimiter, type Limiter } from "./limiter.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { createTokens, type Tokens } from "./tokens.ts";

/** Everything one running plain API has of its own. */
export interface World {
  readonly mutant: Switch;
  readonly data: Data;
  readonly tokens: Tokens;
  readonly keys: Keys;
  readonly sessions: Sessions;
  readonly limiter: Limiter;
  readonly idempotency: Idempotency;
  readonly webhookSecret: string;
  /** Ids of webhook events that were handled. */
  readonly deliveries: Set<string>;
  readonly cursorKey: Buffer;
  /** The session cookie's value, where the request has one. */
  cookieOf(incoming: Incoming): string | undefined;
}

/** Answers kept by `Idempotency-Key`, for their caller and their body alone. */
export interface Idempotency {
  run(key: string | undefined, subject: string, payload: string, create: () => Reply): Reply;
}

/** A fresh API's parts, with at most one mistake in them. */
export function createWorld(algorithm: "HS256" | "RS256", on: MutantName | undefined): World {
  const mutant = switchTo(on);
  const sessions = createSessions(mutant);
  return {
    mutant,
    data: createData(),
    tokens: createTokens(algorithm, mutant),
    keys: createKeys(mutant),
    sessions,
    limiter: createLimiter(),
    idempotency: createIdempotency(mutant),
    webhookSecret: `whsec_${randomBytes(24).toString("hex")}`,
    deliveries: new Set(),
    cursorKey: randomBytes(32),
    cookieOf: ({ headers }) =>
      headers["cookie"]
        ?.split(/;\s*/)
        .find((pair) => pair.startsWith(`${sessions.name}=`))
        ?.slice(sessions.name.length + 1),
  };
}

function createIdempotency(mutant: Switch): Idempotency {
  const kept = new Map<string, { readonly payload: string; readonly reply: Reply }>();
  return {
    run(key, subject, payload, create) {
      if (key === undefined) return create();
      const name = mutant("idempotency-shared") ? key : `${subject} ${key}`;
      const known = kept.get(name);
      if (known !== undefined) {
        const isSame = known.payload === payload || mutant("idempotency-payload");
        return isSame ? known.reply : { status: 422, body: { title: "Unprocessable Content", status: 422 } };
      }
      const reply = create();
      kept.set(name, { payload, reply });
      return reply;
    },
  };
}
