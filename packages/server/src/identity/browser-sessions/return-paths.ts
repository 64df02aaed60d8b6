/** Where people may come back to: paths of the app, `/notes` exactly, `/notes/*` for everything below. */
export type ReturnPaths = readonly [first: string, ...others: string[]];

/**
 * Whether a path of the app is on the list. Read as narrowly as the library reads redirects: what browsers might take for
 * another address is on no list.
 *
 * @see OWASP ASVS 5.0 3.7.2
 */
export function isReturnPath(paths: ReturnPaths, target: string): boolean {
  if (!PLAIN.test(target) || target.length > returnToLength) return false;
  const path = /^[^?#]*/.exec(target)?.[0] ?? "";
  if (path.startsWith("//") || path.split("/").some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment))) return false;
  return paths.some((one) =>
    one.endsWith("/*") ? path.length > one.length - 1 && path.startsWith(one.slice(0, -1)) : path === one,
  );
}

/** Characters. */
export const returnToLength = 500;

/**
 * A slash, then visible ASCII without a backslash, which browsers take for a slash, and without quotes, which no address
 * has and which take twice the room in a cookie.
 */
const PLAIN = /^\/[\x21\x23-\x5b\x5d-\x7e]*$/;

/** What is wrong with the list; undefined where nothing is. */
export function returnPathsProblem(paths: ReturnPaths | undefined): string | undefined {
  if (!Array.isArray(paths)) return "there is no list of where people may come back to";
  const [first] = paths;
  if (first === undefined || first.endsWith("*")) return "the first is no path to go to where none is asked for";
  const odd = paths.find((one) => !isReturnPath([one], one.replace(/\*$/, "x")) || /[?#]/.test(one));
  return odd === undefined ? undefined : `${JSON.stringify(odd)} is no path`;
}
