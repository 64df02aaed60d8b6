/** Counts per key in a fixed window, the way it is usually written by hand, but in bounded memory. */
export interface Windows {
  take(key: string): { readonly remaining: number; readonly resetSeconds: number };
}

/** @param options  largest count per key and window, and the window in milliseconds */
export function createWindows(options: { readonly limit: number; readonly windowMs: number }): Windows {
  const counts = new Map<string, { used: number; endsAt: number }>();
  return {
    take(key) {
      const now = Date.now();
      let count = counts.get(key);
      if (count === undefined || count.endsAt <= now) {
        if (counts.size >= maxKeys) counts.clear();
        count = { used: 0, endsAt: now + options.windowMs };
        counts.set(key, count);
      }
      count.used++;
      return { remaining: options.limit - count.used, resetSeconds: Math.ceil((count.endsAt - now) / 1_000) };
    },
  };
}

const maxKeys = 16_384;
