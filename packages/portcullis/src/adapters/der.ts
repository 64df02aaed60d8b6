/**
 * Just enough DER to write a certificate: each function returns one whole element, tag, length and content. Nothing
 * here reads DER, keeps state or knows what a certificate is.
 *
 * @see ITU-T X.690 section 10 (DER), RFC 5280 appendix A (what certificates are made of)
 */
export const der = {
  /** SEQUENCE of the elements given, in their order. */
  sequence: (...elements: readonly Uint8Array[]): Uint8Array => element(0x30, ...elements),

  /** SET of one element; DER would have several sorted, and a certificate never needs several. */
  setOf: (only: Uint8Array): Uint8Array => element(0x31, only),

  /** INTEGER of the unsigned big-endian number in `bytes`; shortened or padded as DER demands, so that it is positive. */
  unsigned(bytes: Uint8Array): Uint8Array {
    const first = bytes.findIndex((byte) => byte !== 0);
    const digits = first === -1 ? Uint8Array.of(0) : bytes.subarray(first);
    return (digits[0] ?? 0) < 0x80 ? element(0x02, digits) : element(0x02, Uint8Array.of(0), digits);
  },

  boolean: (value: boolean): Uint8Array => element(0x01, Uint8Array.of(value ? 0xff : 0)),

  octetString: (content: Uint8Array): Uint8Array => element(0x04, content),

  /** BIT STRING; `unusedBits` (0 .. 7) are the low bits of the last byte that do not count. */
  bitString: (content: Uint8Array, unusedBits = 0): Uint8Array => element(0x03, Uint8Array.of(unusedBits), content),

  utf8String: (text: string): Uint8Array => element(0x0c, new TextEncoder().encode(text)),

  /** OBJECT IDENTIFIER from its dotted form, at least two numbers. */
  oid(dotted: string): Uint8Array {
    const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
    return element(0x06, ...[first * 40 + second, ...rest].map(base128));
  },

  /**
   * A time, whole seconds in UTC: UTCTime until 2049 and GeneralizedTime from then on.
   *
   * @see RFC 5280 section 4.1.2.5
   */
  time(date: Date): Uint8Array {
    const digits = `${date.toISOString().replace(/\D/g, "").slice(0, 14)}Z`;
    const isShort = date.getUTCFullYear() >= 1950 && date.getUTCFullYear() < 2050;
    return isShort ? element(0x17, ascii(digits.slice(2))) : element(0x18, ascii(digits));
  },

  /** Context tag `[number]` around whole elements (EXPLICIT, or an IMPLICIT tag of something constructed). */
  tagged: (number: number, ...elements: readonly Uint8Array[]): Uint8Array => element(0xa0 + number, ...elements),

  /** Context tag `[number]` in the place of a primitive's own tag (IMPLICIT), so `content` is without one. */
  taggedContent: (number: number, content: Uint8Array): Uint8Array => element(0x80 + number, content),
};

function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const content of contents) size += content.length;
  const length = lengthOctets(size);
  const whole = new Uint8Array(1 + length.length + size);
  whole[0] = tag;
  whole.set(length, 1);
  let at = 1 + length.length;
  for (const content of contents) {
    whole.set(content, at);
    at += content.length;
  }
  return whole;
}

/** X.690 section 10.1: the short form below 128, else the fewest octets behind their count. */
function lengthOctets(size: number): Uint8Array {
  if (size < 0x80) return Uint8Array.of(size);
  const octets: number[] = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Uint8Array.of(0x80 + octets.length, ...octets);
}

/** X.690 section 8.19.2: seven bits to an octet, the high bit set on all but the last. */
function base128(number: number): Uint8Array {
  const octets = [number % 128];
  for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128)) octets.unshift((rest % 128) + 128);
  return Uint8Array.from(octets);
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
