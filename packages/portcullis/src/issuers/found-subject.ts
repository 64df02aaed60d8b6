import type { Problem } from "../environment.ts";

/**
 * Who the user of a session is, where a library found it. Default: the user's id, which is enough for one issuer.
 * `iss-and-sub` joins the credential's name and the id with a space, for APIs with several issuers. A function may map; a
 * session it gives no subject for is refused.
 */
export type FoundSubject<Found> = "iss-and-sub" | ((found: Found) => string | undefined);

/** The subject, or undefined where the user has no id or the mapping gives none. */
export function subjectOf<Found>(
  subject: FoundSubject<Found> | undefined,
  issuer: string,
  id: string,
  found: Found,
): string | undefined {
  // A library's word, and its types are not checked when it speaks: without an id all users would be one.
  if (typeof id !== "string" || id === "") return undefined;
  if (subject === undefined) return id;
  return subject === "iss-and-sub" ? `${issuer} ${id}` : subject(found);
}

/** A name with a blank in it could make one issuer's subject out of another's. */
export function issuerNameProblems(name: string): readonly Problem[] {
  if (!/\s/.test(name)) return [];
  return [{ where: name, field: "name", problem: "the name has white space in it", fix: "Use letters and hyphens." }];
}
