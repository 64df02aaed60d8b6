/** What paired times say. */
export interface PairedTimes {
  /** Median of the differences, milliseconds; above 0 where the second of the pair is slower. */
  readonly gapMs: number;
  /** How often chance alone would show differences so much on one side: Wilcoxon's signed ranks, two-sided. */
  readonly chance: number;
}

/**
 * Times kinds of requests in rounds, in another order each round, so that whatever else the machine does falls on all of
 * them alike.
 *
 * @param kinds  each makes one request
 * @returns times in milliseconds by kind, round by round
 */
export async function timeInRounds<Kind extends string>(
  kinds: Readonly<Record<Kind, () => Promise<unknown>>>,
  rounds: number,
): Promise<Readonly<Record<Kind, readonly number[]>>> {
  const entries = Object.entries<() => Promise<unknown>>(kinds);
  const times: Record<string, number[]> = Object.fromEntries(entries.map(([kind]) => [kind, []]));
  for (let round = -2; round < rounds; round++) {
    for (let at = 0; at < entries.length; at++) {
      // Every order comes as often as any other, and no kind stands behind the same one each time.
      const step = Math.floor(Math.abs(round) / entries.length) % 2 === 0 ? at : entries.length - 1 - at;
      const [kind, ask] = entries[(step + Math.abs(round)) % entries.length] ?? ["", () => Promise.resolve()];
      const begun = performance.now();
      await ask();
      if (round >= 0) times[kind]?.push(performance.now() - begun);
    }
  }
  return times as Record<Kind, readonly number[]>;
}

/** Compares two kinds round by round. */
export function pair(first: readonly number[], second: readonly number[]): PairedTimes {
  const differences = second.map((time, round) => time - (first[round] ?? time)).filter((one) => one !== 0);
  const n = differences.length;
  const ranked = differences.toSorted((a, b) => Math.abs(a) - Math.abs(b));
  const positive = ranked.reduce((sum, one, rank) => sum + (one > 0 ? rank + 1 : 0), 0);
  const deviation = Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24);
  const z = Math.max(0, Math.abs(positive - (n * (n + 1)) / 4) - 0.5) / deviation;
  const middle = differences.toSorted((a, b) => a - b)[Math.floor(n / 2)] ?? 0;
  return { gapMs: middle, chance: 2 * upperTail(z) };
}

/** Area under the normal curve beyond z (Abramowitz and Stegun 26.2.17). */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const sum = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return density * sum;
}
