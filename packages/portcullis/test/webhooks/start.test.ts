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
  slack,
  standardWebhooks,
  stripe,
  webhook,
  webhookEvent,
} from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { routeUntyped, testApi } from "../front-door.ts";
import { secret, Paid, shop } from "./shop.ts";

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
