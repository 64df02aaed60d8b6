/** At most `limit` admissions inside any `windowMs`, per key; refused ones cost nothing. */
export function createLimiter(limit: number, windowMs: number) {
  const log = new Map<string, number[]>();
  return {
    /** Milliseconds until there is room; 0 where there is and the place is taken. */
    take(key: string, cost = 1): number {
      const now = performance.now();
      const times = (log.get(key) ?? []).filter((time) => time > now - windowMs);
      log.set(key, times);
      if (times.length + cost > limit) return Math.max(1, (times[0] ?? now) + windowMs - now);
      for (let count = 0; count < cost; count += 1) times.push(now);
      return 0;
    },
    /** Counts whatever comes, even beyond the limit. */
    charge(key: string): void {
      log.set(key, [...(log.get(key) ?? []), performance.now()]);
    },
    isSpent(key: string): boolean {
      const now = performance.now();
      return (log.get(key) ?? []).filter((time) => time > now - windowMs).length >= limit;
    },
  };
}
