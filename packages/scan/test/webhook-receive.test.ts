import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type ScanResult, scan } from "../src/scan.ts";

const secret = "whsec_3c9d1e7b5a2f48c6a41d0c7b93e2865f";
const endpoint = "POST /hooks/shop";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** What a receiver makes of the text it was sent and the Stripe-Signature beside it. */
type Receiver = (body: string, signature: string) => number;

const parts = (signature: string): { readonly t: string; readonly v1: string } => ({
  t: /t=(\d+)/.exec(signature)?.[1] ?? "",
  v1: /v1=([0-9a-f]+)/.exec(signature)?.[1] ?? "",
});

function fits(body: string, signature: string, key = secret): boolean {
  const { t, v1 } = parts(signature);
  const right = createHmac("sha256", key).update(`${t}.${body}`).digest();
  const sent = Buffer.from(v1, "hex");
  return sent.length === right.length && timingSafeEqual(sent, right);
}

const isFresh = (signature: string): boolean => Math.abs(Date.now() / 1000 - Number(parts(signature).t)) <= 300;

const receivers = {
  right: (body, signature) => (fits(body, signature) && isFresh(signature) ? 204 : 401),
  "believes everybody": () => 204,
  "wants a signature and reads none": (_body, signature) => (signature === "" ? 401 : 204),
  "signs with an unset variable": (body, signature) => (fits(body, signature, "") || fits(body, signature) ? 204 : 401),
  "never looks at the time": (body, signature) => (fits(body, signature) ? 204 : 401),
  "checks the body it parsed": (body, signature) =>
    fits(JSON.stringify(JSON.parse(body)), signature) && isFresh(signature) ? 204 : 401,
  "compares what is there": (body, signature) => {
    const { t, v1 } = parts(signature);
    const right = createHmac("sha256", secret).update(`${t}.${body}`).digest("hex");
    return v1 !== "" && right.startsWith(v1) && isFresh(signature) ? 204 : 401;
  },
  "is out of order": () => 500,
} as const satisfies Record<string, Receiver>;

describe("webhook-receive: the probe", () => {
  it.each([
    [
      "believes everybody",
      [
        "blank-signature",
        "changed-body",
        "cut-signature",
        "empty-secret",
        "future",
        "new-time",
        "old-version",
        "other-secret",
        "stale",
        "unsigned",
        "written-again",
      ],
    ],
    [
      "wants a signature and reads none",
      [
        "blank-signature",
        "changed-body",
        "cut-signature",
        "empty-secret",
        "future",
        "new-time",
        "old-version",
        "other-secret",
        "stale",
        "written-again",
      ],
    ],
    ["signs with an unset variable", ["empty-secret", "future", "stale"]],
    ["never looks at the time", ["future", "stale"]],
    ["checks the body it parsed", ["written-again"]],
    ["compares what is there", ["cut-signature"]],
  ] as const)("finds a receiver that %s", async (name, checks) => {
    const result = await scanned(receivers[name], true);
    expect(verdictOf(result)).toBe("broken");
    expect(checksThatAre("broken", result)).toEqual(checks);
  });

  it("finds nothing where it is right, and proves every attack", async () => {
    const result = await scanned(receivers.right, true);
    expect(verdictOf(result)).toBe("held");
    expect(checksThatAre("held", result)).toHaveLength(11);
  });

  it("says what it did not try without the secret, and still finds who believes everybody", async () => {
    const held = await scanned(receivers.right, false);
    expect(verdictOf(held)).toBe("held");
    expect(held.protections.find(({ protection }) => protection === "webhook-receive")?.untried).toEqual([
      expect.stringContaining("secret"),
    ]);
    expect(verdictOf(await scanned(receivers["believes everybody"], false))).toBe("broken");
  });

  it("claims nothing of a receiver that is out of order", async () => {
    expect(verdictOf(await scanned(receivers["is out of order"], true))).toBe("inconclusive");
  });

  it("knows an endpoint of a plain description by the secret it was given, and its scheme by the header or by name", async () => {
    const ways = [{ headers: ["Stripe-Signature"] }, { headers: [], scheme: "stripe" }];
    for (const plain of ways) {
      expect(verdictOf(await scanned(receivers.right, true, undefined, plain))).toBe("held");
      const stale = await scanned(receivers["never looks at the time"], true, undefined, plain);
      expect(checksThatAre("broken", stale)).toEqual(["future", "stale"]);
    }
    const unsaid = await scanned(receivers["believes everybody"], true, undefined, { headers: [] });
    expect(verdictOf(unsaid)).toBe("inconclusive");
  });

  it("shows no secret in its evidence", async () => {
    expect(JSON.stringify(await scanned(receivers["never looks at the time"], true))).not.toContain(secret);
  });

  it("is not asked for where nothing receives webhooks, and leaves webhooks out of everything else", async () => {
    const result = await scanned(receivers.right, true, []);
    const tried = result.verdicts.filter(({ operation }) => operation === endpoint).map(({ protection }) => protection);
    expect(new Set(tried)).toEqual(new Set(["webhook-receive"]));
    expect(result.ledger.some(({ operation }) => operation === endpoint)).toBe(true);
  });
});

function verdictOf(result: ScanResult): string | undefined {
  return result.protections.find(({ protection }) => protection === "webhook-receive")?.verdict;
}

function checksThatAre(verdict: string, result: ScanResult): readonly string[] {
  return result.verdicts
    .filter((one) => one.verdict === verdict)
    .map(({ check }) => check)
    .sort();
}

async function scanned(
  receive: Receiver,
  withSecret: boolean,
  only: readonly string[] = ["webhook-receive"],
  plain?: { readonly headers: readonly string[]; readonly scheme?: string },
): Promise<ScanResult> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const isHook = request.method === "POST" && request.url === "/hooks/shop";
      const signature = request.headers["stripe-signature"];
      const status = isHook ? receive(body, typeof signature === "string" ? signature : "") : 404;
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => server.close(() => resolve())));
  const { port } = addressOf(server.address());
  return await scan({
    url: `http://127.0.0.1:${port}`,
    ...(plain === undefined ? { manifest: manifest(`127.0.0.1:${port}`) } : { openapi: described(plain.headers) }),
    identities: [],
    only,
    seed: 1,
    ...(withSecret && {
      webhooks: [{ endpoint, secret, ...(plain?.scheme === undefined ? {} : { scheme: plain.scheme }) }],
    }),
  });
}

/** The same endpoint as a plain description has it, which knows no webhooks. */
function described(headers: readonly string[]) {
  const { "/hooks/shop": path } = manifest("").paths;
  const { "x-portcullis": _policy, ...post } = path.post;
  const parameters = headers.map((name) => ({ name, in: "header", schema: { type: "string" } }));
  return {
    openapi: "3.1.0",
    info: { title: "shop", version: "1" },
    paths: { "/hooks/shop": { post: { ...post, parameters } } },
  };
}

function addressOf(address: string | AddressInfo | null): AddressInfo {
  if (address === null || typeof address === "string") throw new Error("the server does not listen on a port");
  return address;
}

function manifest(host: string) {
  const limit = { limit: 100_000, windowMs: 1_000 };
  return {
    openapi: "3.1.0",
    info: { title: "shop", version: "1" },
    "x-portcullis": {
      format: 1,
      name: "shop",
      hosts: [host],
      origins: [],
      credentials: [],
      limits: { global: limit, address: limit, wideAddress: limit, caller: limit, failures: limit },
      resources: {},
    },
    paths: {
      "/hooks/shop": {
        post: {
          operationId: endpoint,
          security: [],
          requestBody: {
            required: true,
            content: {
              "application/json": {
                schema: {
                  type: "object",
                  properties: { id: { type: "string", maxLength: 50 }, n: { type: "integer", minimum: 0, maximum: 9 } },
                  required: ["id", "n"],
                  additionalProperties: false,
                },
              },
            },
          },
          responses: { "204": { description: "taken" } },
          "x-portcullis": { access: { kind: "webhook", scheme: "stripe", signsTime: true, toleranceSeconds: 300 } },
        },
      },
    },
  };
}
