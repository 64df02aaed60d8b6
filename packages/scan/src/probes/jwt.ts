import { randomUUID } from "node:crypto";
import type { ProbeContext, Witness } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { flippedSignature, reassembled, type Signer, signerOf, strangerKey } from "../forge.ts";
import { headerWith, readToken, type Token } from "../identities.ts";
import { type JsonRecord, textAt } from "../json.ts";
import { threeLegsLearning } from "../learned.ts";
import { judge } from "../oracle.ts";
import { type Attack, type Check, inconclusive, type NamedOutcome, type Probe, threeLegs } from "../probe.ts";
import { withCredential } from "../requests.ts";
import { isGone, isSafe } from "../target.ts";

/**
 * Forged tokens: unsigned, stripped, tampered, with a key of our own; and, with a test key, rightly signed tokens each of
 * which breaks one claim. The right forgery must be granted first, or nothing is said about claims.
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
  ];
  const claims: Check =
    context.jwtKey === undefined
      ? { check: "claims", notApplicable: untriedClaims, untried: true }
      : { check: "claims", run: () => wrongClaims(context, context.jwtKey ?? "") };
  const now = context.now();
  const everywhere = context.target.operations
    .filter((operation) => isSafe(operation) && operation.access.kind === "caller" && !isGone(operation, now))
    .map((operation): Attack => ({ check: "tampered", operation, run: () => tampered(context, operation) }));
  return [...attacks, claims, ...everywhere];
}

const untriedClaims = "single claims (exp, nbf, iat, iss, aud, typ, sub), which take a test signing key (--jwt-key)";

interface Held extends Witness {
  readonly token: Token;
}

async function tokenWitness(context: ProbeContext): Promise<Held | undefined> {
  const witness = await context.witness();
  const token = readToken(witness.identity.secret);
  return token === undefined ? undefined : { ...witness, token };
}

const noToken = inconclusive("the identity that can be judged by has no JSON Web Token");

/** `none` in its spellings, no signature, an empty one, zeros, one bit changed. */
async function unsignedTokens(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await tokenWitness(context);
  if (witness === undefined) return [{ check: "unsigned", ...noToken }];
  const { token } = witness;
  const [head, body, signature] = token.parts;
  const none = (alg: string) => reassembled(token, { header: { ...token.header, alg }, signature: "" });
  const changed = { ...token.claims, pc: context.random.text(8) };
  const forgeries: readonly (readonly [string, string, string])[] = [
    ["flipped-signature", `${head}.${body}.${flippedSignature(signature)}`, "with a changed signature"],
    ["claims-changed", reassembled(token, { claims: changed }), "whose claims were changed after signing"],
    ["no-signature", `${head}.${body}.`, "without a signature"],
    ["no-third-part", `${head}.${body}`, "without a third part"],
    ["zero-signature", `${head}.${body}.${"A".repeat(signature.length)}`, "with a signature of zeros"],
    ["alg-none", none("none"), "with alg none"],
    ["alg-None", none("None"), "with alg None"],
    ["alg-NONE", none("NONE"), "with alg NONE"],
    ["alg-nOnE", none("nOnE"), "with alg nOnE"],
    [
      "alg-none-signed",
      reassembled(token, { header: { ...token.header, alg: "none" } }),
      "with alg none and an old signature",
    ],
    ["alg-empty", none(""), "with an empty alg"],
  ];
  return await tryAll(context, witness, forgeries);
}

/** Tokens that bring their own key, as `jwk` or behind a `kid` that points somewhere. */
async function ownKeys(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await tokenWitness(context);
  if (witness === undefined) return [{ check: "own-key", ...noToken }];
  const { token } = witness;
  const { signer, jwk } = await strangerKey();
  const empty = await signerOf("\0", "HS256");
  const typ = textAt(token.header, "typ");
  const header: JsonRecord = typ === undefined ? {} : { typ };
  const forgeries: readonly (readonly [string, string, string])[] = [
    ["embedded-key", await signer.sign({ ...header, jwk }, token.claims), "signed by a key it brings along (jwk)"],
    ["own-signature", await signer.sign({ ...header, ...kidOf(token) }, token.claims), "signed by a stranger's key"],
    [
      "kid-path",
      await empty.sign({ ...header, alg: "HS256", kid: "../../../../dev/null" }, token.claims),
      "whose kid is a path",
    ],
    [
      "kid-sql",
      await empty.sign({ ...header, alg: "HS256", kid: "x' UNION SELECT '\0" }, token.claims),
      "whose kid is SQL",
    ],
  ];
  return await tryAll(context, witness, forgeries);
}

function kidOf(token: Token): JsonRecord {
  const kid = textAt(token.header, "kid");
  return kid === undefined ? {} : { kid };
}

/** Rightly signed tokens, each with one wrong claim. */
async function wrongClaims(context: ProbeContext, key: string): Promise<readonly NamedOutcome[]> {
  const witness = await tokenWitness(context);
  if (witness === undefined) return [{ check: "claims", ...noToken }];
  const { token } = witness;
  const algorithm = textAt(token.header, "alg") ?? "HS256";
  const signer = await signerOf(key, algorithm);
  const now = Math.floor(context.now() / 1000);
  const right: JsonRecord = {
    ...token.claims,
    iat: now - 5,
    exp: now + 300,
    ...(token.claims["nbf"] === undefined ? {} : { nbf: now - 5 }),
    ...(token.claims["jti"] === undefined ? {} : { jti: randomUUID() }),
  };
  const control = await attempt(context, witness, await signer.sign(token.header, right), "rightly forged token");
  const known = {
    positive: witness.positive.answer,
    negatives: witness.negatives.map((trial) => trial.answer),
    canary: witness.canary,
  };
  if (judge(control.answer, known) !== "granted") {
    return [
      {
        check: "claims",
        ...inconclusive("a right token signed with --jwt-key is refused too, so the key is not the API's", [
          witness.positive,
          control,
        ]),
      },
    ];
  }
  const forgeries = await claimForgeries(context, witness.token, signer, right, now, key, algorithm);
  return await tryAll(context, witness, forgeries);
}

async function claimForgeries(
  context: ProbeContext,
  token: Token,
  signer: Signer,
  right: JsonRecord,
  now: number,
  key: string,
  algorithm: string,
): Promise<readonly (readonly [string, string, string])[]> {
  const policy = context.target.policy.credentials.find((entry) => entry.kind === "jwt");
  const without = (name: string): JsonRecord =>
    Object.fromEntries(Object.entries(right).filter(([claim]) => claim !== name));
  const sign = (claims: JsonRecord, header: JsonRecord = token.header) => signer.sign(header, claims);
  const maxAge = policy?.maxAgeSeconds;
  const wrongType = policy?.types.length === 0 ? undefined : await sign(right, { ...token.header, typ: "logout+jwt" });
  const list: (readonly [string, string, string] | undefined)[] = [
    ["expired", await sign({ ...right, exp: now - 3600, iat: now - 3700 }), "that expired an hour ago"],
    ["not-yet-valid", await sign({ ...right, nbf: now + 3600 }), "that is not valid for another hour (nbf)"],
    ["no-exp", await sign(without("exp")), "that never expires (no exp)"],
    ["exp-text", await sign({ ...right, exp: String(now + 300) }), "whose exp is a text"],
    token.claims["iss"] === undefined
      ? undefined
      : ["wrong-issuer", await sign({ ...right, iss: "https://issuer.example" }), "of another issuer"],
    token.claims["iss"] === undefined ? undefined : ["no-issuer", await sign(without("iss")), "without an issuer"],
    token.claims["aud"] === undefined
      ? undefined
      : ["wrong-audience", await sign({ ...right, aud: "https://other.example" }), "for another audience"],
    token.claims["aud"] === undefined ? undefined : ["no-audience", await sign(without("aud")), "without an audience"],
    ["no-subject", await sign(without("sub")), "without a subject"],
    wrongType === undefined ? undefined : ["wrong-type", wrongType, "of another type (typ)"],
    maxAge === undefined
      ? undefined
      : [
          "too-old",
          await sign({ ...right, iat: now - maxAge - 3600 }),
          `issued ${Math.round(maxAge / 3600) + 1} h ago (iat)`,
        ],
    ["issued-in-future", await sign({ ...right, iat: now + 3600 }), "issued in an hour (iat)"],
    ["critical-extension", await criticalToken(signer, token, right), "with a critical extension nobody knows"],
  ];
  if (algorithm.startsWith("HS")) {
    const other = algorithm === "HS512" ? "HS256" : "HS512";
    const swapped = await signerOf(key, other);
    list.push([
      "other-algorithm",
      await swapped.sign({ ...token.header, alg: other }, right),
      `signed with ${other} in place of ${algorithm}`,
    ]);
  }
  return list.filter((entry) => entry !== undefined);
}

/** A `crit` header (RFC 7515 section 4.1.11); the signing library would refuse to make it. */
async function criticalToken(signer: Signer, token: Token, claims: JsonRecord): Promise<string> {
  return await signer
    .sign({ ...token.header, crit: ["b64"], b64: true, "x-pc": 1 }, claims)
    .catch(() => `${token.parts[0]}.${token.parts[1]}.AA`);
}

async function tryAll(
  context: ProbeContext,
  witness: Held,
  forgeries: readonly (readonly [string, string, string])[],
): Promise<readonly NamedOutcome[]> {
  const found: NamedOutcome[] = [];
  for (const [check, forged, what] of forgeries) {
    const result = await threeLegs({
      positive: witness.positive,
      negatives: witness.negatives,
      canary: witness.canary,
      attack: () => attempt(context, witness, forged, check),
      broken: `a token ${what} is accepted`,
      held: `a token ${what} is refused`,
    });
    found.push({ check, ...result });
  }
  return found;
}

function attempt(context: ProbeContext, witness: Witness, token: string, what: string): Promise<Trial> {
  const { positive, identity } = witness;
  return context.send(
    "attack",
    withCredential(positive.outgoing, headerWith(identity, token), `${identity.name}, ${what}`),
  );
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
