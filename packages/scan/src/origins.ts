import { hostOf, isLoopbackName } from "./address.ts";
import type { ProbeContext } from "./context.ts";

/** A browser origin that is not allowed, and the name of the question whether it is. */
export interface Disguise {
  readonly check: string;
  readonly origin: string;
}

/**
 * Origins that are not allowed and look as if they were, each as a mistaken comparison would let it pass: by prefix, by
 * suffix, with a dot that means anything, by scheme or port. Where nobody says which origins are allowed, only those
 * that nobody could have meant, because they are somebody else's.
 *
 * @param allowed  origins known to be allowed; what they look like is imitated, else what the target itself looks like
 * @see Fetch standard, section 3.1 (the Origin header is compared as a whole)
 */
export function disguises(context: ProbeContext, allowed: readonly string[]): readonly Disguise[] {
  const { policy } = context.target;
  const base = new URL(allowed[0] ?? context.target.seenOrigins[0] ?? context.fetcher.url.origin);
  const { protocol, host, hostname } = base;
  // The part of a name that somebody can register, as far as that can be told without the list of public suffixes.
  const labels = /^[\d.]+$|:/.test(hostname) ? [] : hostname.split(".");
  const parent = labels.length > 2 ? labels.slice(1).join(".") : undefined;
  const of = (name: string) => `${protocol}//${name}`;
  const others: readonly (readonly [string, string])[] = [
    ["foreign", `https://pc-${context.random.text(6)}.example`],
    ["null", "null"],
    ["suffix", of(`${hostname}.evil.example`)],
    ["prefix", of(`evil${host}`)],
    ...(parent === undefined ? [] : [["parent-prefix", of(`evil${parent}`)] as const]),
    ...(labels.length > 1 ? [["dot-replaced", of(host.replace(".", "x"))] as const] : []),
    ["userinfo", of(`${host}@evil.example`)],
    ["underscore", of(`${hostname}_.evil.example`)],
    ["backtick", of(`${hostname}\`.evil.example`)],
  ];
  // Who names the allowed ones names them all; who does not may well mean these.
  const own: readonly (readonly [string, string])[] = [
    ["subdomain", of(`evil.${host}`)],
    ...(parent === undefined ? [] : [["sibling", of(`evil.${parent}`)] as const]),
    ["downgrade", `${protocol === "https:" ? "http:" : "https:"}//${host}`],
    ["other-port", of(`${hostname}:4443`)],
    ...(isLoopbackName(hostOf(base)) ? [] : [["localhost", "http://localhost:3000"] as const]),
  ];
  const list = policy.origins === undefined ? others : [...others, ...own];
  return list
    .filter(([, origin]) => !allowed.includes(origin) && origin !== context.fetcher.url.origin)
    .map(([check, origin]) => ({ check, origin }));
}
