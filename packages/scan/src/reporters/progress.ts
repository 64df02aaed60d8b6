import type { Progress } from "../run.ts";
import { fitted } from "./text.ts";

/**
 * One line that says how far a scan has come, for a terminal that overwrites it.
 *
 * @param width  columns; the line is never longer
 */
export function progressLine(progress: Progress, width: number): string {
  const { done, total, requests, protection, operation } = progress;
  const share = total === 0 ? 1 : done / total;
  const cells = 20;
  const full = Math.round(share * cells);
  const bar = `${"█".repeat(full)}${"░".repeat(cells - full)}`;
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const now =
    progress.waitingMs !== undefined && progress.waitingMs > 1500
      ? `waiting ${inWords(progress.waitingMs)} for its limits`
      : `${protection} ${operation ?? ""}`;
  const left = progress.remainingMs === undefined ? "" : `, about ${inWords(progress.remainingMs)} left`;
  return fitted(`${bar} ${percent}  ${done}/${total} checks, ${requests} requests${left}  ${now}`, width);
}

function inWords(ms: number): string {
  return ms < 90_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`;
}
