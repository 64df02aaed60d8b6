/** Most pieces read; more would not fit into a header block of 16 KiB. */
const CHUNKS_MAX = 6;

/** The names a cookie and its pieces have: `name`, `name.0`, `name.1` and so on. */
export function chunkNames(name: string): readonly string[] {
  return [name, ...Array.from({ length: CHUNKS_MAX }, (_, index) => `${name}.${index}`)];
}

/**
 * Puts a cookie together that may have been cut into pieces because browsers keep 4096 bytes of one.
 *
 * A whole cookie beside pieces, and a piece missing before another, have no single reading: they are left from another
 * sign-in or were set by somebody else.
 *
 * @returns its value, or the private reason why there is none
 */
export function joinChunks(
  name: string,
  cookies: Readonly<Record<string, string>>,
): { readonly value: string } | string {
  const [whole, ...pieces] = chunkNames(name).map((one) => cookies[one] ?? "");
  const present = pieces.filter((piece) => piece !== "");
  if (whole !== undefined && whole !== "") {
    return present.length === 0 ? { value: whole } : "the cookie is there whole and in pieces";
  }
  if (present.length === 0) return "the cookie is empty";
  if (pieces.slice(0, present.length).includes("")) return "a piece of the cookie is missing";
  return { value: present.join("") };
}
