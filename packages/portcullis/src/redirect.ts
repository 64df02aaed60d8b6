import type { MaybePromise } from "./lib/maybe-promise.ts";

/**
 * Where a browser may be sent: paths of this host (`/account`, `/oauth/*` for everything below), addresses elsewhere
 * (`https://app.example.com/callback`), each exactly, whatever its query is; or a look-up for addresses that are
 * registered somewhere, with the reason a reviewer reads.
 */
export type RedirectAllowlist = readonly (string | RedirectLookup)[];

/** Asks for an address elsewhere whether it is registered. Throwing refuses. */
export interface RedirectLookup {
  readonly reason: string;
  readonly allows: (target: URL) => MaybePromise<boolean>;
}

/** The answer sends the browser on. */
export interface RedirectOutput {
  readonly kind: "redirect";
  readonly allowlist: RedirectAllowlist;
}

/**
 * The answer sends the browser on, to an address on the list and nowhere else: 303, so that no form is sent twice. The
 * handler returns the address: a path of this host, or an absolute URL.
 *
 * @param allowlist  see {@link RedirectAllowlist}; an empty one, or an entry that is neither, stops the start
 * @returns the rule; any other address is refused with `undeclared-output` (500)
 * @see OWASP ASVS 5.0 3.7.2, RFC 9700 section 4.11 (open redirectors) and 4.12 (303 and not 307)
 */
export function redirect(allowlist: RedirectAllowlist): RedirectOutput {
  return Object.freeze({ kind: "redirect", allowlist: Object.freeze([...allowlist]) });
}
