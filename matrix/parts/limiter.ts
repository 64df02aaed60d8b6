/** At most so many in any window. */
export interface Rate {
  readonly limit: number;
  readonly windowMs: number;
}

/** A log of times per key: never more than the limit inside any interval of the window. */
export function createLimiter(now: () => number = () => performance.now()) {
  const logs = new Map<string, number[]>();
  const counters = new Map<string, { window: number; count: number }>();
  return {
    /** Takes one; returns 0, or the seconds until one fits again. */
    take(key: string, { limit, windowMs }: Rate): number {
      const at = now();
      const log = (logs.get(key) ?? []).filter((time) => time > at - windowMs);
      logs.set(key, log);
      if (log.length >= limit) return Math.max(1, Math.ceil(((log[0] ?? at) + windowMs - at) / 1000));
      log.push(at);
      if (logs.size > 10_000) for (const [old, times] of logs) if ((times.at(-1) ?? 0) < at - 60_000) logs.delete(old);
      return 0;
    },
    /** Whether one would still fit; takes none. */
    fits: (key: string, { limit, windowMs }: Rate): boolean =>
      (logs.get(key) ?? []).filter((time) => time > now() - windowMs).length < limit,
    /** The same as it is usually pasted: a counter that starts anew at every multiple of the window. */
    takeFixed(key: string, { limit, windowMs }: Rate): number {
      const window = Math.floor(Date.now() / windowMs);
      const counter = counters.get(key);
      if (counter?.window !== window) {
        counters.set(key, { window, count: 1 });
        return 0;
      }
      counter.count += 1;
      return counter.count <= limit ? 0 : Math.ceil(((window + 1) * windowMs - Date.now()) / 1000);
    },
  };
}

export type Limiter = ReturnType<typeof createLimiter>;

/** In seconds and generous, so that a scan can use each of them up and see it recover. */
export const rates = {
  address: { limit: 400, windowMs: 1000 },
  read: { limit: 60, windowMs: 1000 },
  write: { limit: 40, windowMs: 1000 },
  signIn: { limit: 30, windowMs: 1000 },
  guesses: { limit: 30, windowMs: 10_000 },
} as const satisfies Readonly<Record<string, Rate>>;
