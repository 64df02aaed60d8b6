import { type Answer, headersOf } from "./answer.ts";
import type { Target } from "./target.ts";

/** A cookie as `Set-Cookie` sets it. */
export interface Cookie {
  readonly name: string;
  readonly value: string;
  /** Attribute names in lower case; flags have the value "". */
  readonly attributes: ReadonlyMap<string, string>;
}

/** The cookie that carries the session: the one the manifest names, else the first that is set. */
export function sessionCookie(answer: Answer, target: Target): Cookie | undefined {
  const cookies = headersOf(answer, "set-cookie")
    .map(readCookie)
    .filter((cookie) => cookie.value !== "");
  const named = namedCookies(target);
  return cookies.find((cookie) => named.includes(cookie.name)) ?? cookies[0];
}

/** The cookies that prove callers, where a manifest names them. */
export function namedCookies({ policy }: Target): readonly string[] {
  return policy.credentials.flatMap((entry) => entry.cookies);
}

/** Reads the value of a `Set-Cookie` header. */
export function readCookie(line: string): Cookie {
  const [pair = "", ...rest] = line.split(";").map((part) => part.trim());
  const cut = pair.indexOf("=");
  const attributes = new Map<string, string>();
  for (const part of rest) {
    const at = part.indexOf("=");
    attributes.set((at < 0 ? part : part.slice(0, at)).toLowerCase(), at < 0 ? "" : part.slice(at + 1));
  }
  return { name: pair.slice(0, cut), value: pair.slice(cut + 1), attributes };
}
