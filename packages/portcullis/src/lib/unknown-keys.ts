/**
 * Members of an options object that nobody reads: a misspelt option, or one that is not built yet. A safeguard that was
 * written down and does nothing is worse than none.
 */
export function unknownKeys(options: object, known: readonly string[]): readonly string[] {
  return Object.keys(options).filter((key) => !known.includes(key));
}
