import type { RedirectAllowlist, RedirectLookup } from "../redirect.ts";
import { isLoopbackHost } from "./host-name.ts";
import { type MaybePromise, isPromise } from "./maybe-promise.ts";

/** Decides for one list whether an address is on it. */
export type TargetCheck = (target: string) => MaybePromise<boolean>;

/**
 * Makes the check of one list, once. An address is read as a browser would read it; what browsers might read otherwise
 * (backslashes, control characters, blanks, user names, dots in a path, a scheme without its two slashes, which is a
 * path to them) is on no list.
 */
export function targetCheck(allowlist: RedirectAllowlist): TargetCheck {
  const exact = new Set<string>();
  const below: string[] = [];
  const lookups: RedirectLookup[] = [];
  for (const one of allowlist) {
    if (typeof one !== "string") lookups.push(one);
    else if (one.endsWith("/*")) below.push(one.slice(0, -1));
    else exact.add(one);
  }

  return function isAllowed(target) {
    if (!PLAIN.test(target)) return false;
    const path = /^[^?#]*/.exec(target)?.[0] ?? "";
    if (target.startsWith("/")) {
      if (target.startsWith("//") || hasDots(path)) return false;
      return exact.has(path) || below.some((prefix) => path.length > prefix.length && path.startsWith(prefix));
    }
    const url = URL.canParse(target) ? new URL(target) : undefined;
    if (url === undefined || NEVER.has(url.protocol) || url.username !== "" || url.password !== "") return false;
    if (WEB.has(url.protocol) && !WHOLE.test(target)) return false;
    if (exact.has(path)) return true;
    return anyOf(lookups, url.href, 0);
  };
}

/** One look-up after the other, until one says yes; each gets an address of its own, which it may change. */
function anyOf(lookups: readonly RedirectLookup[], href: string, from: number): MaybePromise<boolean> {
  const one = lookups[from];
  if (one === undefined) return false;
  const allowed = one.allows(new URL(href));
  if (!isPromise(allowed)) return isYes(allowed) || anyOf(lookups, href, from + 1);
  return allowed.then((late) => isYes(late) || anyOf(lookups, href, from + 1));
}

/** A look-up is the application's own, and not every one is checked by a compiler. */
function isYes(answer: unknown): boolean {
  return answer === true;
}

function hasDots(path: string): boolean {
  return path.split("/").some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment));
}

/** Visible ASCII without a backslash, which browsers take for a slash. */
const PLAIN = /^[\x21-\x5b\x5d-\x7e]+$/;

/** Schemes that run or show what they hold. */
const NEVER: ReadonlySet<string> = new Set([
  "javascript:",
  "data:",
  "vbscript:",
  "blob:",
  "file:",
  "filesystem:",
  "about:",
  "view-source:",
]);

/** Schemes whose address is a path to whoever comes from the same one, unless two slashes and a host follow. */
const WEB: ReadonlySet<string> = new Set(["http:", "https:", "ws:", "wss:", "ftp:"]);
const WHOLE = /^[a-z]+:\/\/[^/?#@]+(?:[/?#]|$)/i;

/** What is wrong with an entry of a list; undefined where nothing is. */
export function allowlistProblem(entry: unknown): string | undefined {
  if (typeof entry === "object" && entry !== null) {
    const isLookup = "allows" in entry && typeof entry.allows === "function";
    const hasReason = "reason" in entry && typeof entry.reason === "string" && entry.reason.trim() !== "";
    return isLookup && hasReason ? undefined : "is a look-up without a function or without a reason";
  }
  if (typeof entry !== "string") return "is no address";
  if (entry.startsWith("/")) {
    const path = entry.endsWith("/*") ? `${entry.slice(0, -1)}x` : entry;
    const isPlain = !/[?#*]/.test(path) && targetCheck([entry])(path) === true;
    return isPlain && new URL(path, "https://host.invalid").pathname === path ? undefined : "is no plain path";
  }
  if (!URL.canParse(entry) || /[?#*]/.test(entry)) return "is neither a path nor a whole address without a query";
  if (targetCheck([entry])(entry) !== true) return "is an address no browser should be sent to";
  const { href, protocol, hostname } = new URL(entry);
  if (href !== entry && href !== `${entry}/`) return `is read by browsers as ${href}`;
  const isOpen = protocol === "http:" && !isLoopbackHost(hostname);
  return isOpen ? "goes over plain http, where anybody on the way reads and changes what is said" : undefined;
}
