import { describe, expect, it } from "vitest";
import { seeded } from "../src/random.ts";
import { compareTimes, line } from "../src/timing.ts";

/** Times as a busy machine takes them: a base, a tail, and now and then a pause that strikes several in a row. */
function times(seed: number) {
  const random = seeded(seed);
  let pause = 0;
  return (base: number) => {
    if (random.int(1, 40) === 1) pause = random.int(1, 6);
    pause -= 1;
    const tail = -Math.log((random.int(1, 1000) + 0.5) / 1001) * 3;
    return base + tail + (pause > 0 ? random.int(10, 120) : 0);
  };
}

function measured(seed: number, known: number, unknown: number) {
  const take = times(seed);
  const [ours, first, second]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < 7; round += 1) {
    first.push(take(unknown));
    ours.push(take(known));
    second.push(take(unknown));
  }
  return compareTimes(ours, [first, second]).kind;
}

describe("times", () => {
  it("are not called different in 10,000 comparisons of a request with itself", () => {
    const kinds = Array.from({ length: 10_000 }, (_, seed) => measured(seed, 20, 20));
    expect(kinds.filter((kind) => kind === "different")).toEqual([]);
  });

  it("are called different where a password is hashed for one of them, whichever it is", () => {
    const found = (known: number, unknown: number) =>
      Array.from({ length: 200 }, (_, seed) => measured(seed, known, unknown)).filter((kind) => kind === "different");
    expect(found(80, 2).length).toBeGreaterThan(140);
    expect(found(2, 80).length).toBeGreaterThan(140);
  });

  it("lie on a line where a pause asked for is a pause taken", () => {
    expect(
      line([
        [0, 3],
        [1000, 1004],
        [2000, 2003],
      ]).slope,
    ).toBeCloseTo(1, 2);
    expect(
      line([
        [0, 3],
        [1000, 2],
        [2000, 4],
      ]).slope,
    ).toBeCloseTo(0, 2);
  });
});
