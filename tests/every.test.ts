import { type Report, reportOf } from "@portcullis/scan/reporters";
import type { Verdict } from "@portcullis/scan";
import { expect, it } from "vitest";
import { repeatedly } from "../packages/cli/src/outputs/every.ts";
import { resultOf, verdictOf } from "../packages/scan/test/report-of.ts";

it("a finding that one scan of many could not decide is not told as new when it is seen again, and is told when it is fixed", async () => {
  const kinds: readonly Verdict["verdict"][] = ["broken", "inconclusive", "broken", "inconclusive", "held"];
  const told: unknown[] = [];
  const seen: (Report["difference"] | undefined)[] = [];
  const stop = new AbortController();
  await repeatedly({
    everyMs: 1,
    signal: stop.signal,
    notifier: { send: (event) => Promise.resolve(void told.push(event)) },
    scan: (before) => {
      const verdict = verdictOf("jwt", "alg-none", { verdict: kinds[seen.length] ?? "held" });
      const report = reportOf(resultOf([verdict]), before === undefined ? {} : { before });
      seen.push(report.difference);
      if (seen.length === kinds.length) stop.abort();
      return Promise.resolve({ report, exitCode: 0 });
    },
    say: (line) => {
      throw new Error(line);
    },
  });
  expect(seen.map((difference) => difference?.undecided.length)).toEqual([undefined, 1, 0, 1, 0]);
  expect(told).toMatchObject([
    { first: true, new: { count: 1 }, fixed: { count: 0 } },
    { first: false, new: { count: 0 }, fixed: { count: 1 } },
  ]);
});
