import type { Detector } from "./detector.ts";

/**
 * A refresh token that was used again after it had been replaced: two hold it, and one of them has it from somewhere. Once
 * is enough, because honest clients do not.
 *
 * @see RFC 9700 section 4.14.2
 */
export function refreshReuse(): Detector {
  return {
    see(entry, _nowMs, tell) {
      if (entry.kind !== "event" || entry.type !== "refresh-reused") return;
      const { account = "unknown", requestId } = entry;
      tell({
        detector: "refresh-reuse",
        about: { kind: "account", name: account },
        count: 1,
        threshold: 1,
        windowMs: 0,
        requestIds: requestId === undefined ? [] : [requestId],
        says: "a refresh token was used again after it was replaced: somebody else has it; everything of that sign-in was ended",
      });
    },
  };
}
