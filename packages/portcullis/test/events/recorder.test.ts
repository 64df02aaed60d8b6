import { describe, expect, it } from "vitest";
import { createRecorder } from "../../src/events/recorder.ts";

describe("records for a sink that never has written", () => {
  it("are given up after a while, told once, and waited for by nobody after that", async () => {
    const errors: string[] = [];
    let timers: { readonly delayMs: number; readonly work: () => void }[] = [];
    const dead = { name: "dead", write: () => new Promise<void>(() => undefined) };
    const recorder = createRecorder(
      [dead],
      { onError: (error, { stage }) => errors.push(`${stage}: ${String(error)}`) },
      (delayMs, work) => timers.push({ delayMs, work }),
    );
    recorder.record({ kind: "event", type: "started", time: 0, service: "test" });
    const flushed = recorder.flush();
    const due = timers;
    timers = [];
    for (const { work } of due) work();
    await flushed;
    await recorder.flush();
    expect(errors).toEqual(["sink dead: Error: nothing was written for 60000 ms"]);
  });
});
