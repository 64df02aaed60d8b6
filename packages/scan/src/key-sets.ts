import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import { isRecord, type JsonRecord, listAt, parseJson, textAt } from "./json.ts";

/** A public key that everybody can have, and where it was found. */
export interface PublishedKey {
  readonly key: KeyObject;
  /** As it was published; undefined where it was given as a PEM. */
  readonly jwk: JsonRecord | undefined;
  readonly from: string;
}

/** Where key sets are usually published; a metadata document names its own besides. */
const usual = [
  "/.well-known/jwks.json",
  "/.well-known/openid-configuration",
  "/.well-known/oauth-authorization-server",
  "/jwks.json",
  "/jwks",
  "/oauth/jwks",
];

/**
 * The public keys of a target: those of the key given with --jwt-key, then those its own host publishes. Other hosts are
 * not asked, whatever a document says.
 *
 * @param kid  key id of the tokens in question; keys of another id are left out where one of this id is there
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function publishedKeys(context: ProbeContext, kid: string | undefined): Promise<readonly PublishedKey[]> {
  const given = context.jwtKey === undefined ? undefined : publicKeyOf(context.jwtKey);
  if (given !== undefined) return [given];
  const paths = [...usual];
  for (let at = 0; at < paths.length; at += 1) {
    const path = paths[at] ?? "";
    const trial = await context.send("positive", { method: "GET", target: path, headers: [], label: "nobody" });
    if (!isSuccess(trial.answer)) continue;
    const keys = keysIn(trial.answer.json, path);
    const same = keys.filter(({ jwk }) => jwk?.["kid"] === kid);
    if (keys.length > 0) return same.length > 0 ? same : keys;
    const named = pathHere(textAt(trial.answer.json, "jwks_uri"), context.fetcher.url);
    // Only a document at a usual place names another: what is named there could name the next without an end.
    if (named !== undefined && usual.includes(path) && !paths.includes(named)) paths.splice(at + 1, 0, named);
  }
  return [];
}

/** The public half of a PEM or JWK, private or not; undefined for a shared secret. */
export function publicKeyOf(text: string): PublishedKey | undefined {
  const json = parseJson(text);
  try {
    if (isRecord(json)) return keyOfJwk(json, "--jwt-key");
    return text.includes("-----BEGIN") ? { key: createPublicKey(text), jwk: undefined, from: "--jwt-key" } : undefined;
  } catch {
    return undefined;
  }
}

/** True where a key can verify and not sign, so that claims cannot be tried with it. */
export function isPublicOnly(text: string): boolean {
  const json = parseJson(text);
  if (isRecord(json)) return json["kty"] !== "oct" && json["d"] === undefined && publicKeyOf(text) !== undefined;
  return /-----BEGIN (?:RSA )?PUBLIC KEY-----|-----BEGIN CERTIFICATE-----/.test(text);
}

function keysIn(json: unknown, from: string): readonly PublishedKey[] {
  return listAt(json, "keys").flatMap((entry) => (isRecord(entry) ? (keyOfJwk(entry, from) ?? []) : []));
}

function keyOfJwk(jwk: JsonRecord, from: string): PublishedKey | undefined {
  if (typeof jwk["kty"] !== "string" || jwk["kty"] === "oct") return undefined;
  const members: JsonWebKey = {};
  for (const name of ["kty", "crv", "x", "y", "n", "e"] as const) {
    const value = textAt(jwk, name);
    if (value !== undefined) members[name] = value;
  }
  try {
    return { key: createPublicKey({ key: members, format: "jwk" }), jwk, from };
  } catch {
    return undefined;
  }
}

/** The path of an address on this very host; undefined for any other. */
function pathHere(address: string | undefined, url: URL): string | undefined {
  if (address === undefined || !URL.canParse(address, url.href)) return undefined;
  const found = new URL(address, url.href);
  // A server often names itself by another port or name than the one it is scanned at: the path is asked for here.
  return found.pathname === "/" ? undefined : `${found.pathname}${found.search}`;
}
