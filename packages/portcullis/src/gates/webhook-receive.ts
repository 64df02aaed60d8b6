import type { Caller } from "../caller.ts";
import type { Exchange, Outcome } from "../exchange.ts";
import { EarlyAnswer } from "../exchange.ts";
import type { HeaderGate, RouteGate } from "../gate.ts";
import { isPromise, type MaybePromise } from "../lib/maybe-promise.ts";
import { withinTime } from "../lib/within-time.ts";
import type { ApiPlan, RoutePlan } from "../plan.ts";
import { Refusal } from "../refusal.ts";
import type { Claim } from "../webhooks/claim-store.ts";
import { encodeBase64 } from "../webhooks/read-signature.ts";
import { deliveryVerifier, type VerifiedDelivery } from "../webhooks/verify-delivery.ts";

/**
 * Proves the sender of a delivery by the signature on its bytes, in place of authentication: before anybody parses them,
 * and before any limit of a caller counts. The caller is then the sender.
 *
 * @returns step; refuses with `bad-webhook-signature` (401), whatever is wrong with it, or `webhook-unavailable` (503)
 * @see OWASP ASVS 5.0 4.1.5, Standard Webhooks, RFC 9110 section 15.5.2 (401)
 */
export const proveSender: RouteGate = (api, route) => {
  const plan = route.webhook;
  if (plan === undefined) return undefined;
  const { scheme } = plan;
  const verify = deliveryVerifier(scheme, api.environment.hashing);
  const { clock } = api.environment;
  const sender: Caller = Object.freeze({
    subject: `webhook:${scheme.name}`,
    tenant: undefined,
    scopes: Object.freeze([]),
    roles: Object.freeze([]),
    proof: Object.freeze({
      kind: "webhook-receive",
      issuer: undefined,
      credentialId: undefined,
      ambient: false,
      claims: Object.freeze({}),
    }),
  });

  function take(x: Exchange, verified: VerifiedDelivery | string): Outcome {
    if (typeof verified === "string") {
      return new Refusal("bad-webhook-signature", verified, { headers: challenge });
    }
    x.verified = verified;
    x.caller = sender;
    return undefined;
  }

  return function proveBySignature(x) {
    return decided(
      api,
      route,
      () => verify(x.headers, x.body ?? noBytes, clock.now()),
      (verified) => take(x, verified),
    );
  };
};

/**
 * Claims the delivery, right before the handler: everything that could refuse it has been asked. One that somebody works
 * on is 409, one that ran is answered with 200 and runs nothing.
 *
 * @returns step; refuses with `webhook-in-progress` (409), `webhook-unavailable` (503)
 */
export const claimDelivery: RouteGate = (api, route) => {
  const plan = route.webhook;
  if (plan === undefined) return undefined;
  const { scheme, claims, leaseMs } = plan;
  const { hashing } = api.environment;
  // A store may be shared by several services, and one event may be sent to several routes of one.
  const scope = `${api.config.name}\n${route.name}\n${scheme.name}\n`;

  function claim(x: Exchange, id: string): Outcome | Promise<Outcome> {
    x.delivery = Object.freeze({ sender: scheme.name, id, sentAtMs: x.verified?.sentAtMs });
    return decided(
      api,
      route,
      () => hashing.sha256(encoder.encode(scope + id)),
      (digest) => {
        const key = base64url(digest);
        return decided(
          api,
          route,
          () => claims.claim(key, leaseMs),
          (got) => take(x, key, got),
        );
      },
    );
  }

  function take(x: Exchange, key: string, got: Claim): Outcome {
    if (got.state === "claimed") {
      x.claim = { key, token: got.token };
      return undefined;
    }
    if (got.state === "held") {
      const seconds = String(Math.max(1, Math.ceil(got.forMs / 1000)));
      return new Refusal("webhook-in-progress", "somebody works on it", { headers: ["retry-after", seconds] });
    }
    api.environment.emit({
      kind: "event",
      type: "webhook-repeated",
      time: x.timeMs,
      service: api.config.name,
      protection: "webhook-receive",
      requestId: x.id,
      route: route.name,
      reason: "it ran before; answered without effect",
    });
    return new EarlyAnswer(200, []);
  }

  return function claimForHandler(x) {
    const { verified } = x;
    if (verified === undefined) return new Refusal("internal", "a delivery came this far unproved");
    const id = verified.id ?? scheme.idIn(x.bodySent);
    if (id !== undefined) return claim(x, id);
    return decided(
      api,
      route,
      () => hashing.sha256(verified.signed),
      (digest) => claim(x, `sha256:${base64url(digest)}`),
    );
  };
};

/**
 * Notes that the delivery ran, before its sender hears so: a 2xx is sent for what cannot run again. What is not noted is
 * 503, and runs again once the lease has ended.
 *
 * @returns step; refuses with `webhook-unavailable` (503)
 */
export const finishDelivery: RouteGate = (api, route) => {
  const plan = route.webhook;
  if (plan === undefined) return undefined;
  const { claims, times } = plan;

  return function noteDone(x) {
    const { claim } = x;
    if (claim === undefined || !isSuccess(x.status)) return undefined;
    // Whatever comes of it: what ran is not given back.
    x.claim = undefined;
    return decided(
      api,
      route,
      () => claims.done(claim.key, claim.token, times),
      (isDone) => (isDone ? undefined : new Refusal("webhook-unavailable", "the lease ended before the handler did")),
    );
  };
};

/**
 * Gives the claim of a delivery back that did not work out, so that the sender's next try runs. Where the handler's time
 * is over it may still run: then the lease has to end first.
 */
export const releaseDelivery: HeaderGate = (api) => {
  function failed(x: Exchange, cause: unknown): void {
    api.environment.emit({
      kind: "event",
      type: "error-thrown",
      time: x.timeMs,
      service: api.config.name,
      protection: "webhook-receive",
      requestId: x.id,
      reason: "the claim could not be given back; its lease ends by itself",
      error: cause instanceof Error ? (cause.stack ?? cause.message) : "something that is no Error",
    });
  }

  return function giveBack(x) {
    const { claim, route } = x;
    if (claim === undefined || x.refusal?.code === "handler-timeout") return;
    x.claim = undefined;
    try {
      const given = route?.webhook?.claims.release(claim.key, claim.token);
      if (isPromise(given)) given.then(undefined, (error: unknown) => failed(x, error));
    } catch (error) {
      failed(x, error);
    }
  };
};

/** Whatever cannot be decided within the route's time, or throws, refuses: 503, and the sender tries again. */
function decided<T>(
  api: ApiPlan,
  route: RoutePlan,
  ask: () => MaybePromise<T>,
  use: (value: T) => Outcome | Promise<Outcome>,
): Outcome | Promise<Outcome> {
  const unavailable = (cause: unknown): Refusal =>
    new Refusal("webhook-unavailable", "what decides on deliveries failed", { cause });
  let answer: MaybePromise<T>;
  try {
    answer = ask();
  } catch (error) {
    return unavailable(error);
  }
  if (!isPromise(answer)) return use(answer);
  const late = (): Refusal => new Refusal("webhook-unavailable", "what decides on deliveries does not answer");
  return withinTime<T, Outcome>(api.deadlines, route.timeoutMs, answer, late, use, unavailable);
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** Names no scheme of RFC 9110's registry: there is none for signed deliveries. */
const challenge: readonly string[] = Object.freeze(["www-authenticate", "Signature"]);

const noBytes = new Uint8Array(0);
const encoder = new TextEncoder();

function base64url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
