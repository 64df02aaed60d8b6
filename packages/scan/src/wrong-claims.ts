import { randomUUID } from "node:crypto";
import type { ProbeContext } from "./context.ts";
import { type Signer, signerOf } from "./forge.ts";
import type { Token } from "./identities.ts";
import { type JsonRecord, numberAt, textAt } from "./json.ts";
import { judge } from "./oracle.ts";
import { inconclusive, type NamedOutcome } from "./probe.ts";
import { type Forgery, noToken, sendForged, tokenWitness, tryForgeries } from "./token-trials.ts";

/**
 * Rightly signed tokens, each with one wrong claim. The right forgery must be granted first, or nothing is said.
 *
 * @param key  test signing key: a secret, a private PEM or a private JWK
 * @throws ScanError when the key cannot be read, and what sending rejects with, such as `BudgetSpent`
 * @see RFC 8725 section 3, RFC 9068 section 4
 */
export async function wrongClaims(context: ProbeContext, key: string): Promise<readonly NamedOutcome[]> {
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
  const control = await sendForged(context, witness, await signer.sign(token.header, right), "rightly forged token");
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
  return await tryForgeries(context, witness, forgeries);
}

async function claimForgeries(
  context: ProbeContext,
  token: Token,
  signer: Signer,
  right: JsonRecord,
  now: number,
  key: string,
  algorithm: string,
): Promise<readonly Forgery[]> {
  const policy = context.target.policy.credentials.find((entry) => entry.kind === "jwt");
  const without = (name: string): JsonRecord =>
    Object.fromEntries(Object.entries(right).filter(([claim]) => claim !== name));
  const sign = (claims: JsonRecord, header: JsonRecord = token.header) => signer.sign(header, claims);
  const maxAge = policy?.maxAgeSeconds;
  const lifetime = (numberAt(token.claims, "exp") ?? 0) - (numberAt(token.claims, "iat") ?? 0);
  const wrongType = policy?.types.length === 0 ? undefined : await sign(right, { ...token.header, typ: "logout+jwt" });
  const list: (Forgery | undefined)[] = [
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
    token.claims["aud"] === undefined
      ? undefined
      : ["id-token", await idToken(signer, token, right, now), "for the client (ID token)"],
    wrongType === undefined ? undefined : ["wrong-type", wrongType, "of another type (typ)"],
    maxAge === undefined
      ? await outlived(sign, token, right, lifetime, now)
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

/**
 * Where nothing says how old a token may be, the API's own tell how long they live: one of a month ago is none of theirs,
 * whatever its exp says. Undefined where they live longer than a day, or do not tell.
 */
async function outlived(
  sign: (claims: JsonRecord) => Promise<string>,
  token: Token,
  right: JsonRecord,
  lifetime: number,
  now: number,
): Promise<Forgery | undefined> {
  const known = numberAt(token.claims, "iat") !== undefined && lifetime > 0 && lifetime <= longestLife;
  if (!known) return undefined;
  const lives = lifetime < 7200 ? `${Math.round(lifetime / 60)} min` : `${Math.round(lifetime / 3600)} h`;
  const what = `issued 30 days ago (iat), where the API's own live for ${lives},`;
  return ["too-old", await sign({ ...right, iat: now - 30 * 86_400 }), what];
}

/** Beyond that, seconds, a lifetime is no sign that old tokens are not meant to be taken. */
const longestLife = 86_400;

/** What an OpenID provider tells the client about the user (OpenID Connect Core section 2); no API is its audience. */
async function idToken(signer: Signer, token: Token, right: JsonRecord, now: number): Promise<string> {
  const { scope: _scope, scp: _scp, client_id: _client, ...user } = right;
  const claims = {
    ...user,
    aud: "pc-client",
    azp: "pc-client",
    nonce: "pc-nonce",
    at_hash: "cGMtaGFzaA",
    auth_time: now - 5,
  };
  return await signer.sign({ ...token.header, typ: "JWT" }, claims);
}

/** A `crit` header (RFC 7515 section 4.1.11); the signing library would refuse to make it. */
async function criticalToken(signer: Signer, token: Token, claims: JsonRecord): Promise<string> {
  return await signer
    .sign({ ...token.header, crit: ["b64"], b64: true, "x-pc": 1 }, claims)
    .catch(() => `${token.parts[0]}.${token.parts[1]}.AA`);
}
