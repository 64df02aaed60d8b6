import { decodeBase64, readHexSignature } from "./read-signature.ts";
import type { SchemeProblem } from "./scheme.ts";

/** How the text of a secret becomes the bytes of a key. */
export interface SecretFormat {
  /** `text`: its UTF-8 bytes, prefix included. `base64`, `hex`: what they decode to, after `prefix`. */
  readonly encoding: "text" | "base64" | "hex";
  /** What a secret may begin with, and what is then not part of the key; only where it is decoded. */
  readonly prefix?: string;
  /** Fewest bytes of a key. */
  readonly minBytes: number;
  /** Most bytes of a key. */
  readonly maxBytes: number;
  /** Where to find the right one, for messages. */
  readonly source: string;
}

/** A scheme's secrets, read once. */
export interface Secrets {
  readonly problems: readonly SchemeProblem[];
  /** A function, so that printing a policy prints none of them. Throws where there are problems. */
  keys(): readonly Uint8Array[];
}

/**
 * Reads the secrets of a scheme and finds what would make a signature worth nothing: no secret at all, an empty one (an
 * HMAC under the empty key can be made by everybody), a short one, a placeholder, the sender's API key.
 *
 * @param values  as written; a program without types may hand over anything
 * @see RFC 2104 section 3 (keys shorter than the hash weaken it), Standard Webhooks (24 .. 64 bytes)
 */
export function readSecrets(values: readonly string[], format: SecretFormat): Secrets {
  const problems: SchemeProblem[] = [];
  const add = (problem: string, fix: string): void => void problems.push({ field: "secrets", problem, fix });
  const keys: Uint8Array[] = [];
  const list: readonly unknown[] = Array.isArray(values) ? values : [];
  if (list.length === 0) add("there is no secret, so everybody could sign", `list ${format.source}`);
  if (list.length > maxSecrets)
    add(`there are ${list.length}`, `keep at most ${maxSecrets}: the new one and the old one`);
  for (const [index, value] of list.entries()) {
    const key = readSecret(value, format);
    if (typeof key !== "string") keys.push(key);
    // By its place, never by its text.
    else add(`the ${ordinal(index)} ${key}`, `use ${format.source}`);
  }
  if (new Set(list).size < list.length) add("one is listed twice", "list each once");
  return {
    problems,
    keys() {
      if (problems.length > 0) throw new Error("a webhook scheme with problems verifies nothing");
      return keys;
    },
  };
}

const maxSecrets = 8;
const encoder = new TextEncoder();

/** The key's bytes, or what is wrong with the secret: a phrase that holds nothing of it. */
function readSecret(value: unknown, { encoding, prefix = "", minBytes, maxBytes }: SecretFormat): Uint8Array | string {
  if (typeof value !== "string") return "is no text: is the variable set?";
  if (value === "") return "is empty: is the variable set?";
  if (value.trim() !== value) return "begins or ends with white space";
  if (/^(?:sk|rk|pk)_(?:live|test)_/.test(value)) return "is an API key of the sender, not the secret of this endpoint";
  if (placeholder.test(value.replace(/^whsec_/, ""))) return "is a placeholder";
  const rest = value.startsWith(prefix) ? value.slice(prefix.length) : value;
  const bytes =
    encoding === "text"
      ? encoder.encode(value)
      : encoding === "base64"
        ? decodeBase64(rest)
        : readHexSignature(rest.toLowerCase(), Math.floor(rest.length / 2));
  if (bytes === undefined) return `is not ${encoding}`;
  if (bytes.length < minBytes) return `is shorter than ${minBytes} bytes`;
  if (bytes.length > maxBytes) return `is longer than ${maxBytes} bytes`;
  // A random one of this length misses this by far; a repeated word does not.
  const different = encoding === "text" ? new Set(value.replace(/^whsec_/, "")).size : new Set(bytes).size;
  if (different < 8) return "repeats a few characters";
  return bytes;
}

/** What examples and templates hold. A random secret does not begin so. */
const placeholder =
  /^(?:change.?me|replace.?me|placeholder|undefined$|null$|todo[-_ ]|<|\$\{|\.\.\.|(?:your|some|test|example|insert|webhook|signing|super)[-_ ]?(?:webhook|signing|secret|endpoint|key))/i;

function ordinal(index: number): string {
  return ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"][index] ?? `${index + 1}th`;
}
