import { isRecord, type JsonRecord, parseJson, textAt, textsAt } from "./json.ts";
import { ScanError } from "./scan-error.ts";

/** One request header: its name and its value. */
export type Header = readonly [name: string, value: string];

/** Somebody the API knows: a name for the report and the credential that proves it. */
export interface Identity {
  readonly name: string;
  /** How the credential travels. `bearer` is the Authorization header, whatever the scheme. */
  readonly kind: "bearer" | "header" | "cookie";
  /** The header as sent, such as `["authorization", "Bearer …"]`. */
  readonly header: Header;
  /** The scheme of an Authorization header; "" where there is none. */
  readonly scheme: string;
  /** The credential alone: the token, the key, the cookie's value. Never printed. */
  readonly secret: string;
  /** Name of the cookie, where it is one. */
  readonly cookie: string | undefined;
  readonly roles: readonly string[];
  /** Headers that travel with every honest request of it, as a browser's do with a cookie; none by default. */
  readonly along?: readonly Header[];
}

/**
 * Reads `alice=Bearer <token>`, `alice=X-Api-Key: <key>` or `alice=cookie:<name>=<value>`.
 *
 * @throws ScanError when it is none of these
 */
export function parseIdentity(text: string, roles: readonly string[] = []): Identity {
  const cut = text.indexOf("=");
  const name = (cut < 0 ? text : text.slice(0, cut)).trim();
  const credential = cut < 0 ? "" : text.slice(cut + 1).trim();
  if (name === "" || credential === "" || !/^[\w.-]+$/.test(name)) {
    // What is no name may be the credential itself, which no message shows.
    const shown = /^[\w.-]{1,24}$/.test(name) ? `"${name}"` : "an identity without a name";
    const wrong = cut > 0 && credential === "" ? "its credential is empty; " : "";
    throw new ScanError(`${shown}: ${wrong}an identity is written name=credential, as in alice="Bearer …"`);
  }
  return identityOf(name, credential, roles);
}

/**
 * Makes an identity of a credential as a person writes it.
 *
 * @param credential  `Bearer <token>`, `<Header-Name>: <value>` (also `Authorization: <token>` without a scheme) or
 *   `cookie:<name>=<value>`, of several cookies the session's first or recognised by its name
 * @throws ScanError when it is none of these or contains a line break
 */
export function identityOf(name: string, credential: string, roles: readonly string[] = []): Identity {
  if (/[\r\n\0]/.test(credential)) throw new ScanError(`${name}: a credential is one line`);
  if (/^cookie:/i.test(credential)) return cookieIdentity(name, credential.slice("cookie:".length), roles);
  const header = /^([A-Za-z][\w-]*):\s*(\S.*)$/.exec(credential);
  if (header?.[1] !== undefined && header[2] !== undefined) {
    const field = header[1].toLowerCase();
    if (field === "authorization") return authorizationIdentity(name, header[2].trim(), roles);
    return {
      name,
      kind: "header",
      header: [field, header[2]],
      scheme: "",
      secret: header[2],
      cookie: undefined,
      roles,
    };
  }
  if (!/^[A-Za-z]+ +\S/.test(credential)) {
    throw new ScanError(
      `${name}: write the credential as "Bearer <token>", "<Header-Name>: <value>" or "cookie:<name>=<value>"`,
    );
  }
  return authorizationIdentity(name, credential, roles);
}

/** `Bearer <token>`, another scheme, or a value without one. */
function authorizationIdentity(name: string, value: string, roles: readonly string[]): Identity {
  const [, scheme = "", secret = value] = /^([A-Za-z][\w-]*) +(\S.*)$/.exec(value) ?? [];
  const sent = scheme === "" ? secret : `${scheme} ${secret}`;
  return { name, kind: "bearer", header: ["authorization", sent], scheme, secret, cookie: undefined, roles };
}

function cookieIdentity(name: string, text: string, roles: readonly string[]): Identity {
  const pairs = text.split(";").flatMap((part) => {
    const [, field, value] = /^\s*([^=;\s]+)=(.+?)\s*$/.exec(part) ?? [];
    return field === undefined || value === undefined ? [] : [[field, value] as const];
  });
  const session =
    pairs.find(([field]) => /sess|sid$|token|auth|jwt|^id$/i.test(field) && !/csrf|xsrf/i.test(field)) ?? pairs[0];
  if (session === undefined) throw new ScanError(`${name}: a cookie is written cookie:<name>=<value>`);
  const header: Header = ["cookie", pairs.map(([field, value]) => `${field}=${value}`).join("; ")];
  return { name, kind: "cookie", header, scheme: "", secret: session[1], cookie: session[0], roles };
}

/**
 * Reads `admin=admin,other`: the roles an identity has.
 *
 * @throws ScanError when it is not written so
 */
export function parseRoles(text: string): readonly [name: string, roles: readonly string[]] {
  const match = /^([\w.-]+)=([\w.:,-]+)$/.exec(text.trim());
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new ScanError(`"${text}": roles are written name=role,role as in admin=admin,support`);
  }
  return [match[1], match[2].split(",").filter((role) => role !== "")];
}

/**
 * True where honest requests can be made of it: a cookie travels with what a browser says along with it, and without that
 * its writes are refused as another site's.
 */
export function canAct(identity: Identity): boolean {
  return identity.kind !== "cookie" || identity.along !== undefined;
}

/**
 * Where cookies are all there is, they are the callers of the scan, each in a browser on the API's own page. Beside other
 * credentials they stay what the session probes look at.
 */
export function withBrowsers(identities: readonly Identity[], along: readonly Header[]): readonly Identity[] {
  if (identities.some(({ kind }) => kind !== "cookie")) return identities;
  return identities.map((identity) => accompanied(identity, along));
}

/** The same identity, whatever its credential is at the time, with headers that travel with every honest request. */
export function accompanied(identity: Identity, along: readonly Header[]): Identity {
  return changing(
    identity,
    () => identity,
    ({ along: own = [] }) => [...own.filter(([name]) => !along.some(([other]) => other === name)), ...along],
  );
}

/**
 * An identity whose credential changes: whoever holds it sends what it is at the time.
 *
 * @param who      its name and roles, which stay
 * @param current  the credential of the moment
 * @param along    the headers that travel with that credential
 */
export function changing(
  { name, roles }: Pick<Identity, "name" | "roles">,
  current: () => Identity,
  along: (now: Identity) => readonly Header[],
): Identity {
  return {
    name,
    roles,
    get kind() {
      return current().kind;
    },
    get header() {
      return current().header;
    },
    get scheme() {
      return current().scheme;
    },
    get secret() {
      return current().secret;
    },
    get cookie() {
      return current().cookie;
    },
    get along() {
      return along(current());
    },
  };
}

/** The same place and scheme with another credential in it; cookies that go with it stay. */
export function headerWith(identity: Identity, secret: string): Header {
  if (identity.cookie !== undefined) {
    const pairs = identity.header[1].split("; ");
    const own = `${identity.cookie}=${identity.secret}`;
    return ["cookie", pairs.map((pair) => (pair === own ? `${identity.cookie}=${secret}` : pair)).join("; ")];
  }
  return [identity.header[0], identity.scheme === "" ? secret : `${identity.scheme} ${secret}`];
}

/** The parts of a JSON Web Token, read without believing them; undefined where the credential is none. */
export function readToken(secret: string): Token | undefined {
  const parts = secret.split(".");
  const [head, body, signature] = parts;
  if (parts.length !== 3 || head === undefined || body === undefined || signature === undefined) return undefined;
  const header = decodePart(head);
  const claims = decodePart(body);
  return header !== undefined && claims !== undefined && typeof header["alg"] === "string"
    ? { header, claims, parts: [head, body, signature] }
    : undefined;
}

/** A decoded, unproved JSON Web Token (RFC 7519). */
export interface Token {
  readonly header: JsonRecord;
  readonly claims: JsonRecord;
  /** The three encoded parts as they stand in the token. */
  readonly parts: readonly [header: string, claims: string, signature: string];
}

function decodePart(part: string): JsonRecord | undefined {
  const value = parseJson(Buffer.from(part, "base64url").toString("utf8"));
  return isRecord(value) ? value : undefined;
}

/** The account a token claims, as its `sub`; undefined where the credential says nothing. */
export function subjectOf(identity: Identity): string | undefined {
  return textAt(readToken(identity.secret)?.claims, "sub");
}

/** The scopes a token claims; undefined where the credential names none, as a key never does. */
export function scopesOf(identity: Identity): readonly string[] | undefined {
  const claims = readToken(identity.secret)?.claims;
  const text = textAt(claims, "scope") ?? textAt(claims, "scp") ?? "";
  const scopes = [...textsAt(claims, "scp"), ...textsAt(claims, "scopes"), ...text.split(" ")].filter(
    (one) => one !== "",
  );
  return scopes.length === 0 ? undefined : scopes;
}
