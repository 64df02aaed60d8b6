import { domainToASCII } from "node:url";

/**
 * The form addresses are compared in: blanks around taken off, NFC, the part before the @ case-folded, the domain as DNS
 * has it. Two addresses that a person reads as one are one; ones that only look alike (a dotless i, full-width letters
 * before the @) stay two, because mail to them goes to two people.
 *
 * @see Unicode Standard section 3.13 (D144: full case folding), RFC 5890 (domain names)
 */
export function emailKey(email: string): string {
  const text = email.trim().normalize("NFC");
  const at = text.lastIndexOf("@");
  const domain = text.slice(at + 1);
  return `${folded(text.slice(0, Math.max(0, at)))}@${asciiDomain(domain) || folded(domain)}`;
}

/**
 * Whether mail can go to an address, and nowhere else: one @, a name of at most 64 bytes and a domain, 254 bytes in all;
 * nothing quoted, no comments, blanks, controls, lists or display names, which mail programs read in many ways.
 *
 * @see RFC 5321 sections 4.1.2 and 4.5.3.1, RFC 6531, OWASP ASVS 5.0 1.3.11
 */
export function isAddress(email: string): boolean {
  if (bytes(email) > 254 || /[\p{C}\p{Z}\s]/u.test(email)) return false;
  const [local = "", domain = "", ...more] = email.normalize("NFC").split("@");
  if (more.length > 0 || bytes(local) > 64) return false;
  if (!/^[^\p{C}\p{Z}"(),.:;<>@[\\\]]+(?:\.[^\p{C}\p{Z}"(),.:;<>@[\\\]]+)*$/u.test(local)) return false;
  const name = asciiDomain(domain);
  // A letter in the last label: what is all digits is an IPv4 address.
  return name.length <= 253 && /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/.test(name);
}

/**
 * A domain as DNS has it; empty where it is none. `domainToASCII` reads what it is given as part of a URL, which ends at
 * the first slash, `?` or `#` and decodes `%`, and takes out what cannot be seen: each would be another spelling of an
 * address, without end, and a limit by address is one by spelling.
 */
function asciiDomain(domain: string): string {
  const isPlain = !/[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}!-,/:-@[-`{-~]/u.test(domain);
  return isPlain ? domainToASCII(domain) : "";
}

/**
 * Full case folding, as far as JavaScript knows it: by way of capitals, because toLowerCase alone keeps ß and SS, ſ and s,
 * ς and σ apart. The dotless i has the capital I and is no i.
 */
function folded(text: string): string {
  const one = (letter: string): string => (letter === "ı" ? letter : letter.toLowerCase().toUpperCase().toLowerCase());
  // Letter by letter: at the end of a word a whole text's toLowerCase makes another sigma.
  return Array.from(text, one).join("").normalize("NFC");
}

function bytes(text: string): number {
  return Buffer.byteLength(text, "utf8");
}
