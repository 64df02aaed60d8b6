/** The one of which a collection's name says the many: `shelves` gives `shelf`, `categories` `category`. */
export function singular(name: string): string {
  return name
    .replace(/(?<=[a-z])ies$/i, "y")
    .replace(/(?<=(?:shel|hal|wol|lea|cal|loa|thie))ves$/i, "f")
    .replace(/(?<=ss|sh|ch|x|tus|bus)es$/i, "")
    .replace(/(?<=[^su])s$/i, "");
}

/** True where two names speak of the same thing, however they are written: `order-items` and `orderItem`. */
export function sameNoun(left: string, right: string): boolean {
  const plain = (name: string) => singular(name.replace(/[-_ ]/g, "")).toLowerCase();
  return plain(left) === plain(right);
}
