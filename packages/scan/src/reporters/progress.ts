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
  return fitted(
    `${bar} ${percent}  ${done}/${total} checks, ${requests} requests  ${protection} ${operation ?? ""}`,
    width,
  );
}
