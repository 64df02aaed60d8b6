import { type AdapterFactory, type Configuration, Provider } from "oidc-provider";
import type { Account } from "../accounts.ts";
import { type ClientOptions, metadataOf } from "./clients.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** What the authorization server is made of. */
export interface ProviderOptions {
  /** Its own address; tokens name it as `iss`. */
  readonly issuer: string;
  readonly adapter: AdapterFactory;
  readonly keys: SigningKeys;
  readonly clients: readonly ClientOptions[];
  /** APIs that tokens are for, by their address, with the scopes each has; the first is meant where none is named. */
  readonly resources: Readonly<Record<string, readonly string[]>>;
  readonly account: (id: string) => Promise<Account | undefined>;
  /** How often everything of the account was ended; tokens say it, so that all of them can be taken back. */
  readonly epoch: (accountId: string) => Promise<number>;
  /** Seconds. */
  readonly accessTokenSeconds: number;
  readonly sessionSeconds: number;
  /** What a grant is called in a token, so that all of it can be taken back. */
  readonly grantClaim: (grantId: string) => string;
  /** Told what went wrong inside. */
  readonly onError: (error: unknown) => void;
}

/** Names of the cookies; each is `__Host-`, HttpOnly and SameSite=Lax, because clients send people here. */
export const cookieNames = {
  session: "__Host-portcullis-op",
  interaction: "__Host-portcullis-interaction",
  resume: "__Host-portcullis-resume",
} as const;

/** Where the endpoints are. */
export const endpoints = {
  authorization: "/oauth/authorize",
  token: "/oauth/token",
  revocation: "/oauth/revoke",
  jwks: "/oauth/jwks.json",
  interaction: "/oauth/interaction",
} as const;

/**
 * Makes the authorization server: authorization code with PKCE (S256) for every client, exact redirect URIs, access
 * tokens as JWTs for one resource each, `iss` in every answer, and nothing that OAuth 2.1 took away. What is not named
 * here is switched off.
 *
 * @see OAuth 2.1 (draft), RFC 9700, RFC 9068, RFC 8707, RFC 9207, RFC 7636
 */
export function createProvider(options: ProviderOptions): Provider {
  const { issuer, keys, resources, accessTokenSeconds } = options;
  const scopes = [...new Set(Object.values(resources).flat())];
  const [firstResource = ""] = Object.keys(resources);
  const configuration: Configuration = {
    adapter: options.adapter,
    clients: options.clients.map(metadataOf),
    jwks: { keys: keys.all().map((key) => ({ ...key })) },
    scopes: ["openid", "email", ...scopes],
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    conformIdTokenClaims: false,
    responseTypes: ["code"],
    subjectTypes: ["public"],
    clientAuthMethods: ["none", "client_secret_post"],
    enabledJWA: { idTokenSigningAlgValues: [keys.algorithm] },
    clientDefaults: { id_token_signed_response_alg: keys.algorithm },
    pkce: { required: () => true },
    routes: {
      authorization: endpoints.authorization,
      token: endpoints.token,
      revocation: endpoints.revocation,
      jwks: endpoints.jwks,
    },
    cookies: {
      names: cookieNames,
      long: { httpOnly: true, secure: true, sameSite: "lax", path: "/", signed: false },
      short: { httpOnly: true, secure: true, sameSite: "lax", path: "/", signed: false },
    },
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: 60,
      ClientCredentials: accessTokenSeconds,
      Grant: options.sessionSeconds,
      IdToken: 600,
      Interaction: 1800,
      RefreshToken: options.sessionSeconds,
      Session: options.sessionSeconds,
    },
    interactions: { url: (_context, interaction) => `${endpoints.interaction}/${interaction.uid}` },
    issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: true,
    renderError(context, out) {
      context.type = "json";
      context.body = out;
    },
    expiresWithSession: () => false,
    async findAccount(_context, id) {
      const account = await options.account(id);
      if (account === undefined || account.isDisabled) return undefined;
      return {
        accountId: id,
        claims: () => ({ sub: id, email: account.email, email_verified: account.isVerified }),
      };
    },
    async extraTokenClaims(_context, token) {
      if (token.kind !== "AccessToken") return undefined;
      return {
        grant: options.grantClaim(token.grantId),
        epoch: await options.epoch(token.accountId),
        ...(token.sid === undefined ? {} : { sid: token.sid }),
      };
    },
    features: {
      clientCredentials: { enabled: options.clients.some(({ callsAsItself }) => callsAsItself === true) },
      devInteractions: { enabled: false },
      introspection: { enabled: false },
      revocation: {
        enabled: true,
        allowedPolicy: (_context, client, token) => token.clientId === client.clientId,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => firstResource,
        useGrantedResource: () => true,
        getResourceServerInfo(_context, resource) {
          const known = resources[resource];
          // An unknown one gets no scope; `invalid_target` is said where it is asked for.
          return {
            audience: resource,
            scope: (known ?? []).join(" "),
            accessTokenFormat: "jwt",
            accessTokenTTL: accessTokenSeconds,
            jwt: { sign: { alg: keys.algorithm } },
          };
        },
      },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
    },
  };
  const provider = new Provider(issuer, configuration);
  // The scheme is our own request's, made by the bridge; nothing a client sent reaches it.
  provider.proxy = true;
  provider.on("server_error", (_context, error) => options.onError(error));
  return provider;
}
