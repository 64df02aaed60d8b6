import type { ClaimStore, WebhookAccess } from "portcullis";
import { memoryClaimStore, stripe, webhook } from "portcullis";
import { describe, expect, it } from "vitest";
import { secret, shop, event, signed, post, withDoor } from "./shop.ts";

describe("webhook-receive: a store that cannot decide", () => {
  const broken = (change: Partial<ClaimStore>): WebhookAccess =>
    webhook(stripe({ secrets: [secret] }), { claims: { ...memoryClaimStore(), ...change } });
  const throws = (): never => {
    throw new Error("the store is gone");
  };

  it.each([
    ["throws", throws],
    ["rejects", () => Promise.reject(new Error("the store is gone"))],
    ["never answers", () => new Promise<never>(() => undefined)],
  ] as const)("is 503 where claim %s, and nothing runs", async (_what, claim) => {
    const test = shop({ access: broken({ claim }), timeoutMs: 100 });
    await withDoor(test, async (door) => {
      const reply = await post(door, event("evt_1"));
      expect([reply.status, reply.code]).toEqual([503, "webhook-unavailable"]);
      expect(reply.said).not.toContain("gone");
      expect(test.given).toHaveLength(0);
    });
  });

  it("is 503 where it cannot note that the handler ran: a 2xx is only said of what is on record", async () => {
    for (const done of [throws, () => Promise.reject(new Error("the store is gone")), () => false]) {
      const test = shop({ access: broken({ done }) });
      await withDoor(test, async (door) => {
        expect((await post(door, event("evt_1"))).code).toBe("webhook-unavailable");
        expect(test.given).toHaveLength(1);
        // Not given back: it runs again only when the lease has ended.
        expect((await post(door, event("evt_1"))).code).toBe("webhook-in-progress");
      });
    }
  });

  it("says so in the log where it cannot take a delivery back, and answers as the handler did", async () => {
    for (const release of [throws, () => Promise.reject(new Error("the store is gone"))]) {
      const test = shop({ access: broken({ release }), work: () => Promise.resolve("refuse") });
      await withDoor(test, async (door) => {
        const reply = await post(door, event("evt_1"));
        expect(reply.code).toBe("conflict");
        expect(await door.recorded(reply)).toContainEqual(
          expect.objectContaining({ type: "error-thrown", reason: expect.stringContaining("lease") }),
        );
      });
    }
  });

  it("works the same with a store that answers later", async () => {
    const memory = memoryClaimStore();
    const later: ClaimStore = {
      ...memory,
      claim: async (...given) => memory.claim(...given),
      done: async (...given) => memory.done(...given),
      release: async (...given) => memory.release(...given),
    };
    const test = shop({ access: webhook(stripe({ secrets: [secret] }), { claims: later }) });
    await withDoor(test, async (door) => {
      expect((await post(door, event("evt_1"))).json).toEqual({ taken: true });
      expect((await post(door, event("evt_1"))).body).toBe("");
    });
  });
});

describe("webhook-receive: through api.fetch", () => {
  it("is the same: verified on its bytes, run once, refused where they are changed", async () => {
    const test = shop({ config: { hosts: ["api.example"], limits: { instances: 1 } } });
    const facts = { peer: "203.0.113.5", scheme: "https" } as const;
    const send = (body: string, signature: string) =>
      test.api.fetch(
        new Request("https://api.example/v1/hooks/shop", {
          method: "POST",
          headers: { host: "api.example", "content-type": "application/json", "stripe-signature": signature },
          body,
        }),
        facts,
      );
    const body = ` ${event("evt_1")} `;
    expect((await send(body, signed(body))).status).toBe(200);
    expect(await (await send(body, signed(body))).text()).toBe("");
    expect((await send(body.trim(), signed(body))).status).toBe(401);
    expect(test.given).toHaveLength(1);
    await test.api.stop();
  });
});
