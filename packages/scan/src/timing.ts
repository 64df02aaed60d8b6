/** Decisions about how long answers take, on a machine that does other things too. Times in milliseconds. */

/** A difference smaller than this is not reported, however sure it is. */
const leastGapMs = 5;

/** How much wider than the noise a difference must be. */
const noiseFactor = 4;

/** Most often that chance alone may show such an order of times. */
const chance = 0.0005;

/** What a comparison of times says. */
export type TimeDifference =
  /** The same requests against themselves already differ as much: the machine is too busy to tell. */
  { readonly kind: "noise" } | { readonly kind: "same" } | { readonly kind: "different"; readonly gapMs: number };

/**
 * Compares how long two kinds of request take. They differ where three things hold: by rank, chance would order them so
 * less than once in 2,000 times (Mann-Whitney, one-sided); the quarter of the slower kind that was quickest is slower
 * than three quarters of the quicker; and the medians lie four times the spread of the control apart, and 5 ms at least.
 *
 * @param probe    the kind in question
 * @param control  the other kind, first half and second half of the same measurement; the halves must be alike
 */
export function compareTimes(
  probe: readonly number[],
  control: readonly [first: readonly number[], second: readonly number[]],
): TimeDifference {
  const both = [...control[0], ...control[1]];
  const gap = median(probe) - median(both);
  const slower = gap > 0 ? probe : both;
  const quicker = gap > 0 ? both : probe;
  const size = Math.abs(gap);
  const own = Math.abs(median(control[0]) - median(control[1]));
  const spread = Math.min(quantile(probe, 0.75) - quantile(probe, 0.25), size);
  const noise = Math.max(own, (quantile(both, 0.75) - quantile(both, 0.25)) / 2);
  if (size < leastGapMs) return { kind: "same" };
  if (size < noiseFactor * noise || spread === size) return own > leastGapMs ? { kind: "noise" } : { kind: "same" };
  if (quantile(slower, 0.25) <= quantile(quicker, 0.75)) return { kind: "same" };
  return rankChance(slower, quicker) < chance ? { kind: "different", gapMs: size } : { kind: "same" };
}

/**
 * How likely ranks this far apart are by chance, where the first kind is the slower one: Mann-Whitney with the normal
 * approximation, corrected for continuity.
 */
export function rankChance(slower: readonly number[], quicker: readonly number[]): number {
  const [m, n] = [slower.length, quicker.length];
  if (m === 0 || n === 0) return 1;
  let wins = 0;
  for (const slow of slower) {
    for (const quick of quicker) wins += slow > quick ? 1 : slow === quick ? 0.5 : 0;
  }
  const deviation = Math.sqrt((m * n * (m + n + 1)) / 12);
  return upperTail((wins - (m * n) / 2 - 0.5) / deviation);
}

/** The middle value; of an even number of values the lower of the two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which that share of the others lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}

/** How well points lie on a line: its slope and the correlation of both coordinates. */
export function line(points: readonly (readonly [x: number, y: number])[]): { slope: number; correlation: number } {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / Math.max(1, points.length);
  const [x0, y0] = [mean(0), mean(1)];
  let [xx, yy, xy] = [0, 0, 0];
  for (const [x, y] of points) {
    xx += (x - x0) ** 2;
    yy += (y - y0) ** 2;
    xy += (x - x0) * (y - y0);
  }
  return { slope: xx === 0 ? 0 : xy / xx, correlation: xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy) };
}

/** Area under the normal curve beyond z (Abramowitz and Stegun 26.2.17, error below 7.5e-8). */
function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const sum = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return density * sum;
}
