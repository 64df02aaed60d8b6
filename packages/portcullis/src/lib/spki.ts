import type { KeyShape } from "./signing-algorithm.ts";

/**
 * What kind of public key a PEM text holds, read at set-up, so that a short or strange key stops the process instead of
 * the first request.
 *
 * @param pem  `-----BEGIN PUBLIC KEY-----`
 * @returns its shape, or why it is no key to verify with
 * @see RFC 5280 section 4.1.2.7 (SubjectPublicKeyInfo), RFC 8017 appendix A.1.1, RFC 5480, RFC 8410
 */
export function readSpki(pem: string): KeyShape | string {
  if (pem.includes("PRIVATE KEY")) return "it is a private key";
  const body = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/.exec(pem)?.[1];
  if (body === undefined) return "it is no PEM public key (SPKI)";
  try {
    return readShape(Uint8Array.from(atob(body.replace(/\s/g, "")), (char) => char.charCodeAt(0)));
  } catch {
    return "its DER encoding is broken";
  }
}

function readShape(der: Uint8Array): KeyShape | string {
  const info = readElement(der, 0, SEQUENCE);
  const algorithm = readElement(der, info.start, SEQUENCE);
  const type = readElement(der, algorithm.start, OBJECT_IDENTIFIER);
  const bits = readElement(der, algorithm.end, BIT_STRING);
  switch (hex(der, type)) {
    case "2a864886f70d010101": {
      // The bit string's first byte counts unused bits, always 0; behind it stands SEQUENCE { modulus, exponent }.
      const key = readElement(der, bits.start + 1, SEQUENCE);
      const modulus = readElement(der, key.start, INTEGER);
      const exponent = readElement(der, modulus.end, INTEGER);
      return rsaShape(der.subarray(modulus.start, modulus.end), der.subarray(exponent.start, exponent.end));
    }
    case "2a8648ce3d0201": {
      const curve = readElement(der, type.end, OBJECT_IDENTIFIER);
      return { kind: "ec", curve: CURVES.get(hex(der, curve)) ?? "unknown" };
    }
    case "2b6570":
      return { kind: "ed25519" };
    default:
      return "it is neither RSA, nor ECDSA, nor Ed25519";
  }
}

/** The shape of an RSA key from the big-endian bytes of its two numbers. */
export function rsaShape(modulus: Uint8Array, exponent: Uint8Array): KeyShape {
  const first = modulus.findIndex((byte) => byte !== 0);
  const bits = first === -1 ? 0 : (modulus.length - first) * 8 - (Math.clz32(modulus[first] ?? 0) - 24);
  const odd = ((exponent.at(-1) ?? 0) & 1) === 1;
  const one = exponent.at(-1) === 1 && exponent.subarray(0, -1).every((byte) => byte === 0);
  return { kind: "rsa", bits, exponent: odd && !one ? "sound" : "unsound" };
}

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OBJECT_IDENTIFIER = 0x06;

const CURVES: ReadonlyMap<string, string> = new Map([
  ["2a8648ce3d030107", "P-256"],
  ["2b81040022", "P-384"],
  ["2b81040023", "P-521"],
]);

interface Element {
  readonly start: number;
  readonly end: number;
}

/** One DER element. @throws RangeError where it is another one or does not fit */
function readElement(der: Uint8Array, at: number, tag: number): Element {
  let length = der[at + 1] ?? 0;
  let start = at + 2;
  if (length & 0x80) {
    const count = length & 0x7f;
    length = 0;
    for (const byte of der.subarray(start, start + count)) length = length * 256 + byte;
    start += count;
  }
  if (der[at] !== tag || start + length > der.length) throw new RangeError("not the expected DER element");
  return { start, end: start + length };
}

function hex(der: Uint8Array, { start, end }: Element): string {
  return Array.from(der.subarray(start, end), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
