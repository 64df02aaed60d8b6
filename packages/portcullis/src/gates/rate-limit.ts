import type { Caller } from "../caller.ts";
import type { Exchange, Outcome } from "../exchange.ts";
import type { ArrivalGate, HeaderGate, RouteGate } from "../gate.ts";
import { sentByOtherSite } from "../lib/other-site.ts";
import { chain } from "../lib/chain.ts";
import type { ClientAddress } from "../lib/forwarded.ts";
import { withinTime } from "../lib/within-time.ts";
import type { Decision, Refused, Tariff } from "../limits/limiter.ts";
import { LimitKey } from "../limits/key.ts";
import { limitHeaders } from "../limits/headers.ts";
import type { FailureBudget, PlannedLimit } from "../limits/tariffs.ts";
import type { ApiPlan, RoutePlan } from "../plan.ts";
import { Refusal } from "../refusal.ts";
import { credentialFinder } from "../lib/find-credential.ts";

/**
 * Stage one, before anything is proved: reserves one request of the address, of its /48 and of the share of the global
 * limit that strangers may hold; of what the proved callers of one address share, where the credential was proved before
 * and still holds. Where what strangers have or the failure budget of the address is used up, only a credential that was
 * proved before gets further, by that share as well: guessing and floods stop, neighbours behind one NAT do not.
 *
 * @returns step; refuses with `rate-limited`, `failure-budget-spent` (429) or `unknown-address` (400)
 * @see OWASP API4:2023, OWASP ASVS 5.0 2.4.1 and 6.3.1
 */
export const reserve: ArrivalGate = (api) => {
  const { arrival, knownArrival, addressFailures, callerFailures } = api.tariffs;
  const find = credentialFinder(api);

  return function reserveForAddress(x) {
    if (x.address === undefined) return new Refusal("unknown-address", "nobody knows the client's address");
    const key = LimitKey.ofAddress(x.address);
    x.addressKey = key;
    const wideKey = LimitKey.ofWideAddress(x.address);
    x.wideAddressKey = wideKey;
    // Who has been proved and still is takes nothing of what strangers have; stage two counts him with all he has.
    const sent = find(x);
    if (sent !== undefined && !(sent instanceof Refusal) && sent.known !== undefined) {
      // From here on what he does is his own: what he gets wrong costs his budget, not that of his neighbours.
      return spentCaller(x, LimitKey.ofCaller(sent.known), callerFailures) ?? reserveKnown(x, wideKey);
    }
    const failures = budgetFor(x, addressFailures).peek([key]);
    if (!failures.admitted) return admitKnown(x, wideKey, failures, "failure-budget-spent");
    const decision = arrival.reserve([key, wideKey, LimitKey.everyone]);
    if (!decision.admitted) return admitKnown(x, wideKey, decision, "rate-limited");
    x.reservation = decision;
    x.decision = decision;
    return undefined;
  };

  function admitKnown(x: Exchange, wideKey: LimitKey, spent: Refused, code: LimitCode): Outcome {
    x.isFlooding = true;
    const found = find(x);
    const isKnown = found !== undefined && !(found instanceof Refusal) && api.provedBefore.has(found.value);
    if (!isKnown) return refused(x, spent, code);
    return reserveKnown(x, wideKey);
  }

  function reserveKnown(x: Exchange, wideKey: LimitKey): Outcome {
    const decision = knownArrival.reserve([LimitKey.everyone, wideKey]);
    if (!decision.admitted) return refused(x, decision, "rate-limited");
    x.reservation = decision;
    return undefined;
  }
};

/**
 * Stage two: all proved dimensions in one decision. The reservation is given back, so that the address bounds only
 * callers that proved nothing; on a public route without a caller it stays. Nobody's refused call costs another's.
 *
 * @returns step; refuses with `rate-limited`, `failure-budget-spent` (429) or `limiter-unavailable` (503)
 */
export const settle: RouteGate = (api, route) => {
  const { callerFailures } = api.tariffs;
  const { proved, unproved } = api.tariffs.forRoute(route);
  const whenDecided = boundedDecision(api, route);
  const countsTenants = api.rates.tenant !== undefined;

  return function settleForCaller(x) {
    const { caller, address, reservation } = x;
    if (address === undefined) return new Refusal("unknown-address", "nobody knows the client's address");
    if (caller === undefined) {
      // Tries first: they are given back where something else refuses, and what they refuse has cost nobody anything.
      if (unproved.tries.length === 0) return settleUnproved(x);
      return chain(countTries(x, unproved.tries), (spent) => spent ?? settleUnproved(x));
    }
    // Stage one has looked, where the credential was known by then.
    const isLookedAt = x.callerKey !== undefined;
    const key = x.callerKey ?? LimitKey.ofCaller(caller);
    const spent = isLookedAt ? undefined : spentCaller(x, key, callerFailures);
    if (spent !== undefined) {
      reservation?.giveBack();
      return spent;
    }
    if (proved.tries.length === 0) return settleProved(x, key, caller, address);
    return chain(countTries(x, proved.tries), (spent) => spent ?? settleProved(x, key, caller, address));
  };

  function settleUnproved(x: Exchange): Outcome | Promise<Outcome> {
    const keys = [LimitKey.everyone];
    addKeys(keys, x, unproved.limits);
    return whenDecided(
      () => unproved.tariff.settle(keys),
      (decision) => {
        if (!decision.admitted) x.reservation?.giveBack();
        return decide(x, decision);
      },
    );
  }

  function settleProved(
    x: Exchange,
    key: LimitKey,
    caller: Caller,
    address: ClientAddress,
  ): Outcome | Promise<Outcome> {
    const keys = [LimitKey.everyone, x.wideAddressKey ?? LimitKey.ofWideAddress(address), key];
    if (countsTenants) keys.push(LimitKey.ofTenant(caller));
    addKeys(keys, x, proved.limits);
    const { rate } = caller.proof;
    const tariff = rate === undefined ? proved.tariff : proved.ofCredentials.get(rate);
    if (tariff === undefined) {
      x.reservation?.giveBack();
      return new Refusal("limiter-unavailable", `the credential's limit ${rate} is none of those that are counted`);
    }
    if (rate !== undefined) keys.push(LimitKey.ofCredential(caller.proof));
    return whenDecided(
      () => tariff.settle(keys, x.reservation),
      (decision) => decide(x, decision),
    );
  }

  /** One after the other, until one is spent; then the reservation is given back. */
  function countTries(x: Exchange, tries: readonly Tries[], from = 0): Outcome | Promise<Outcome> {
    const one = tries[from];
    if (one === undefined) return undefined;
    return chain(tryOnce(x, one.tariff, [ownKey(x, one.limit)], whenDecided), (spent) => {
      if (spent === undefined) return countTries(x, tries, from + 1);
      x.reservation?.giveBack();
      return spent;
    });
  }
};

/** A limit that counts tries, and what counts them. */
interface Tries {
  readonly tariff: Tariff;
  readonly limit: PlannedLimit;
}

/**
 * The limits a policy puts on a value of the body, such as the account of a sign-in, once the schema has matched it;
 * alone, or together with the address it comes from. Failures are looked at first and all at once, then requests all at
 * once: what one of them refuses has cost the others nothing, so that nobody who is refused himself closes an account.
 *
 * @returns step; refuses with `rate-limited` (429) or `limiter-unavailable` (503)
 */
export const byInputField: RouteGate = (api, route) => {
  const { fieldRequests, fieldFailures } = api.tariffs.forRoute(route);
  if (fieldRequests === undefined && fieldFailures === undefined) return undefined;
  const whenDecided = boundedDecision(api, route);

  return function limitInputField(x) {
    if (fieldFailures === undefined) return countRequests(x);
    const keys = fieldKeys(x, fieldFailures.limits);
    if (keys instanceof Refusal) return keys;
    return chain(tryOnce(x, fieldFailures.tariff, keys, whenDecided), (spent) => spent ?? countRequests(x));
  };

  function countRequests(x: Exchange): Outcome | Promise<Outcome> {
    if (fieldRequests === undefined) return undefined;
    const keys = fieldKeys(x, fieldRequests.limits);
    if (keys instanceof Refusal) return keys;
    return whenDecided(
      () => fieldRequests.tariff.settle(keys),
      // Room in it is not told: the limits of who calls are.
      (decision) => (decision.admitted ? undefined : decide(x, decision)),
    );
  }
};

/**
 * After the outcome is known: counts what was refused before stage one, charges the failure budget, gives back the tries
 * that turned out well, and tells the client its limits.
 */
export const settleAfterwards: HeaderGate = (api) => {
  const { arrival, addressFailures, callerFailures } = api.tariffs;
  const write = limitHeaders(api.limiter.dimensions, api.config.rateLimitHeaders ?? "draft");

  let toldMs = Number.NEGATIVE_INFINITY;

  return function tellLimits(x, headers) {
    if (x.decision?.crowded === true && x.startedMs - toldMs > crowdedEveryMs) {
      toldMs = x.startedMs;
      api.environment.emit({
        kind: "event",
        type: "limiter-crowded",
        time: x.timeMs,
        service: api.config.name,
        protection: "rate-limit",
        reason: "more keys are active than have a counter of their own; the bound holds, strangers count together",
      });
    }
    if (x.addressKey === undefined) countEarly(x);
    // A cookie nobody knows counts as absent, and is a guess all the same. A sender that signed what it sent guesses
    // nothing: an event about what we do not know may not close the door to its other events.
    const looksLikeGuess = failing.has(x.status) || x.clearedCookies !== undefined || isProtocolError(x);
    if (looksLikeGuess && x.verified === undefined) {
      if (x.callerKey !== undefined) budgetFor(x, callerFailures).charge([x.callerKey]);
      else if (x.addressKey !== undefined) budgetFor(x, addressFailures).charge([x.addressKey]);
    }
    // What a limit refused was no try: nobody looked at what it brought.
    const wasTried = x.status >= 400 && x.refusal?.protection !== "rate-limit";
    if (x.tries !== undefined && !wasTried) for (const one of x.tries) one.giveBack();
    if (x.decision !== undefined) write(x.decision, headers);
  };

  /** What was refused before stage one, unreadable or for a host nobody serves, is a request of its address too. */
  function countEarly(x: Exchange): void {
    if (x.address === undefined) return;
    const key = LimitKey.ofAddress(x.address);
    x.addressKey = key;
    const isWithin =
      budgetFor(x, addressFailures).peek([key]).admitted &&
      arrival.reserve([key, LimitKey.ofWideAddress(x.address), LimitKey.everyone]).admitted;
    if (!isWithin) x.isFlooding = true;
  }
};

/** What a page of another site made a visitor's browser fail at is not the visitor's. */
function budgetFor(x: Exchange, failures: FailureBudget): Tariff {
  return sentByOtherSite(x) === undefined ? failures.own : failures.otherSites;
}

const crowdedEveryMs = 60_000;

/** What another specification answers with 400 (OAuth: a code or a token nobody knows) is 401 elsewhere. */
function isProtocolError(x: Exchange): boolean {
  return x.refusal?.body !== undefined && x.pagePolicy === undefined;
}

/** Answers that look like somebody trying doors. */
const failing: ReadonlySet<number> = new Set([401, 403, 404, 405, 421]);

/** Goes on with a decision that is here or comes later; refuses where there is none. */
type WhenDecided = (
  ask: () => Decision | Promise<Decision>,
  use: (decision: Decision) => Outcome | Promise<Outcome>,
) => Outcome | Promise<Outcome>;

/** A limiter that throws, rejects or never answers has not said yes: 503, and the handler does not run. */
function boundedDecision(api: ApiPlan, route: RoutePlan): WhenDecided {
  const unavailable = (cause: unknown): Refusal =>
    new Refusal("limiter-unavailable", "the limiter did not decide", { cause });
  const late = (): Decision => {
    throw new Error(`no decision after ${route.timeoutMs} ms`);
  };

  return function whenDecided(ask, use) {
    try {
      const decision = ask();
      if (!(decision instanceof Promise)) return use(decision);
      return withinTime(api.deadlines, route.timeoutMs, decision, late).then(use).catch(unavailable);
    } catch (error) {
      return unavailable(error);
    }
  };
}

/** Adds the key of each of a route's limits. */
function addKeys(keys: LimitKey[], x: Exchange, limits: readonly PlannedLimit[]): void {
  for (const limit of limits) {
    keys.push(limit.by === "tenant" && x.caller !== undefined ? LimitKey.ofTenant(x.caller) : ownKey(x, limit));
  }
}

function ownKey(x: Exchange, limit: PlannedLimit): LimitKey {
  if (limit.by === "caller" && x.callerKey !== undefined) return x.callerKey;
  // Who proved nothing is counted by address, whatever the policy counts callers by.
  return x.addressKey ?? LimitKey.everyone;
}

function fieldKeys(x: Exchange, limits: readonly PlannedLimit[]): readonly LimitKey[] | Refusal {
  const keys: LimitKey[] = [];
  for (const { field = "", isPerAddress } of limits) {
    const value: unknown =
      typeof x.bodyInput !== "object" || x.bodyInput === null ? undefined : Reflect.get(x.bodyInput, field);
    // The schema demands a text or a number here, or the API had not started; so a transform has taken it away.
    if (typeof value !== "string" && typeof value !== "number") {
      return new Refusal("internal", `the schema takes body.${field} and does not give it on`);
    }
    if (!isPerAddress) keys.push(LimitKey.ofInput(field, String(value)));
    else if (x.address === undefined) return new Refusal("unknown-address", "nobody knows the client's address");
    else keys.push(LimitKey.ofInputFrom(field, String(value), x.address));
  }
  return keys;
}

/** Takes one try now; it is given back if the answer is no failure, so that tries in flight cannot overshoot. */
function tryOnce(
  x: Exchange,
  tariff: Tariff,
  keys: readonly LimitKey[],
  whenDecided: WhenDecided,
): Outcome | Promise<Outcome> {
  return whenDecided(
    () => tariff.settle(keys),
    (decision) => {
      if (!decision.admitted) return refused(x, decision, "rate-limited");
      x.tries ??= [];
      x.tries.push(decision);
      return undefined;
    },
  );
}

function decide(x: Exchange, decision: Decision): Outcome {
  if (!decision.admitted) return refused(x, decision, "rate-limited");
  x.decision = decision;
  return undefined;
}

type LimitCode = "rate-limited" | "failure-budget-spent";

/** From here on the caller is counted by himself; refuses where he has used up what he may get wrong. */
function spentCaller(x: Exchange, key: LimitKey, callerFailures: FailureBudget): Refusal | undefined {
  x.callerKey = key;
  const failures = budgetFor(x, callerFailures).peek([key]);
  return failures.admitted ? undefined : refused(x, failures, "failure-budget-spent");
}

function refused(x: Exchange, decision: Decision, code: LimitCode): Refusal {
  x.decision = decision;
  // A stranger beyond a limit is counted by the second, so that he cannot fill the records.
  if (x.callerKey === undefined) x.isFlooding = true;
  return new Refusal(code, `dimension ${decision.dimension}, limit ${decision.limit}`);
}
