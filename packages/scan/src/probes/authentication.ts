import { isSuccess } from "../answer.ts";
import { claimedIdentity } from "../claimed-identity.ts";
import { madeUpCredential, type ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { type Header, type Identity, readToken } from "../identities.ts";
import { listAt } from "../json.ts";
import { threeLegsLearning } from "../learned.ts";
import { outcome } from "../objects.ts";
import { isLimited, resembles, sameSignature } from "../oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  type Outcome,
  type Probe,
  threeLegs,
  twice,
} from "../probe.ts";
import { withCredential } from "../requests.ts";
import { type Stage, stageWrite } from "../stage.ts";
import { changesByReading } from "../suspicious.ts";
import { isGone, isSafe, type Operation } from "../target.ts";

/**
 * Every operation without a credential and with a made-up one; a few with the right credential in the wrong place, or
 * with a header that only says who calls. Reads are judged by three legs, writes by what the owner reads afterwards.
 */
export const authentication: Probe = { id: "authentication", plan: planAuthentication };

function planAuthentication(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks: Check[] = [];
  for (const operation of context.target.operations) {
    if (isGone(operation, now)) {
      checks.push({ check: "strangers", operation, notApplicable: "It is past its sunset and answers nobody." });
    } else if (operation.access.kind === "public") {
      checks.push({ check: "strangers", operation, notApplicable: `Public by policy: ${operation.access.reason}` });
    } else if (operation.access.kind === "unknown" && isForStrangers(context, operation)) {
      const why = "Who signs up or in is a stranger; nothing says otherwise.";
      checks.push({ check: "strangers", operation, notApplicable: why });
    } else if (isSafe(operation)) {
      checks.push({ check: "strangers", operation, run: () => strangersRead(context, operation) });
    } else {
      checks.push({ check: "strangers-write", operation, run: () => twice(() => strangersWrite(context, operation)) });
    }
  }
  checks.push({ check: "wrong-place", run: () => wrongPlaces(context) });
  checks.push({ check: "claimed-identity", run: () => claimedIdentity(context) });
  return checks;
}

/** Sign-in, sign-up and password resets, which only strangers need. */
function isForStrangers({ sessions }: ProbeContext, operation: Operation): boolean {
  return [...sessions.signIns, ...sessions.signUps, ...sessions.resets].includes(operation);
}

/** A read without a credential, and with one nobody was given. */
async function strangersRead(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const positive = await context.baseline(operation);
  const identity = positive.outgoing.as;
  if (identity === undefined) return [{ check: "strangers", ...inconclusive("no identity may call it", [positive]) }];
  const nowhere = await context.nowhere();
  const canary = await canaryIn(context, operation, identity, positive);
  const without = withCredential(positive.outgoing, undefined, "nobody");
  const madeUp = madeUpCredential(context, positive.outgoing, identity);
  const legs = (outgoing: Outgoing, what: string) =>
    threeLegsLearning(context, {
      positive,
      negatives: [nowhere],
      canary,
      attack: () => context.send("attack", outgoing),
      broken: `${operation.id} answers ${what}`,
      held: `${operation.id} refuses ${what}`,
    });
  const found: NamedOutcome[] = [
    { check: "no-credential", ...(await legs(without, "callers without any credential")) },
  ];
  if (found[0]?.verdict === "held" && context.target.source !== "manifest")
    found.push(...(await otherSpellings(without, operation, legs)));
  // Where the credential is a token, `jwt` sends a changed one to every read, which asks more than a made-up word does.
  if (readToken(identity.secret) === undefined) {
    found.push({ check: "made-up-credential", ...(await legs(madeUp, "callers with a made-up credential")) });
  }
  return operation.access.kind === "unknown" ? found.map((entry) => unsaid(entry)) : found;
}

/** A guard that compares paths knows one spelling; a router may know more. A manifest's routes are asked by canonical-request. */
async function otherSpellings(
  without: Outgoing,
  operation: Operation,
  legs: (outgoing: Outgoing, what: string) => Promise<Outcome>,
): Promise<readonly NamedOutcome[]> {
  const [path = "", query] = without.target.split("?");
  const rest = query === undefined ? "" : `?${query}`;
  const template = operation.path.split("/");
  const capitals = path
    .split("/")
    .map((part, index) => (template[index]?.includes("{") === true ? part : part.toUpperCase()))
    .join("/");
  const found: NamedOutcome[] = [];
  for (const [check, target, what] of [
    ["no-credential-capitals", capitals, "in capitals"],
    ["no-credential-slash", `${path}/`, "with a slash at the end"],
  ] as const) {
    const outgoing = { ...without, target: `${target}${rest}`, label: `nobody, path ${what}` };
    found.push({ check, ...(await legs(outgoing, `callers without any credential who spell its path ${what}`)) });
  }
  return found;
}

/** Where the description does not say who may call, an open door may be meant. */
function unsaid(found: NamedOutcome): NamedOutcome {
  if (found.verdict !== "broken") return found;
  return {
    ...found,
    verdict: "inconclusive",
    why: `${found.why}, and the description does not say whether it is public`,
  };
}

async function canaryIn(context: ProbeContext, operation: Operation, identity: Identity, positive: Trial) {
  const { things } = await context.objects.fill(operation, identity);
  return things.map((thing) => thing.canary).find((mark) => positive.answer.text.includes(mark));
}

/** A write without a credential on an object the scan made, then by its owner to prove that the request is right. */
async function strangersWrite(context: ProbeContext, operation: Operation): Promise<Outcome> {
  const owner = context.permitted(operation) ?? context.identities[0];
  if (owner === undefined) return inconclusive("no identity was given");
  const stage = await stageWrite(context, operation, owner);
  const trials: Trial[] = [];
  for (const label of ["nobody", "nobody, made-up credential"]) {
    const honest = stage.request(undefined, label);
    const outgoing = label === "nobody" ? honest : { ...honest, headers: [madeUp(context, owner), ...honest.headers] };
    const attack = await context.send("attack", outgoing);
    trials.push(attack);
    if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), trials);
    const seen = await stage.changed(attack);
    if (seen?.changed === true) return broken(`${operation.id} takes effect for ${label}`, [...trials, seen.trial]);
    if (seen === undefined && isSuccess(attack.answer)) return await unseenEffect(context, stage, trials);
  }
  if (stage.prove === undefined) return await refusedUnproved(context, stage, trials);
  const proof = await stage.prove();
  if (!isSuccess(proof.answer)) {
    return inconclusive(`strangers had no effect, but its owner ${outcome(proof.answer)} too`, [proof, ...trials]);
  }
  return held("strangers are refused and change nothing; the owner succeeds", [proof, ...trials]);
}

/**
 * Strangers were refused, and the honest use cannot be tried because it could not be undone. They may have been refused for
 * what they sent, and not because nobody knows them: a body that is refused to everybody tells it, where a made-up
 * credential is refused in another way than none.
 */
async function refusedUnproved(context: ProbeContext, stage: Stage, trials: readonly Trial[]): Promise<Outcome> {
  const isRefusal = ({ answer }: Trial) => answer.status === 0 || (answer.status >= 300 && answer.status < 500);
  if (!trials.every(isRefusal)) return inconclusive(`strangers got ${trials.map(statusOf).join(" and ")}`, trials);
  const [nobody, madeUp] = trials;
  const refused = held("strangers are refused; its honest use was not tried because it could not be undone", trials);
  const { body, id } = stage.operation;
  if (nobody === undefined || madeUp === undefined || body === undefined) return refused;
  if (isAskedWho(nobody) || listAt(body.schema, "required").length === 0) return refused;
  if (sameSignature(nobody.answer, madeUp.answer)) return refused;
  const empty = (outgoing: Outgoing) => ({ ...outgoing, body: "{}", label: `${outgoing.label}, empty body` });
  const owner = await context.send("positive", empty(stage.request(stage.owner)));
  const stranger = await context.send("attack", empty(nobody.outgoing));
  const liar = await context.send("negative", empty(madeUp.outgoing));
  const evidence = [owner, liar, nobody, stranger];
  const isLikeOwner = isRefusal(owner) && !isAskedWho(owner) && sameSignature(owner.answer, stranger.answer);
  if (!isLikeOwner || sameSignature(liar.answer, stranger.answer)) return refused;
  return broken(
    `${id} looks at what callers without any credential send, as it does for ${stage.owner.name}, and refuses only made-up credentials`,
    evidence,
  );
}

function isAskedWho({ answer }: Trial): boolean {
  return answer.status === 401 || answer.status === 403;
}

function statusOf({ answer }: Trial): number {
  return answer.status;
}

/** A stranger's write was answered with success, and nothing reads back whether it took effect. */
async function unseenEffect(context: ProbeContext, stage: Stage, trials: readonly Trial[]): Promise<Outcome> {
  const nowhere = await context.nowhere();
  const attack = trials.at(-1);
  if (attack === undefined || resembles(attack.answer, nowhere.answer)) {
    return inconclusive("it answers everything alike", [...trials, nowhere]);
  }
  // What a stranger was let do twice as well, its owner may do once, unless its name says that it does harm.
  const harmless = stage.operation.method === "POST" && !changesByReading(stage.operation.path);
  const once = () => context.send("positive", stage.request(stage.owner));
  const says = `${stage.operation.id} ${outcome(attack.answer)} to ${attack.outgoing.label}`;
  const proof = await (stage.prove ?? (harmless ? once : undefined))?.();
  const likeOwner = proof === undefined ? context.target.source === "manifest" : resembles(attack.answer, proof.answer);
  const evidence = [...(proof === undefined ? [] : [proof]), ...trials, nowhere];
  if (proof !== undefined && isSuccess(proof.answer) && !likeOwner) {
    return held("strangers are answered unlike the owner, and nothing comes of it", evidence);
  }
  // A status alone does not show that anything happened; an object in the answer does.
  if (likeOwner && (attack.answer.json !== undefined || proof === undefined)) return broken(says, evidence);
  return inconclusive(`${says}, and whether it had an effect cannot be seen`, evidence);
}

function madeUp(context: ProbeContext, identity: Identity): Header {
  const value = context.random.fork("made up").text(40);
  if (identity.cookie !== undefined) return ["cookie", `${identity.cookie}=${value}`];
  return [identity.header[0], identity.scheme === "" ? value : `${identity.scheme} ${value}`];
}

/** A made-up credential, and the right one where it does not belong: another scheme or none, other headers, a cookie. */
async function wrongPlaces(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await context.witness();
  const { identity, positive } = witness;
  const secret = identity.secret;
  const places: readonly (readonly [string, Header])[] = [
    ["made-up", madeUp(context, identity)],
    ["no-scheme", ["authorization", secret]],
    ["basic-scheme", ["authorization", `Basic ${secret}`]],
    ["other-scheme", ["authorization", `Token ${secret}`]],
    ["scheme-glued", ["authorization", `Bearer${secret}`]],
    ["two-tokens", ["authorization", `Bearer ${secret} ${secret}`]],
    ["other-header", ["x-access-token", secret]],
    ["forwarded-header", ["x-forwarded-authorization", `Bearer ${secret}`]],
    ["cookie", ["cookie", `token=${secret}; access_token=${secret}`]],
  ];
  const found: NamedOutcome[] = [];
  for (const [check, header] of places) {
    if (header[0] === identity.header[0] && header[1] === identity.header[1]) continue;
    const attack = withCredential(positive.outgoing, header, `${identity.name}, credential as ${check}`);
    const result = await threeLegs({
      positive,
      negatives: witness.negatives,
      canary: witness.canary,
      attack: () => context.send("attack", attack),
      broken: `the credential is taken in the wrong place (${check}: ${header[0]})`,
      held: `the credential is refused in the wrong place (${check})`,
    });
    found.push({ check, ...result });
  }
  const about = (entry: NamedOutcome): NamedOutcome => ({ ...entry, why: `${entry.why} on ${witness.operation.id}` });
  return found.map(about);
}
