import type { AlertsOptions } from "../alerts/watch.ts";
import type { Problem } from "../environment.ts";
import { OptionsError } from "../lib/options-error.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import { parseRate } from "../limits/rate.ts";
import type { ApiConfig } from "../api-config.ts";

const rates = ["failedSignIns", "probing", "distributedLimitHits", "injectionPatterns", "reads", "slowCalls"] as const;
const numbers = {
  slowMs: [1, 3_600_000],
  spikeFactor: [1, 1_000],
  spikeMinimum: [1, 1_000_000_000],
  serverErrorShare: [0.001, 1],
  clientErrorShare: [0.001, 1],
} as const;
const known: readonly string[] = ["deliver", ...rates, ...Object.keys(numbers)] satisfies readonly string[];

/** Detectors keep an address, or a time, for each of what they count; so many are enough to be sure. */
const largestCount = 10_000;

/** Options of the alerts that nobody could watch by. */
export function alertProblems({ alerts }: ApiConfig): readonly Problem[] {
  if (alerts === undefined || alerts === "none") return [];
  if (typeof alerts !== "object" || alerts === null) {
    return [problem("alerts", "is no object", 'write { deliver } and what departs from the defaults, or "none"')];
  }
  const found = unknownKeys(alerts, known).map((key) =>
    problem(`alerts.${key}`, "is no option", `the options are ${known.join(", ")}`),
  );
  if (alerts.deliver !== undefined && typeof alerts.deliver !== "function") {
    found.push(problem("alerts.deliver", "is no function", "give a function that takes an alert"));
  }
  for (const name of rates) found.push(...rateProblems(name, alerts));
  for (const [name, [least, most]] of Object.entries(numbers)) {
    const value: unknown = Reflect.get(alerts, name);
    if (value === undefined || (typeof value === "number" && value >= least && value <= most)) continue;
    found.push(problem(`alerts.${name}`, "is out of range", `write a number from ${least} to ${most}`));
  }
  return found;
}

function rateProblems(name: (typeof rates)[number], alerts: AlertsOptions): readonly Problem[] {
  const rate = alerts[name];
  if (rate === undefined) return [];
  try {
    if (parseRate(rate).limit <= largestCount) return [];
    return [problem(`alerts.${name}`, "counts more than can be kept", `write at most ${largestCount}`)];
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    return [problem(`alerts.${name}`, error.message, error.fix)];
  }
}

function problem(field: string, text: string, fix: string): Problem {
  return { where: "createApi", field, problem: text, fix };
}
