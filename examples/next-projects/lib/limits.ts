import type { ApiConfig, RouteLimit } from "portcullis";

/**
 * This example counts in seconds, so that `portcullis scan` can use up every limit and see it recover within moments. In
 * production leave all of it out but `instances`: the presets are 60 reads and 10 writes a minute per caller, 300
 * requests a minute per address, and `signIn("body.email")` for a sign-in.
 */
export const limits: NonNullable<ApiConfig["limits"]> = {
  // One `next start` serves all. More of them share their counts with `limiter: redisLimiter(…)`.
  instances: 1,
  global: "2000/s",
  address: "400/s",
  wideAddress: "1600/s",
  caller: "200/s",
  failures: "200/10s",
};

/** A route that reads. In production: nothing, `read` is the preset. */
export const reading = "100/s";

/** A route that writes. In production: nothing, `write` is the preset. */
export const writing = "50/s";

/** A sign-in per machine, and failures per account. In production: `signIn("body.email")`. */
export const signingIn: readonly RouteLimit[] = [
  { rate: "50/s", by: "address" },
  { rate: "30/10s", by: "body.email", and: "address", counts: "failures" },
  { rate: "300/10s", by: "body.email", counts: "failures" },
];
