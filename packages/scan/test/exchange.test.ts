import { expect, it } from "vitest";
import { answerOf } from "../src/answer.ts";
import { exchangeOf } from "../src/exchange.ts";
import { createRedactor } from "../src/redact.ts";

const secret = "sk_live_0123456789abcdefghijklmnop";

it("shows no half of a secret where a body, an answer or a header is cut", () => {
  const redactor = createRedactor();
  redactor.add(secret, "alice");
  for (let before = 1970; before < 2010; before += 1) {
    const body = `${"x".repeat(before)}${secret}${"y".repeat(3000)}`;
    const exchange = exchangeOf(
      {
        leg: "attack",
        outgoing: {
          label: "alice",
          method: "POST",
          target: "/a",
          headers: [["x-long", `${"h".repeat(before - 1600)}${secret}${"h".repeat(600)}`]],
          body,
        },
        answer: answerOf({ status: 200, rawHeaders: [], body: Buffer.from(body), ms: 1 }),
      },
      redactor,
    );
    expect(JSON.stringify(exchange)).not.toContain(secret.slice(0, 8));
    expect(JSON.stringify(exchange)).toContain(`(${body.length} characters)`);
  }
});
