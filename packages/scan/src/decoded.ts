/** A part of an address without its percent encoding (RFC 3986 section 2.1); as it is where that is none. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
