/**
 * Whether whoever asks would rather read a page than JSON. Browsers name `text/html` when somebody opens an address or
 * sends a form; programs, and scripts of pages, name it rarely and JSON first.
 *
 * @param accept  the Accept header; undefined, and what cannot be read or is longer than any browser's, is a program's
 * @see RFC 9110 section 12.5.1
 */
export function prefersPage(accept: string | undefined): boolean {
  if (accept === undefined || accept.length > MAX_LENGTH || !accept.includes("text/html")) return false;
  let page = 0;
  let json = 0;
  for (const range of accept.split(",")) {
    const [type, q] = readRange(range);
    if (type === "text/html") page = q;
    else if (type === "application/json" || type === "application/problem+json") json = Math.max(json, q);
  }
  return page > json;
}

/** Browsers write 150 characters. Each refused request may bring 16 KiB, which takes a hundred times its time to read. */
const MAX_LENGTH = 512;

function readRange(range: string): readonly [type: string, q: number] {
  const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
  const weight = parameters.find((one) => one.startsWith("q="))?.slice("q=".length);
  const q = weight === undefined ? 1 : Number(weight);
  return [type, q >= 0 && q <= 1 ? q : 0];
}
