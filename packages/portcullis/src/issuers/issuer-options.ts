import type { Credential } from "../credential.ts";
import type { Problem } from "../environment.ts";
import { isLoopbackHost } from "../lib/host-name.ts";
import type { JwtKeys } from "../lib/jwt-keys.ts";
import type { JwtOptions } from "../lib/jwt-options.ts";
import { OptionsError } from "../lib/options-error.ts";

/** What every preset for an issuer's tokens lets you decide; all else is set by the preset. */
export interface IssuerOptions
  extends Pick<
    JwtOptions,
    | "subject"
    | "tenant"
    | "scopes"
    | "rolesFromToken"
    | "refuses"
    | "revocations"
    | "maxAgeSeconds"
    | "clockSkewSeconds"
    | "cache"
    | "name"
  > {
  /** Default: `jwksUrl(...)` with the address this issuer publishes its keys at. */
  readonly keys?: JwtKeys | readonly JwtKeys[];
}

/** What the presets for an issuer's cookies let you decide besides. */
export interface IssuerCookieOptions {
  /** The cookie's name, where it is not the issuer's usual one. */
  readonly cookie?: string;
  /** Why a cookie without `__Host-` or `__Secure-` is accepted; asked for where the name has neither. */
  readonly dangerouslyUnprefixedCookie?: string;
}

/** Asks the preset's own question first, then the user's. */
export function refusesBoth(
  first: NonNullable<JwtOptions["refuses"]>,
  second: JwtOptions["refuses"],
): NonNullable<JwtOptions["refuses"]> {
  return second === undefined ? first : (claims) => first(claims) ?? second(claims);
}

/** An address without a slash at its end, however it was written; "" for what a program without types may give. */
export function withoutSlash(url: unknown): string {
  if (typeof url !== "string") return "";
  return url.endsWith("/") ? url.slice(0, -1) : url;
}

/** The credential with more that stops the start and more that the manifest says. */
export function withMore(
  credential: Credential,
  problems: () => readonly Omit<Problem, "where">[],
  described: Readonly<Record<string, unknown>> = {},
): Credential {
  const all = (): readonly Problem[] => [
    ...problems().map((one) => ({ where: credential.name, ...one })),
    ...credential.problems(),
  ];
  return {
    ...credential,
    problems: all,
    describe: () => ({ ...credential.describe(), ...described }),
    build(environment) {
      const [problem] = all();
      if (problem !== undefined) throw new OptionsError(`${problem.where}: ${problem.problem}.`, problem.fix);
      return credential.build(environment);
    },
  };
}

/**
 * What is wrong with an issuer's address, which is what tokens are held against: it has a scheme, https unless it is on
 * loopback, and neither a query nor a fragment.
 */
export function addressProblems(field: string, address: unknown, example: string): readonly Omit<Problem, "where">[] {
  const fix = `Write it whole: ${example}.`;
  if (typeof address !== "string" || !URL.canParse(address)) return [{ field, problem: `${field} is no address`, fix }];
  const { protocol, hostname, search, hash } = new URL(address);
  if (protocol !== "https:" && !(protocol === "http:" && isLoopbackHost(hostname))) {
    return [{ field, problem: `${field} is not https`, fix }];
  }
  return search === "" && hash === "" ? [] : [{ field, problem: `${field} has a query or a fragment`, fix }];
}

/** A reason that was given and says nothing. */
export function emptyReason(field: string, reason: string | undefined): readonly Omit<Problem, "where">[] {
  if (reason === undefined || reason.trim() !== "") return [];
  return [{ field, problem: "the reason is empty", fix: "Say why, in a sentence; it is kept in the manifest." }];
}

/** A list that was given and can match nothing. */
export function emptyList(field: string, list: readonly string[] | undefined): readonly Omit<Problem, "where">[] {
  if (list === undefined || (list.length > 0 && list.every((one) => typeof one === "string" && one !== ""))) return [];
  return [{ field, problem: `${field} is empty or has an empty entry`, fix: "List at least one, or leave it out." }];
}
