/**
 * A text as it may stand in XML 1.0, in an attribute or between tags. What XML cannot carry at all is written as `\u{…}`.
 *
 * @see XML 1.0 section 2.2, production Char
 */
export function xmlText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff\p{Cf}]/gu, (unit) => {
      return `\\u{${(unit.codePointAt(0) ?? 0).toString(16)}}`;
    })
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&apos;")
    .replaceAll(/[\t\n\r]/g, (unit) => `&#${unit.charCodeAt(0)};`);
}
