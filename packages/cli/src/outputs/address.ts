/** True where a description of an API is fetched, and not read from a file. */
export function isAddress(description: string): boolean {
  return /^https?:\/\//i.test(description);
}
