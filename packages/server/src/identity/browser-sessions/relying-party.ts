import * as oauth from "oauth4webapi";
import { boundedFetch } from "./bounded-fetch.ts";

/** An issuer people sign in at, and who this application is there. */
export interface IssuerOptions {
  /** As its metadata spells it. Over https; http on this machine alone. */
  readonly url: string;
  readonly clientId: string;
  /**
   * Sent in the body of the token request (`client_secret_post`) where the issuer says it takes it there, else in
   * `Authorization: Basic`; a public client has none.
   */
  readonly clientSecret?: string;
  /** Scopes to ask for besides `openid`; an issuer may want `offline_access` before it gives refresh tokens. */
  readonly scopes?: readonly string[];
  /** The API that access tokens are for. @see RFC 8707 */
  readonly resource?: string;
}

/** What it takes. */
export interface RelyingPartyOptions extends IssuerOptions {
  readonly redirectUri: string;
  /** Known beforehand where the issuer is in this process; else it is discovered at the first sign-in. */
  readonly metadata?: oauth.AuthorizationServer;
  readonly fetch: typeof fetch;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** What a sign-in under way is known by. */
export interface Begun {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** What an issuer gave. */
export interface Tokens {
  readonly access: string;
  /** Unix milliseconds; undefined where the issuer does not say. */
  readonly expiresAt: number | undefined;
  readonly refresh: string | undefined;
  readonly scope: string;
}

/** Who somebody is, as the issuer signed it. */
export interface IdClaims {
  readonly sub: string;
  readonly email?: string;
  readonly email_verified?: boolean;
}

/** Signs people in at an issuer: authorization code with PKCE, state, nonce and `iss`. */
export interface RelyingParty {
  readonly issuer: string;
  /** Address to send a browser to. */
  begin(begun: Begun): Promise<URL>;
  /** Whether this is where {@link begin} leads. */
  isAuthorization(url: URL): Promise<boolean>;
  /**
   * Checks what came back and redeems the code.
   *
   * @throws SignInRefused where what came back is not the answer to what was begun, or the issuer says no
   */
  finish(returned: URLSearchParams, begun: Begun): Promise<{ readonly tokens: Tokens; readonly claims: IdClaims }>;
  /** @returns undefined where the issuer says that it is over @throws where it could not be asked */
  refresh(refreshToken: string): Promise<Tokens | undefined>;
  /** Takes a refresh token back, where the issuer can. */
  revoke(refreshToken: string): Promise<void>;
}

/** Why a sign-in ended without a session; for records, not for people. */
export class SignInRefused extends Error {
  override readonly name = "SignInRefused";
}

/** One request to the issuer may take that long, milliseconds; below the lease of a renewal. */
export const issuerTimeoutMs = 4000;
const metadataForMs = 3_600_000;

/**
 * Makes it; nothing is asked before the first sign-in.
 *
 * @see RFC 9700 section 2.1, RFC 9207, RFC 7636, OpenID Connect Core 1.0 sections 3.1.2.7 and 3.1.3.7
 */
export function createRelyingParty(options: RelyingPartyOptions): RelyingParty {
  const { url, clientId, clientSecret, redirectUri, now } = options;
  const scope = ["openid", ...(options.scopes ?? []).filter((one) => one !== "openid")].join(" ");
  const isPlain = url.startsWith("http:");
  let known: { readonly server: oauth.AuthorizationServer; readonly at: number } | undefined;

  const request = () => ({
    [oauth.customFetch]: boundedFetch(options.fetch),
    // oxlint-disable-next-line typescript/no-deprecated -- marked so to stand out; options let it be this machine alone
    [oauth.allowInsecureRequests]: isPlain,
    signal: AbortSignal.timeout(issuerTimeoutMs),
  });
  /** Times are judged by the injected clock. */
  const client = (): oauth.Client => ({
    client_id: clientId,
    [oauth.clockSkew]: Math.round((now() - Date.now()) / 1000),
    [oauth.clockTolerance]: 10,
  });

  async function server(): Promise<oauth.AuthorizationServer> {
    if (options.metadata !== undefined) return options.metadata;
    if (known !== undefined && now() - known.at < metadataForMs) return known.server;
    const identifier = new URL(url);
    const response = await oauth.discoveryRequest(identifier, request());
    known = { server: await oauth.processDiscoveryResponse(identifier, response), at: now() };
    return known.server;
  }

  async function authorization(): Promise<URL> {
    const { authorization_endpoint: address } = await server();
    if (address === undefined) throw new Error(`${url} has no authorization endpoint`);
    const found = new URL(address);
    if (found.protocol !== "https:" && !(isPlain && found.protocol === "http:")) {
      throw new Error(`the authorization endpoint of ${url} is not on https`);
    }
    return found;
  }

  function tokensOf(answer: oauth.TokenEndpointResponse, before: Partial<Tokens> = {}): Tokens {
    if (answer.token_type !== "bearer") throw new Error(`${url} gave a token that is no bearer token`);
    return {
      access: answer.access_token,
      expiresAt: answer.expires_in === undefined ? undefined : now() + answer.expires_in * 1000,
      refresh: answer.refresh_token ?? before.refresh,
      scope: answer.scope ?? before.scope ?? scope,
    };
  }

  return {
    issuer: url,
    async begin({ state, nonce, verifier }) {
      const address = await authorization();
      const parameters = {
        response_type: "code",
        client_id: clientId,
        redirect_uri: redirectUri,
        scope,
        state,
        nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
        ...(options.resource === undefined ? {} : { resource: options.resource }),
        ...(options.scopes?.includes("offline_access") === true ? { prompt: "consent" } : {}),
      };
      for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
      return address;
    },
    async isAuthorization(target) {
      const address = await authorization();
      return target.origin === address.origin && target.pathname === address.pathname;
    },
    async finish(returned, { state, nonce, verifier }) {
      const as = await server();
      const self = client();
      const checked = refusing("what came back is no answer to what was asked", () =>
        oauth.validateAuthResponse(as, self, returned, state),
      );
      const response = await oauth.authorizationCodeGrantRequest(
        as,
        self,
        proofAt(as, clientSecret),
        checked,
        redirectUri,
        verifier,
        request(),
      );
      const answer = await oauth
        .processAuthorizationCodeResponse(as, self, response, { expectedNonce: nonce, requireIdToken: true })
        .catch((error: unknown) => {
          throw isNo(error) ? new SignInRefused("the code or its ID token was refused", { cause: error }) : error;
        });
      // The signature is looked at too, although the answer came from the issuer itself. OWASP ASVS 5.0 6.8.2
      await oauth.validateApplicationLevelSignature(as, response, request()).catch((error: unknown) => {
        throw isNo(error) ? new SignInRefused("the signature of the ID token does not hold", { cause: error }) : error;
      });
      const claims = oauth.getValidatedIdTokenClaims(answer);
      if (claims === undefined) throw new SignInRefused("there is no ID token");
      const { sub, email, email_verified } = claims;
      return {
        tokens: tokensOf(answer),
        claims: {
          sub,
          ...(typeof email === "string" ? { email } : {}),
          ...(typeof email_verified === "boolean" ? { email_verified } : {}),
        },
      };
    },
    async refresh(refreshToken) {
      const as = await server();
      const self = client();
      const additionalParameters: Record<string, string> =
        options.resource === undefined ? {} : { resource: options.resource };
      const response = await oauth.refreshTokenGrantRequest(as, self, proofAt(as, clientSecret), refreshToken, {
        ...request(),
        additionalParameters,
      });
      try {
        return tokensOf(await oauth.processRefreshTokenResponse(as, self, response), { refresh: refreshToken });
      } catch (error) {
        // Only the issuer's own word ends a session; anything else is asked again.
        if (error instanceof oauth.ResponseBodyError && error.error === "invalid_grant") return undefined;
        throw error;
      }
    },
    async revoke(refreshToken) {
      const as = await server();
      if (as.revocation_endpoint === undefined) return;
      const response = await oauth.revocationRequest(as, client(), proofAt(as, clientSecret), refreshToken, request());
      await response.body?.cancel();
    },
  };
}

/** @see OpenID Connect Discovery 1.0 section 3: who does not say what it takes, takes Basic */
function proofAt(as: oauth.AuthorizationServer, clientSecret: string | undefined): oauth.ClientAuth {
  if (clientSecret === undefined) return oauth.None();
  const takesPost = as.token_endpoint_auth_methods_supported?.includes("client_secret_post") === true;
  return takesPost ? oauth.ClientSecretPost(clientSecret) : oauth.ClientSecretBasic(clientSecret);
}

/** Whether the issuer said no, or said something that does not fit; not where it could not be asked. */
function isNo(error: unknown): boolean {
  if (error instanceof oauth.ResponseBodyError) return error.status < 500;
  return error instanceof oauth.OperationProcessingError || error instanceof oauth.AuthorizationResponseError;
}

function refusing<T>(why: string, check: () => T): T {
  try {
    return check();
  } catch (cause) {
    throw new SignInRefused(why, { cause });
  }
}
