import { AsyncLocalStorage } from "node:async_hooks";
import { BudgetSpent } from "./scan-error.ts";

/** Lets somebody end a scan before it is done: attacks stop at once, and what was created is still deleted. */
export interface Interrupt {
  /** True from when the scan was asked to end. */
  readonly isStopped: boolean;
  /**
   * Called before anything is sent.
   *
   * @throws BudgetSpent once the scan was asked to end; while tidying up only when the time for that is over
   */
  assertGoing(): void;
  /** The longest wait that may begin now, milliseconds, when `usual` is what it is otherwise. */
  longestWaitMs(usual: number): number;
  /** Runs what may still send when the scan was asked to end, for `tidyMs` after that at most. */
  tidying<Result>(tidy: () => Promise<Result>): Promise<Result>;
  /** Waits for running attacks, a moment at most where the scan was asked to end. */
  settled(running: Promise<unknown>): Promise<void>;
}

/** Most time for deleting what was created after the scan was asked to end, milliseconds. */
const tidyMs = 10_000;

/** How long attacks that run then may take to come to their next request, milliseconds. */
const settleMs = 1500;

/**
 * @param signal  asks the scan to end; undefined where nobody can
 */
export function createInterrupt(signal: AbortSignal | undefined): Interrupt {
  const tidy = new AsyncLocalStorage<true>();
  let stoppedAt = Number.POSITIVE_INFINITY;
  const stop = () => {
    stoppedAt = Math.min(stoppedAt, performance.now());
  };
  if (signal?.aborted === true) stop();
  signal?.addEventListener("abort", stop, { once: true });
  const leftMs = () => stoppedAt + settleMs + tidyMs - performance.now();

  return {
    get isStopped() {
      return signal?.aborted === true;
    },
    assertGoing() {
      if (signal?.aborted !== true) return;
      if (tidy.getStore() !== true) throw new BudgetSpent(interrupted);
      if (leftMs() <= 0) throw new BudgetSpent("the scan was interrupted, and the time to delete it was over");
    },
    longestWaitMs: (usual) => (signal?.aborted === true ? Math.max(0, Math.min(usual, leftMs())) : usual),
    tidying: (go) => tidy.run(true, go),
    async settled(running) {
      let timer: NodeJS.Timeout | undefined;
      let onStop = (): void => {};
      const moment = new Promise<void>((resolve) => {
        onStop = () => {
          timer = setTimeout(resolve, settleMs);
        };
        if (signal?.aborted === true) onStop();
        else signal?.addEventListener("abort", onStop, { once: true });
      });
      try {
        await Promise.race([running, moment]);
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onStop);
      }
    },
  };
}

/** Why something was not decided. */
export const interrupted = "the scan was interrupted before this was decided";
