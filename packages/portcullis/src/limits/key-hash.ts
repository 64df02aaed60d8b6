/** A keyed hash of 64 bits. It leaves its result in `low` and `high`, so that nothing is allocated per key. */
export interface KeyHash {
  /** 32 bits of the last hash, signed. */
  readonly low: number;
  /** The other 32. */
  readonly high: number;
  /** Hashes three words of 32 bits and a text. */
  hash(word0: number, word1: number, word2: number, text: string): void;
}

/**
 * HalfSipHash-1-3 with 64 bits of output under a secret key: who does not know the key can neither find two messages
 * that hash alike nor aim at one place of a table. By chance two have all 64 bits in common once in 2^64.
 *
 * The message is the three words and then the text as UTF-16, all little-endian.
 *
 * @param secret  8 random bytes, drawn anew at each start
 * @see Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012); Linux Documentation/security/siphash.rst, which
 *   has HalfSipHash-1-3 for hash tables in 32-bit arithmetic, and that is what whole numbers here are fast in
 */
export function createKeyHash(secret: Uint8Array): KeyHash {
  const view = new DataView(secret.buffer, secret.byteOffset, secret.byteLength);
  return new HalfSipHash(view.getInt32(0, true), view.getInt32(4, true));
}

const headWords = 3;

class HalfSipHash implements KeyHash {
  low = 0;
  high = 0;
  readonly #key0: number;
  readonly #key1: number;

  constructor(key0: number, key1: number) {
    this.#key0 = key0;
    this.#key1 = key1;
  }

  hash(word0: number, word1: number, word2: number, text: string): void {
    const length = text.length;
    const last = headWords + (length >> 1);
    let v0 = this.#key0;
    let v1 = this.#key1 ^ 0xee;
    let v2 = 0x6c796765 ^ this.#key0;
    let v3 = 0x74656462 ^ this.#key1;

    for (let word = 0; word <= last; word++) {
      let m: number;
      if (word === last) {
        // The last word carries an odd code unit, if there is one, and the length in bytes.
        m = ((length * 2 + headWords * 4) << 24) | ((length & 1) === 1 ? text.charCodeAt(length - 1) : 0);
      } else if (word >= headWords) {
        const unit = (word - headWords) << 1;
        m = text.charCodeAt(unit) | (text.charCodeAt(unit + 1) << 16);
      } else {
        m = word === 0 ? word0 : word === 1 ? word1 : word2;
      }
      v3 ^= m;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= m;
    }

    v2 ^= 0xee;
    for (let round = 0; round < 6; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      if (round === 2) {
        this.low = v1 ^ v3;
        v1 ^= 0xdd;
      }
    }
    this.high = v1 ^ v3;
  }
}
