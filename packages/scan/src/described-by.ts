import type { Target } from "./target.ts";

/** What the scan went by, in a few words. */
export function describedBy(source: Target["source"]): string {
  return {
    manifest: "exact, by its manifest",
    openapi: "by its OpenAPI document",
    requests: "by recorded requests",
    discovered: "by what its answers show",
  }[source];
}
