/** The bytes of a signature in hexadecimal, exactly `length` of them, in lower case; undefined for any other text. */
export function readHexSignature(text: string, length: number): Uint8Array | undefined {
  if (text.length !== length * 2 || !/^[0-9a-f]+$/.test(text)) return undefined;
  return Uint8Array.from({ length }, (_, at) => Number.parseInt(text.slice(at * 2, at * 2 + 2), 16));
}

/**
 * The bytes of a signature in base64, exactly `length` of them and in the one spelling they have; undefined for any other
 * text.
 *
 * @see RFC 4648 sections 3.5 and 4
 */
export function readBase64Signature(text: string, length: number): Uint8Array | undefined {
  if (text.length !== Math.ceil(length / 3) * 4) return undefined;
  const bytes = decodeBase64(text);
  return bytes?.length === length ? bytes : undefined;
}

/** The bytes of a base64 text in its one spelling; undefined for any other text. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return undefined;
  const binary = atob(text);
  // Spare bits, which decoding drops, would give one signature several spellings.
  if (btoa(binary) !== text) return undefined;
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Bytes as base64. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Bytes in hexadecimal, lower case. */
export function encodeHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/**
 * A time as senders write it: plain digits, no sign, no fraction, no leading zero, in seconds or milliseconds since 1970.
 *
 * @returns Unix milliseconds; undefined for any other text
 */
export function readTimestamp(text: string, unit: "seconds" | "milliseconds" = "seconds"): number | undefined {
  if (!(unit === "seconds" ? /^[1-9]\d{0,10}$/ : /^[1-9]\d{0,13}$/).test(text)) return undefined;
  return unit === "seconds" ? Number(text) * 1000 : Number(text);
}

/** An id as senders write it: 1 .. 256 visible ASCII characters, none of `without`. */
export function isDeliveryId(text: string, without = ""): boolean {
  if (!/^[\x21-\x7e]{1,256}$/.test(text)) return false;
  for (const character of without) if (text.includes(character)) return false;
  return true;
}

/** What stands at `name` of a record, where it is an id, a text or a whole number; for ids that stand in the body. */
export function idAt(body: unknown, name: string): string | undefined {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, name)) return undefined;
  const value: unknown = Reflect.get(body, name);
  if (Number.isSafeInteger(value)) return String(value);
  return typeof value === "string" && isDeliveryId(value) ? value : undefined;
}
