import { describe, expect, it } from "vitest";
import { createDeadlines } from "../../src/lib/deadlines.ts";

/** Deadlines over a clock and a timer that the test moves. */
function moved() {
  let now = 0;
  let timers: { readonly atMs: number; readonly work: () => void }[] = [];
  const deadlines = createDeadlines(
    () => now,
    (delayMs, work) => timers.push({ atMs: now + delayMs, work }),
  );
  function to(ms: number): void {
    for (;;) {
      const next = timers.filter((timer) => timer.atMs <= ms).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      timers = timers.filter((timer) => timer !== next);
      now = next.atMs;
      next.work();
    }
    now = ms;
  }
  function lose(): void {
    timers = [];
  }
  return { deadlines, to, lose, timers: () => timers.length };
}

describe("deadlines", () => {
  it("expire once, never early and at most a quarter second late", () => {
    const { deadlines, to } = moved();
    const expired: string[] = [];
    deadlines.add(1_000, () => expired.push("second"));
    deadlines.add(400, () => expired.push("first"));
    to(399);
    expect(expired).toEqual([]);
    to(650);
    expect(expired).toEqual(["first"]);
    to(999);
    expect(expired).toEqual(["first"]);
    to(5_000);
    expect(expired).toEqual(["first", "second"]);
  });

  it("that were taken away do not expire, whichever of several they are", () => {
    const { deadlines, to } = moved();
    const expired: number[] = [];
    const added = [0, 1, 2, 3, 4].map((n) => deadlines.add(100, () => expired.push(n)));
    for (const n of [0, 2, 4]) deadlines.remove(added[n] ?? { atMs: 0 });
    to(1_000);
    expect(expired).toEqual([1, 3]);
  });

  it("may be taken away twice, and after they expired", () => {
    const { deadlines, to } = moved();
    const expired: string[] = [];
    const one = deadlines.add(100, () => expired.push("one"));
    deadlines.add(200, () => expired.push("other"));
    deadlines.remove(one);
    deadlines.remove(one);
    to(1_000);
    deadlines.remove(one);
    expect(expired).toEqual(["other"]);
  });

  it("may be taken away and set by one that expires", () => {
    const { deadlines, to } = moved();
    const expired: string[] = [];
    deadlines.add(100, () => {
      expired.push("first");
      deadlines.remove(later);
      deadlines.add(100, () => expired.push("new"));
    });
    const later = deadlines.add(100, () => expired.push("never"));
    to(300);
    expect(expired).toEqual(["first"]);
    to(1_000);
    expect(expired).toEqual(["first", "new"]);
  });

  it("need one timer together, and none when there are none", () => {
    const { deadlines, to, timers } = moved();
    const added = Array.from({ length: 100 }, () => deadlines.add(10_000, () => undefined));
    expect(timers()).toBe(1);
    for (const one of added) deadlines.remove(one);
    to(1_000);
    expect(timers()).toBe(0);
  });

  it("expire although the host dropped the timer with the request that set it", () => {
    const { deadlines, to, lose, timers } = moved();
    const expired: string[] = [];
    deadlines.add(1_000, () => expired.push("stalled"));
    lose();
    to(2_000);
    expect(expired).toEqual([]);
    deadlines.add(60_000, () => expired.push("next"));
    to(2_250);
    expect(expired).toEqual(["stalled"]);
    expect(timers()).toBe(1);
  });

  it("go on with one timer where the one that was given up comes after all", () => {
    let now = 0;
    const timers: (() => void)[] = [];
    const deadlines = createDeadlines(
      () => now,
      (_delayMs, work) => timers.push(work),
    );
    deadlines.add(60_000, () => undefined);
    now = 5_000;
    deadlines.add(60_000, () => undefined);
    expect(timers).toHaveLength(2);
    for (let n = 0; n < 10; n++) timers.shift()?.();
    expect(timers).toHaveLength(1);
  });
});
