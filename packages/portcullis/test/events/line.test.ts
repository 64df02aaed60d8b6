import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lineOf } from "../../src/events/line.ts";
import type { CallRecord } from "../../src/events/record.ts";

const text = fc.string({
  unit: fc.oneof(fc.string({ maxLength: 1 }), fc.constantFrom('"', "\\", "\n", "\u0000", "\ud800", "é", "😀")),
});
const optional = fc.option(text, { nil: undefined });

const callRecord: fc.Arbitrary<CallRecord> = fc.record({
  kind: fc.constant("call" as const),
  time: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  service: text,
  requestId: text,
  account: optional,
  tenant: optional,
  proof: optional,
  address: text,
  userAgent: optional,
  method: text,
  route: optional,
  status: fc.integer({ min: 100, max: 599 }),
  durationMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
  code: optional,
  aborted: fc.boolean(),
});

describe("audit: a line of the audit log", () => {
  it("is what JSON.stringify would write, with the time as RFC 3339", () => {
    fc.assert(
      fc.property(callRecord, (record) => {
        expect(lineOf(record)).toBe(JSON.stringify({ ...record, time: new Date(record.time).toISOString() }));
      }),
      { seed: 20_26, numRuns: 500 },
    );
  });

  it("writes the milliseconds of times within one second apart", () => {
    const times = [0, 7, 42, 999].map((ms) => 1_700_000_000_000 + ms);
    const written = times.map((time) => lineOf({ kind: "event", type: "started", time, service: "s" }));
    expect(written).toEqual(times.map((time) => expect.stringContaining(`"time":"${new Date(time).toISOString()}"`)));
  });

  it("of an event leaves out what is not there", () => {
    const line = lineOf({ kind: "event", type: "refused", time: 0, service: "s", code: "bad-token", reason: 'a "b"' });
    expect(line).toBe(
      '{"kind":"event","type":"refused","time":"1970-01-01T00:00:00.000Z","service":"s","code":"bad-token","reason":"a \\"b\\""}',
    );
  });
});
