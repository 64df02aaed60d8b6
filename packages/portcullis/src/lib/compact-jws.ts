import { decodeBase64url, isCanonicalBase64url } from "./base64url.ts";
import { readJson } from "./read-json.ts";
import { Unreadable } from "./unreadable.ts";

/** A signed token taken apart, nothing of it proved. */
export interface CompactJws {
  /** The `alg` header: a claim of the sender, to be compared with what the key allows and never followed. */
  readonly algorithm: string;
  /** The `kid` header; only ever compared for equality. */
  readonly kid: string | undefined;
  /** The `typ` header in lower case without `application/`; undefined where the token has none. */
  readonly typ: string | undefined;
  /** Bytes of the payload. */
  readonly payload: Uint8Array;
}

/** Why a text is not a token we would even look at. */
export type CompactJwsReason =
  | "token-too-long"
  | "not-three-parts"
  | "not-canonical-base64url"
  | "header-not-json"
  | "header-not-an-object"
  | "header-names-a-key"
  | "header-demands-an-extension"
  | "alg-missing"
  | "kid-malformed"
  | "typ-malformed";

/** Longest token read, in characters: the default header block is 16 KiB for everything together. */
export const tokenMaxLength = 8_192;

/**
 * Reads the one spelling a signed token has: three parts, base64url without padding and with no bit to spare, a header
 * that is a JSON object with no name twice. A token that brings its own key (`jwk`, `jku`, `x5c`, `x5u`), asks for an
 * extension (`crit`, `b64`), is compressed (`zip`) or encrypted (`enc`) is refused whole.
 *
 * @see RFC 7515 sections 3.1 and 4.1, RFC 7797, RFC 8725 sections 3.6 and 3.10
 */
export function readCompactJws(token: string): CompactJws | Unreadable<CompactJwsReason> {
  if (token.length > tokenMaxLength) return new Unreadable("token-too-long");
  const [header, payload, signature, more] = token.split(".", 4);
  if (!header || !payload || !signature || more !== undefined) return new Unreadable("not-three-parts");

  if (![header, payload, signature].every(isCanonicalBase64url)) return new Unreadable("not-canonical-base64url");

  const fields = readJson(decodeBase64url(header), HEADER_LIMITS);
  if (fields instanceof Unreadable) return new Unreadable("header-not-json");
  if (!isRecord(fields)) return new Unreadable("header-not-an-object");
  for (const name of KEYS_FROM_THE_TOKEN) if (name in fields) return new Unreadable("header-names-a-key");
  for (const name of EXTENSIONS) if (name in fields) return new Unreadable("header-demands-an-extension");

  const { alg, kid, typ } = fields;
  if (typeof alg !== "string" || alg === "") return new Unreadable("alg-missing");
  if (kid !== undefined && !isShortText(kid)) return new Unreadable("kid-malformed");
  if (typ !== undefined && !isShortText(typ)) return new Unreadable("typ-malformed");
  return {
    algorithm: alg,
    kid,
    typ: typ === undefined ? undefined : normalTyp(typ),
    payload: decodeBase64url(payload),
  };
}

/**
 * A `typ` as it is compared: media types ignore case, and `application/` may be left out where no other slash follows.
 *
 * @see RFC 7515 section 4.1.9
 */
export function normalTyp(typ: string): string {
  const lower = typ.toLowerCase();
  const rest = lower.startsWith("application/") ? lower.slice("application/".length) : lower;
  return rest.includes("/") ? lower : rest;
}

/** Whether a value read from JSON is an object with names, as opposed to a list, a text or nothing. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const HEADER_LIMITS = Object.freeze({ maxDepth: 4, maxKeys: 32 });

const KEYS_FROM_THE_TOKEN = ["jwk", "jku", "x5c", "x5u"] as const;
const EXTENSIONS = ["crit", "b64", "zip", "enc"] as const;

function isShortText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= 256;
}
