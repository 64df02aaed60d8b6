import { randomBytes } from "node:crypto";
import { sign as signAsGitHub, verify as verifyAsGitHub } from "@octokit/webhooks-methods";
import { github, signWebhook, slack, standardWebhooks, stripe, svix, type WebhookScheme } from "portcullis";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Stripe } from "stripe";
import { Webhook as SvixWebhook } from "svix";
import { describe, expect, it } from "vitest";
import { runtime } from "../../src/adapters/node-runtime.ts";
import { runtime as webRuntime } from "../../src/web-runtime.ts";
import { deliveryVerifier } from "../../src/webhooks/verify-delivery.ts";
import { sharedDoor } from "../front-door.ts";
import { deliver, receiver } from "./receiver.ts";

const stripeSecret = `whsec_${randomBytes(24).toString("base64url")}`;
const standardSecret = `whsec_${randomBytes(32).toString("base64")}`;
const textSecret = randomBytes(32).toString("hex");
const official = new Stripe("sk_test_nobody");

/** A body that no serializer writes back as it stands: blanks, escapes, a number with a zero too many. */
const odd = (id: string): string => `{ "type":"a\\u0062c",\n "id": "${id}", "data" : {"n": 1.0e1 , "more": "é钥🔑"} }`;
const seconds = (): number => Math.floor(Date.now() / 1000);

describe("webhook-receive: what Stripe's library signs", () => {
  const test = receiver(stripe({ secrets: [stripeSecret] }));
  const door = sharedDoor(() => test);

  it("is taken, byte by byte as it came", async () => {
    const body = odd("evt_1");
    const header = official.webhooks.generateTestHeaderString({ payload: body, secret: stripeSecret });
    expect((await deliver(door, { headers: { "stripe-signature": header }, body })).status).toBe(204);
    expect(test.ran).toEqual([{ id: "evt_1", body: { id: "evt_1", type: "abc", data: { n: 10 } } }]);
  });

  it("is refused by us where the library itself refuses it", async () => {
    const body = odd("evt_2");
    const of = (options: object): string =>
      official.webhooks.generateTestHeaderString({ payload: body, secret: stripeSecret, ...options });
    for (const header of [
      of({ secret: `${stripeSecret}x` }),
      of({ scheme: "v0" }),
      of({ timestamp: seconds() - 400 }),
      of({ signature: "0".repeat(64) }),
    ]) {
      expect(() => official.webhooks.constructEvent(body, header, stripeSecret)).toThrow(Error);
      expect((await deliver(door, { headers: { "stripe-signature": header }, body })).code).toBe(
        "bad-webhook-signature",
      );
    }
  });
});

describe("webhook-receive: what GitHub's library signs", () => {
  const test = receiver(github({ secrets: [textSecret] }));
  const door = sharedDoor(() => test);

  it("is taken, and once whatever delivery id it comes with", async () => {
    const body = odd("push");
    const headers = { "x-hub-signature-256": await signAsGitHub(textSecret, body), "x-github-delivery": "one" };
    expect((await deliver(door, { headers, body })).status).toBe(204);
    expect((await deliver(door, { headers: { ...headers, "x-github-delivery": "two" }, body })).status).toBe(200);
    expect(test.ran).toHaveLength(1);
    expect(test.ran[0]?.id).toMatch(/^sha256:/);
  });
});

describe.each([
  ["standardwebhooks", standardWebhooks, StandardWebhook, "webhook"],
  ["svix", svix, SvixWebhook, "svix"],
] as const)("webhook-receive: what the library %s signs", (_name, scheme, Library, prefix) => {
  const test = receiver(scheme({ secrets: [standardSecret] }));
  const door = sharedDoor(() => test);
  const library = new Library(standardSecret);

  it("is taken, with its id", async () => {
    const body = odd("msg_1");
    const at = new Date(seconds() * 1000);
    const headers = {
      [`${prefix}-id`]: "msg_1",
      [`${prefix}-timestamp`]: String(seconds()),
      [`${prefix}-signature`]: library.sign("msg_1", at, body),
    };
    expect((await deliver(door, { headers, body })).status).toBe(204);
    expect(test.ran).toMatchObject([{ id: "msg_1" }]);
  });
});

describe("webhook-receive: what we sign", () => {
  it("is taken by Stripe's library in its style, with every secret of a rotation", async () => {
    const old = "an older secret of 32 characters";
    const body = odd("evt_3");
    const headers = await signWebhook({ style: "stripe", secrets: [stripeSecret, old], body });
    const header = headers["x-webhook-signature"] ?? "";
    for (const secret of [stripeSecret, old]) {
      expect(official.webhooks.constructEvent(body, header, secret)).toMatchObject({ id: "evt_3" });
    }
    expect(() => official.webhooks.constructEvent(body, header, "another secret of 32 characters.")).toThrow(Error);
  });

  it("is taken by the libraries standardwebhooks and svix in theirs", async () => {
    const other = `whsec_${randomBytes(24).toString("base64")}`;
    const body = odd("msg_2");
    const headers = {
      ...(await signWebhook({ style: "standard", id: "msg_2", secrets: [standardSecret, other], body })),
    };
    for (const secret of [standardSecret, other]) {
      expect(new StandardWebhook(secret).verify(body, headers)).toMatchObject({ id: "msg_2" });
      expect(() => new SvixWebhook(secret).verify(body, headers)).not.toThrow();
    }
    const third = `whsec_${randomBytes(24).toString("base64")}`;
    expect(() => new StandardWebhook(third).verify(body, headers)).toThrow(Error);
    expect(() => new SvixWebhook(third).verify(body, headers)).toThrow(Error);
  });

  it("is taken by ourselves, bytes like texts", async () => {
    const body = odd("msg_3");
    const bytes = new TextEncoder().encode(body);
    const standard = await signWebhook({ style: "standard", id: "msg_3", secrets: [standardSecret], body: bytes });
    const verify = deliveryVerifier(standardWebhooks({ secrets: [standardSecret] }), runtime.hashing);
    expect(await verify(standard, bytes, Date.now())).toMatchObject({ id: "msg_3" });
    const own = await signWebhook({ style: "stripe", secrets: [stripeSecret], body, header: "X-Ours" });
    const read = deliveryVerifier(stripe({ secrets: [stripeSecret], header: "X-Ours" }), runtime.hashing);
    expect(await read(own, bytes, Date.now())).toMatchObject({ sentAtMs: expect.any(Number) });
  });

  it.each([
    ["an empty secret", { secrets: [""] }],
    ["no secret", { secrets: [] }],
    ["a short one", { secrets: ["whsec_c2hvcnQ="] }],
    ["an id with a dot", { id: "a.b" }],
    ["no id", { id: "" }],
    ["an id with a line end", { id: "a\nb" }],
    ["a time that is none", { sentAtMs: Number.NaN }],
  ])("is never signed with %s", async (_what, change) => {
    const options = { style: "standard", id: "msg", secrets: [standardSecret], body: "{}", ...change } as const;
    await expect(signWebhook(options)).rejects.toThrow(/secret|id|sentAtMs/);
  });
});

describe("webhook-receive: the published vectors", () => {
  const vectors: readonly (readonly [string, WebhookScheme, Readonly<Record<string, string>>, string, number])[] = [
    [
      "GitHub: Validating webhook deliveries",
      github({ secrets: ["It's a Secret to Everybody"] }),
      { "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17" },
      "Hello, World!",
      0,
    ],
    [
      "Svix: Verifying webhooks",
      svix({ secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] }),
      {
        "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "svix-timestamp": "1614265330",
        "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
      },
      '{"test": 2432232314}',
      1_614_265_330,
    ],
    [
      "Standard Webhooks: the same text under its own names",
      standardWebhooks({ secrets: ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] }),
      {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
      },
      '{"test": 2432232314}',
      1_614_265_330,
    ],
    [
      "Slack: Verifying requests from Slack",
      slack({ secrets: ["8f742231b10e8888abcd99yyyzzz85a5"] }),
      {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
      },
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
      1_531_420_618,
    ],
  ];

  it.each(vectors)("%s", async (_name, scheme, headers, body, at) => {
    for (const { hashing } of [runtime, webRuntime]) {
      const verify = deliveryVerifier(scheme, hashing);
      const bytes = new TextEncoder().encode(body);
      expect(await verify(headers, bytes, at * 1000)).toMatchObject({ signatures: [expect.any(Uint8Array)] });
      expect(await verify(headers, new TextEncoder().encode(`${body} `), at * 1000)).toBe("no signature fits");
    }
  });

  it("GitHub's library takes what the vector says as well", async () => {
    const [, , headers, body] = vectors[0] ?? [];
    expect(await verifyAsGitHub("It's a Secret to Everybody", body ?? "", headers?.["x-hub-signature-256"] ?? "")).toBe(
      true,
    );
  });
});
