import type { SecurityEvent } from "portcullis";
import { describe, expect, it } from "vitest";
import { createCrowd } from "../../src/events/crowd.ts";

function refusal(address: string, time: number): SecurityEvent {
  return { kind: "event", type: "refused", time, service: "crowd", address, code: "rate-limited", status: 429 };
}

function crowd() {
  const written: SecurityEvent[] = [];
  let timers: (() => void)[] = [];
  const made = createCrowd(
    (event) => written.push(event),
    (_delayMs, work) => timers.push(work),
  );
  return {
    refused: (address: string, time = 0) => made.refused(true, refusal(address, time)),
    counts: () => written.map(({ address, count = 1 }) => `${address} ${count}`),
    second() {
      const due = timers;
      timers = [];
      for (const work of due) work();
    },
    lose() {
      timers = [];
    },
  };
}

describe("a flood in the records", () => {
  it("is one event although it comes from every address of an IPv6 network one machine has", () => {
    const { refused, counts, second } = crowd();
    for (let host = 1; host <= 500; host++) refused(`2001:db8:1:2::${host.toString(16)}`);
    refused("2001:db8:1:3::1");
    second();
    expect(counts()).toEqual(["2001:db8:1:2::1 500", "2001:db8:1:3::1 1"]);
  });

  it("keeps IPv4 addresses apart", () => {
    const { refused, counts, second } = crowd();
    for (const address of ["192.0.2.1", "192.0.2.2", "192.0.2.1"]) refused(address);
    second();
    expect(counts()).toEqual(["192.0.2.1 2", "192.0.2.2 1"]);
  });

  it("is written although the host dropped the timer with the request that set it", () => {
    const { refused, counts, second, lose } = crowd();
    refused("192.0.2.1", 1_000);
    lose();
    refused("192.0.2.1", 4_000);
    expect(counts()).toEqual(["192.0.2.1 1"]);
    second();
    expect(counts()).toEqual(["192.0.2.1 1", "192.0.2.1 1"]);
  });
});
