import { ScanError } from "@portcullis/scan";

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads `30m`, `24h`, `7d`.
 *
 * @param option    whose value it is, for the message
 * @param mostDays  the longest there may be
 * @returns milliseconds, 1 s .. `mostDays`
 * @throws ScanError when it is written otherwise
 */
export function parseDuration(option: string, text: string, mostDays: number): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  const ms = Number(match?.[1]) * (units[match?.[2] ?? ""] ?? Number.NaN);
  if (!(ms >= 1000 && ms <= mostDays * 86_400_000))
    throw new ScanError(`${option} ${text}: write it as 90s, 30m, 24h or 7d, from 1s to ${mostDays}d`);
  return ms;
}
