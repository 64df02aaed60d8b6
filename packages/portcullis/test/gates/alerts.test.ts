import { createServer } from "node:http";
import type { Alert, ApiConfig, DeliveredAlert, DetectorId, SecurityEvent } from "portcullis";
import { alertWebhook, createApi, memorySink, publicAccess, refuse, signIn } from "portcullis";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import fc from "fast-check";
import { injectionPatternIn } from "../../src/lib/injection-pattern.ts";
import { createWatch } from "../../src/alerts/watch.ts";
import { bearer, testApi } from "../front-door.ts";
import { type LabelledTraffic, labelledTraffic } from "../labelled-traffic.ts";

const detectors: readonly DetectorId[] = [
  "failed-sign-ins",
  "probing",
  "distributed-limit-hits",
  "injection-patterns",
  "slow-route",
  "error-rate",
  "export-spike",
  "request-spike",
  "refresh-reuse",
];

/** What the page states; the others are told with the batch of records that proves them. */
const statedDelayMs: Partial<Record<DetectorId, number>> = {
  "slow-route": 60_000,
  "request-spike": 70_200,
  "error-rate": 70_200,
};

/** Plays the traffic to a watch as the recorder would: in batches of at most 100 ms. */
function watch({ moments }: LabelledTraffic): readonly (Alert & { readonly atMs: number })[] {
  const found: (Alert & { readonly atMs: number })[] = [];
  let nowMs = 0;
  const sink = createWatch(
    { deliver: (alert) => void found.push({ ...alert, atMs: nowMs }) },
    {
      service: "labelled",
      now: () => nowMs,
      monotonic: () => nowMs,
      randomBytes: (count) => new Uint8Array(count).fill(7),
      emit: () => undefined,
      failed: (error) => {
        throw error;
      },
    },
  );
  let batch: (typeof moments)[number]["entry"][] = [];
  for (const [index, { atMs, entry }] of moments.entries()) {
    batch.push(entry);
    const nextMs = moments[index + 1]?.atMs ?? Infinity;
    if (Math.floor(nextMs / 100) === Math.floor(atMs / 100)) continue;
    nowMs = Math.floor(atMs / 100) * 100 + 100;
    void sink.write({ entries: batch, text: () => "" });
    batch = [];
  }
  return found;
}

describe("alerts on labelled traffic", () => {
  it("tells of every attack, of nothing else, and soon", () => {
    let attacks = 0;
    let told = 0;
    let falseAlarms = 0;
    const delays = new Map<DetectorId, number>();
    for (let seed = 1; seed <= 12; seed++) {
      const traffic = labelledTraffic(
        seed,
        seed % 2 === 0 ? detectors : [detectors[seed % detectors.length] ?? "probing"],
      );
      const alerts = watch(traffic);
      for (const label of traffic.labels) {
        attacks++;
        const first = alerts.find(({ detector, about }) => detector === label.detector && about.name === label.about);
        if (first === undefined) continue;
        told++;
        const delayMs = first.atMs - label.provableAtMs;
        delays.set(label.detector, Math.max(delays.get(label.detector) ?? 0, delayMs));
      }
      const isLabelled = (one: Alert): boolean =>
        traffic.labels.some(({ detector, about }) => detector === one.detector && about === one.about.name);
      falseAlarms += alerts.filter((one) => !isLabelled(one)).length;
    }
    const quiet = [101, 102, 103, 104].reduce((sum, seed) => sum + watch(labelledTraffic(seed, [])).length, 0);
    const slowest = [...delays].map(([detector, ms]) => `${detector} ${(ms / 1_000).toFixed(1)} s`).join(", ");
    console.log(
      `alerts: recall ${told}/${attacks}, false alarms ${falseAlarms} beside attacks and ${quiet} in 6 quiet hours, latest after ${slowest}`,
    );
    expect({ told, falseAlarms, quiet }).toEqual({ told: attacks, falseAlarms: 0, quiet: 0 });
    for (const [detector, delayMs] of delays) {
      // What is counted is told at once, a share of a route within a minute, the service as a whole by the minute.
      expect(delayMs, detector).toBeLessThanOrEqual(statedDelayMs[detector] ?? 200);
    }
  });

  it("tells of one thing once, and again only after a quarter of an hour", () => {
    const alerts = watch(labelledTraffic(7, ["failed-sign-ins"]));
    expect(alerts.map(({ detector, about }) => `${detector} ${about.kind} ${about.name}`)).toEqual([
      "failed-sign-ins address 203.0.113.66",
    ]);
    expect(alerts[0]).toMatchObject({ count: 10, threshold: 10, windowMs: 300_000 });
    expect(alerts[0]?.requestIds).toHaveLength(5);
  });
});

describe("alerts of an API", () => {
  function signInApi(alerts: ApiConfig["alerts"]) {
    const sink = memorySink(10_000);
    const errors: unknown[] = [];
    const api = createApi({
      name: "alerts",
      hosts: ["localhost"],
      credentials: [],
      limits: { instances: 1 },
      audit: { sinks: [sink], onError: (error) => errors.push(error) },
      ...(alerts === undefined ? {} : { alerts }),
    });
    api.route(
      {
        path: "POST /v1/sign-in",
        access: publicAccess("whoever wants in"),
        input: { body: z.strictObject({ account: z.string().max(100), password: z.string().max(100) }) },
        output: z.strictObject({ ok: z.boolean() }),
        startsSession: { account: "body.account" },
        limit: signIn("body.account"),
      },
      ({ body }) => (body.password === "right" ? { ok: true } : refuse("sign-in-failed", "wrong password")),
    );
    return { api, sink, errors };
  }

  async function guess({ api }: ReturnType<typeof signInApi>, times: number): Promise<void> {
    for (let n = 0; n < times; n++) {
      const request = new Request("https://localhost/v1/sign-in", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ account: `user${n % 3}`, password: "wrong" }),
      });
      const kept: Promise<unknown>[] = [];
      await api.fetch(request, { peer: "203.0.113.5", scheme: "https", waitUntil: (work) => kept.push(work) });
      await Promise.all(kept);
    }
    await api.stop();
  }

  it("delivers the guessing of one address, tries that a limit refused included, and records it as an event", async () => {
    const delivered: DeliveredAlert[] = [];
    const door = signInApi({ deliver: (alert) => void delivered.push(alert) });
    await guess(door, 12);
    expect(delivered.map(({ detector, about }) => [detector, about])).toEqual([
      ["failed-sign-ins", { kind: "address", name: "203.0.113.5" }],
    ]);
    const events = door.sink.entries.filter((entry) => entry.kind === "event" && entry.type === "alert");
    expect(events).toMatchObject([{ service: "alerts", protection: "alerts", alert: { detector: "failed-sign-ins" } }]);
    expect(JSON.stringify([delivered, events])).not.toContain("user");
  });

  it("says nothing below the threshold, and nothing at all where something else watches", async () => {
    for (const [alerts, times] of [[undefined, 9] as const, ["none", 12] as const]) {
      const door = signInApi(alerts);
      await guess(door, times);
      expect(door.sink.entries.filter((entry) => entry.kind === "event" && entry.type === "alert")).toEqual([]);
    }
  });

  it("tells the developer when a delivery fails, and goes on", async () => {
    const door = signInApi({ deliver: () => Promise.reject(new Error("nobody listens")), failedSignIns: "2/min" });
    await guess(door, 2);
    expect(door.errors.map(String)).toEqual(["Error: nobody listens"]);
  });

  it("does not start with options nobody could watch by", () => {
    const fields = (alerts: unknown) => {
      const change: Partial<ApiConfig> = {};
      Reflect.set(change, "alerts", alerts);
      return testApi(change)
        .api.problems()
        .map(({ field }) => field);
    };
    expect(fields({ probing: "often", slowMs: -1, deliver: "mail", loud: true })).toEqual([
      "alerts.loud",
      "alerts.deliver",
      "alerts.probing",
      "alerts.slowMs",
    ]);
    expect(fields("no")).toEqual(["alerts"]);
    expect(fields({ distributedLimitHits: "1000000/min" })).toEqual(["alerts.distributedLimitHits"]);
  });
});

describe("alerts on IPv6", () => {
  async function alertsOf(addressOf: (n: number) => string, limits: ApiConfig["limits"], times: number) {
    const test = testApi({ limits: { instances: 1, ...limits } });
    for (let n = 1; n <= times; n++) {
      await test.api.fetch(new Request(`https://localhost/v1/none/${n}`), { peer: addressOf(n), scheme: "https" });
    }
    await test.api.stop();
    return test.events().flatMap(({ alert }) => (alert === undefined ? [] : [`${alert.detector} ${alert.about.name}`]));
  }

  it("see one machine that tries doors from another address of its network each time", async () => {
    expect(await alertsOf((n) => `2001:db8:1:2::${n.toString(16)}`, {}, 30)).toEqual(["probing 2001:db8:1:2::/64"]);
  });

  it("take the networks of one site that reach a limit for one place, and not for an attack from many", async () => {
    const limits = { address: "1/min", wideAddress: "1/min" } as const;
    expect(await alertsOf((n) => `2001:db8:1:${n.toString(16)}::1`, limits, 29)).toEqual([]);
    expect(await alertsOf((n) => `2001:db8:${n.toString(16)}::1`, { global: "1/min", unprovedShare: 1 }, 29)).toEqual([
      "distributed-limit-hits before any route",
    ]);
  });
});

describe("alerts in a flood of them", () => {
  it("are delivered twenty times and then once more, that there are others; all of them are recorded", async () => {
    const delivered: DeliveredAlert[] = [];
    const deliver = (alert: DeliveredAlert): void => void delivered.push(alert);
    const test = testApi({ limits: { instances: 1 }, alerts: { deliver, probing: "1/min" } });
    for (let n = 1; n <= 50; n++) {
      await test.api.fetch(new Request("https://localhost/v1/none"), { peer: `203.0.113.${n}`, scheme: "https" });
    }
    await test.api.stop();
    expect(test.events().filter(({ type }) => type === "alert")).toHaveLength(50);
    expect(delivered).toHaveLength(21);
    expect(delivered[19]?.about).toEqual({ kind: "address", name: "203.0.113.20" });
    expect(delivered[20]).toMatchObject({ about: { kind: "service", name: "probing" }, count: 21, threshold: 20 });
    expect(delivered[20]?.says).toContain("more than 20 alerts of probing within 15 min");
  });
});

describe("alerts at the end", () => {
  it("are recorded and delivered before a stop is over, although the last batch proved them", async () => {
    const delivered: string[] = [];
    const deliver = async ({ detector }: DeliveredAlert): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      delivered.push(detector);
    };
    const test = testApi({ limits: { instances: 1 }, alerts: { deliver, probing: "3/min" } });
    const facts = { peer: "203.0.113.7", scheme: "https" } as const;
    for (let n = 0; n < 3; n++) await test.api.fetch(new Request(`https://localhost/v1/none/${n}`), facts);
    await test.api.stop();
    expect(test.events().filter(({ type }) => type === "alert")).toHaveLength(1);
    expect(delivered).toEqual(["probing"]);
  });
});

describe("alerts: input that looks like injection", () => {
  const attempts = [
    ["sql", "GET", "/v1/notes/1%27%20OR%20%271%27=%271", undefined],
    ["sql", "POST", "/v1/notes", { text: "x", id: "1; DROP TABLE notes" }],
    ["nosql", "POST", "/v1/notes", { text: { $ne: "" } }],
    ["shell", "POST", "/v1/notes", { text: ["; cat /etc/passwd"] }],
    ["markup", "POST", "/v1/notes", { text: "x", note: "<script>alert(1)</script>" }],
    ["lookup", "GET", "/v1/open?q=%24%7Bjndi:ldap://x%7D", undefined],
    ["path", "GET", "/v1/open?file=../../etc/passwd", undefined],
    [undefined, "POST", "/v1/notes", { text: "x", id: "somebody's or nobody's" }],
    [undefined, "GET", "/v1/open?sort=name", undefined],
  ] as const;

  it.each(attempts)("is named %s and never quoted: %s %s", async (pattern, method, path, body) => {
    const { api, events } = testApi({ limits: { instances: 1 } });
    const headers = { ...(await bearer("alice")), "content-type": "application/json" };
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
    const answer = await api.fetch(new Request(`https://localhost${path}`, init), {
      peer: "203.0.113.5",
      scheme: "https",
    });
    expect([400, 404]).toContain(answer.status);
    await api.stop();
    const refused = events().find(({ type }) => type === "refused");
    expect(refused?.pattern).toBe(pattern);
    expect(JSON.stringify(refused)).not.toMatch(/DROP|passwd|jndi|alert\(1/);
  });

  it("is read in time that grows with the text and no faster", () => {
    const hostile = ["'".repeat(8_000), "<img ".repeat(1_600), "; ".repeat(4_000), "${".repeat(4_000), "../".repeat(1)];
    fc.assert(
      fc.property(fc.constantFrom(...hostile), fc.string({ maxLength: 2_000 }), (long, text) => {
        // What takes exponential time does not come back at all.
        expect(typeof injectionPatternIn(`/v1/open?q=${text}`, long + text)).toMatch(/^(string|undefined)$/);
      }),
      { seed: 3_33, numRuns: 100 },
    );
  });
});

describe("alerts: alertWebhook", () => {
  const secret = `whsec_${Buffer.alloc(32, "alerts of these tests").toString("base64")}`;
  const alert: DeliveredAlert = {
    service: "projects",
    time: Date.now(),
    detector: "probing",
    about: { kind: "address", name: "203.0.113.5" },
    count: 30,
    threshold: 30,
    windowMs: 300_000,
    requestIds: ["r1"],
    says: "at least 30 answers 403 and 404 to one address within 300 s",
  };

  /** A receiver that answers what it is told to, and what came to it. */
  async function receiver(statuses: readonly number[]) {
    const received: { readonly id: string; readonly verified: unknown }[] = [];
    const server = createServer((req, res) => {
      let body = "";
      req.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      req.on("end", () => {
        const headers = Object.fromEntries(Object.entries(req.headers).map(([name, value]) => [name, String(value)]));
        received.push({ id: String(headers["webhook-id"]), verified: new Webhook(secret).verify(body, headers) });
        const status = statuses[received.length - 1] ?? 204;
        res.writeHead(status, status === 302 ? { location: "/elsewhere" } : {}).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const close = () => new Promise((resolve) => server.close(resolve));
    return { url: `http://127.0.0.1:${port}/alerts`, received, close };
  }

  it("is verified by the official library of the standard, and sent again under the same id", async () => {
    const { url, received, close } = await receiver([500, 204]);
    await alertWebhook({ url, secret })(alert);
    await close();
    expect(received).toHaveLength(2);
    expect(received[1]).toEqual(received[0]);
    expect(received[0]?.verified).toMatchObject({ type: "portcullis.alert", data: alert });
  });

  it("follows no redirect", async () => {
    const { url, received, close } = await receiver([302, 204]);
    await alertWebhook({ url, secret })(alert);
    await close();
    expect(received).toHaveLength(2);
  });

  it("is not made with a secret that is none: an attack would be the first to show it", () => {
    for (const none of ["", "whsec_", "whsec_AAAA", "secret", []]) {
      expect(() => alertWebhook({ url: "https://alerts.example.com/", secret: none })).toThrow("secrets");
    }
  });

  it("is made for https addresses alone", () => {
    for (const url of [
      "http://alerts.example.com/",
      "alerts",
      "https://user:pass@alerts.example.com/",
      "https://:pass@a.example/",
    ]) {
      expect(() => alertWebhook({ url, secret })).toThrow("The url of alertWebhook");
    }
  });
});

describe("alerts: onEvent", () => {
  it("hears every event when it happens, and what it throws goes to onError", async () => {
    const heard: SecurityEvent[] = [];
    const errors: unknown[] = [];
    const { api } = testApi({
      limits: { instances: 1 },
      audit: {
        sinks: [memorySink()],
        onError: (error) => errors.push(error),
        onEvent: (event) => {
          heard.push(event);
          if (event.type === "refused") throw new Error("cannot hear");
        },
      },
    });
    await api.fetch(new Request("https://localhost/v1/nowhere"), { peer: "203.0.113.5", scheme: "https" });
    expect(heard.map(({ type, code }) => [type, code])).toEqual([
      ["started", undefined],
      ["refused", "route-not-found"],
    ]);
    expect(errors.map(String)).toEqual(["Error: cannot hear"]);
  });
});
