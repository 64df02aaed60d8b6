import type { Problem } from "portcullis";

/** An application that people sign in to, or that calls by itself. */
export interface ClientOptions {
  readonly id: string;
  /** Shown to people when they are asked. */
  readonly name: string;
  /**
   * Exactly as they will be sent. The loopback address of an application on the device (`http://127.0.0.1/callback`, of a
   * client with neither secret nor `origins`) matches any port.
   *
   * @see RFC 9700 section 2.1, RFC 8252 section 7.3
   */
  readonly redirectUris?: readonly string[];
  /**
   * Where browsers come from that call the token endpoint themselves (single-page apps without a server side). Hand
   * `identity.origins` to `createApi({ origins })`.
   */
  readonly origins?: readonly string[];
  /**
   * Secret of a client that can keep one, at least 32 characters; public clients have none. Sent in `Authorization: Basic`
   * or in the body (`client_secret_basic`, `client_secret_post`), as the client has it.
   */
  readonly secret?: string;
  /** Scopes it may ask for, besides `openid` and `email`. */
  readonly scopes: readonly string[];
  /** It may call as itself (client credentials); needs a secret. Default false. */
  readonly callsAsItself?: boolean;
  /** Nobody is asked: it is part of the service itself. Default false. */
  readonly isFirstParty?: boolean;
}

/** An application on the device: it keeps no secret, and no page of it is served over https. */
export function isNative({ redirectUris = [], secret, origins = [] }: ClientOptions): boolean {
  return secret === undefined && origins.length === 0 && redirectUris.some((uri) => !uri.startsWith("https:"));
}

/**
 * Whether a client may have its answers sent there: letter by letter a registered address; of an application on the
 * device, its loopback address with whatever port it was given.
 *
 * @see RFC 9700 section 4.1.3, RFC 8252 sections 7.3 and 8.3 (an address, not `localhost`)
 */
export function allowsRedirect(client: ClientOptions, uri: string): boolean {
  const registered = client.redirectUris ?? [];
  if (registered.includes(uri)) return true;
  if (!isNative(client)) return false;
  const [, host, rest] = loopback.exec(uri) ?? [];
  return (
    host !== undefined &&
    registered.some((one) => {
      const [, sameHost, sameRest] = loopback.exec(one) ?? [];
      return sameHost === host && sameRest === rest;
    })
  );
}

const loopback = /^http:\/\/(127\.0\.0\.1|\[::1\])(?::\d{1,5})?(\/[^#]*)?$/;

/** What is wrong with the clients; each stops the start. @param scopes  those the resources have */
export function clientProblems(clients: readonly ClientOptions[], scopes: ReadonlySet<string>): readonly Problem[] {
  const ids = new Set<string>();
  return clients.flatMap((client) => {
    const { id, secret, redirectUris = [], callsAsItself = false } = client;
    const problems: Problem[] = [];
    const add = (field: string, problem: string, fix: string) =>
      problems.push({ where: `client ${JSON.stringify(id)}`, field, problem, fix });
    if (!/^[\w.~:-]{1,100}$/.test(id))
      add("id", "the id is no plain name", "Use 1 to 100 letters, digits, - . _ ~ or :.");
    if (uuid.test(id))
      add("id", "the id looks like that of an account", "Name it: a token's sub tells people and clients apart.");
    if (ids.has(id)) add("id", "there are two of it", "Give each client its own id.");
    ids.add(id);
    if (client.name.trim() === "") add("name", "it has no name", "People read it when they are asked.");
    if (secret !== undefined && secret.length < 32)
      add("secret", `its secret has ${secret.length} characters`, "Generate one: openssl rand -base64 32");
    if (callsAsItself && secret === undefined)
      add("callsAsItself", "who calls as itself needs a secret", "Give it a secret, or let people sign in to it.");
    if (!callsAsItself && redirectUris.length === 0)
      add("redirectUris", "it has no redirect URI", "Write where people come back to, or callsAsItself: true.");
    for (const uri of redirectUris) {
      const problem = redirectUriProblem(uri);
      if (problem !== undefined) add("redirectUris", `${uri} ${problem}`, "Write it exactly as it will be sent.");
    }
    for (const origin of client.origins ?? []) {
      if (!isOrigin(origin)) add("origins", `${origin} is no origin`, "Write scheme and host: https://app.example.com");
    }
    for (const scope of client.scopes) {
      if (!scopes.has(scope)) add("scopes", `no resource has ${scope}`, "Name it among the scopes of a resource.");
    }
    return problems;
  });
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A scheme and a host alone: https, or http on this machine. */
export function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.origin === text && (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url)));
}

function redirectUriProblem(uri: string): string | undefined {
  if (!URL.canParse(uri)) return "is no address";
  const url = new URL(uri);
  if (uri.includes("*")) return "has a wildcard in it";
  if (uri.includes("#")) return "has a fragment";
  if (url.username !== "" || url.password !== "") return "has a user name in it";
  if (url.protocol === "https:") return undefined;
  if (url.protocol === "http:") return isLoopback(url) ? undefined : "is plain http";
  // A scheme of its own that is somebody's: com.example.app. @see RFC 8252 section 7.1
  return url.protocol.includes(".")
    ? undefined
    : "has a scheme that anybody may claim: use a domain of yours, backwards";
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
