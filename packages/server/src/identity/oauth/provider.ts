import {
  type AdapterFactory,
  type Client,
  type Configuration,
  errors,
  interactionPolicy,
  type KoaContextWithOIDC,
  Provider,
} from "oidc-provider";
import { codeRememberedSeconds, grantSeconds } from "./adapter.ts";
import { metadataOf } from "./client-metadata.ts";
import { allowsRedirect, type ClientOptions } from "./clients.ts";
import type { Consents } from "./consents.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** Somebody who may be signed in. */
export interface Standing {
  readonly id: string;
  readonly email: string;
  readonly isVerified: boolean;
  /** How often everything of the account was ended; what began before the last time is over. */
  readonly epoch: number;
}

/** What the authorization server is made of. */
export interface ProviderOptions {
  /** Its own address; tokens name it as `iss`. */
  readonly issuer: string;
  readonly adapter: AdapterFactory;
  readonly keys: SigningKeys;
  readonly clients: readonly ClientOptions[];
  /** APIs that tokens are for, by their address, with the scopes each has; the first is meant where none is named. */
  readonly resources: Readonly<Record<string, readonly string[]>>;
  /** An account as it stands now; undefined where it is gone or disabled. */
  readonly account: (id: string) => Promise<Standing | undefined>;
  readonly consents: Consents;
  /** Seconds. */
  readonly lifetimes: ProviderLifetimes;
  /** What a grant is called in a token, so that all of it can be taken back. */
  readonly grantClaim: (grantId: string) => string;
  /** The same for a session. */
  readonly sessionClaim: (uid: string) => string;
  /** Told what went wrong inside. */
  readonly onError: (error: unknown) => void;
}

/** Seconds. */
export interface ProviderLifetimes {
  readonly accessToken: number;
  /** A browser that was not here for so long has to sign in again. */
  readonly sessionIdle: number;
  /** So has every browser after this, however often it came. @see OWASP ASVS 5.0 7.3.2 */
  readonly sessionAbsolute: number;
  readonly refreshAbsolute: number;
}

/**
 * Names of the cookies; each is `__Host-`, HttpOnly and SameSite=Lax, because clients send people here. Browsers get the
 * session's as it is; for the other two there is one cookie for each sign-in under way, see flow-cookies.ts.
 */
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
  const { issuer, keys, lifetimes } = options;
  // With the keys as they are now: others mean another provider.
  const { algorithm } = keys.signer();
  const resources = new Map(Object.entries(options.resources));
  const scopes = [...new Set([...resources.values()].flat())];
  const [firstResource] = resources.keys();
  const firstParty = new Set(options.clients.filter((one) => one.isFirstParty === true).map(({ id }) => id));
  const configuration: Configuration = {
    adapter: options.adapter,
    clients: options.clients.map(metadataOf),
    jwks: { keys: keys.all().map((key) => ({ ...key })) },
    scopes: ["openid", "email", ...scopes],
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    conformIdTokenClaims: false,
    responseTypes: ["code"],
    subjectTypes: ["public"],
    clientAuthMethods: ["none", "client_secret_basic", "client_secret_post"],
    enabledJWA: { idTokenSigningAlgValues: [...keys.algorithms()] },
    clientDefaults: { id_token_signed_response_alg: algorithm },
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
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
      AccessToken: lifetimes.accessToken,
      // The adapter lets nobody redeem one after a minute.
      AuthorizationCode: codeRememberedSeconds,
      ClientCredentials: lifetimes.accessToken,
      // Longer than any access token of it. A family of refresh tokens that begins with it has it stay as long.
      Grant: grantSeconds,
      IdToken: 600,
      Interaction: 1800,
      RefreshToken: lifetimes.refreshAbsolute,
      Session: (_context, { loginTs }) => {
        const since = loginTs === undefined ? 0 : Math.floor(Date.now() / 1000) - loginTs;
        return Math.max(1, Math.min(lifetimes.sessionIdle, lifetimes.sessionAbsolute - since));
      },
    },
    interactions: {
      policy: promptPolicy(),
      url: (_context, interaction) => `${endpoints.interaction}/${interaction.uid}`,
    },
    loadExistingGrant: (context) =>
      options.consents.grantFor(context, firstParty.has(context.oidc.client?.clientId ?? "")),
    // Without an API to call there is nothing to refresh.
    issueRefreshToken: (_context, client, code) =>
      client.grantTypeAllowed("refresh_token") && [code.resource ?? []].flat().length > 0,
    rotateRefreshToken: true,
    renderError(context, out) {
      context.type = "json";
      context.body = out;
    },
    expiresWithSession: () => false,
    async findAccount(context, id, issued) {
      const account = await options.account(id);
      // What began with an earlier epoch is over, however late it comes.
      const source = issued ?? context.oidc.session;
      const began = source !== undefined && "acr" in source ? source.acr : undefined;
      if (account === undefined || began !== epochContext(account.epoch)) return undefined;
      return {
        accountId: id,
        epoch: account.epoch,
        claims: () => ({ sub: id, email: account.email, email_verified: account.isVerified }),
      };
    },
    extraTokenClaims(context, token) {
      if (token.kind !== "AccessToken") return undefined;
      return {
        grant: options.grantClaim(token.grantId),
        // As it was when the account was looked at; read again, it might be one that began since.
        epoch: context.oidc.account?.["epoch"],
        ...(token.sessionUid === undefined ? {} : { sid: options.sessionClaim(token.sessionUid) }),
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
        defaultResource: (context, client) => (mayCall(context, client, firstResource) ? firstResource : undefined),
        useGrantedResource: () => true,
        getResourceServerInfo(context, resource, client) {
          const known = resources.get(resource);
          if (known === undefined) throw new errors.InvalidTarget("there is no such resource");
          if (!mayCall(context, client, resource))
            throw new errors.InvalidTarget("no scope of the resource is asked for");
          return {
            audience: resource,
            scope: known.join(" "),
            accessTokenFormat: "jwt",
            accessTokenTTL: lifetimes.accessToken,
            jwt: { sign: { alg: algorithm } },
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
  const byId = new Map(options.clients.map((client) => [client.id, client]));
  provider.Client.prototype.redirectUriAllowed = function redirectUriAllowed(this: Client, uri: string): boolean {
    const client = byId.get(this.clientId);
    return client !== undefined && allowsRedirect(client, uri);
  };
  provider.on("server_error", (_context, error) => options.onError(error));
  return provider;

  /**
   * Whether a token may name a resource: an application of others has to ask for a scope of it, or who only wanted to
   * know who somebody is could call, as that person, what asks for no scope.
   */
  function mayCall(context: KoaContextWithOIDC, client: Client, resource: string | undefined): boolean {
    if (resource === undefined) return false;
    // At the token endpoint the code says what was agreed to; a client that calls as itself acts for nobody else.
    if (context.oidc.route === "token" || firstParty.has(client.clientId)) return true;
    return (resources.get(resource) ?? []).some((scope) => context.oidc.requestParamScopes.has(scope));
  }
}

/** How the epoch a sign-in happened in goes along with everything that follows from it, inside this server alone. */
export function epochContext(epoch: number): string {
  return `epoch ${epoch}`;
}

/** Who is signed in as an account that is gone, disabled or was signed out everywhere signs in again. */
function promptPolicy(): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base();
  const isOver = new interactionPolicy.Check(
    "session_over",
    "the session is over",
    "login_required",
    ({ oidc }) => oidc.session?.accountId !== undefined && oidc.account === undefined,
  );
  policy.get("login")?.checks.add(isOver);
  return policy;
}
