import type { Provider } from "oidc-provider";
import {
  type Api,
  type HtmlPage,
  answer,
  defaults,
  form,
  html,
  markup,
  notAnObject,
  protocolError,
  publicAccess,
  redirect,
  type Refusal,
  refuse,
} from "portcullis";
import { z } from "zod";
import type { Asker } from "../events.ts";
import { page, style } from "../pages.ts";
import { ask, type BridgedAnswer } from "./bridge.ts";
import type { ClientOptions } from "./clients.ts";
import { type FlowCookies, flowCookieShape } from "./flow-cookies.ts";
import { cookieNames, endpoints } from "./provider.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** What the OAuth endpoints need. */
export interface OAuthRoutesOptions {
  readonly issuer: string;
  readonly provider: () => Provider;
  readonly keys: SigningKeys;
  readonly flowCookies: FlowCookies;
  readonly clients: readonly ClientOptions[];
  readonly scopes: readonly string[];
  /** An access token was handed in to be revoked. */
  readonly revokeAccessToken: (token: string, clientId: string, asker: Asker) => Promise<void>;
}

const text = (most: number) => z.string().min(1).max(most);

/**
 * Everything an authorization request may say, by RFC 6749 and OpenID Connect; what this server does not do is refused by
 * name where the standards have a name for it. State and nonce come back whole, so they are bounded.
 *
 * @see RFC 6749 section 4.1.1, OpenID Connect Core 1.0 section 3.1.2.1
 */
const AuthorizationRequest = z.strictObject({
  response_type: text(50).optional(),
  client_id: text(100).optional(),
  redirect_uri: text(2000).optional(),
  scope: text(1000).optional(),
  state: text(1000).optional(),
  nonce: text(500).optional(),
  code_challenge: text(128).optional(),
  code_challenge_method: text(10).optional(),
  resource: text(500).optional(),
  prompt: text(50).optional(),
  max_age: z.int().min(0).max(31_536_000).optional(),
  login_hint: text(254).optional(),
  response_mode: text(20).optional(),
  ui_locales: text(100).optional(),
  claims_locales: text(100).optional(),
  display: text(20).optional(),
  acr_values: text(200).optional(),
  id_token_hint: text(4000).optional(),
  request: text(4000).optional(),
  request_uri: text(2000).optional(),
  registration: text(2000).optional(),
});

const Secret = text(200).optional();
/** How clients prove themselves, besides the form. @see RFC 6749 section 2.3.1 */
const basic = { user: "client_id", password: "client_secret" } as const;
const authMethods = ["none", "client_secret_basic", "client_secret_post"];

/** The grants there are: authorization_code, refresh_token, client_credentials. */
const TokenRequest = z.strictObject({
  grant_type: text(50),
  client_id: text(100).optional(),
  client_secret: Secret,
  code: text(200).optional(),
  code_verifier: text(128).optional(),
  redirect_uri: text(2000).optional(),
  refresh_token: text(200).optional(),
  scope: text(1000).optional(),
  resource: text(500).optional(),
});

const TokenAnswer = z.strictObject({
  access_token: z.string().max(4000),
  token_type: z.literal("Bearer"),
  expires_in: z.int().min(0).max(86_400),
  refresh_token: z.string().max(200).optional(),
  id_token: z.string().max(4000).optional(),
  scope: z.string().max(1000).optional(),
});

const OAuthError = protocolError(
  z.strictObject({ error: z.string().max(50), error_description: z.string().max(500).optional() }),
  "RFC 6749 section 5.2",
);

const PublicKey = z.strictObject({
  kty: z.string().max(5),
  use: z.string().max(5),
  alg: z.string().max(10),
  kid: z.string().max(50),
  crv: z.string().max(10),
  x: z.string().max(100),
  y: z.string().max(100).optional(),
});

const Cookies = z.strictObject({
  ...flowCookieShape,
  [cookieNames.session]: z.string().max(64).optional(),
});

/** The endpoints of OAuth and OpenID, each a route with a policy like any other. */
export function mountOAuth(api: Api, options: OAuthRoutesOptions): void {
  const { issuer, clients } = options;
  const problemPage = html({ style });
  const sendOn = redirect([
    `${endpoints.interaction}/*`,
    `${endpoints.authorization}/*`,
    ...clients.flatMap(({ redirectUris = [] }) => redirectUris.filter(isHere).map((uri) => new URL(uri).pathname)),
    { reason: "a redirect URI that a client registered", allows: isRegistered },
  ]);
  const authorization = { 303: sendOn, 400: problemPage };
  const access = publicAccess("who asks is about to sign in; the client is checked by OAuth's own rules");

  api.route(
    {
      path: `GET ${endpoints.authorization}`,
      access,
      input: { query: AuthorizationRequest, cookies: Cookies },
      objects: { "query.client_id": notAnObject("the name of an application, which is public") },
      output: authorization,
    },
    async ({ query, cookies, request }) => {
      // A code in a fragment, or in a form that sends itself, would pass through scripts; oidc-provider knows these modes,
      // so that they are given another name. @see OWASP ASVS 5.0 10.4.12
      const mode =
        query.response_mode === undefined || query.response_mode === "query" ? {} : { response_mode: "other" };
      return goOn(
        await bridged({ path: endpoints.authorization, query: { ...query, ...mode }, cookies, asker: request }),
      );
    },
  );

  // Other sites send it, without the cookies of this one, which a GET brings along; so nothing is decided here.
  api.route(
    {
      path: `POST ${endpoints.authorization}`,
      access,
      input: { body: form(AuthorizationRequest) },
      objects: { "body.client_id": notAnObject("the name of an application, which is public") },
      output: redirect([endpoints.authorization]),
    },
    ({ body }) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(body)) if (value !== undefined) query.set(name, String(value));
      const target = `${endpoints.authorization}?${query.toString()}`;
      // As an address it would not be taken; and proxies take an answer whose header is so large for a broken server.
      return target.length > defaults.targetMaxBytes ? refuse("target-too-long", "too long for an address") : target;
    },
  );

  api.route(
    {
      path: `GET ${endpoints.authorization}/:uid`,
      access,
      input: { params: z.strictObject({ uid: z.string().regex(/^[\w-]{1,64}$/) }), cookies: Cookies },
      objects: { uid: notAnObject("a sign-in under way, known only to the browser whose cookie names it") },
      output: authorization,
    },
    async ({ params: { uid }, cookies, request }) =>
      goOn(await bridged({ path: `${endpoints.authorization}/${uid}`, cookies, uid, asker: request })),
  );

  api.route(
    {
      path: `POST ${endpoints.token}`,
      access: publicAccess("the client proves itself, and its grant, in the request"),
      input: { body: form(TokenRequest, { basic }) },
      objects: { "body.client_id": notAnObject("the name of an application, proved by what goes with it") },
      output: { 200: TokenAnswer, 400: OAuthError, 401: OAuthError },
      // A server that refreshes for many people has one address; codes, tokens and secrets cannot be guessed.
      limit: { rate: "600/min", by: "address" },
    },
    async ({ body, request }) => {
      const { status, json } = await ask(options.provider(), issuer, {
        method: "POST",
        path: endpoints.token,
        form: body,
        asker: request,
      });
      if (status >= 500) return undecided();
      const tokens = TokenAnswer.safeParse(json);
      if (status === 200 && tokens.success) return answer(tokens.data, { status: 200 });
      return answer(errorOf(json), { status: status === 401 ? 401 : 400 });
    },
  );

  api.route(
    {
      path: `POST ${endpoints.revocation}`,
      access: publicAccess("the client proves itself in the request"),
      input: {
        body: form(
          z.strictObject({
            token: text(4000),
            token_type_hint: text(50).optional(),
            client_id: text(100),
            client_secret: Secret,
          }),
          { basic },
        ),
      },
      objects: { "body.client_id": notAnObject("the name of an application, proved by what goes with it") },
      output: { 200: z.strictObject({}), 400: OAuthError, 401: OAuthError },
      // A server that refreshes for many people has one address; codes, tokens and secrets cannot be guessed.
      limit: { rate: "600/min", by: "address" },
    },
    async ({ body, request }) => {
      // oidc-provider keeps no access token and takes none back; with a token it cannot know it proves the client alone.
      const isAccessToken = body.token.split(".").length === 3;
      const { status, json } = await ask(options.provider(), issuer, {
        method: "POST",
        path: endpoints.revocation,
        form: isAccessToken ? { ...body, token: "an access token" } : body,
        asker: request,
      });
      if (status >= 500) return undecided();
      if (status >= 300) return answer(errorOf(json), { status: status === 401 ? 401 : 400 });
      if (isAccessToken) await options.revokeAccessToken(body.token, body.client_id, request);
      // Clients read a 200 alone as done, and nothing of its body. @see RFC 7009 section 2.2
      return answer({}, { status: 200 });
    },
  );

  api.route(
    {
      path: `GET ${endpoints.jwks}`,
      access: publicAccess("public keys"),
      output: z.strictObject({ keys: z.array(PublicKey).max(20) }),
      cache: "public, max-age=300",
      limit: { rate: "60/min", by: "address" },
    },
    () => ({ keys: options.keys.published().map((key) => PublicKey.parse(key)) }),
  );

  for (const path of ["openid-configuration", "oauth-authorization-server"] as const) {
    api.route(
      {
        path: `GET /.well-known/${path}`,
        access: publicAccess("metadata that clients read before anything else"),
        output: Metadata,
        cache: "public, max-age=300",
        limit: { rate: "60/min", by: "address" },
      },
      () => metadata(options),
    );
  }

  /** To the provider, which knows a sign-in under way by its uid alone; browsers have to bring more. */
  async function bridged(request: {
    path: string;
    query?: Record<string, unknown>;
    cookies: z.output<typeof Cookies>;
    uid?: string;
    asker: Asker;
  }): Promise<BridgedAnswer> {
    const { flowCookies, provider } = options;
    const { uid, cookies: sent, ...rest } = request;
    const cookies = {
      [cookieNames.session]: sent[cookieNames.session],
      [cookieNames.resume]: uid !== undefined && flowCookies.hold(sent, uid) ? uid : undefined,
    };
    const answered = await ask(provider(), issuer, { method: "GET", ...rest, cookies });
    return { ...answered, cookies: flowCookies.given(answered.cookies, sent, uid) };
  }

  /** A client of ours on this host, such as the routes for browsers. */
  function isHere(uri: string): boolean {
    return uri.startsWith(`${issuer}/`);
  }

  /** oidc-provider has checked it for the client that asked; here it is any client's, without what was added to it. */
  function isRegistered(url: URL): boolean {
    return clients.some(({ redirectUris = [] }) =>
      redirectUris.some((uri) => {
        const one = new URL(uri);
        if (one.protocol === "http:" && one.hostname === url.hostname) one.port = url.port;
        return one.protocol === url.protocol && one.host === url.host && one.pathname === url.pathname;
      }),
    );
  }

  /** On to the next page, or back to the client; what cannot go back is told here. */
  function goOn({ status, location, cookies, json }: BridgedAnswer) {
    if (status >= 500) return undecided();
    if (location === undefined) return answer(problem(status, json), { status: 400 });
    const target = location.startsWith(`${issuer}/`) ? location.slice(issuer.length) : location;
    return answer(target, { status: 303, cookies });
  }
}

/**
 * Something failed inside, and was told there. Said as an error of OAuth it would be final: applications throw away what
 * is refused to them, and try again after a 503.
 */
function undecided(): Refusal {
  return refuse("verifier-unavailable", "the authorization server failed");
}

/** OAuth's own words for what was wrong; never more than its fixed codes and short texts. */
function errorOf(json: unknown): { error: string; error_description?: string } {
  const parsed = z
    .object({ error: z.string().max(50), error_description: z.string().max(500).optional() })
    .safeParse(json);
  if (!parsed.success) return { error: "server_error" };
  const { error, error_description } = parsed.data;
  return { error, ...(error_description === undefined ? {} : { error_description }) };
}

function problem(status: number, json: unknown): HtmlPage {
  const { error } = errorOf(json);
  return page(
    "This link cannot be used",
    markup`<p>The application that sent you here asked for something it may not ask for. Go back to it and try again.</p>
<p class="hint">${error} (${status})</p>`,
  );
}

const texts = z.array(z.string().max(100)).max(50);
const address = z.string().max(300);

const Metadata = z.strictObject({
  issuer: address,
  authorization_endpoint: address,
  token_endpoint: address,
  revocation_endpoint: address,
  jwks_uri: address,
  scopes_supported: texts,
  response_types_supported: texts,
  response_modes_supported: texts,
  grant_types_supported: texts,
  subject_types_supported: texts,
  id_token_signing_alg_values_supported: texts,
  token_endpoint_auth_methods_supported: texts,
  revocation_endpoint_auth_methods_supported: texts,
  code_challenge_methods_supported: texts,
  authorization_response_iss_parameter_supported: z.boolean(),
  claims_supported: texts,
});

/** @see RFC 8414, OpenID Connect Discovery 1.0 section 3 */
function metadata({ issuer, keys, clients, scopes }: OAuthRoutesOptions): z.output<typeof Metadata> {
  const machines = clients.some(({ callsAsItself }) => callsAsItself === true);
  return {
    issuer,
    authorization_endpoint: `${issuer}${endpoints.authorization}`,
    token_endpoint: `${issuer}${endpoints.token}`,
    revocation_endpoint: `${issuer}${endpoints.revocation}`,
    jwks_uri: `${issuer}${endpoints.jwks}`,
    scopes_supported: ["openid", "email", ...scopes],
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: ["authorization_code", "refresh_token", ...(machines ? ["client_credentials"] : [])],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [...keys.algorithms()],
    token_endpoint_auth_methods_supported: authMethods,
    revocation_endpoint_auth_methods_supported: authMethods,
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
    claims_supported: ["sub", "email", "email_verified"],
  };
}
