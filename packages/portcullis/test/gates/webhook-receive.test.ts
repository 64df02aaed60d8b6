import { createHmac } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { ApiConfig, ClaimStore, WebhookAccess } from "portcullis";
import {
  apiKeys,
  by,
  cursorPages,
  github,
  hmac,
  memoryClaimStore,
  memoryKeyStore,
  nothing,
  refuse,
  slack,
  standardWebhooks,
  stripe,
  webhook,
  webhookEvent,
} from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type FrontDoor, openDoor, routeUntyped, sharedDoor, type TestApi, testApi } from "../front-door.ts";

const secret = "whsec_tests-only-3f9c1b7e5a2d48c6";
const newSecret = "whsec_tests-only-a41d0c7b93e2865f";

const Paid = webhookEvent(
  z.object({
    id: z.string().max(100),
    type: z.enum(["checkout.paid", "checkout.failed"]),
    data: z.object({ amount: z.int().min(0).max(1_000_000), customerId: z.string().max(100) }),
  }),
);

interface Change {
  readonly access?: WebhookAccess;
  readonly config?: Partial<ApiConfig>;
  readonly timeoutMs?: number;
  /** What the handler does; whatever it returns is its outcome. */
  readonly work?: (id: string) => Promise<"refuse" | undefined>;
}

/** An API with a route of Stripe's, and what its handler was given. */
function shop({ access, config, timeoutMs, work }: Change = {}): TestApi & { readonly given: unknown[] } {
  const test = testApi(config);
  const given: unknown[] = [];
  test.api.route(
    {
      path: "POST /v1/hooks/shop",
      access: access ?? webhook(stripe({ secrets: [secret] })),
      input: { body: Paid },
      output: z.strictObject({ taken: z.boolean() }),
      limit: "100000/s",
      ...(timeoutMs !== undefined && { timeoutMs }),
    },
    async ({ body, caller, delivery }) => {
      given.push({ body, caller: caller.subject, delivery });
      const outcome = await work?.(body.id);
      if (outcome === "refuse") return refuse("conflict", "the test says so");
      return { taken: true };
    },
  );
  return { ...test, given };
}

const event = (id: string): string =>
  JSON.stringify({
    id,
    type: "checkout.paid",
    data: { amount: 4200, customerId: "cus_1", invented: true },
    api_version: "2026-01-01",
  });

function signed(body: string, key = secret, seconds = Math.floor(Date.now() / 1000)): string {
  return `t=${seconds},v1=${createHmac("sha256", key).update(`${seconds}.${body}`).digest("hex")}`;
}

function delivery(body: string, signature = signed(body)) {
  return { body, headers: { "content-type": "application/json; charset=utf-8", "stripe-signature": signature } };
}

const post = (door: FrontDoor, body: string, signature?: string) =>
  door.ask("POST /v1/hooks/shop", delivery(body, signature));

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
      timeoutMs: 50,
      async work() {
        if (hang) await wait(1_000);
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

describe("webhook-receive: time, rotation and limits", () => {
  it("takes a time five minutes off, each way, and not a second more", async () => {
    const start = 1_900_000_000_000;
    const test = shop({ config: { clock: { now: () => start, monotonic: () => performance.now() } } });
    await withDoor(test, async (door) => {
      const at = (seconds: number, id: string) =>
        post(door, event(id), signed(event(id), secret, start / 1000 + seconds));
      expect((await at(-300, "a")).status).toBe(200);
      expect((await at(300, "b")).status).toBe(200);
      expect((await at(-301, "c")).status).toBe(401);
      expect((await at(301, "d")).status).toBe(401);
    });
  });

  it("takes both secrets while one is rotated, and the old one no longer afterwards", async () => {
    const during = shop({ access: webhook(stripe({ secrets: [newSecret, secret] })) });
    await withDoor(during, async (door) => {
      expect((await post(door, event("a"), signed(event("a"), secret))).status).toBe(200);
      expect((await post(door, event("b"), signed(event("b"), newSecret))).status).toBe(200);
      const both = `${signed(event("c"), "whsec_yet-another-one-of-many")},${signed(event("c")).split(",")[1] ?? ""}`;
      expect((await post(door, event("c"), both)).status).toBe(200);
    });
    const after = shop({ access: webhook(stripe({ secrets: [newSecret] })) });
    await withDoor(after, async (door) => {
      expect((await post(door, event("a"), signed(event("a"), secret))).status).toBe(401);
    });
  });

  it("takes no refusal of a handler for a guess of the sender: others of its deliveries go on", async () => {
    const test = testApi({
      limits: { global: "100000/s", address: "100000/s", wideAddress: "100000/s", caller: "100000/s", failures: "2/h" },
    });
    test.api.route(
      {
        path: "POST /v1/hooks/shop",
        access: webhook(stripe({ secrets: [secret] })),
        input: { body: Paid },
        output: nothing,
      },
      ({ body }) => (body.id === "known" ? undefined : refuse("not-found", "the test does not know it")),
    );
    await withDoor(test, async (door) => {
      for (const id of ["a", "b", "c", "d"]) expect((await post(door, event(id))).status).toBe(404);
      expect((await post(door, event("known"))).status).toBe(204);
    });
  });

  it("counts the sender, once it is proved, and guesses by their address", async () => {
    const test = testApi({
      limits: { global: "100000/s", address: "100000/s", wideAddress: "100000/s", caller: "3/h", failures: "4/h" },
    });
    test.api.route(
      {
        path: "POST /v1/hooks/shop",
        access: webhook(stripe({ secrets: [secret] })),
        input: { body: Paid },
        output: nothing,
      },
      () => undefined,
    );
    await withDoor(test, async (door) => {
      const statuses: number[] = [];
      for (const id of ["a", "b", "c", "d"]) statuses.push((await post(door, event(id))).status);
      expect(statuses).toEqual([204, 204, 204, 429]);
      const guesses: number[] = [];
      for (let n = 0; n < 5; n++) guesses.push((await post(door, event("x"), "t=1,v1=00")).status);
      expect(guesses).toEqual([401, 401, 401, 401, 429]);
    });
  });
});

describe("webhook-receive: senders that are described", () => {
  const key = "tests only: 2c7f90d1b6e845a3";
  const hex = Buffer.from(key).toString("hex");
  const body = '{"type":"order.paid","event":"ord_1"}';
  const millis = (): string => String(Date.now());
  const sign = (hash: string, text: string, encoding: "hex" | "base64") =>
    createHmac(hash, key).update(text).digest(encoding);

  it.each([
    [
      "the body alone, in base64",
      {
        signature: { header: "X-Shop-Hmac", encoding: "base64" },
        signed: "{body}",
        dangerouslyWithoutTime: "the shop signs the body alone",
      },
      () => ({ "x-shop-hmac": sign("sha256", body, "base64") }),
    ],
    [
      "milliseconds, in capital letters, under a secret in hexadecimal",
      {
        secrets: [hex.toUpperCase()],
        secretEncoding: "hex",
        algorithm: "sha512",
        signature: { header: "X-Sig", encoding: "hex", prefix: "sha512=" },
        signed: "v1:{timestamp}:{body}",
        timestamp: { header: "X-Time", unit: "milliseconds" },
      },
      (time: string) => ({
        "x-time": time,
        "x-sig": `sha512=${sign("sha512", `v1:${time}:${body}`, "hex").toUpperCase()}`,
      }),
    ],
    [
      "a time right before the body, and an id inside it",
      {
        signature: { header: "X-Sig", encoding: "hex" },
        signed: "{timestamp}{body}",
        timestamp: { header: "X-Time", unit: "milliseconds" },
        id: { field: "event" },
      },
      (time: string) => ({ "x-time": time, "x-sig": sign("sha256", `${time}${body}`, "hex") }),
    ],
  ] as const)("are verified by what they sign: %s", async (_what, described, headersAt) => {
    const test = testApi();
    const ids: string[] = [];
    test.api.route(
      {
        path: "POST /v1/hooks/ours",
        access: webhook(hmac({ name: "ours", secrets: [key], ...described }), { claims: memoryClaimStore() }),
        input: { body: webhookEvent(z.object({ type: z.string().max(20) })) },
        output: nothing,
      },
      ({ delivery: { id, sender } }) => void ids.push(`${sender} ${id.slice(0, 7)}`),
    );
    await withDoor(test, async (door) => {
      const headers = { "content-type": "application/json", ...headersAt(millis()) };
      const send = (sent: string, more = {}) =>
        door.ask("POST /v1/hooks/ours", { body: sent, headers: { ...headers, ...more } });
      expect((await send(body)).status).toBe(204);
      expect((await send(body)).status).toBe(200);
      expect((await send(`${body} `)).status).toBe(401);
      if ("timestamp" in described) {
        expect((await send(body, { "x-time": millis().slice(0, -3) })).status).toBe(401);
        expect((await send(body, headersAt(String(Date.now() - 301_000)))).status).toBe(401);
      }
      expect(ids).toEqual([expect.stringMatching(/^ours (?:sha256:|ord_1)$/)]);
    });
    const { dangerously } = z.object({ dangerously: z.array(z.unknown()) }).parse(test.api.manifest()["x-portcullis"]);
    expect(dangerously).toEqual(
      "dangerouslyWithoutTime" in described
        ? [{ where: "POST /v1/hooks/ours", option: "dangerouslyWithoutTime", reason: described.dangerouslyWithoutTime }]
        : [],
    );
  });
});

describe("webhook-receive: what stops the start", () => {
  const input = { body: Paid };
  const route = { path: "POST /v1/hooks/shop", input, output: nothing } as const;

  function problemsOf(policy: Readonly<Record<string, unknown>>, config: Partial<ApiConfig> = {}): readonly string[] {
    const { api } = testApi(config);
    routeUntyped(api, { ...route, ...policy });
    return api.problems().map(({ field, problem, fix }) => {
      expect(fix).not.toBe("");
      expect(`${problem} ${fix}`).not.toContain(secret);
      return `${field}: ${problem}`;
    });
  }

  it("nothing, where the policy is whole", () => {
    expect(problemsOf({ access: webhook(stripe({ secrets: [secret] })) })).toEqual([]);
    expect(problemsOf({ access: webhook(stripe({ secrets: [secret] })) }, { credentials: [] })).toEqual(
      problemsOf({ access: webhook(stripe({ secrets: [secret] })) }, { credentials: [] }).filter(
        (text) => !text.includes("hooks"),
      ),
    );
  });

  const text = "32 characters that say nothing..";
  it.each([
    ["no secret", stripe({ secrets: [] }), "there is no secret"],
    ["an empty one", stripe({ secrets: [""] }), "is empty"],
    ["one that is not set", github({ secrets: ["undefined"] }), "is a placeholder"],
    ["a short one", github({ secrets: ["short"] }), "shorter than 16 bytes"],
    ["a repeated letter", github({ secrets: ["a".repeat(40)] }), "repeats a few characters"],
    ["a placeholder", stripe({ secrets: ["whsec_your_webhook_secret_here"] }), "is a placeholder"],
    ["another placeholder", slack({ secrets: ["<your signing secret>"] }), "is a placeholder"],
    ["changeme", slack({ secrets: ["change-me-change-me"] }), "is a placeholder"],
    ["an API key", stripe({ secrets: ["sk_live_51H8xAbCdEfGhIjKl"] }), "is an API key"],
    ["a line end", stripe({ secrets: [`${secret}\n`] }), "white space"],
    ["the same twice", stripe({ secrets: [secret, secret] }), "listed twice"],
    ["nine of them", stripe({ secrets: Array.from({ length: 9 }, (_, n) => `${secret}${n}`) }), "there are 9"],
    [
      "16 bytes of Standard Webhooks",
      standardWebhooks({ secrets: [`whsec_${btoa("0123456789abcdef")}`] }),
      "shorter than 24",
    ],
    ["65 bytes of it", standardWebhooks({ secrets: [`whsec_${btoa("0123456789".repeat(7))}`] }), "longer than 64"],
    ["no base64", standardWebhooks({ secrets: ["whsec_not base64 at all!"] }), "is not base64"],
    ["a tolerance of an hour", stripe({ secrets: [secret], toleranceSeconds: 3_600 }), "3600 is out of range"],
    ["a tolerance of nothing", stripe({ secrets: [secret], toleranceSeconds: 0 }), "0 is out of range"],
    ["a tolerance that is none", stripe({ secrets: [secret], toleranceSeconds: Number.NaN }), "NaN is out of range"],
  ])("%s", (_what, scheme, problem) => {
    const found = problemsOf({ access: webhook(scheme, { claims: memoryClaimStore() }) });
    expect(found).toEqual([expect.stringContaining(problem)]);
  });

  const described = { name: "ours", secrets: [text], signature: { header: "x-sig", encoding: "hex" } } as const;
  it.each([
    ["neither a time nor why", { signed: "{body}" }, "recorded delivery would count for ever"],
    ["a blank reason", { signed: "{body}", dangerouslyWithoutTime: " " }, "recorded delivery would count for ever"],
    ["a time outside the signed text", { signed: "{body}", timestamp: { header: "x-time" } }, "leaves the time out"],
    [
      "an id outside the signed text",
      { signed: "{timestamp}.{body}", timestamp: { header: "x-time" }, id: { header: "x-id" } },
      "leaves the id out",
    ],
    ["a time nobody sends", { signed: "{timestamp}.{body}", dangerouslyWithoutTime: "w" }, "is not said"],
    [
      "an id that has no end",
      { signed: "{id}{timestamp}.{body}", timestamp: { header: "t" }, id: { header: "i" } },
      "nothing behind {id}",
    ],
    ["a time that has no end", { signed: "{timestamp}0{body}", timestamp: { header: "t" } }, "where {timestamp} ends"],
    ["no body in it", { signed: "{timestamp}.", timestamp: { header: "t" } }, "does not end with the body"],
    ["a name we do not know", { signed: "{url}{timestamp}.{body}", timestamp: { header: "t" } }, "cannot stand in it"],
    ["the body twice", { signed: "{body}{timestamp}.{body}", timestamp: { header: "t" } }, "twice"],
    ["a header that is none", { signed: "{timestamp}.{body}", timestamp: { header: "x time" } }, "no header name"],
    [
      "both a time and a reason for none",
      { signed: "{timestamp}.{body}", timestamp: { header: "t" }, dangerouslyWithoutTime: "w" },
      "beside a timestamp",
    ],
  ] as const)("hmac with %s", (_what, change, problem) => {
    const scheme: unknown = Reflect.apply(hmac, undefined, [{ ...described, ...change }]);
    const access: unknown = Reflect.apply(webhook, undefined, [scheme, { claims: memoryClaimStore() }]);
    expect(problemsOf({ access })).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
  });

  it("a store of one process for several instances", () => {
    const several = { limits: { instances: 2 }, cursors: { secret: "32 random bytes, or what looks so" } };
    const memory = webhook(stripe({ secrets: [secret] }));
    const aboutClaims = (access: WebhookAccess) =>
      problemsOf({ access }, several).filter((text) => text.startsWith("access.claims"));
    expect(aboutClaims(memory)).toEqual([expect.stringContaining("by each instance for itself")]);
    const shared: ClaimStore = { ...memoryClaimStore(), kind: "redis", reach: "network" };
    expect(aboutClaims(webhook(stripe({ secrets: [secret] }), { claims: shared }))).toEqual([]);
  });

  it("a sender that signs no time, and a store that nobody chose", () => {
    const scheme = github({ secrets: [secret] });
    expect(problemsOf({ access: webhook(scheme) })).toEqual([expect.stringContaining("forgotten at every restart")]);
    expect(problemsOf({ access: webhook(scheme, { claims: memoryClaimStore() }) })).toEqual([]);
  });

  it.each([
    ["a lease that ends before the handler", { leaseSeconds: 30 }, "access.leaseSeconds"],
    ["a lease without end", { leaseSeconds: Infinity }, "access.leaseSeconds"],
    ["a memory of a minute", { keepSeconds: 60 }, "access.keepSeconds"],
    ["a memory shorter than the signature counts", { keepSeconds: 600 }, "access.keepSeconds"],
  ])("%s", (_what, options, field) => {
    const access = webhook(stripe({ secrets: [secret], toleranceSeconds: 900 }), options);
    expect(problemsOf({ access })).toEqual([expect.stringContaining(field)]);
  });

  it.each([
    ["a GET", { path: "GET /v1/hooks/shop" }, "a GET is no delivery"],
    ["no body", { input: {} }, "has no schema"],
    ["a session", { startsSession: true }, "a delivery signs nobody in"],
    ["a kept answer", { cache: "public" }, "may not be kept"],
    ["pages", { page: cursorPages() }, "asks for no list"],
    ["a limit by tenant", { limit: { rate: "5/min", by: "tenant" } }, "a sender has no tenant"],
  ])("a webhook with %s", (_what, policy, problem) => {
    const found = problemsOf({ access: webhook(stripe({ secrets: [secret] })), ...policy });
    expect(found).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
  });

  it("a webhook with other demands beside it, or objects", () => {
    const access = webhook(stripe({ secrets: [secret] }));
    expect(problemsOf({ access: { ...access, scopes: ["a"] } })).toEqual([
      expect.stringContaining("scopes is no part"),
    ]);
    const { api } = testApi();
    const thing = api.resource("thing", { load: () => undefined, shared: "for the test" });
    routeUntyped(api, {
      ...route,
      path: "POST /v1/hooks/:id",
      access,
      input: { ...input, params: z.strictObject({ id: z.uuid() }) },
      objects: { thing: by("id", thing) },
    });
    expect(api.problems().map(({ problem }) => problem)).toEqual([expect.stringContaining("a sender owns nothing")]);
  });

  it("an event's body on a route that is no webhook", () => {
    expect(problemsOf({ access: { any: true } })).toEqual([
      expect.stringContaining("takes fields it does not declare"),
    ]);
  });

  it("a body of its own that is open, and an event's that is unbounded", () => {
    const access = webhook(stripe({ secrets: [secret] }));
    expect(problemsOf({ access, input: { body: z.object({ type: z.string().max(9) }) } })).toEqual([
      expect.stringContaining("is open"),
    ]);
    expect(problemsOf({ access, input: { body: webhookEvent(z.looseObject({ type: z.string() })) } })).toEqual([
      expect.stringContaining("without a greatest length"),
    ]);
    expect(problemsOf({ access, input: { body: z.strictObject({ customerId: z.string().max(9) }) } })).toEqual([
      expect.stringContaining("no rule consumes the id body.customerId"),
    ]);
  });
});

describe("webhook-receive: in the manifest", () => {
  it("stands how the sender proves itself, and no secret", () => {
    const keys = apiKeys({ prefix: "prj", store: memoryKeyStore() });
    const { api } = shop({ config: { credentials: [keys] } });
    const manifest = JSON.stringify(api.manifest());
    const paths: unknown = api.manifest()["paths"];
    expect(paths).toMatchObject({
      "/v1/hooks/shop": {
        post: {
          security: [],
          "x-portcullis": {
            access: {
              kind: "webhook",
              scheme: "stripe",
              algorithm: "sha256",
              headers: ["stripe-signature"],
              signsTime: true,
              toleranceSeconds: 300,
              claims: { kind: "memory", reach: "process", leaseMs: 60_000, keepMs: 604_800_000 },
            },
          },
        },
      },
    });
    expect(manifest).not.toContain(secret);
    expect(manifest).not.toContain(secret.slice(6));
  });

  it("and printing a policy prints none either", () => {
    const access = webhook(stripe({ secrets: [secret] }));
    expect(JSON.stringify(access)).not.toContain(secret);
  });
});

async function withDoor(test: TestApi, work: (door: FrontDoor) => Promise<void>): Promise<void> {
  const door = await openDoor(test);
  try {
    await work(door);
  } finally {
    await door.close();
  }
}
