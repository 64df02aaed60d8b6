import { createHmac, createPublicKey, type JsonWebKey } from "node:crypto";
import { base64url, type JWK } from "jose";
import type { ProbeContext } from "./context.ts";
import { signerOf, strangerKey } from "./forge.ts";
import { type JsonRecord, textAt } from "./json.ts";
import { type Listener, listen } from "./listener.ts";
import { broken, type NamedOutcome } from "./probe.ts";
import { type Forgery, noToken, sendForged, type TokenWitness, tokenWitness, tryForgeries } from "./token-trials.ts";

/** How long a fetch of a key may come after the answer, milliseconds. */
const lateCallMs = 100;

/**
 * Tokens that say themselves which key proves them: embedded, behind an address of ours, or behind a `kid` that is used as
 * a file name or in SQL. A call to our address is a finding by itself, whatever is answered.
 *
 * @throws what sending rejects with, such as `BudgetSpent`
 * @see RFC 8725 sections 2.9, 2.10 and 3.10
 */
export async function ownKeys(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await tokenWitness(context);
  if (witness === undefined) return [{ check: "own-key", ...noToken }];
  const embedded = await tryForgeries(context, witness, await broughtAlong(witness));
  const listener = await listen(context.fetcher.url);
  try {
    return [...embedded, ...(await fetched(context, witness, listener))];
  } finally {
    await listener.close();
  }
}

/** Keys that travel in the token, and key ids that lead to a key everybody knows. */
async function broughtAlong({ token }: TokenWitness): Promise<readonly Forgery[]> {
  const typ = textAt(token.header, "typ");
  const kid = textAt(token.header, "kid");
  const header: JsonRecord = typ === undefined ? {} : { typ };
  const own = textAt(token.header, "alg") ?? "HS256";
  const symmetric = own.startsWith("HS") ? own : "HS256";
  const { signer, jwk } = await strangerKey(own.startsWith("HS") ? "RS256" : own);
  const secret = base64url.encode("a secret of a stranger, 32 bytes");
  const shared = await signerOf("a secret of a stranger, 32 bytes", symmetric);
  const hmac = (more: JsonRecord, key: string) =>
    hmacToken({ ...header, alg: symmetric, ...more }, token.parts[1], key);
  const sharedKey = { kty: "oct", k: secret, alg: symmetric };
  return [
    ["embedded-key", await signer.sign({ ...header, jwk }, token.claims), "signed by a key it brings along (jwk)"],
    [
      "embedded-secret",
      await shared.sign({ ...header, alg: symmetric, jwk: sharedKey }, token.claims),
      "signed by a secret it brings along (jwk)",
    ],
    [
      "own-signature",
      await signer.sign({ ...header, ...(kid === undefined ? {} : { kid }) }, token.claims),
      "signed by a stranger's key",
    ],
    ["blank-secret", hmac(kid === undefined ? {} : { kid }, ""), "signed with an empty secret"],
    ["kid-path", hmac({ kid: "../../../../../../../../dev/null" }, ""), "whose kid is a path to an empty file"],
    ["kid-absolute-path", hmac({ kid: "/dev/null" }, ""), "whose kid is an absolute path to an empty file"],
    ["kid-missing", hmac({ kid: "pc-no-such-key" }, ""), "whose kid names no key"],
    ["kid-undefined", hmac({ kid: "pc-no-such-key" }, "undefined"), "signed with the text undefined"],
    ["kid-sql", hmac({ kid: "x' UNION SELECT 'pckey" }, "pckey"), "whose kid is SQL"],
    ["kid-sql-commented", hmac({ kid: "x' UNION SELECT 'pckey' -- " }, "pckey"), "whose kid is SQL"],
    ["kid-prototype", hmac({ kid: "constructor" }, String(Object)), "whose kid is a member of every object"],
  ];
}

/** Keys at an address of ours: named by `jku` or `x5u`, by a `kid` that is an address, or by the issuer's metadata. */
async function fetched(
  context: ProbeContext,
  witness: TokenWitness,
  listener: Listener,
): Promise<readonly NamedOutcome[]> {
  const { token } = witness;
  const typ = textAt(token.header, "typ");
  const own = textAt(token.header, "alg") ?? "RS256";
  const { signer, jwk } = await strangerKey(own.startsWith("HS") ? "RS256" : own);
  const kid = `pc-${context.random.text(8)}`;
  const header: JsonRecord = { ...(typ === undefined ? {} : { typ }), kid };
  const at = (name: string) => `/pc-${name}-${context.random.text(10)}`;
  const found: NamedOutcome[] = [];
  const json = { "content-type": "application/json" };
  const keys = { headers: json, body: JSON.stringify({ keys: [{ ...jwk, kid, use: "sig" }] }) };
  const pem = { headers: { "content-type": "application/x-pem-file" }, body: pemOf(jwk) };
  const tricks: readonly (readonly [string, string, (address: string) => [JsonRecord, JsonRecord], typeof keys])[] = [
    ["jku", "whose key set is at an address it names (jku)", (jku) => [{ ...header, jku }, token.claims], keys],
    ["x5u", "whose certificate is at an address it names (x5u)", (x5u) => [{ ...header, x5u }, token.claims], pem],
    ["kid-url", "whose kid is an address", (url) => [{ ...header, kid: url }, token.claims], pem],
  ];
  for (const [check, what, parts, page] of tricks) {
    const path = at(check);
    listener.serve(path, page);
    const [head, claims] = parts(`${listener.origin}${path}`);
    found.push(await callOrGrant(context, witness, listener, path, check, await signer.sign(head, claims), what));
  }
  const issuer = at("issuer");
  const metadata = { issuer: `${listener.origin}${issuer}`, jwks_uri: `${listener.origin}${issuer}/jwks.json` };
  for (const place of [
    `${issuer}/.well-known/openid-configuration`,
    `${issuer}/.well-known/oauth-authorization-server`,
    `/.well-known/oauth-authorization-server${issuer}`,
  ])
    listener.serve(place, { headers: json, body: JSON.stringify(metadata) });
  for (const place of [`${issuer}/jwks.json`, `${issuer}/.well-known/jwks.json`]) listener.serve(place, keys);
  const foreign = await signer.sign(header, { ...token.claims, iss: metadata.issuer });
  const what = "of an issuer nobody configured";
  found.push(await callOrGrant(context, witness, listener, issuer, "own-issuer", foreign, what));
  return found;
}

async function callOrGrant(
  context: ProbeContext,
  witness: TokenWitness,
  listener: Listener,
  path: string,
  check: string,
  forged: string,
  what: string,
): Promise<NamedOutcome> {
  const [result] = await tryForgeries(context, witness, [[check, forged, what]]);
  if (result === undefined || result.verdict === "broken") return result ?? { check, ...noToken };
  const call = await listener.called(path, lateCallMs);
  if (call === undefined) return result;
  // Once more, so that the finding does not hang on one call.
  const again = await sendForged(context, witness, forged, check);
  return {
    check,
    ...broken(`the API fetches a key from an address that stands in the token (${check})`, [...result.trials, again]),
  };
}

/** By hand: libraries refuse to sign with an empty secret. */
function hmacToken(header: JsonRecord, claims: string, secret: string): string {
  const text = `${base64url.encode(JSON.stringify(header))}.${claims}`;
  const bits = (textAt(header, "alg") ?? "HS256").slice(2);
  return `${text}.${createHmac(`sha${bits}`, secret).update(text).digest("base64url")}`;
}

function pemOf(jwk: JWK): string {
  const members: JsonWebKey = {};
  for (const name of ["kty", "crv", "x", "y", "n", "e"] as const) {
    const value = jwk[name];
    if (value !== undefined) members[name] = value;
  }
  return String(createPublicKey({ key: members, format: "jwk" }).export({ type: "spki", format: "pem" }));
}
