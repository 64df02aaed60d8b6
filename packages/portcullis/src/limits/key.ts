import type { Caller, Proof } from "../caller.ts";
import type { IpAddress } from "../lib/address.ts";
import type { ClientAddress } from "../lib/forwarded.ts";
import type { KeyHash } from "./key-hash.ts";

/**
 * Who or what is counted. A key is made of a resolved address, a proved caller or a matched input, and of nothing else:
 * there is no way to make one of a header's text, neither for the compiler nor at run time. Keys of different kinds
 * never meet, whatever a caller manages to be called.
 */
export class LimitKey {
  /** The one key of what everybody shares, such as the global limit. */
  static readonly everyone = new LimitKey(0, 0, 0, "everyone");

  /**
   * The address as one host or household has it: IPv4 whole, IPv6 by its /64. An address that tunnels IPv4 (6to4,
   * Teredo) counts as the IPv4 host that owns it, because that host has a whole prefix of them.
   */
  static ofAddress(address: ClientAddress): LimitKey {
    return LimitKey.#ofNetwork(address, 64);
  }

  /** The address as one site has it: IPv4 whole, IPv6 by its /48. */
  static ofWideAddress(address: ClientAddress): LimitKey {
    return LimitKey.#ofNetwork(address, 48);
  }

  /** A proved caller, by subject: all credentials of one subject count together. */
  static ofCaller(caller: Caller): LimitKey {
    return new LimitKey(1, 0, 0, caller.subject);
  }

  /** A proved caller's tenant; callers without one count together. */
  static ofTenant(caller: Caller): LimitKey {
    return caller.tenant === undefined ? new LimitKey(2, 0, 0, "") : new LimitKey(3, 0, 0, caller.tenant);
  }

  /** A credential that has a limit of its own, by its public id. */
  static ofCredential({ kind, credentialId = "" }: Proof): LimitKey {
    return new LimitKey(10, kind.length, 0, kind + credentialId);
  }

  /**
   * The value of a matched input field, such as the account of a sign-in. Case, compatibility forms (NFKC), blanks
   * around it and what cannot be seen make no other key, so that `Alice@example.com` has no second budget. What else a
   * mail provider ignores (dots, `+tags`) is not known here.
   *
   * @param field  where the value stands; equal values of different fields are different keys
   * @param value  the field's value, once the schema has bounded it
   */
  static ofInput(field: string, value: string): LimitKey {
    return new LimitKey(4, field.length, 0, field + spelledAlike(value));
  }

  /**
   * The value of a matched input field together with the address it came from, as one site has it ({@link ofWideAddress}):
   * who has a whole /48 of IPv6 has one such key for an account, not 65,536.
   */
  static ofInputFrom(field: string, value: string, address: ClientAddress): LimitKey {
    const { family, word0, word1, word3 } = address.embedded ?? address;
    const name = `${field.length}:${field}${spelledAlike(value)}`;
    return family === 4 ? new LimitKey(8, word3, 0, name) : new LimitKey(9, word0, (word1 & 0xffff_0000) >>> 0, name);
  }

  static #ofNetwork(address: IpAddress, bits: 48 | 64): LimitKey {
    const counted = address.embedded ?? address;
    if (counted.family === 4) return new LimitKey(5, counted.word3, 0, "");
    return bits === 64
      ? new LimitKey(6, counted.word0, counted.word1, "")
      : new LimitKey(7, counted.word0, (counted.word1 & 0xffff_0000) >>> 0, "");
  }

  readonly #kind: number;
  readonly #word0: number;
  readonly #word1: number;
  readonly #name: string;
  #hashedWith: KeyHash | undefined = undefined;
  #low = 0;
  #high = 0;

  private constructor(kind: number, word0: number, word1: number, name: string) {
    this.#kind = kind;
    this.#word0 = word0;
    this.#word1 = word1;
    this.#name = name;
  }

  /** Hashes all that tells this key from others; once, however many counters it stands for. */
  hashWith(hash: KeyHash): void {
    if (this.#hashedWith === hash) return;
    hash.hash(this.#kind, this.#word0, this.#word1, this.#name);
    this.#hashedWith = hash;
    this.#low = hash.low;
    this.#high = hash.high;
  }

  /** All that tells this key from others, as text; for counters that other processes read. Holds what was counted, unhashed. */
  get text(): string {
    return `${this.#kind} ${this.#word0 >>> 0} ${this.#word1 >>> 0} ${this.#name}`;
  }

  /** 32 bits of the hash, signed; 0 before {@link hashWith}. */
  get low(): number {
    return this.#low;
  }

  /** The other 32. */
  get high(): number {
    return this.#high;
  }
}

/**
 * One spelling for all that differ in case, compatibility form, blanks around them, what cannot be seen (a soft hyphen) and
 * the dot of a domain as East Asian keyboards have it. Case is folded by way of capitals: toLowerCase alone keeps ß and SS
 * apart.
 */
export function spelledAlike(value: string): string {
  const seen = value.replaceAll(/\p{Default_Ignorable_Code_Point}/gu, "").replaceAll(/[\u3002\uff61]/g, ".");
  return seen.normalize("NFKC").trim().toLowerCase().toUpperCase().toLowerCase();
}
