import type { ClientMetadata } from "oidc-provider";

/** An application that people sign in to, or that calls by itself. */
export interface ClientOptions {
  readonly id: string;
  /** Shown to people when they are asked. */
  readonly name: string;
  /**
   * Exactly as they will be sent. A native app's loopback address (`http://127.0.0.1/callback`) matches any port.
   *
   * @see RFC 9700 section 2.1, RFC 8252 section 7.3
   */
  readonly redirectUris?: readonly string[];
  /** Where browsers come from that call the token endpoint themselves (single-page apps without a server side). */
  readonly origins?: readonly string[];
  /**
   * Secret of a client that can keep one, at least 32 characters; public clients have none. Sent in the body
   * (`client_secret_post`).
   */
  readonly secret?: string;
  /** Scopes it may ask for, besides `openid` and `email`. */
  readonly scopes: readonly string[];
  /** It may call as itself (client credentials); needs a secret. Default false. */
  readonly callsAsItself?: boolean;
  /** Nobody is asked: it is part of the service itself. Default false. */
  readonly isFirstParty?: boolean;
}

/** What oidc-provider is told of a client. @see RFC 7591 section 2 */
export function metadataOf(client: ClientOptions): ClientMetadata {
  const isForPeople = (client.redirectUris ?? []).length > 0;
  const isNative = (client.redirectUris ?? []).some((uri) => !uri.startsWith("https:"));
  return {
    client_id: client.id,
    client_name: client.name,
    redirect_uris: [...(client.redirectUris ?? [])],
    application_type: isNative ? "native" : "web",
    response_types: isForPeople ? ["code"] : [],
    grant_types: [
      ...(isForPeople ? ["authorization_code", "refresh_token"] : []),
      ...(client.callsAsItself === true ? ["client_credentials"] : []),
    ],
    scope: ["openid", "email", ...client.scopes].join(" "),
    ...(client.secret === undefined
      ? { token_endpoint_auth_method: "none" }
      : { token_endpoint_auth_method: "client_secret_post", client_secret: client.secret }),
  };
}

/** What is wrong with the clients; each stops the start. */
export function clientProblems(clients: readonly ClientOptions[]): readonly string[] {
  const problems: string[] = [];
  const ids = new Set<string>();
  for (const { id, secret, redirectUris = [], callsAsItself = false } of clients) {
    if (!/^[\x21-\x7e]{1,100}$/.test(id))
      problems.push(`client ${JSON.stringify(id)}: an id is 1 to 100 visible characters`);
    if (ids.has(id)) problems.push(`client ${id}: there are two of it`);
    ids.add(id);
    if (secret !== undefined && secret.length < 32)
      problems.push(`client ${id}: its secret has fewer than 32 characters`);
    if (callsAsItself && secret === undefined) problems.push(`client ${id}: who calls as itself needs a secret`);
    if (!callsAsItself && redirectUris.length === 0) problems.push(`client ${id}: it has no redirect URI`);
    for (const uri of redirectUris) {
      const problem = redirectUriProblem(uri);
      if (problem !== undefined) problems.push(`client ${id}: ${uri} ${problem}`);
    }
  }
  return problems;
}

function redirectUriProblem(uri: string): string | undefined {
  if (!URL.canParse(uri)) return "is no address";
  const url = new URL(uri);
  if (uri.includes("*")) return "has a wildcard in it";
  if (url.hash !== "" || uri.endsWith("#")) return "has a fragment";
  if (url.username !== "" || url.password !== "") return "has a user name in it";
  const isLoopback = url.hostname === "127.0.0.1" || url.hostname === "[::1]" || url.hostname === "localhost";
  if (url.protocol === "http:" && !isLoopback) return "is plain http";
  return undefined;
}
