import type { Target } from "./target.ts";

/** What a framework in front of an API may keep from it; its manifest then says so under `unknown`. */
export type Kept = "raw target" | "duplicate headers";

/** Whether a framework in front answers or settles something before the API sees it. */
export function isKept(target: Target, what: Kept): boolean {
  return target.policy.unknown.includes(what);
}

/**
 * Where a path has to begin to reach the API: the first segment all its operations share, where a framework in front
 * answers everything else; "" where every path reaches it.
 */
export function reachOf(target: Target): string {
  if (!isKept(target, "raw target")) return "";
  const firsts = new Set(target.operations.map(({ path }) => path.split("/")[1] ?? ""));
  const [first = ""] = firsts;
  return firsts.size === 1 && first !== "" && !first.startsWith("{") ? `/${first}` : "";
}
