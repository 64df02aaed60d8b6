import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AdapterPayload, type ClientMetadata, type Configuration, Provider } from "oidc-provider";
import type { OAuthClient } from "../src/oauth-client.ts";

/** What is wrong with a server that is sound otherwise: the usual mistakes, one at a time. */
export interface Wrong {
  readonly configuration?: Partial<Configuration>;
  readonly client?: Partial<ClientMetadata>;
  /** Which redirect addresses are taken beside the registered one. */
  readonly redirects?: (uri: string, registered: string) => boolean;
  /** Kinds of tokens that are never marked as used. */
  readonly forgetsUse?: string;
  /** What came of a code or a refresh token stays good when that comes again. */
  readonly keepsFamily?: true;
  readonly anySecret?: true;
  /** What a stored token looks like when it is found. */
  readonly finds?: (kind: string, payload: AdapterPayload) => AdapterPayload;
  /** Changes the parameters of a request to a path before the server sees them. */
  readonly asks?: (path: string, params: URLSearchParams, request: IncomingMessage) => void;
  /** Answers in the server's place. */
  readonly answers?: (path: string, params: URLSearchParams) => Readonly<Record<string, unknown>> | undefined;
  /** Changes the metadata. */
  readonly announces?: (text: string) => string;
  /** Changes a header of an answer; undefined leaves it out. */
  readonly says?: (name: string, value: string) => string | undefined;
}

/** The clients it knows: a public one, and one with a secret. */
export const clients = {
  app: { id: "app", redirect: "https://app.example.com/callback", scope: "openid offline_access email" },
  web: { id: "web", secret: "secret-of-the-web-client", redirect: "https://web.example.com/callback" },
} as const satisfies Record<string, OAuthClient>;

/** Starts the `oidc-provider` package on loopback, set up as its checklist demands, but for what is wrong. */
export async function startAuthorizationServer(
  wrong: Wrong = {},
): Promise<{ readonly url: string; close(): Promise<void> }> {
  let handle: (request: IncomingMessage, response: ServerResponse) => Promise<void> = () => Promise.resolve();
  const server = createServer((request, response) => {
    void front(wrong, request, response, (inside) => handle(inside, response)).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  const url = `http://127.0.0.1:${address.port}`;
  const provider = new Provider(url, configurationOf(wrong));
  if (wrong.anySecret === true) provider.Client.prototype.compareClientSecret = () => true;
  const { redirects } = wrong;
  if (redirects !== undefined) {
    provider.Client.prototype.redirectUriAllowed = (uri) =>
      uri === clients.app.redirect || uri === clients.web.redirect || redirects(uri, clients.app.redirect);
  }
  const inside = provider.callback();
  handle = async (request, response) => await inside(request, response);
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function configurationOf(wrong: Wrong): Configuration {
  const both: Partial<ClientMetadata> = {
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    ...wrong.client,
  };
  const { app, web } = clients;
  return {
    adapter: (kind: string) => keeper(kind, wrong),
    clients: [
      { ...both, client_id: app.id, redirect_uris: [app.redirect], token_endpoint_auth_method: "none" },
      { ...both, client_id: web.id, client_secret: web.secret, redirect_uris: [web.redirect] },
    ],
    claims: { openid: ["sub"], email: ["email"] },
    cookies: { keys: ["a key of the tests"] },
    features: { revocation: { enabled: true } },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com` }) }),
    pkce: { required: () => true },
    rotateRefreshToken: true,
    scopes: ["openid", "offline_access", "email"],
    ttl: {
      AccessToken: 900,
      AuthorizationCode: 60,
      Grant: 86_400,
      IdToken: 900,
      Interaction: 900,
      RefreshToken: 86_400,
      Session: 86_400,
    },
    ...wrong.configuration,
  };
}

/** One kind of what the server keeps; everything is forgotten with the server. */
function keeper(kind: string, wrong: Wrong) {
  const kept = stores.get(wrong) ?? new Map<string, AdapterPayload>();
  stores.set(wrong, kept);
  const key = (id: string) => `${kind}:${id}`;
  const find = (id: string) => {
    const payload = kept.get(key(id));
    return payload === undefined || wrong.finds === undefined ? payload : wrong.finds(kind, { ...payload });
  };
  const where = (name: "uid" | "userCode", value: string) =>
    [...kept].find(([at, payload]) => at.startsWith(`${kind}:`) && payload[name] === value)?.[1];
  return {
    async upsert(id: string, payload: AdapterPayload) {
      kept.set(key(id), payload);
    },
    find: async (id: string) => find(id),
    findByUid: async (uid: string) => where("uid", uid),
    findByUserCode: async (code: string) => where("userCode", code),
    async consume(id: string) {
      const payload = kept.get(key(id));
      if (payload !== undefined && wrong.forgetsUse !== kind) payload.consumed = Math.floor(Date.now() / 1000);
    },
    async destroy(id: string) {
      if (wrong.keepsFamily === true && kind === "Grant") return;
      kept.delete(key(id));
    },
    async revokeByGrantId(grantId: string) {
      if (wrong.keepsFamily === true) return;
      for (const [at, payload] of kept) if (at.startsWith(`${kind}:`) && payload.grantId === grantId) kept.delete(at);
    },
  };
}

/** Grants and what came of them are looked for across kinds, so that one server has one store. */
const stores = new WeakMap<Wrong, Map<string, AdapterPayload>>();

/** What stands before a server and makes it wrong: parameters are taken out, answers are given in its place. */
async function front(
  wrong: Wrong,
  request: IncomingMessage,
  response: ServerResponse,
  inside: (request: IncomingMessage) => Promise<void>,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const isForm = request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true;
  const { says } = wrong;
  if (says !== undefined) {
    const set = response.setHeader.bind(response);
    response.setHeader = (name, value) => {
      const changed = typeof value === "string" ? says(name.toLowerCase(), value) : value;
      return changed === undefined ? response : set(name, changed);
    };
  }
  const { announces } = wrong;
  if (announces !== undefined && url.pathname.startsWith("/.well-known/")) {
    const [set, end] = [response.setHeader.bind(response), response.end.bind(response)];
    response.setHeader = (name, value) => (name.toLowerCase() === "content-length" ? response : set(name, value));
    Object.assign(response, { end: (text: unknown) => end(announces(String(text))) });
  }
  if (wrong.asks === undefined && wrong.answers === undefined) return await inside(request);
  let body = "";
  if (isForm) for await (const chunk of request) body += String(chunk);
  const params = isForm ? new URLSearchParams(body) : url.searchParams;
  const answer = wrong.answers?.(url.pathname, params);
  if (answer !== undefined) {
    const headers = { "content-type": "application/json", "cache-control": "no-store" };
    return void response.writeHead(200, headers).end(JSON.stringify(answer));
  }
  wrong.asks?.(url.pathname, params, request);
  if (isForm) Object.assign(request, { body: Object.fromEntries(params) });
  else request.url = `${url.pathname}${params.size === 0 ? "" : `?${params.toString()}`}`;
  await inside(request);
}
