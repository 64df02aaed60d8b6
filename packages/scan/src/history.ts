import type { Trial } from "./exchange.ts";
import type { Identity } from "./identities.ts";
import type { Operation } from "./target.ts";

/** When who sent something: what a limiter counts is what was sent before, too. */
export interface History {
  /** To be told of every request. */
  watch(trial: Trial): void;
  /**
   * Most requests that were sent inside so many milliseconds.
   *
   * @param of    by somebody, of one operation; what is undefined may be anybody's, and of any
   * @param from  of those sent between two times alone, milliseconds of `performance.now()`
   */
  most(of: Sent, insideMs: number, from: number, to: number): number;
}

/** Whose requests, and of what. */
export interface Sent {
  readonly who: Identity | undefined;
  readonly operation: Operation | undefined;
}

/** Makes a history of nothing. */
export function createHistory(): History {
  const sent: { readonly who: string | undefined; readonly operation: Operation | undefined; readonly at: number }[] =
    [];
  return {
    watch({ outgoing, answer }) {
      sent.push({ who: outgoing.as?.name, operation: outgoing.operation, at: performance.now() - answer.ms });
    },
    most({ who, operation }, insideMs, from, to) {
      const times = sent
        .filter(({ at }) => at >= from && at <= to)
        .filter((one) => who === undefined || one.who === who.name)
        .filter((one) => operation === undefined || one.operation === operation)
        .map(({ at }) => at)
        .sort((left, right) => left - right);
      let first = 0;
      return times.reduce((most, at, index) => {
        while ((times[first] ?? at) < at - insideMs) first += 1;
        return Math.max(most, index - first + 1);
      }, 0);
    },
  };
}
