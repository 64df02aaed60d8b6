import { describe, expect, it } from "vitest";
import { type Answer, answerOf, noAnswer } from "../src/answer.ts";
import { contentOf, judge, resembles, sameSignature, volatilePaths } from "../src/oracle.ts";

const json = (status: number, value: unknown): Answer =>
  answerOf({
    status,
    rawHeaders: ["Content-Type", "application/json"],
    body: Buffer.from(JSON.stringify(value)),
    ms: 1,
  });

const mine = json(200, { id: "1", name: "pc-run-mark", url: "https://example.com" });
const refused = json(401, { title: "No", status: 401, requestId: "a1b2c3d4e5" });

describe("oracle", () => {
  it("takes the marker for proof, whatever the status", () => {
    expect(
      judge(json(403, { name: "pc-run-mark" }), { positive: mine, negatives: [refused], canary: "pc-run-mark" }),
    ).toBe("granted");
  });

  it("takes the right shape without the marker for no proof", () => {
    const other = json(200, { id: "2", name: "something else", url: "https://example.com" });
    expect(judge(other, { positive: mine, negatives: [refused], canary: "pc-run-mark" })).toBe("refused");
  });

  it("does not decide by status alone: a refusal may be a 200", () => {
    const soft = json(200, { success: false, error: "no" });
    expect(judge(soft, { positive: mine, negatives: [json(200, { success: false, error: "no" })] })).toBe("refused");
    expect(judge(soft, { positive: mine, negatives: [refused] })).toBe("unclear");
  });

  it("says that it cannot tell when good and bad look the same", () => {
    const all = json(200, { ok: true });
    expect(judge(all, { positive: all, negatives: [all] })).toBe("unclear");
  });

  it("tells a list by its marker, even where a list of what is not there is an empty one too", () => {
    const full = json(200, [{ id: "1", text: "pc-run-mark" }]);
    const known = { positive: full, negatives: [json(200, [])], canary: "pc-run-mark" };
    expect(judge(json(200, []), known)).toBe("refused");
    expect(judge(full, known)).toBe("granted");
    expect(judge(json(200, []), { ...known, canary: undefined })).toBe("unclear");
  });

  it("keeps a limit apart from a refusal", () => {
    expect(judge(json(429, {}), { positive: mine, negatives: [refused] })).toBe("limited");
  });

  it("takes a closed connection for a refusal, and silence for nothing", () => {
    expect(judge(noAnswer("the connection was closed", 1), { positive: mine, negatives: [refused] })).toBe("refused");
    expect(judge(noAnswer("no answer in time", 1), { positive: mine, negatives: [refused] })).toBe("unclear");
  });

  it("does not call an internal error refused or granted", () => {
    expect(judge(json(500, { title: "Internal" }), { positive: mine, negatives: [refused] })).toBe("unclear");
  });

  it("compares refusals without ids, numbers and times", () => {
    expect(sameSignature(refused, json(401, { title: "No", status: 401, requestId: "ffffffff99" }))).toBe(true);
    expect(sameSignature(refused, json(401, { title: "Expired", status: 401, requestId: "ffffffff99" }))).toBe(false);
  });

  it("takes an empty list for the shape of a full one", () => {
    expect(
      resembles(json(200, { items: [], next: null }), json(200, { items: [{ id: "1", name: "x" }], next: null })),
    ).toBe(true);
  });

  it("leaves out what changes by itself", () => {
    const first = json(200, { id: "1", at: 1 });
    const second = json(200, { id: "1", at: 2 });
    const volatile = volatilePaths([first, second]);
    expect([...volatile]).toEqual(["at"]);
    expect(contentOf(first, volatile)).toBe(contentOf(second, volatile));
  });
});
