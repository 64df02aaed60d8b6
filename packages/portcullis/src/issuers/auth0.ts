import type { Credential } from "../credential.ts";
import { jwt } from "../gates/jwt.ts";
import { jwksUrl } from "../lib/jwks-url.ts";
import type { ProvedClaims } from "../lib/token-claims.ts";
import {
  addressProblems,
  emptyList,
  refusesBoth,
  withMore,
  withoutSlash,
  type IssuerOptions,
} from "./issuer-options.ts";

/** Which Auth0 tenant, and which of its APIs this is. */
export interface Auth0Options extends IssuerOptions {
  /** The tenant's domain or your custom one, as an address: `https://example.eu.auth0.com`. */
  readonly issuer: string;
  /** The identifier of this API as registered there. Without one Auth0 gives out opaque tokens, which nobody can check. */
  readonly audience: string | readonly string[];
  /** Applications whose tokens count, by `azp` or `client_id`. Default: every application that may ask for this API. */
  readonly clients?: readonly string[];
}

/**
 * Accepts Auth0's access tokens for one API, of its own profile and of RFC 9068. ID tokens and tokens for `/userinfo` or
 * the Management API are meant for somebody else and are refused. Throws nothing: a mistake in the options stops the
 * start (`StartRefused`).
 *
 * @see https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
 */
export function auth0(options: Auth0Options): Credential {
  const { issuer, audience, clients, refuses, ...rest } = options;
  const address = withoutSlash(issuer);
  const credential = jwt({
    name: "auth0",
    keys: jwksUrl(`${address}/.well-known/jwks.json`),
    ...rest,
    // Auth0's issuer is the one with a slash at its end.
    issuer: `${address}/`,
    audience,
    typ: ["JWT", "at+jwt"],
    refuses: refusesBoth((claims) => whyOtherClient(claims, clients), refuses),
  });
  return withMore(
    credential,
    () => [
      ...addressProblems("issuer", issuer, '"https://example.eu.auth0.com"'),
      ...[audience].flat().flatMap((one) => audienceProblems(address, one)),
      ...emptyList("clients", clients),
    ],
    clients && { clients: [...clients] },
  );
}

/** Who a token was given to stands in `azp` in Auth0's own profile, in `client_id` in that of RFC 9068. */
function whyOtherClient(claims: ProvedClaims, clients: readonly string[] | undefined): string | undefined {
  if (clients === undefined) return undefined;
  const { azp, client_id } = claims;
  const named = [azp, client_id].filter((one) => one !== undefined);
  const isListed = named.length > 0 && named.every((one) => typeof one === "string" && clients.includes(one));
  return isListed ? undefined : "its client is not listed";
}

/** Audiences that are none of an API's own: with them other tokens of the tenant would pass. */
function audienceProblems(address: string, audience: unknown): ReturnType<typeof addressProblems> {
  const fix = "Register this API at Auth0 and write its identifier.";
  if (audience === `${address}/userinfo` || audience === `${address}/api/v2/`) {
    return [{ field: "audience", problem: "the audience is an API of Auth0 itself", fix }];
  }
  // 32 letters and digits are a client's id, and a token for a client is an ID token.
  if (typeof audience === "string" && /^[A-Za-z0-9]{32}$/.test(audience)) {
    return [
      { field: "audience", problem: "the audience looks like a client's id, so ID tokens would be asked for", fix },
    ];
  }
  return [];
}
