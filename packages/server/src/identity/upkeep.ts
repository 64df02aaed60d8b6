/** Work that is done again and again beside the requests. */
export interface Upkeep {
  /** Does it now; resolves when it is done, rejects where some of it failed. */
  now(): Promise<void>;
  /** Ends the timer, and waits for what is under way. */
  close(): Promise<void>;
}

/**
 * Does every job, one after the other, at once in a while; a job that fails keeps no other from being done, and is done
 * again the next time. It keeps no process alive.
 *
 * @param everyMs  milliseconds from one start to the next; a round that takes longer is waited for
 */
export function startUpkeep(
  jobs: readonly (() => Promise<void>)[],
  everyMs: number,
  onError: (error: unknown) => void,
): Upkeep {
  let last: Promise<unknown> = Promise.resolve();

  async function round(): Promise<void> {
    const failures: unknown[] = [];
    for (const job of jobs) {
      try {
        await job();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, "several jobs of the upkeep failed");
  }

  function next(): Promise<void> {
    const done = last.then(round);
    last = done.catch(() => {});
    return done;
  }

  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    void next()
      .catch(onError)
      .finally(() => {
        isBusy = false;
      });
  }, everyMs).unref();

  return {
    now: next,
    async close() {
      clearInterval(timer);
      await last;
    },
  };
}
