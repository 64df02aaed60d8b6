import type { CallRecord, DetectorId, RefusalCode, SecurityEvent } from "portcullis";

/** One recorded thing, and when it happened: milliseconds since the traffic began. */
export interface Moment {
  readonly atMs: number;
  readonly entry: CallRecord | SecurityEvent;
}

/** An attack in the traffic: what should be told, about whom, and from when on it can be known. */
export interface Label {
  readonly detector: DetectorId;
  readonly about: string;
  readonly provableAtMs: number;
}

/** Traffic of one hour and a half with labelled attacks in it. */
export interface LabelledTraffic {
  readonly moments: readonly Moment[];
  readonly labels: readonly Label[];
}

const minute = 60_000;
const routes = ["GET /v1/projects", "GET /v1/projects/:id", "POST /v1/projects"] as const;
const signIn = "POST /v1/sign-in";

/**
 * Everyday traffic of 200 callers: some forgotten passwords, some dead links, a slow call now and then, a limit reached
 * by somebody in a hurry. Then, in the last half hour, what is named.
 */
export function labelledTraffic(seed: number, attacks: readonly DetectorId[]): LabelledTraffic {
  const random = numbers(seed);
  const moments: Moment[] = [];
  const labels: Label[] = [];
  const signedInUntil = new Map<number, number>();
  let serial = 0;
  const chance = (share: number): boolean => random() < share;
  const pick = (count: number): number => Math.floor(random() * count);

  function call(
    atMs: number,
    change: Partial<CallRecord> = {},
    code?: RefusalCode,
    pattern?: SecurityEvent["pattern"],
  ): void {
    const who = pick(200);
    const record: CallRecord = {
      kind: "call",
      time: atMs,
      service: "labelled",
      requestId: `r${serial++}`,
      account: `account-${who}`,
      tenant: undefined,
      proof: "jwt",
      address: `198.51.100.${who}`,
      userAgent: undefined,
      method: "GET",
      route: routes[pick(routes.length)],
      status: 200,
      durationMs: 5 + random() * 80,
      code,
      aborted: false,
      ...change,
    };
    moments.push({ atMs, entry: record });
    if (code === undefined) return;
    const { requestId, account, address, method, route, status } = record;
    const event: SecurityEvent = {
      kind: "event",
      type: "refused",
      time: atMs,
      service: "labelled",
      requestId,
      address,
      method,
      status,
      code,
      ...(account === undefined ? {} : { account }),
      ...(route === undefined ? {} : { route }),
      ...(pattern === undefined ? {} : { pattern }),
    };
    moments.push({ atMs, entry: event });
  }

  for (let atMs = 0; atMs < 90 * minute; atMs += 200 + random() * 300) {
    if (chance(0.004)) call(atMs, { durationMs: 1_000 + random() * 500 });
    else if (chance(0.01)) call(atMs, { status: 404 }, "object-not-found");
    else if (chance(0.003)) call(atMs, { status: 500 });
    else if (chance(0.002)) call(atMs, { status: 429 }, "rate-limited");
    else if (chance(0.02)) forgottenPassword(atMs);
    else call(atMs);
  }

  /** One to four wrong tries, then the right one. */
  function forgottenPassword(atMs: number): void {
    const who = pick(200);
    // Whoever got in stays in for a while.
    if (atMs < (signedInUntil.get(who) ?? 0)) return;
    signedInUntil.set(who, atMs + 30 * minute);
    const common = { route: signIn, method: "POST", account: `account-${who}`, address: `198.51.100.${who}` };
    const tries = pick(5);
    for (let n = 0; n < tries; n++) {
      call(atMs + n * 4_000, { ...common, status: 401 }, "sign-in-failed");
    }
    call(atMs + tries * 4_000, { ...common, status: 200 });
  }

  /** What each attack does from a moment on, whom it is about, and when the last thing that proves it has happened. */
  const acts: Readonly<Record<DetectorId, (atMs: number) => Omit<Label, "detector">>> = {
    "failed-sign-ins"(atMs) {
      const address = "203.0.113.66";
      for (let n = 0; n < 40; n++) {
        const guess = { route: signIn, method: "POST", account: `account-${n}`, address, status: 401 };
        call(atMs + n * 7_000, guess, "sign-in-failed");
      }
      return { about: address, provableAtMs: atMs + 9 * 7_000 };
    },
    probing(atMs) {
      for (let n = 0; n < 60; n++) {
        const denied = n % 2 === 0;
        const change = { account: "account-of-mallory", address: "203.0.113.7", status: denied ? 403 : 404 };
        call(atMs + n * 2_000, change, denied ? "role-missing" : "object-not-found");
      }
      return { about: "account-of-mallory", provableAtMs: atMs + 29 * 2_000 };
    },
    "distributed-limit-hits"(atMs) {
      for (let n = 0; n < 60; n++) {
        const change = {
          account: undefined,
          proof: undefined,
          address: `203.0.113.${100 + n}`,
          route: signIn,
          status: 429,
        };
        call(atMs + n * 900, change, "rate-limited");
      }
      return { about: signIn, provableAtMs: atMs + 19 * 900 };
    },
    "request-spike"(atMs) {
      for (let n = 0; n < 6_000; n++) call(atMs + n * 20);
      return { about: "requests", provableAtMs: atMs };
    },
    "error-rate"(atMs) {
      for (let n = 0; n < 240; n++) call(atMs + n * 500, { status: 503 });
      return { about: "server errors", provableAtMs: atMs };
    },
    "injection-patterns"(atMs) {
      const address = "203.0.113.80";
      for (let n = 0; n < 12; n++) {
        const attempt = { account: undefined, proof: undefined, address, status: 400 };
        call(atMs + n * 3_000, attempt, "invalid-input", n % 2 === 0 ? "sql" : "markup");
      }
      return { about: address, provableAtMs: atMs + 4 * 3_000 };
    },
    "export-spike"(atMs) {
      const account = "account-that-leaves";
      for (let n = 0; n < 3_500; n++) call(atMs + n * 60, { account, route: routes[1] });
      return { about: account, provableAtMs: atMs + 2_999 * 60 };
    },
    "refresh-reuse"(atMs) {
      const account = "account-that-was-copied";
      moments.push({
        atMs,
        entry: { kind: "event", type: "refresh-reused", time: atMs, service: "labelled", protection: "oauth", account },
      });
      return { about: account, provableAtMs: atMs };
    },
    "slow-route"(atMs) {
      // Beside the few hundred quick calls of the last five minutes it takes this many to be a twentieth.
      for (let n = 0; n < 120; n++) call(atMs + n * 1_000, { route: routes[1], durationMs: 2_500 });
      return { about: routes[1], provableAtMs: atMs + 4_000 };
    },
  };

  // One after the other, so that the louder do not drown the others.
  for (const [place, detector] of attacks.entries()) {
    labels.push({ detector, ...acts[detector]((61 + place * 5) * minute + pick(2 * minute)) });
  }
  moments.sort((a, b) => a.atMs - b.atMs);
  return { moments, labels };
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
