/** More waits already than can be done in a reasonable time. */
export class TooBusy extends Error {
  override readonly name = "TooBusy";
}

/** Does so many pieces of work at once, and has the others wait in a row. */
export interface WorkQueue {
  /** @throws TooBusy (the promise rejects) where the row is full; then nothing was begun */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * @param atOnce   1 or more
 * @param waiting  how many may stand in the row; whoever comes then is told at once
 */
export function createWorkQueue(atOnce: number, waiting: number): WorkQueue {
  let busy = 0;
  const row: (() => void)[] = [];

  return {
    async run(work) {
      if (busy < atOnce) busy++;
      else if (row.length >= waiting) throw new TooBusy("too much waits already");
      // Who is called out of the row has the place of the one that went.
      else await new Promise<void>((resolve) => row.push(resolve));
      try {
        return await work();
      } finally {
        const next = row.shift();
        if (next === undefined) busy--;
        else next();
      }
    },
  };
}
