import { AsyncLocalStorage } from "node:async_hooks";
import { BudgetSpent } from "./scan-error.ts";

/** Ends a scan before it is done, by word or by the clock: attacks stop at once, and what was created is still deleted. */
export interface Interrupt {
  /** True from when the scan was asked to end, or its time ran out. */
  readonly isStopped: boolean;
  /** True where it was the time. */
  readonly isTimedOut: boolean;
  /** Why what is left is not decided, for a verdict; whichever came first. */
  readonly why: string;
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
  /** Forgets the clock. */
  close(): void;
}

/** What ends a scan early, and what is said of that. */
const reasons = {
  signal: "the scan was interrupted before this was decided",
  time: "time ran out before this was decided (--timeout)",
} as const;

/** Most time for deleting what was created after the scan was asked to end, milliseconds. */
const tidyMs = 10_000;

/** How long attacks that run then may take to come to their next request, milliseconds. */
const settleMs = 1500;

/**
 * @param signal     asks the scan to end; undefined where nobody can
 * @param timeoutMs  when it ends by itself, milliseconds from now; undefined: never
 */
export function createInterrupt(signal: AbortSignal | undefined, timeoutMs?: number): Interrupt {
  const tidy = new AsyncLocalStorage<true>();
  const stopping = new AbortController();
  const stopped = stopping.signal;
  let stoppedAt = Number.POSITIVE_INFINITY;
  let why: string = reasons.signal;
  const stop = (reason: keyof typeof reasons) => {
    if (stopped.aborted) return;
    [stoppedAt, why] = [performance.now(), reasons[reason]];
    stopping.abort();
  };
  const onSignal = () => stop("signal");
  if (signal?.aborted === true) onSignal();
  signal?.addEventListener("abort", onSignal, { once: true });
  const clock = timeoutMs === undefined ? undefined : setTimeout(() => stop("time"), timeoutMs);
  const leftMs = () => stoppedAt + settleMs + tidyMs - performance.now();

  return {
    get isStopped() {
      return stopped.aborted;
    },
    get isTimedOut() {
      return why === reasons.time;
    },
    get why() {
      return why;
    },
    assertGoing() {
      if (!stopped.aborted) return;
      if (tidy.getStore() !== true) throw new BudgetSpent(why);
      if (leftMs() <= 0) throw new BudgetSpent("the scan had to end, and the time to delete it was over");
    },
    longestWaitMs: (usual) => (stopped.aborted ? Math.max(0, Math.min(usual, leftMs())) : usual),
    tidying: (go) => tidy.run(true, go),
    async settled(running) {
      let timer: NodeJS.Timeout | undefined;
      let onStop = (): void => {};
      const moment = new Promise<void>((resolve) => {
        onStop = () => {
          timer = setTimeout(resolve, settleMs);
        };
        if (stopped.aborted) onStop();
        else stopped.addEventListener("abort", onStop, { once: true });
      });
      try {
        await Promise.race([running, moment]);
      } finally {
        clearTimeout(timer);
        stopped.removeEventListener("abort", onStop);
      }
    },
    close() {
      clearTimeout(clock);
      signal?.removeEventListener("abort", onSignal);
    },
  };
}
