import { type Answer, headersOf } from "./answer.ts";
import { type Cookie, readCookie } from "./cookies.ts";

/** The cookies of one browser at one host, by name and path. Domain and Secure are not looked at: there is one host. */
export interface CookieJar {
  /** Takes what an answer sets and lets go of what it ends. @returns the values that are new */
  take(answer: Answer, path: string): readonly Cookie[];
  /** The Cookie header for a path; undefined where there is none to send. */
  header(path: string): string | undefined;
  /** A jar that begins with the same cookies and goes its own way. */
  copy(): CookieJar;
}

/**
 * @param given  cookies that are there from the beginning, as a Cookie header writes them
 * @see RFC 6265 sections 5.1.4 (paths) and 5.3 (storage)
 */
export function createJar(given = ""): CookieJar {
  return jarOf(
    given.split(";").flatMap((pair): Kept[] => {
      const cut = pair.indexOf("=");
      return cut < 1 ? [] : [{ name: pair.slice(0, cut).trim(), value: pair.slice(cut + 1).trim(), path: "/" }];
    }),
  );
}

interface Kept {
  readonly name: string;
  readonly value: string;
  readonly path: string;
}

function jarOf(begin: readonly Kept[]): CookieJar {
  let kept = begin;
  return {
    take(answer, from) {
      const set = headersOf(answer, "set-cookie").map(readCookie);
      for (const { name, value, attributes } of set) {
        const given = attributes.get("path") ?? "";
        const path = given.startsWith("/") ? given : from.slice(0, Math.max(1, from.lastIndexOf("/")));
        kept = kept.filter((one) => one.name !== name || one.path !== path);
        const isOver = Number(attributes.get("max-age") ?? "1") <= 0 || isPast(attributes.get("expires"));
        if (!isOver && value !== "") kept = [...kept, { name, value, path }];
      }
      return set.filter(({ value }) => value !== "");
    },
    header(path) {
      const fitting = kept.filter((one) => isBelow(path, one.path)).sort((a, b) => b.path.length - a.path.length);
      return fitting.length === 0 ? undefined : fitting.map(({ name, value }) => `${name}=${value}`).join("; ");
    },
    copy: () => jarOf(kept),
  };
}

function isPast(expires: string | undefined): boolean {
  return expires !== undefined && Date.parse(expires) <= Date.now();
}

function isBelow(path: string, root: string): boolean {
  return path === root || (path.startsWith(root) && (root.endsWith("/") || path.charAt(root.length) === "/"));
}
