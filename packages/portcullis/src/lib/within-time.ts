import type { Deadlines } from "./deadlines.ts";

/**
 * Waits for work, but not longer than its time, and goes on with what came of it. What comes later is dropped; the work
 * itself goes on. One promise for all of it, because every request waits here once or more.
 *
 * @param timeoutMs  milliseconds, late by at most a quarter second
 * @param late       makes what to go on with instead; may throw
 * @param use        goes on with the value; what it throws rejects. Default: the value as it is
 * @param failed     goes on with what the work was rejected with; may throw. Default: rejects
 */
export function withinTime<T>(deadlines: Deadlines, timeoutMs: number, work: PromiseLike<T>, late: () => T): Promise<T>;
export function withinTime<T, R>(
  deadlines: Deadlines,
  timeoutMs: number,
  work: PromiseLike<T>,
  late: () => R | PromiseLike<R>,
  use: (value: T) => R | PromiseLike<R>,
  failed?: (error: unknown) => R | PromiseLike<R>,
): Promise<R>;
export function withinTime<T, R>(
  deadlines: Deadlines,
  timeoutMs: number,
  work: PromiseLike<T>,
  late: () => T | R | PromiseLike<R>,
  use?: (value: T) => R | PromiseLike<R>,
  failed?: (error: unknown) => R | PromiseLike<R>,
): Promise<T | R> {
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
        if (!deadlines.remove(deadline)) return;
        try {
          resolve(use === undefined ? value : use(value));
        } catch (error) {
          reject(error);
        }
      },
      (error: unknown) => {
        if (!deadlines.remove(deadline)) return;
        if (failed === undefined) return reject(error);
        try {
          resolve(failed(error));
        } catch (thrown) {
          reject(thrown);
        }
      },
    );
  });
}
