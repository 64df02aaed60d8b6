import { setImmediate as others } from "node:timers/promises";

/**
 * Takes out what has run out, a bounded number of rows at a time until none are left: however much has piled up, no
 * statement takes longer than one may, and in between others have their turn.
 *
 * @param most  rows a step takes out at most; default 1000
 * @param take  takes out that many, in a transaction of its own, and says how many there were
 */
export async function inBatches(take: (most: number) => Promise<number | bigint>, most = 1000): Promise<void> {
  while ((await take(most)) >= most) await others();
}
