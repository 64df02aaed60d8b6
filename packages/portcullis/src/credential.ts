import type { Caller } from "./caller.ts";
import type { ProtectionId } from "./checklist.ts";
import type { Environment, Problem } from "./environment.ts";
import type { RateText } from "./limits/rate.ts";
import type { RequestFacts } from "./policy.ts";
import type { Refusal } from "./refusal.ts";

/**
 * A kind of credential an API accepts, as configured: what `jwt()`, `apiKeys()` and `session()` return. It does nothing
 * until `createApi` builds it, so that importing an `api.ts` has no side effects.
 */
export interface Credential {
  readonly protection: ProtectionId & ("jwt" | "api-keys" | "sessions");
  /** Distinct among an API's credentials; used in messages and in the manifest. */
  readonly name: string;
  readonly carrier: Carrier;
  /** The verifier's issuer, where tokens have one. */
  readonly issuer: string | undefined;
  /** True where the options say how a subject is told apart between issuers. */
  readonly mapsSubject: boolean;
  /** Limits that single credentials of this kind may have, besides those of whoever they prove. Default: none. */
  readonly rates?: readonly RateText[];
  /** Mistakes in the options; any one stops the process before it listens. */
  problems(): readonly Problem[];
  /** What the manifest may say of it: no secret, no key material. */
  describe(): Readonly<Record<string, unknown>>;
  build(environment: Environment): CredentialVerifier;
}

/** Where a credential travels; exactly one place each. */
export type Carrier =
  | { readonly in: "authorization" }
  | { readonly in: "header"; readonly header: string }
  | {
      readonly in: "cookie";
      readonly cookies: readonly string[];
      /** True where a cookie that proves nobody stays in the browser, because whoever set it will renew it. */
      readonly kept?: boolean;
    };

/** Which request it is, as handlers have it and `api.tell` takes it. */
export type AskedBy = Pick<RequestFacts, "id" | "address">;

/** What the authentication gate needs of a built credential. */
export interface CredentialVerifier {
  /**
   * Whether a value of the `Authorization: Bearer` header is meant for this verifier, judged by its unproved shape
   * (key prefix, issuer claim). Only chooses who verifies; proves nothing.
   */
  recognises(value: string): boolean;
  /**
   * The caller of a value that was verified before and still holds now: expiry, not-before, age and revocation are
   * checked again at every hit. Synchronous, no hashing, no signature.
   */
  cached(value: string): Caller | undefined;
  /**
   * Proves the value. A refusal means "this credential is bad"; one with status 503 means "could not decide". A throw
   * counts as could not decide. For cookies, `value` is the Cookie header's named values joined by the authentication gate.
   *
   * @param request  what it came with, for records of what proving it did; undefined where there is none
   */
  verify(value: string, request?: AskedBy): Caller | Refusal | Promise<Caller | Refusal>;
}
