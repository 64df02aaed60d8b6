import { describe, expect, it } from "vitest";
import { startUpkeep } from "../../src/identity/upkeep.ts";

describe("upkeep", () => {
  it("does every job again and again, one after the other, whatever becomes of the others", async () => {
    const done: string[] = [];
    const failures: unknown[] = [];
    let running = 0;
    const job =
      (name: string, fails = false) =>
      async () => {
        expect(++running).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running--;
        done.push(name);
        if (fails) throw new Error(name);
      };
    const upkeep = startUpkeep([job("first", true), job("second")], 5, (error) => failures.push(error));
    while (done.length < 6) await new Promise((resolve) => setTimeout(resolve, 5));
    await upkeep.close();
    const { length } = done;
    expect(done.slice(0, 4)).toEqual(["first", "second", "first", "second"]);
    expect(failures.length).toBeGreaterThanOrEqual(2);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(done).toHaveLength(length);
  });

  it("waits for what is under way when it is closed, and tells who asked what failed", async () => {
    let isDone = false;
    const upkeep = startUpkeep(
      [
        async () => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          isDone = true;
        },
        () => Promise.reject(new Error("one")),
        () => Promise.reject(new Error("two")),
      ],
      3_600_000,
      () => {},
    );
    const asked = upkeep.now();
    const told = expect(asked).rejects.toThrow(/several jobs/);
    await upkeep.close();
    expect(isDone).toBe(true);
    await told;
  });
});
