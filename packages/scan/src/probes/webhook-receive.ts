import { isSuccess } from "../answer.ts";
import { honestBody } from "../bodies.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Header } from "../identities.ts";
import { outcome } from "../objects.ts";
import { walk } from "../json.ts";
import { isLimited, sameSignature } from "../oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  type Outcome,
  type Probe,
  untried,
} from "../probe.ts";
import { requestFor } from "../requests.ts";
import { Unreachable } from "../scan-error.ts";
import { type HmacScheme, schemeOfHeaders, signDelivery, signsTime, type WebhookSecret } from "../sign-delivery.ts";
import { isGone, type Operation, pathParameters } from "../target.ts";

/**
 * Deliveries nobody signed, or signed with a secret nobody uses. Where the scan was given the secret of an endpoint, also
 * what an attacker makes of a recorded delivery: another body, the same body written again, an old time, a future one, a
 * new time that was not signed. Taken with 2xx means broken.
 */
export const webhookReceive: Probe = { id: "webhook-receive", plan: planWebhookReceive };

function planWebhookReceive(context: ProbeContext): readonly Check[] {
  // A plain description knows no webhooks: there it is whatever the scan was given the secret of.
  const named = context.target.operations.filter((operation) => givenFor(context, operation) !== undefined);
  const live = [...context.target.webhooks, ...named].filter((operation) => !isGone(operation, context.now()));
  if (live.length === 0) return [{ check: "deliveries", notApplicable: "Nothing here receives webhooks." }];
  return live.flatMap((operation): readonly Check[] => {
    if (pathParameters(operation.path).length > 0) {
      return [{ check: "deliveries", operation, notApplicable: "Its path has values the scan does not know." }];
    }
    const strangers: Check = { check: "strangers", operation, run: () => strange(context, operation) };
    const secret = givenFor(context, operation)?.secret;
    if (secret === undefined) {
      const why = `What is made of a recorded delivery was not tried on ${operation.id}: it needs the endpoint's secret (--webhook <endpoint>=<scheme>:<secret>).`;
      return [strangers, { check: "recorded", operation, notApplicable: why, untried: true }];
    }
    return [strangers, { check: "recorded", operation, run: () => recorded(context, operation, secret) }];
  });
}

function givenFor(context: ProbeContext, operation: Operation): WebhookSecret | undefined {
  return context.webhookSecrets.find(({ endpoint }) => endpoint === operation.id || endpoint === operation.path);
}

/** Everything a stranger can send without having seen a delivery. */
async function strange(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const delivery = maker(context, operation, "strangers");
  const nobody = madeUpSecret(context, operation);
  const secret = givenFor(context, operation)?.secret;
  const control: Trial[] = [];
  if (secret !== undefined && operation.access.kind !== "webhook") {
    const honest = delivery.signed(secret);
    if (honest === undefined) return [{ check: "strangers", ...inconclusive(unknownScheme) }];
    const positive = await send(context, operation, "positive", honest, "the sender");
    if (!isSuccess(positive.answer)) {
      const why = `a delivery as its sender signs it ${outcome(positive.answer)}`;
      return [{ check: "strangers", ...inconclusive(why, [positive]) }];
    }
    control.push(positive);
  }
  if (secret === undefined && operation.access.kind !== "webhook") {
    const nothing = await send(
      context,
      operation,
      "negative",
      { body: "{", headers: [] },
      "nobody, no delivery at all",
    );
    if (isSuccess(nothing.answer)) {
      const why = `it answers what is no delivery with success, so without its secret nothing can be told (--webhook <endpoint>=<scheme>:<secret>)`;
      return [{ check: "strangers", ...inconclusive(why, [nothing]) }];
    }
    control.push(nothing);
  }
  const attacks: readonly (readonly [check: string, what: string, make: () => Delivery | undefined])[] = [
    ["unsigned", "a delivery without a signature", () => ({ ...delivery.fresh(), headers: [] })],
    ["other-secret", "a delivery signed with another secret", () => delivery.signed(nobody)],
    ["empty-secret", "a delivery signed with the empty secret", () => delivery.signed("")],
  ];
  return await refusals(context, operation, attacks, control);
}

/** What can be made of a delivery that was seen. */
async function recorded(context: ProbeContext, operation: Operation, secret: string): Promise<readonly NamedOutcome[]> {
  const delivery = maker(context, operation, "recorded");
  const honest = delivery.signed(secret);
  if (honest === undefined) {
    return [{ check: "recorded", ...inconclusive(unknownScheme) }];
  }
  const positive = await send(context, operation, "positive", honest, "the sender");
  if (!isSuccess(positive.answer)) {
    const why = `a delivery as its sender signs it ${outcome(positive.answer)}`;
    return [{ check: "recorded", ...inconclusive(why, [positive]) }];
  }
  const now = Math.floor(context.now() / 1000);
  const attacks: (readonly [string, string, () => Delivery | undefined])[] = [
    [
      "changed-body",
      "a signature that belongs to another body",
      () => mixed(delivery.signed(secret), delivery.fresh()),
    ],
    ["written-again", "a body that was parsed and written again", () => writtenAgain(delivery.signed(secret))],
    ["cut-signature", "half a signature", () => cut(delivery.signed(secret), 20)],
    ["blank-signature", "a signature without a value", () => cut(delivery.signed(secret), 0)],
    ["old-version", "a signature under the name of an older version", () => downgraded(delivery.signed(secret))],
  ];
  if (signsTime(schemeOf(context, operation))) {
    attacks.push(
      ["stale", "a delivery signed an hour ago", () => delivery.signed(secret, now - 3_600)],
      ["future", "a delivery signed an hour ahead", () => delivery.signed(secret, now + 3_600)],
      [
        "new-time",
        "an old delivery under a time nobody signed",
        () => retimed(delivery.signed(secret, now - 3_600), now),
      ],
    );
  }
  const replayed = await repeated(context, operation, delivery, secret);
  return [...(await refusals(context, operation, attacks, [positive])), { check: "replay", ...replayed }];
}

/**
 * The same delivery twice. A receiver that remembers it may answer with success all the same, so only a value it makes anew
 * for each event tells that the second one ran.
 */
async function repeated(
  context: ProbeContext,
  operation: Operation,
  delivery: Maker,
  secret: string,
): Promise<Outcome> {
  const trials: Trial[] = [];
  for (let round = 1; round <= 2; round += 1) {
    const [once, another] = [delivery.signed(secret), delivery.signed(secret)];
    if (once === undefined || another === undefined) return inconclusive(unknownScheme);
    const first = await send(context, operation, "positive", once, "the sender");
    const second = await send(context, operation, "attack", once, "nobody, a delivery again");
    const third = await send(context, operation, "positive", another, "the sender");
    trials.push(first, second, third);
    const limited = [first, second, third].find(({ answer }) => isLimited(answer));
    if (limited !== undefined) return inconclusive(limitedWhy(limited.answer), trials);
    if (!isSuccess(first.answer) || second.answer.status >= 500)
      return inconclusive(`a delivery as its sender signs it ${outcome(first.answer)}`, trials);
    if (!isSuccess(second.answer)) return held("the same delivery again is refused", trials);
    if (!sameSignature(first.answer, second.answer))
      return held("the same delivery again is answered in another way than a new one", trials);
    const ran = madeAnew(first, second, third, once.body);
    if (ran === undefined)
      return untried(`Whether a delivery that comes twice runs twice at ${operation.id}: its answers do not tell.`);
    if (!ran) return held("the same delivery again is answered with what the first one made", trials);
  }
  return broken("the same delivery again makes something new", trials);
}

/**
 * Whether the second answer names something the first one did not; undefined where answers to new deliveries name nothing
 * of their own. Times and counts change by themselves, ids do not.
 */
function madeAnew(first: Trial, second: Trial, third: Trial, sent: string): boolean | undefined {
  const [before, again, other] = [first, second, third].map(({ answer }) => idsIn(answer.json));
  for (const [path, id] of before ?? []) {
    if (sent.includes(id) || other?.get(path) === id) continue;
    return again?.get(path) !== id;
  }
  return undefined;
}

function idsIn(json: unknown): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  walk(json, (path, name, value) => {
    if (!/(?:^|[a-z_-])(?:id|uuid|number|reference)$/i.test(name)) return;
    if (typeof value === "string" || typeof value === "number") ids.set(path, String(value));
  });
  return ids;
}

interface Delivery {
  readonly body: string;
  readonly headers: readonly Header[];
}

interface Maker {
  /** A new event, unsigned. */
  fresh(): Delivery;
  /** A new event, signed; undefined where the scheme is not known. */
  signed(secret: string, seconds?: number): Delivery | undefined;
}

function maker(context: ProbeContext, operation: Operation, check: string): Maker {
  // Ids of its own for every check: one that comes again is a repetition.
  const random = context.random.fork(`webhook ${operation.id} ${check}`);
  const fresh = (): Delivery => {
    const canary = `pc${random.text(12)}`;
    const body = honestBody(operation, { random, canary, person: () => undefined });
    if (body === undefined) throw new Unreachable(`${operation.id} takes no body`);
    return { body: JSON.stringify(body), headers: [] };
  };
  return {
    fresh,
    signed(secret, seconds = Math.floor(context.now() / 1000)) {
      const { body } = fresh();
      const headers = signDelivery(schemeOf(context, operation), {
        body,
        secret,
        seconds,
        id: `msg_${random.text(16)}`,
      });
      return headers === undefined ? undefined : { body, headers };
    },
  };
}

function schemeOf(context: ProbeContext, operation: Operation): string | HmacScheme {
  const given = givenFor(context, operation)?.scheme;
  // A manifest names the scheme of a sender we do not know, and does not say its form.
  if (operation.access.kind === "webhook" && typeof given !== "object") return operation.access.scheme;
  const headers = operation.parameters.filter((parameter) => parameter.in === "header").map(({ name }) => name);
  return given ?? schemeOfHeaders(headers) ?? "";
}

const unknownScheme =
  "nothing says how its sender signs, or the scan does not know that scheme (--webhook <endpoint>=<scheme>)";

/** Of the form the scheme demands, and nobody's. */
function madeUpSecret(context: ProbeContext, operation: Operation): string {
  const text = context.random.fork(`webhook secret ${operation.id}`).text(32);
  return `whsec_${Buffer.from(text).toString("base64")}`;
}

function mixed(signed: Delivery | undefined, other: Delivery): Delivery | undefined {
  return signed === undefined ? undefined : { ...signed, body: other.body };
}

function writtenAgain(signed: Delivery | undefined): Delivery | undefined {
  return signed === undefined ? undefined : { ...signed, body: JSON.stringify(JSON.parse(signed.body), undefined, 1) };
}

function cut(signed: Delivery | undefined, length: number): Delivery | undefined {
  return withValues(signed, (value) => value.replace(/[A-Za-z0-9+/]{40,}={0,2}/, (found) => found.slice(0, length)));
}

/** Of another body, under names that older versions of the schemes had and nobody may accept any more. */
function downgraded(signed: Delivery | undefined): Delivery | undefined {
  return withValues(signed, (value) =>
    value.replace(/\bv1([=,])[A-Za-z0-9+/=]+/, "v0$1pc").replace(/^sha256=.*/, "sha1=pc"),
  );
}

function retimed(signed: Delivery | undefined, now: number): Delivery | undefined {
  return withValues(signed, (value) =>
    value
      .replace(/^\d{10}$/, String(now))
      .replace(/^\d{13}$/, String(now * 1000))
      .replace(/\bt=\d{10}\b/, `t=${now}`),
  );
}

function withValues(signed: Delivery | undefined, change: (value: string) => string): Delivery | undefined {
  return signed === undefined
    ? undefined
    : { ...signed, headers: signed.headers.map(([name, value]): Header => [name, change(value)]) };
}

async function refusals(
  context: ProbeContext,
  operation: Operation,
  attacks: readonly (readonly [check: string, what: string, make: () => Delivery | undefined])[],
  control: readonly Trial[],
): Promise<readonly NamedOutcome[]> {
  const found: NamedOutcome[] = [];
  for (const [check, what, make] of attacks) {
    found.push({ check, ...(await refusedTwice(context, operation, what, make, control)) });
  }
  return found;
}

/** Taken twice is broken; refused is held; anything else tells nothing. */
async function refusedTwice(
  context: ProbeContext,
  operation: Operation,
  what: string,
  make: () => Delivery | undefined,
  control: readonly Trial[],
): Promise<Outcome> {
  const trials = [...control];
  for (let round = 1; round <= 2; round += 1) {
    const delivery = make();
    if (delivery === undefined) return inconclusive(unknownScheme, trials);
    const attack = await send(context, operation, "attack", delivery, `nobody, ${what}`);
    trials.push(attack);
    if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), trials);
    if (attack.answer.status >= 500) return inconclusive(`${what} ${outcome(attack.answer)}`, trials);
    // A repetition that ran before is taken without effect; every attack is a delivery of its own.
    if (!isSuccess(attack.answer)) return held(`${what} is refused`, trials);
  }
  return broken(`${what} is taken`, trials);
}

function send(
  context: ProbeContext,
  operation: Operation,
  leg: "positive" | "negative" | "attack",
  { body, headers }: Delivery,
  label: string,
): Promise<Trial> {
  return context.send(leg, requestFor(operation, { body, headers, label }));
}
