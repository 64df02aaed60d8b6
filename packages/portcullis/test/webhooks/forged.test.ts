import { github, hmac, slack, standardWebhooks, stripe, svix, type WebhookScheme } from "portcullis";
import { describe, expect, it } from "vitest";
import { sharedDoor } from "../front-door.ts";
import { forgeries, mac, one, type Victim, withHeader } from "./forgeries.ts";
import { deliver, receiver } from "./receiver.ts";

const text = "tests only: 6f2d9a41c7e803b5";
const other = "nobody's: 0b9e7c31f5a84d26";
const standard = `whsec_${Buffer.from("tests only: 24 bytes or more").toString("base64")}`;
const standardOther = `whsec_${Buffer.from("nobody's: 24 bytes or more!").toString("base64")}`;
const seconds = (): number => Math.floor(Date.now() / 1000);
const json = (body: string, headers: Readonly<Record<string, string>>) => ({ headers, body });

const stripeVictim: Victim = {
  name: "stripe",
  signature: "stripe-signature",
  signsTime: true,
  otherSecret: other,
  sign(body, { seconds: at = seconds(), secret = text } = {}) {
    return json(body, { "stripe-signature": `t=${at},v1=${mac("sha256", secret, `${at}.${body}`)}` });
  },
  downgrades: (body, at) =>
    [
      ["v0 alone", `t=${at},v0=${mac("sha256", text, `${at}.${body}`)}`],
      ["v1 wrong beside a right v0", `t=${at},v1=${"0".repeat(64)},v0=${mac("sha256", text, `${at}.${body}`)}`],
      ["SHA-1", `t=${at},v1=${mac("sha1", text, `${at}.${body}`)}`],
      ["MD5", `t=${at},v1=${mac("md5", text, `${at}.${body}`)}`],
      ["SHA-512", `t=${at},v1=${mac("sha512", text, `${at}.${body}`)}`],
      ["the time not signed", `t=${at},v1=${mac("sha256", text, body)}`],
      ["no time", `v1=${mac("sha256", text, body)}`],
      ["two times", `t=${at - 9_000},t=${at},v1=${mac("sha256", text, `${at}.${body}`)}`],
      ["V1", `t=${at},V1=${mac("sha256", text, `${at}.${body}`)}`],
    ].map(([what = "", header = ""]) => ({ what, sent: json(body, { "stripe-signature": header }) })),
};

const githubVictim: Victim = {
  name: "github",
  signature: "x-hub-signature-256",
  signsTime: false,
  otherSecret: other,
  sign: (body, { secret = text } = {}) =>
    json(body, { "x-hub-signature-256": `sha256=${mac("sha256", secret, body)}`, "x-github-delivery": "one" }),
  downgrades: (body) => [
    { what: "the SHA-1 header alone", sent: json(body, { "x-hub-signature": `sha1=${mac("sha1", text, body)}` }) },
    ...[`sha1=${mac("sha1", text, body)}`, `md5=${mac("md5", text, body)}`, `sha512=${mac("sha512", text, body)}`].map(
      (value) => ({ what: value.slice(0, 6), sent: json(body, { "x-hub-signature-256": value }) }),
    ),
    { what: "SHA256", sent: json(body, { "x-hub-signature-256": `SHA256=${mac("sha256", text, body)}` }) },
  ],
};

const standardVictim = (prefix: "webhook" | "svix"): Victim => {
  const key = (secret: string): Buffer => Buffer.from(secret.replace("whsec_", ""), "base64");
  const names = { id: `${prefix}-id`, time: `${prefix}-timestamp`, signature: `${prefix}-signature` };
  const sent = (body: string, at: number, id: string, value: string) =>
    json(body, { [names.id]: id, [names.time]: String(at), [names.signature]: value });
  return {
    name: prefix,
    ...names,
    signsTime: true,
    otherSecret: standardOther,
    sign(body, { seconds: at = seconds(), secret = standard, id = "msg_1" } = {}) {
      return sent(body, at, id, `v1,${mac("sha256", key(secret), `${id}.${at}.${body}`, "base64")}`);
    },
    downgrades(body, at) {
      const right = mac("sha256", key(standard), `msg_1.${at}.${body}`, "base64");
      const cut = this.sign(`7.${body}`, { seconds: at, id: "msg" });
      const values = [
        ...["v0,", "v1a,", "v2,", "v1 ", "v1=", "V1,", ",", ""].map((version) => version + right),
        `v1,${mac("sha1", key(standard), `msg_1.${at}.${body}`, "base64")}`,
        `v1,${mac("sha256", standard, `msg_1.${at}.${body}`, "base64")}`,
        `v1,${right.replace("=", "")}`,
        `v1,${right}=`,
        `v1,${right.slice(0, -2)}${right.at(-2) === "A" ? "B" : "A"}=`,
      ];
      const renamed = Object.entries(this.sign(body).headers).map(([name, value]) => [
        name.replace(prefix, prefix === "svix" ? "webhook" : "svix"),
        value,
      ]);
      return [
        ...values.map((value) => ({
          what: `${value.slice(0, 8)}… (${value.length})`,
          sent: sent(body, at, "msg_1", value),
        })),
        { what: "another id", sent: withHeader(this.sign(body), names.id, "msg_2") },
        { what: "an id with a dot, cut elsewhere", sent: { ...withHeader(cut, names.id, `msg.${at}`), body } },
        { what: "an id with a blank", sent: this.sign(body, { id: "msg 1" }) },
        { what: "an id of 300 letters", sent: this.sign(body, { id: "m".repeat(300) }) },
        { what: "the other family's names", sent: { headers: Object.fromEntries(renamed), body } },
      ];
    },
  };
};

const slackVictim: Victim = {
  name: "slack",
  signature: "x-slack-signature",
  time: "x-slack-request-timestamp",
  signsTime: true,
  otherSecret: other,
  sign(body, { seconds: at = seconds(), secret = text } = {}) {
    return json(body, {
      "x-slack-request-timestamp": String(at),
      "x-slack-signature": `v0=${mac("sha256", secret, `v0:${at}:${body}`)}`,
    });
  },
  downgrades: (body, at) =>
    [
      `v1=${mac("sha256", text, `v0:${at}:${body}`)}`,
      `v0=${mac("sha256", text, `v1:${at}:${body}`)}`,
      `v0=${mac("sha256", text, body)}`,
      `v0=${mac("sha1", text, `v0:${at}:${body}`)}`,
      mac("sha256", text, `v0:${at}:${body}`),
    ].map((value) => ({
      what: value.slice(0, 6),
      sent: json(body, { "x-slack-request-timestamp": String(at), "x-slack-signature": value }),
    })),
};

const hmacVictim: Victim = {
  name: "hmac, sha512 over id, time and body",
  signature: "x-sig",
  time: "x-time",
  id: "x-id",
  signsTime: true,
  otherSecret: other,
  sign(body, { seconds: at = seconds(), secret = text, id = "d1" } = {}) {
    return json(body, {
      "x-id": id,
      "x-time": String(at),
      "x-sig": `sha512=${mac("sha512", secret, `${id}|${at}|${body}`, "base64")}`,
    });
  },
  downgrades(body, at) {
    return [
      { what: "another id", sent: withHeader(this.sign(body), "x-id", "d2") },
      { what: "an id that holds the separator", sent: this.sign(body, { id: "d|1" }) },
      {
        what: "sha256 instead",
        sent: json(body, {
          "x-id": "d1",
          "x-time": String(at),
          "x-sig": `sha512=${mac("sha256", text, `d1|${at}|${body}`, "base64")}`,
        }),
      },
      {
        what: "without its prefix",
        sent: withHeader(this.sign(body), "x-sig", one(this.sign(body), "x-sig").slice(7)),
      },
    ];
  },
};

const victims: readonly (readonly [string, Victim, WebhookScheme])[] = [
  ["stripe", stripeVictim, stripe({ secrets: [text] })],
  ["github", githubVictim, github({ secrets: [text] })],
  ["standard webhooks", standardVictim("webhook"), standardWebhooks({ secrets: [standard] })],
  ["svix", standardVictim("svix"), svix({ secrets: [standard] })],
  ["slack", slackVictim, slack({ secrets: [text] })],
  [
    "hmac",
    hmacVictim,
    hmac({
      name: "ours",
      secrets: [text],
      algorithm: "sha512",
      signature: { header: "X-Sig", encoding: "base64", prefix: "sha512=" },
      signed: "{id}|{timestamp}|{body}",
      timestamp: { header: "X-Time" },
      id: { header: "X-Id" },
    }),
  ],
];

it("webhook-receive: far more than a hundred forgeries are tried", () => {
  const all = victims.flatMap(([, victim]) => forgeries(victim, seconds()));
  expect(all.length).toBeGreaterThan(300);
});

describe.each(victims)("webhook-receive: forged deliveries of %s", (_name, victim, scheme) => {
  const test = receiver(scheme);
  const door = sharedDoor(() => test);
  const honest = '{"id":"evt_honest","type":"paid"}';

  it.each(forgeries(victim, seconds()).map(({ what, sent }) => [what, sent] as const))(
    "run nothing: %s",
    async (_what, sent) => {
      const reply = await deliver(door, sent);
      expect([400, 401, 431]).toContain(reply.status);
      expect(reply.code).toMatch(/^(?:bad-webhook-signature|bad-header|headers-too-large)$/);
      expect(test.ran).toEqual([]);
    },
  );

  it("and the honest one runs once, however often it is replayed", async () => {
    const sent = victim.sign(honest);
    expect((await deliver(door, sent)).status).toBe(204);
    const replays = await Promise.all(Array.from({ length: 5 }, () => deliver(door, sent)));
    expect(replays.map(({ status, body }) => [status, body])).toEqual(replays.map(() => [200, ""]));
    expect(test.ran).toHaveLength(1);
  });
});
