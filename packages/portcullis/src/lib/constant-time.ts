/**
 * Whether two byte strings are equal, in a time that depends on their length only and not on where they differ.
 * Different lengths are unequal at once: the length of a hash is no secret.
 */
export function equalConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let i = 0; i < left.length; i++) difference |= (left[i] ?? 0) ^ (right[i] ?? 0);
  return difference === 0;
}
