import { describe, expect, it } from "vitest";
import { createTurns } from "../src/turns.ts";

describe("turns", () => {
  it("lets one at a time go, in the order in which they asked, and the next one after a failure", async () => {
    const turns = createTurns();
    const seen: string[] = [];
    const one = async (name: string) => {
      seen.push(`${name} begins`);
      await Promise.resolve();
      seen.push(`${name} ends`);
      if (name === "b") throw new Error("b fails");
    };
    const all = ["a", "b", "c"].map((name) => turns.take(() => one(name)));
    expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(seen).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  });

  it("gives the turn away while one waits, and back when the other has ended", async () => {
    const turns = createTurns();
    const seen: string[] = [];
    const waiting = Promise.withResolvers<void>();
    const first = turns.take(async () => {
      seen.push("a sends");
      await turns.aside(() => waiting.promise);
      seen.push("a sends again");
    });
    const second = turns.take(async () => {
      seen.push("b sends");
      waiting.resolve();
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.push("b ends");
    });
    await Promise.all([first, second]);
    expect(seen).toEqual(["a sends", "b sends", "b ends", "a sends again"]);
  });

  it("only waits where nobody takes turns", async () => {
    const turns = createTurns();
    expect(await turns.aside(() => Promise.resolve("waited"))).toBe("waited");
    expect(await turns.take(() => Promise.resolve("went"))).toBe("went");
  });
});
