import type { CookieToSet } from "../output.ts";

/** The options of Express's `res.cookie`. */
export interface CookieSettings {
  /** Milliseconds, as Express has it. */
  readonly maxAge?: number | null;
  readonly expires?: Date;
  readonly sameSite?: boolean | string;
  readonly httpOnly?: boolean;
  readonly secure?: boolean;
  readonly path?: string;
  readonly domain?: string;
  readonly signed?: boolean;
  readonly partitioned?: boolean;
  readonly encode?: (value: string) => string;
}

/**
 * A cookie as Express's handlers set one, with our attributes: Secure, HttpOnly, SameSite=Strict unless Lax is said.
 *
 * @returns what is wrong, as text, where it asks for less than that or for what is not built
 */
export function cookieOf(name: string, value: unknown, settings: CookieSettings): CookieToSet | string {
  const { sameSite, encode = encodeURIComponent } = settings;
  const mistake = weaker.find(([asks]) => asks(settings))?.[1];
  const at = `res.cookie(${JSON.stringify(name)})`;
  if (mistake !== undefined) return `${at}: ${mistake}`;
  if (typeof value !== "string" && typeof value !== "number")
    return `${at}: its value is no text; store it under an id`;
  const maxAgeSeconds = ageOf(settings);
  return {
    name,
    value: encode(`${value}`),
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
    ...(isSite(sameSite, "lax") ? { sameSite: "Lax" } : {}),
  };
}

const weaker: readonly (readonly [(settings: CookieSettings) => boolean, string])[] = [
  [({ httpOnly }) => httpOnly === false, "scripts could read it; leave httpOnly out"],
  [({ secure }) => secure === false, "it would travel in the clear; leave secure out, browsers keep it on localhost"],
  [({ domain }) => domain !== undefined, "every subdomain would get it; leave domain out"],
  [({ path }) => path !== undefined && path !== "/", "a path protects nothing; leave path out"],
  [({ signed }) => signed === true, "signing is not built; store an unguessable id instead"],
  [({ partitioned }) => partitioned === true, "partitioned cookies are not built; leave partitioned out"],
  [
    ({ sameSite }) =>
      sameSite !== undefined && sameSite !== true && !isSite(sameSite, "lax") && !isSite(sameSite, "strict"),
    'other sites would send it along; say sameSite: "lax" or leave it out',
  ],
];

function isSite(sameSite: CookieSettings["sameSite"], name: string): boolean {
  return typeof sameSite === "string" && sameSite.toLowerCase() === name;
}

function ageOf({ maxAge, expires }: CookieSettings): number | undefined {
  if (maxAge !== undefined && maxAge !== null) return Math.max(0, Math.floor(maxAge / 1000));
  return expires === undefined ? undefined : Math.max(0, Math.floor((expires.getTime() - Date.now()) / 1000));
}
