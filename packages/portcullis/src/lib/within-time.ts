import type { Deadlines } from "./deadlines.ts";

/**
 * Waits for work, but not longer than its time. What comes later is dropped; the work itself goes on.
 *
 * @param timeoutMs  milliseconds, late by at most a quarter second
 * @param late       makes what to go on with instead; may throw
 */
export function withinTime<T>(
  deadlines: Deadlines,
  timeoutMs: number,
  work: PromiseLike<T>,
  late: () => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const deadline = deadlines.add(timeoutMs, () => {
      try {
        resolve(late());
      } catch (error) {
        // Thrown here it would end the process.
        reject(error);
      }
    });
    work.then(
      (value) => {
        deadlines.remove(deadline);
        resolve(value);
      },
      (error: unknown) => {
        deadlines.remove(deadline);
        reject(error);
      },
    );
  });
}
