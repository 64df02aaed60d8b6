import { createHmac } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { hmac, memoryClaimStore, nothing, slack, stripe, webhook, webhookEvent } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type FrontDoor, sharedDoor, testApi } from "../front-door.ts";
import { secret, Paid, shop, event, signed, delivery, post, withDoor } from "../webhooks/shop.ts";

describe("webhook-receive: a delivery", () => {
  const test = shop();
  const door = sharedDoor(() => test);

  it("runs where its signature fits, with the declared part of the event and its sender as caller", async () => {
    const reply = await post(door, event("evt_1"));
    expect([reply.status, reply.json]).toEqual([200, { taken: true }]);
    expect(test.given.at(-1)).toEqual({
      body: { id: "evt_1", type: "checkout.paid", data: { amount: 4200, customerId: "cus_1" } },
      caller: "webhook:stripe",
      delivery: { sender: "stripe", id: "evt_1", sentAtMs: expect.any(Number) },
    });
    const [call] = await door.recorded(reply);
    expect(call).toMatchObject({ proof: "webhook-receive", status: 200 });
  });

  it("is 401 without one, nothing runs, and only the record says why", async () => {
    const before = test.given.length;
    const body = event("evt_2");
    const reply = await door.ask("POST /v1/hooks/shop", { body, headers: { "content-type": "application/json" } });
    expect([reply.status, reply.code]).toEqual([401, "bad-webhook-signature"]);
    expect(reply.headers.get("www-authenticate")).toBe("Signature");
    expect(reply.said).not.toContain("header");
    expect(await door.recorded(reply)).toContainEqual(
      expect.objectContaining({ type: "refused", protection: "webhook-receive", reason: "no signature header" }),
    );
    expect(test.given).toHaveLength(before);
  });

  it("is answered with 200 and no effect where it ran before, and the record says so", async () => {
    const body = event("evt_3");
    expect((await post(door, body)).json).toEqual({ taken: true });
    const before = test.given.length;
    const again = await post(door, body);
    expect([again.status, again.body]).toEqual([200, ""]);
    // A retry is signed anew; its id is the same.
    expect((await post(door, body, signed(body, secret, Math.floor(Date.now() / 1000) - 60))).body).toBe("");
    expect(test.given).toHaveLength(before);
    expect(await door.recorded(again)).toContainEqual(expect.objectContaining({ type: "webhook-repeated" }));
  });

  it("is refused before it is parsed: neither malformed JSON nor another content type tells a stranger anything", async () => {
    for (const body of ["{", '{"id":1,"id":2}', "[]", event("evt_4")]) {
      const reply = await door.ask("POST /v1/hooks/shop", {
        body,
        headers: { "content-type": "text/plain", "stripe-signature": "t=1,v1=00" },
      });
      expect(reply.code).toBe("bad-webhook-signature");
    }
  });

  it("is not claimed where the event does not fit: 400, and the right one with the same id runs", async () => {
    const wrong = event("evt_5").replace("checkout.paid", "checkout.invented");
    const reply = await post(door, wrong);
    expect([reply.status, reply.code]).toEqual([400, "invalid-input"]);
    expect((await post(door, event("evt_5"))).json).toEqual({ taken: true });
  });

  it("is parsed strictly once its sender is proved", async () => {
    for (const [body, code] of [
      ['{"id":"evt_6","id":"evt_7"}', "bad-body"],
      ["{", "bad-body"],
      ['{"__proto__":{}}', "bad-body"],
      ["[]", "invalid-input"],
    ] as const) {
      expect((await post(door, body)).code).toBe(code);
    }
    const form = await door.ask("POST /v1/hooks/shop", {
      body: "payload=1",
      headers: { "content-type": "application/x-www-form-urlencoded", "stripe-signature": signed("payload=1") },
    });
    expect(form.code).toBe("media-type");
  });

  it("may have thousands of keys, which nobody else may", async () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`k${n}`, n]));
    const body = JSON.stringify({ ...JSON.parse(event("evt_8")), many });
    expect((await post(door, body)).json).toEqual({ taken: true });
  });

  it("needs no credential, and looks at none", async () => {
    const body = event("evt_9");
    const sent = delivery(body);
    const reply = await door.ask("POST /v1/hooks/shop", {
      body,
      headers: { ...sent.headers, authorization: "Bearer nonsense" },
    });
    expect(reply.json).toEqual({ taken: true });
  });
});

describe("webhook-receive: claim, process, done", () => {
  it("answers 409 with Retry-After to a repetition while the first one runs, and 200 afterwards", async () => {
    let finish = (): void => undefined;
    const working = new Promise<void>((resolve) => (finish = resolve));
    const test = shop({
      async work() {
        await working;
        return undefined;
      },
    });
    await withDoor(test, async (door) => {
      const first = post(door, event("evt_1"));
      while (test.given.length === 0) await wait(5);
      const second = await post(door, event("evt_1"));
      expect([second.status, second.code]).toEqual([409, "webhook-in-progress"]);
      expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(Number(second.headers.get("retry-after"))).toBeLessThanOrEqual(60);
      finish();
      expect((await first).json).toEqual({ taken: true });
      expect((await post(door, event("evt_1"))).body).toBe("");
      expect(test.given).toHaveLength(1);
    });
  });

  it("runs one of twenty that come at once", async () => {
    const test = shop({
      async work() {
        await wait(20);
        return undefined;
      },
    });
    await withDoor(test, async (door) => {
      const replies = await Promise.all(Array.from({ length: 20 }, () => post(door, event("evt_1"))));
      expect(test.given).toHaveLength(1);
      const others = replies.filter(({ body }) => body !== '{"taken":true}');
      expect(others).toHaveLength(19);
      for (const { status } of others) expect([200, 409]).toContain(status);
    });
  });

  it.each([
    ["refuses", "refuse", 409],
    ["throws", "throw", 500],
  ] as const)("gives it back where the handler %s, so that the next try runs", async (_what, outcome, status) => {
    let tries = 0;
    const test = shop({
      async work() {
        if (++tries > 2) return undefined;
        if (outcome === "throw") throw new Error("out of order");
        return outcome;
      },
    });
    await withDoor(test, async (door) => {
      expect((await post(door, event("evt_1"))).status).toBe(status);
      expect((await post(door, event("evt_1"))).status).toBe(status);
      expect((await post(door, event("evt_1"))).json).toEqual({ taken: true });
      expect((await post(door, event("evt_1"))).body).toBe("");
      expect(tries).toBe(3);
    });
  });

  it("keeps it while a handler whose time is over may still run, until the lease ends", async () => {
    let now = 0;
    const claims = memoryClaimStore({ now: () => now });
    let hang = true;
    const test = shop({
      access: webhook(stripe({ secrets: [secret] }), { claims }),
      // Enough for who comes when nothing hangs any more.
      timeoutMs: 500,
      async work() {
        if (hang) await wait(5_000);
        return undefined;
      },
    });
    await withDoor(test, async (door) => {
      expect((await post(door, event("evt_1"))).code).toBe("handler-timeout");
      hang = false;
      expect((await post(door, event("evt_1"))).code).toBe("webhook-in-progress");
      now += 31_000;
      expect((await post(door, event("evt_1"))).json).toEqual({ taken: true });
    });
  });

  it("runs it again after a process hung with it, once the lease has ended; who comes late is told it is not his", async () => {
    let now = 0;
    let wake = (): void => undefined;
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    const claims = memoryClaimStore({ now: () => now });
    const access = webhook(stripe({ secrets: [secret] }), { claims });
    const hangs = shop({
      access,
      async work() {
        await asleep;
        return undefined;
      },
    });
    const lives = shop({ access });
    await withDoor(hangs, async (hanging) => {
      await withDoor(lives, async (door) => {
        const late = post(hanging, event("evt_1"));
        while (hangs.given.length === 0) await wait(5);
        expect((await post(door, event("evt_1"))).code).toBe("webhook-in-progress");
        now += 60_001;
        expect((await post(door, event("evt_1"))).json).toEqual({ taken: true });
        expect([hangs.given.length, lives.given.length]).toEqual([1, 1]);
        wake();
        expect((await late).code).toBe("webhook-unavailable");
        expect((await post(door, event("evt_1"))).body).toBe("");
      });
    });
  });

  it("runs one event once on each of two routes, and tells them apart", async () => {
    const claims = memoryClaimStore();
    const access = webhook(stripe({ secrets: [secret] }), { claims });
    const test = shop({ access });
    let ran = 0;
    test.api.route({ path: "POST /v1/hooks/books", access, input: { body: Paid }, output: nothing }, () => {
      ran++;
    });
    await withDoor(test, async (door) => {
      await post(door, event("evt_1"));
      const books = () => door.ask("POST /v1/hooks/books", delivery(event("evt_1")));
      expect([(await books()).status, (await books()).status]).toEqual([204, 200]);
      expect([test.given.length, ran]).toEqual([1, 1]);
    });
  });

  it("runs an event once whose id is a number, although every try is signed anew", async () => {
    const test = testApi();
    const ran: string[] = [];
    const scheme = hmac({
      name: "shop",
      secrets: [secret],
      signature: { header: "x-signature", encoding: "hex" },
      timestamp: { header: "x-time" },
      signed: "{timestamp}.{body}",
      id: { field: "id" },
    });
    const input = { body: webhookEvent(z.object({ id: z.int() })) };
    test.api.route(
      { path: "POST /v1/hooks/shop", access: webhook(scheme), input, output: nothing },
      ({ delivery: { id } }) => void ran.push(id),
    );
    const body = '{"id":4711}';
    const now = Math.floor(Date.now() / 1000);
    await withDoor(test, async (door) => {
      const statuses: number[] = [];
      for (const time of [now - 2, now - 1, now]) {
        const signature = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
        const headers = { "content-type": "application/json", "x-time": `${time}`, "x-signature": signature };
        statuses.push((await door.ask("POST /v1/hooks/shop", { body, headers })).status);
      }
      expect(statuses).toEqual([204, 200, 200]);
      expect(ran).toEqual(["4711"]);
    });
  });

  it("runs two events whose bodies are alike where the sender gives each an id, and one where it gives none", async () => {
    const body = '{"type":"ping"}';
    const test = testApi();
    const ran: string[] = [];
    const input = { body: webhookEvent(z.object({ type: z.string().max(10) })) };
    test.api.route(
      { path: "POST /v1/hooks/slack", access: webhook(slack({ secrets: [secret] })), input, output: nothing },
      ({ delivery: { id } }) => void ran.push(id),
    );
    const at = Math.floor(Date.now() / 1000);
    const send = (door: FrontDoor, time: number) =>
      door.ask("POST /v1/hooks/slack", {
        body,
        headers: {
          "content-type": "application/json",
          "x-slack-request-timestamp": String(time),
          "x-slack-signature": `v0=${createHmac("sha256", secret).update(`v0:${time}:${body}`).digest("hex")}`,
        },
      });
    await withDoor(test, async (door) => {
      expect([(await send(door, at)).status, (await send(door, at)).status]).toEqual([204, 200]);
      expect((await send(door, at - 1)).status).toBe(204);
      expect(new Set(ran).size).toBe(2);
    });
  });
});
