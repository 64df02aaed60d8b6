import type { HeaderBlock } from "../lib/header-block.ts";

/**
 * How one sender signs its deliveries: where signature, time and id stand, and what text was signed. A scheme only reads;
 * times are judged and signatures compared in one place for all of them, `verify-delivery.ts`.
 *
 * What `stripe()`, `github()`, `slack()`, `standardWebhooks()` and `hmac()` return. It does nothing until a request comes.
 */
export interface WebhookScheme {
  /** `stripe`, `github`, …: in messages, in the manifest, and who the caller is (`webhook:stripe`). */
  readonly name: string;
  /** Hash under the HMAC. */
  readonly algorithm: HmacAlgorithm;
  /** The headers it decides by, in lower case, the signature's first. Sent twice or under an alias they are 400. */
  readonly headers: readonly string[];
  /**
   * Whether the time of sending stands inside the signed text. Where it does not, nobody can tell how old a delivery is,
   * and only the claim store keeps a recorded one from running again.
   */
  readonly signsTime: boolean;
  /** Largest distance between the signed time and now, in seconds, into the past and into the future. */
  readonly toleranceSeconds: number;
  /** Mistakes in the options; any one stops the process before it listens. */
  problems(): readonly SchemeProblem[];
  /** What the manifest may say of it besides: never a secret. */
  describe(): Readonly<Record<string, unknown>>;
  /** The secrets as key bytes; a function, so that printing a policy prints none of them. */
  keys(): readonly Uint8Array[];
  /** Reads the headers of one delivery, or says why they have no reading: a private reason, no text of the client's. */
  read(headers: HeaderBlock): ReadDelivery | string;
  /** The sender's id where it stands in the (signed) body: undefined where there is none, or it is no id. */
  idIn(body: unknown): string | undefined;
}

/** The hash functions a signature may be made with; nothing older (SHA-1, MD5) is ever read. */
export type HmacAlgorithm = "sha256" | "sha512";

/** A mistake in the options of a scheme. */
export interface SchemeProblem {
  /** Which option. */
  readonly field: string;
  readonly problem: string;
  readonly fix: string;
}

/** What the headers of a delivery claim; nothing of it is proved. */
export interface ReadDelivery {
  /** What stands before the body in the signed text: `1700000000.` or `msg_1.1700000000.`; ASCII. */
  readonly signedBeforeBody: string;
  /** Signatures of the one version the scheme knows, 1 .. 16, each as long as the hash. */
  readonly signatures: readonly Uint8Array[];
  /** Unix milliseconds of sending; undefined where the scheme signs no time. */
  readonly sentAtMs: number | undefined;
  /** The sender's id, where it stands in a header and inside the signed text. */
  readonly id: string | undefined;
}

/** Most signatures one delivery may carry, of whatever version: a sender that rotates sends two. */
export const maxSignatures = 16;

/** 5 minutes, each way. */
export const defaultToleranceSeconds = 300;

/** Options every scheme has. */
export interface SchemeOptions {
  /**
   * 1 .. 8 secrets shared with the sender; each is tried. Two while a secret is being rotated: the new one and the old
   * one, until the sender signs with the new one only.
   */
  readonly secrets: readonly string[];
}

/** Options of schemes that sign the time. */
export interface TimedSchemeOptions extends SchemeOptions {
  /** Largest distance between the signed time and now, each way, 1 .. 900 s; default 300. */
  readonly toleranceSeconds?: number;
}

/** What is wrong with a tolerance. */
export function toleranceProblems(toleranceSeconds: number): readonly SchemeProblem[] {
  if (Number.isInteger(toleranceSeconds) && toleranceSeconds >= 1 && toleranceSeconds <= 900) return [];
  return [
    {
      field: "toleranceSeconds",
      problem: `${toleranceSeconds} is out of range`,
      fix: "leave it out for 300, or write a whole number of seconds from 1 to 900",
    },
  ];
}
