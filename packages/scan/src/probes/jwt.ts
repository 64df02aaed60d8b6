import { algorithmConfusion } from "../confusion.ts";
import { isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import { flippedSignature, reassembled } from "../forge.ts";
import { headerWith, readToken } from "../identities.ts";
import { isPublicOnly } from "../key-sets.ts";
import { threeLegsLearning } from "../learned.ts";
import { ownKeys } from "../own-keys.ts";
import { type Attack, broken, type Check, inconclusive, type NamedOutcome, type Probe, untried } from "../probe.ts";
import { withCredential } from "../requests.ts";
import { isGone, isSafe } from "../target.ts";
import { type Forgery, noToken, tokenWitness, tokenWitnessIfAny, tryForgeries } from "../token-trials.ts";
import { weakSecret } from "../weak-secrets.ts";
import { wrongClaims } from "../wrong-claims.ts";

/**
 * Forged tokens: unsigned, stripped, tampered, signed with the public key as a secret or with a key of our own; secrets
 * guessed offline; and, with a test key, rightly signed tokens each of which breaks one claim.
 */
export const jwt: Probe = { id: "jwt", plan: planJwt };

function planJwt(context: ProbeContext): readonly Check[] {
  const holder = context.identities.find((identity) => readToken(identity.secret) !== undefined);
  if (holder === undefined) {
    const promised = context.target.policy.credentials.some((entry) => entry.kind === "jwt");
    if (!promised) return [{ check: "tokens", notApplicable: "Nobody's credential is a JSON Web Token." }];
    return [
      {
        check: "tokens",
        run: () =>
          Promise.resolve(
            inconclusive('the API takes JSON Web Tokens, but no identity has one (--as name="Bearer …")'),
          ),
      },
    ];
  }
  const attacks: Attack[] = [
    { check: "unsigned", run: () => unsignedTokens(context) },
    { check: "own-key", run: () => ownKeys(context) },
    { check: "algorithm-confusion", run: () => algorithmConfusion(context) },
    { check: "weak-secret", run: () => weakSecret(context) },
  ];
  const claims: Check =
    context.jwtKey === undefined || isPublicOnly(context.jwtKey)
      ? { check: "claims", run: () => ownClaims(context) }
      : { check: "claims", run: () => wrongClaims(context, context.jwtKey ?? "") };
  const now = context.now();
  const everywhere = context.target.operations
    .filter((operation) => isSafe(operation) && operation.access.kind === "caller" && !isGone(operation, now))
    .map((operation): Attack => ({ check: "tampered", operation, run: () => tampered(context, operation) }));
  return [...attacks, claims, ...everywhere];
}

const untriedClaims = "single claims (exp, nbf, iat, iss, aud, typ, sub), which take a test signing key (--jwt-key)";

/** Without a key only what the API's own tokens say can be judged: one that is good for ever is broken as it is. */
async function ownClaims(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const rest: NamedOutcome = { check: "claims", ...untried(untriedClaims) };
  const witness = await tokenWitnessIfAny(context);
  if (witness === undefined || witness.token.claims["exp"] !== undefined) return [rest];
  const { positive, identity } = witness;
  if (!isSuccess(positive.answer)) return [rest];
  return [{ check: "never-expires", ...broken(`${identity.name}'s token never expires (no exp)`, [positive]) }, rest];
}

/** `none` in its spellings, no signature, an empty one, zeros, one bit changed. */
async function unsignedTokens(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await tokenWitness(context);
  if (witness === undefined) return [{ check: "unsigned", ...noToken }];
  const { token } = witness;
  const [head, body, signature] = token.parts;
  const none = (alg: string) => reassembled(token, { header: { ...token.header, alg }, signature: "" });
  const changed = { ...token.claims, pc: context.random.text(8) };
  const forgeries: readonly Forgery[] = [
    ["flipped-signature", `${head}.${body}.${flippedSignature(signature)}`, "with a changed signature"],
    ["claims-changed", reassembled(token, { claims: changed }), "whose claims were changed after signing"],
    ["no-signature", `${head}.${body}.`, "without a signature"],
    ["no-third-part", `${head}.${body}`, "without a third part"],
    ["zero-signature", `${head}.${body}.${"A".repeat(signature.length)}`, "with a signature of zeros"],
    ["alg-none", none("none"), "with alg none"],
    ["alg-None", none("None"), "with alg None"],
    ["alg-NONE", none("NONE"), "with alg NONE"],
    ["alg-nOnE", none("nOnE"), "with alg nOnE"],
    ["alg-NoNe", none("NoNe"), "with alg NoNe"],
    ["alg-none-spaced", none("none "), "with alg none and a space"],
    ["alg-none-no-third-part", none("none").slice(0, -1), "with alg none and two parts"],
    ["alg-missing", reassembled(token, { header: { typ: "JWT" }, signature: "" }), "without an alg"],
    [
      "alg-none-signed",
      reassembled(token, { header: { ...token.header, alg: "none" } }),
      "with alg none and an old signature",
    ],
    ["alg-empty", none(""), "with an empty alg"],
  ];
  return await tryForgeries(context, witness, forgeries);
}

/** One changed token on every protected read: one route that only decodes is enough. */
async function tampered(context: ProbeContext, operation: Parameters<ProbeContext["baseline"]>[0]) {
  const positive = await context.baseline(operation);
  const identity = positive.outgoing.as;
  const token = identity === undefined ? undefined : readToken(identity.secret);
  if (identity === undefined || token === undefined)
    return { ...noToken, verdict: "not-applicable" as const, why: "Its caller is not proved by a token." };
  const forged = reassembled(token, { claims: { ...token.claims, pc: "tampered" } });
  const outgoing = withCredential(positive.outgoing, headerWith(identity, forged), `${identity.name}, claims changed`);
  return await threeLegsLearning(context, {
    positive,
    negatives: [await context.nowhere()],
    attack: () => context.send("attack", outgoing),
    broken: `${operation.id} accepts a token whose claims were changed after signing`,
    held: `${operation.id} refuses a token whose claims were changed`,
  });
}
