/** A time by which something has to have happened. */
export interface Deadline {
  readonly atMs: number;
  readonly expire: () => void;
}

/** Many deadlines with one timer: setting one costs a set entry, not a timer. Expires up to a quarter second late. */
export interface Deadlines {
  add(timeoutMs: number, expire: () => void): Deadline;
  remove(deadline: Deadline): void;
}

const sweepMs = 250;

/**
 * @param monotonic  milliseconds that never step back
 * @param schedule   runs work once after a delay, without keeping the process alive
 */
export function createDeadlines(
  monotonic: () => number,
  schedule: (delayMs: number, work: () => void) => void,
): Deadlines {
  const open = new Set<Deadline>();
  let isScheduled = false;

  function sweep(): void {
    isScheduled = false;
    const now = monotonic();
    for (const deadline of open) {
      if (deadline.atMs > now) continue;
      open.delete(deadline);
      deadline.expire();
    }
    plan();
  }

  function plan(): void {
    if (isScheduled || open.size === 0) return;
    isScheduled = true;
    schedule(sweepMs, sweep);
  }

  return {
    add(timeoutMs, expire) {
      const deadline = { atMs: monotonic() + timeoutMs, expire };
      open.add(deadline);
      plan();
      return deadline;
    },
    remove(deadline) {
      open.delete(deadline);
    },
  };
}
