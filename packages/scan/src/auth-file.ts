import { readFile } from "node:fs/promises";
import { parseText } from "./documents.ts";
import type { Header } from "./identities.ts";
import { isRecord, type JsonRecord, listAt, recordAt, textAt, textsAt } from "./json.ts";
import { ScanError } from "./scan-error.ts";

/** How somebody proves who he is: by headers that never change, by signing in, or both. */
export interface Recipe {
  readonly name: string;
  readonly roles: readonly string[];
  /** Headers that never change; without a sign-in, the first is the credential. */
  readonly headers: readonly Header[];
  readonly login: Login | undefined;
}

/** One request that signs somebody in, and where its answer carries the credential. */
export interface Login {
  /** Path, or a whole address where signing in happens on another server. */
  readonly endpoint: string;
  readonly method: string;
  readonly headers: readonly Header[];
  readonly body: string | undefined;
  /** Undefined: cookies where they are set, else the token the answer seems to carry. */
  readonly token: TokenPlace | undefined;
  readonly cookies: boolean;
  /** What must not be shown: the password, or the whole payload. */
  readonly secrets: readonly string[];
}

/** Where a token is in an answer, and how it travels afterwards. */
export interface TokenPlace {
  readonly from: "body" | "header" | "cookie";
  /** JSON Pointer (RFC 6901) in the body, or the name of the header or cookie. */
  readonly selector: string;
  /** Header or cookie to send it in. */
  readonly sendIn: "header" | "cookie";
  readonly sendName: string;
  /** `Bearer {token}` */
  readonly template: string;
}

/**
 * Reads who the scan can be from an authentication file of the Web Fuzzing Commons, in YAML or JSON: `auth`, a list of
 * users with `fixedHeaders` or `loginEndpointAuth`, and `authTemplate`, which fills in what they leave out. Both ways to
 * say where a token is are understood: `extractFromField`/`httpHeaderName` and `extractFrom`/`sendIn`. Beyond the format,
 * a user may have `roles`, as --roles gives them.
 *
 * @throws ScanError that names the user and what is wrong
 * @see https://github.com/WebFuzzing/Commons/blob/master/auth.md
 */
export async function readAuthFile(path: string): Promise<readonly Recipe[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new ScanError(`cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (path.endsWith(".toml")) throw new ScanError(`${path} is TOML; write the authentication file in YAML or JSON`);
  return readAuth(parseText(text, path), path);
}

/** As {@link readAuthFile}, of a document that was parsed. */
export function readAuth(document: unknown, source: string): readonly Recipe[] {
  const users = listAt(document, "auth").filter(isRecord);
  if (users.length === 0) throw new ScanError(`${source} has no "auth" list of users (Web Fuzzing Commons format)`);
  const template = recordAt(document, "authTemplate");
  return users.map((user) => readUser(filled(user, template), source));
}

/** The template's members where the user's own say nothing, at every depth. */
function filled(own: JsonRecord, template: JsonRecord | undefined): JsonRecord {
  const out: Record<string, unknown> = { ...own };
  for (const [name, value] of Object.entries(template ?? {})) {
    const mine = out[name];
    if (mine === undefined || mine === null) out[name] = value;
    else if (isRecord(mine) && isRecord(value)) out[name] = filled(mine, value);
  }
  return out;
}

function readUser(user: JsonRecord, source: string): Recipe {
  const name = textAt(user, "name") ?? "";
  if (!/^[\w.@ -]{1,60}$/.test(name)) throw new ScanError(`${source}: every user under "auth" needs a name`);
  const at = `${source}, ${name}`;
  const headers = readHeaders(user["fixedHeaders"], at);
  const login = recordAt(user, "loginEndpointAuth");
  if (headers.length === 0 && login === undefined)
    throw new ScanError(`${at}: neither fixedHeaders nor loginEndpointAuth says how to prove who it is`);
  return {
    name: name.replace(/[^\w.-]/g, "-"),
    roles: textsAt(user, "roles"),
    headers,
    login: login === undefined ? undefined : readLogin(login, at),
  };
}

function readHeaders(list: unknown, at: string): readonly Header[] {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw new ScanError(`${at}: headers are a list of name and value`);
  return list.map((entry): Header => {
    const name = textAt(entry, "name");
    const value = textAt(entry, "value");
    if (name === undefined || value === undefined || !/^[\w!#$%&'*+.^`|~-]+$/.test(name) || /[\r\n\0]/.test(value))
      throw new ScanError(`${at}: a header needs a name and a value of one line`);
    return [name.toLowerCase(), value.trim()];
  });
}

function readLogin(login: JsonRecord, at: string): Login {
  const endpoint = textAt(login, "externalEndpointURL") ?? textAt(login, "endpoint");
  if (endpoint === undefined || !/^(?:\/|https?:\/\/)/.test(endpoint) || !URL.canParse(endpoint, "http://localhost"))
    throw new ScanError(`${at}: loginEndpointAuth needs an endpoint such as /login, or an externalEndpointURL`);
  const method = textAt(login, "verb") ?? "POST";
  if (!/^(?:GET|POST|PUT|PATCH|DELETE)$/.test(method))
    throw new ScanError(`${at}: ${method} is no verb to sign in with`);
  const contentType = textAt(login, "contentType") ?? "application/json";
  const payload = recordAt(login, "payloadUserPwd");
  const raw = textAt(login, "payloadRaw");
  const body = raw ?? (payload === undefined ? undefined : payloadOf(payload, contentType, at));
  const headers = readHeaders(login["headers"], at);
  const token = recordAt(login, "token");
  return {
    endpoint,
    method,
    headers: body === undefined ? headers : [["content-type", contentType], ...headers],
    body,
    token: token === undefined ? undefined : readToken(token, at),
    cookies: login["expectCookies"] === true,
    secrets: [
      ...(payload === undefined ? (raw === undefined ? [] : [raw]) : [textAt(payload, "password") ?? ""]),
      ...[...headers, ...new URL(endpoint, "http://localhost").searchParams]
        .filter(([field]) => /authorization|key|token|secret|pass/i.test(field))
        .map(([, value]) => value),
    ].filter((secret) => secret !== ""),
  };
}

function payloadOf(payload: JsonRecord, contentType: string, at: string): string {
  const parts = ["username", "password", "usernameField", "passwordField"].map((name) => textAt(payload, name));
  const [username, password, usernameField, passwordField] = parts;
  if (username === undefined || password === undefined || usernameField === undefined || passwordField === undefined)
    throw new ScanError(`${at}: payloadUserPwd needs username, password, usernameField and passwordField, all text`);
  const fields = { [usernameField]: username, [passwordField]: password };
  if (/json/i.test(contentType)) return JSON.stringify(fields);
  if (/x-www-form-urlencoded/i.test(contentType)) return new URLSearchParams(fields).toString();
  throw new ScanError(`${at}: write the payload of ${contentType} as payloadRaw`);
}

function readToken(token: JsonRecord, at: string): TokenPlace {
  const field = textAt(token, "extractFromField");
  const header = textAt(token, "extractFromHeader");
  const from = textAt(token, "extractFrom") ?? (header === undefined ? "body" : "header");
  const selector = textAt(token, "extractSelector") ?? (from === "header" ? header : field);
  if ((from !== "body" && from !== "header" && from !== "cookie") || selector === undefined)
    throw new ScanError(`${at}: token needs extractFrom (body or header) and extractSelector, or extractFromField`);
  if (from === "body" && !selector.startsWith("/"))
    throw new ScanError(`${at}: "${selector}" is no JSON Pointer; it starts with a slash, as in /token/authToken`);
  const sendIn = textAt(token, "sendIn") ?? "header";
  if (sendIn !== "header" && sendIn !== "cookie")
    throw new ScanError(`${at}: a token in the ${sendIn} is not supported; a header and a cookie are`);
  const prefix = textAt(token, "headerPrefix") ?? "";
  return {
    from,
    selector,
    sendIn,
    sendName: textAt(token, "sendName") ?? textAt(token, "httpHeaderName") ?? "Authorization",
    template: textAt(token, "sendTemplate") ?? `${prefix}{token}${textAt(token, "headerPostfix") ?? ""}`,
  };
}
