import { intern } from "./intern.ts";
import type { ProvedClaims } from "./token-claims.ts";

/** The name of a claim, or a function of the verified claims. */
export type GrantSource = string | ((claims: ProvedClaims) => readonly string[]);

/**
 * Scopes a token carries. By default `scope`, one text with spaces (RFC 8693 section 4.2), or `scp`, which some issuers
 * write instead, as a list or a text.
 *
 * @returns the scopes, none where the claim is absent; undefined where the claim is there and is no list of texts
 */
export function readScopes(claims: ProvedClaims, source?: GrantSource): readonly string[] | undefined {
  if (typeof source === "function") return listOfTexts(source(claims));
  const claim = source === undefined ? (claims["scope"] ?? claims["scp"]) : claims[source];
  return listOfTexts(typeof claim === "string" ? claim.split(" ").filter((scope) => scope !== "") : claim);
}

/**
 * Roles a token carries. There is no default: a role in a token is as old as the token, so whoever wants it says so.
 *
 * @returns the roles, none without a source; undefined where the claim is there and is no list of texts
 */
export function readRoles(claims: ProvedClaims, source?: GrantSource): readonly string[] | undefined {
  if (source === undefined) return NONE;
  if (typeof source === "function") return listOfTexts(source(claims));
  const claim = claims[source];
  return typeof claim === "string" && claim !== "" ? Object.freeze([claim]) : listOfTexts(claim);
}

const NONE: readonly string[] = Object.freeze([]);

function listOfTexts(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return NONE;
  if (!Array.isArray(value)) return undefined;
  const texts = value.filter((one: unknown) => typeof one === "string" && one !== "");
  return texts.length === value.length ? Object.freeze(texts.map(intern)) : undefined;
}
