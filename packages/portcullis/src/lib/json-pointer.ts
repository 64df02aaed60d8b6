/**
 * One segment of a JSON Pointer, with its leading slash.
 *
 * The name may come from a client, so it is cut to `maxSegmentLength` UTF-16 units, and a surrogate that loses its
 * partner (by the cut or by malice) becomes U+FFFD.
 *
 * @see RFC 6901 section 3 ("~" and "/" are escaped)
 */
export function pointerSegment(name: string): string {
  const cut = name.length > maxSegmentLength ? name.slice(0, maxSegmentLength) : name;
  return `/${cut.replace(loneSurrogate, "\ufffd").replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** Longest piece of a name that one pointer segment repeats, in UTF-16 units before escaping. */
export const maxSegmentLength = 64;

/** With the flag `u` a pair is one character, so that only a surrogate without its partner is found. */
const loneSurrogate = /\p{Surrogate}/gu;
