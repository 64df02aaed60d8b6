/**
 * Whether a text is base64url in the one spelling its bytes have: no padding, no white space, the right alphabet, and no
 * bit set that decoding would drop. Decoders that are kinder give one token many spellings.
 *
 * @see RFC 7515 section 2, RFC 4648 sections 3.5 and 5
 */
export function isCanonicalBase64url(text: string): boolean {
  if (!ALPHABET.test(text)) return false;
  const last = text.charAt(text.length - 1);
  switch (text.length % 4) {
    case 1:
      return false;
    case 2:
      return FOUR_SPARE_BITS.includes(last);
    case 3:
      return TWO_SPARE_BITS.includes(last);
    default:
      return true;
  }
}

/** The bytes of a text that {@link isCanonicalBase64url}. */
export function decodeBase64url(text: string): Uint8Array {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

const ALPHABET = /^[A-Za-z0-9_-]+$/;
/** Characters whose low bits are zero: what a last character may be where only its high bits are used. */
const FOUR_SPARE_BITS = "AQgw";
const TWO_SPARE_BITS = "AEIMQUYcgkosw048";
