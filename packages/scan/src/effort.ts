/** How much a scan does: `quick` on every push, `full` before a release or at night. */
export type Profile = "quick" | "full";

/** What a profile decides. Which protections are attacked is the same in both. */
export interface Effort {
  readonly profile: Profile;
  /** How long the scan may take to stay below the target's own limits, milliseconds. */
  readonly patienceMs: number;
  /** Pairs of callers that attack each other's objects, at most. */
  readonly pairs: number;
  /** Requests about the known user in one measurement of times. */
  readonly samples: number;
  /** Try limits on every route and every sign-in, rather than on one of each kind. */
  readonly everyLimit: boolean;
}

/** Both profiles. */
export const efforts: Readonly<Record<Profile, Effort>> = {
  quick: { profile: "quick", patienceMs: 10_000, pairs: 3, samples: 8, everyLimit: false },
  full: { profile: "full", patienceMs: 30 * 60_000, pairs: 12, samples: 24, everyLimit: true },
};
