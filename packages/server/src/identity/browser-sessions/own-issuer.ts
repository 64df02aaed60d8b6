import { createHmac } from "node:crypto";
import { decodeJwt } from "jose";
import type { Provider } from "oidc-provider";
import type { TokenRevocations } from "portcullis";
import type { GrantEnds } from "../../storage/grants.ts";
import type { Account } from "../accounts.ts";
import type { Asker } from "../events.ts";
import { ask } from "../oauth/bridge.ts";
import type { ClientOptions } from "../oauth/clients.ts";
import { cookieNames, endpoints } from "../oauth/provider.ts";
import type { SigningKeys } from "../oauth/signing-keys.ts";
import { createRelyingParty, type RelyingParty } from "./relying-party.ts";
import type { OwnIssuer, SignInAt } from "./sign-in-at.ts";

/** Id of the client that the routes for browsers are at our own issuer. */
export const browserClientId = "browser-sessions";

/** What it takes. */
export interface OwnIssuerOptions {
  readonly issuer: string;
  readonly client: ClientOptions;
  readonly resource: string;
  readonly provider: () => Provider;
  readonly keys: SigningKeys;
  readonly revocations: TokenRevocations;
  readonly account: (id: string) => Promise<Account | undefined>;
  /** What a refresh token was given under. */
  readonly grantOf: (refreshToken: string) => Promise<string | undefined>;
  readonly grants: GrantEnds;
  readonly endEverything: (accountId: string, asker: Asker) => Promise<void>;
  /** Ends the session a browser has at the issuer itself. */
  readonly endOwnSession: (cookie: string) => Promise<unknown>;
  /** Who is signed in at the issuer itself. */
  readonly signedIn: (cookie: string) => Promise<Account | undefined>;
  readonly now: () => number;
}

/** The client, with a secret that nobody has to write down: it follows from the installation's. */
export function browserClient(
  issuer: string,
  name: string,
  scopes: readonly string[],
  secret: string | Uint8Array,
): ClientOptions {
  return {
    id: browserClientId,
    name,
    redirectUris: [`${issuer}/auth/callback`],
    secret: createHmac("sha256", secret).update("portcullis browser sessions' client").digest("base64url"),
    scopes,
    isFirstParty: true,
  };
}

/** Our own issuer as the routes for browsers see it; asked without a socket in between. */
export function ownIssuer(options: OwnIssuerOptions): SignInAt {
  const { revocations } = options;
  const own: OwnIssuer = {
    async standing(subject, accessToken) {
      const account = await options.account(subject);
      const claims = decodeJwt(accessToken);
      if (account === undefined || account.isDisabled || claims["epoch"] !== account.epoch) return undefined;
      const { iat, exp, iss } = claims;
      if (iat === undefined || exp === undefined || iss === undefined) return undefined;
      // A token that has run out is renewed or is not; whoever took it back ended what renews it.
      if (await revocations.isRevoked({ ...claims, sub: subject, iat, exp, iss })) return undefined;
      return { roles: account.roles, claims: { email: account.email, email_verified: account.isVerified } };
    },
    sessionOf(accessToken) {
      const { sid } = decodeJwt(accessToken);
      return typeof sid === "string" ? sid : undefined;
    },
    async grantOf({ refresh }) {
      return refresh === undefined ? null : ((await options.grantOf(refresh)) ?? null);
    },
    grants: options.grants,
    endEverything: options.endEverything,
    cookie: {
      name: cookieNames.session,
      end: options.endOwnSession,
      whose: async (value) => (await options.signedIn(value))?.email,
    },
  };
  return { party: partyOf(options), own };
}

function partyOf({ issuer, client, resource, provider, keys, now }: OwnIssuerOptions): RelyingParty {
  return createRelyingParty({
    url: issuer,
    clientId: client.id,
    ...(client.secret === undefined ? {} : { clientSecret: client.secret }),
    scopes: ["email", ...client.scopes],
    resource,
    redirectUri: `${issuer}/auth/callback`,
    metadata: {
      issuer,
      authorization_endpoint: `${issuer}${endpoints.authorization}`,
      token_endpoint: `${issuer}${endpoints.token}`,
      revocation_endpoint: `${issuer}${endpoints.revocation}`,
      token_endpoint_auth_methods_supported: ["client_secret_post"],
      jwks_uri: `${issuer}${endpoints.jwks}`,
      authorization_response_iss_parameter_supported: true,
      id_token_signing_alg_values_supported: ["EdDSA", "ES256"],
    },
    fetch: withoutSocket,
    now,
  });

  async function withoutSocket(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    if (pathname === endpoints.jwks) return Response.json({ keys: keys.published() });
    const form = init.body instanceof URLSearchParams ? Object.fromEntries(init.body) : {};
    const { status, json } = await ask(provider(), issuer, { method: "POST", path: pathname, form });
    return json === undefined ? new Response(null, { status }) : Response.json(json, { status });
  }
}
