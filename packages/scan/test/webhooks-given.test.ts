import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { describe, expect, it } from "vitest";
import { parseJson, textAt } from "../src/json.ts";
import { parseWebhook, type ScanResult, scan, type WebhookSecret } from "../src/scan.ts";
import { checksThatAre } from "./notes-api.ts";

const secret = "whsec_3c9d1e7b5a2f48c6a41d0c7b93e2865f";

/** What a receiver answers: a status and perhaps a body. */
type Receiver = (body: string, headers: IncomingHttpHeaders) => readonly [status: number, body?: unknown];

/** GitHub's form, which signs no time. */
const isGithub = (body: string, headers: IncomingHttpHeaders): boolean =>
  headers["x-hub-signature-256"] === `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;

/** A receiver that is right about signatures, and answers a delivery that comes again in its own way. */
function remembering(
  again: (id: string) => readonly [number, unknown?],
  first: () => readonly [number, unknown?],
): Receiver {
  const seen = new Set<string>();
  return (body, headers) => {
    if (!isGithub(body, headers)) return [401];
    const id = textAt(parseJson(body), "id") ?? "";
    if (seen.has(id)) return again(id);
    seen.add(id);
    return first();
  };
}

describe("webhooks that were given", () => {
  it("attacks an endpoint that nothing describes, and says that it did", async () => {
    const given = parseWebhook(`/hooks/code=github:${secret}`);
    const right = await scanned((body, headers) => [isGithub(body, headers) ? 204 : 401], given);
    expect(verdictOf(right)).toBe("held");
    expect(right.assumptions).toEqual(expect.arrayContaining([expect.stringContaining("/hooks/code")]));
    expect(JSON.stringify(right)).not.toContain(secret);
    const wrong = await scanned((_body, { "x-hub-signature-256": it }) => [it === undefined ? 401 : 204], given);
    expect(checksThatAre("broken", wrong)).toEqual(
      expect.arrayContaining(["changed-body", "cut-signature", "other-secret", "written-again"]),
    );
  });

  it("finds out by an id that is made anew that a delivery ran twice", async () => {
    let made = 0;
    const next = (): readonly [number, unknown] => [200, { orderId: `order-${++made}` }];
    const given = parseWebhook(`/hooks/code=github:${secret}`);
    const twice = await scanned(remembering(next, next), given);
    expect(checksThatAre("broken", twice)).toEqual(["replay"]);
    const ids = new Map<string, string>();
    const kept: Receiver = (body, headers) => {
      if (!isGithub(body, headers)) return [401];
      const id = textAt(parseJson(body), "id") ?? "";
      ids.set(id, ids.get(id) ?? `order-${++made}`);
      return [200, { orderId: ids.get(id), at: Date.now() }];
    };
    expect(checksThatAre("held", await scanned(kept, given))).toContain("replay");
  });

  it("holds a repetition that is refused or answered otherwise, and claims nothing where answers do not tell", async () => {
    const given = parseWebhook(`/hooks/code=github:${secret}`);
    const refusing = remembering(
      () => [409],
      () => [204],
    );
    expect(checksThatAre("held", await scanned(refusing, given))).toContain("replay");
    const telling = remembering(
      () => [200, { received: true, duplicate: true }],
      () => [200, { received: true }],
    );
    expect(checksThatAre("held", await scanned(telling, given))).toContain("replay");
    const silent = remembering(
      () => [200, { received: true }],
      () => [200, { received: true }],
    );
    const result = await scanned(silent, given);
    expect(verdictOf(result)).toBe("held");
    expect(result.protections.find(({ protection }) => protection === "webhook-receive")?.untried).toEqual([
      expect.stringContaining("twice"),
    ]);
  });

  it("signs as any other sender does whose form was given", async () => {
    const form =
      "hmac(header=X-Shop-Signature,encoding=base64,algorithm=sha512,prefix=v1=,signed={timestamp}.{body},timestamp=X-Shop-Time,unit=milliseconds)";
    const given = parseWebhook(`POST /hooks/code=${form}:${secret}`);
    const isSigned = (body: string, headers: IncomingHttpHeaders): boolean => {
      const time = String(headers["x-shop-time"]);
      const right = createHmac("sha512", secret).update(`${time}.${body}`).digest("base64");
      return headers["x-shop-signature"] === `v1=${right}`;
    };
    const isFresh = ({ "x-shop-time": time }: IncomingHttpHeaders) => Math.abs(Date.now() - Number(time)) < 300_000;
    const right: Receiver = (body, headers) => [isSigned(body, headers) && isFresh(headers) ? 204 : 400];
    expect(verdictOf(await scanned(right, given))).toBe("held");
    const timeless: Receiver = (body, headers) => [isSigned(body, headers) ? 204 : 400];
    expect(checksThatAre("broken", await scanned(timeless, given))).toEqual(["future", "stale"]);
  });

  it("tells believers from doubters without a secret, and nothing of who says yes to everything", async () => {
    const given = parseWebhook("/hooks/code=github");
    const doubting = await scanned((body, headers) => [isGithub(body, headers) ? 204 : 401], given);
    expect(verdictOf(doubting)).toBe("held");
    const believing: Receiver = (body) => [parseJson(body) === undefined ? 400 : 204];
    expect(checksThatAre("broken", await scanned(believing, given))).toEqual(
      expect.arrayContaining(["other-secret", "unsigned"]),
    );
    expect(verdictOf(await scanned(() => [200], given))).toBe("inconclusive");
  });

  it.each([
    ["hooks/code=github", /is written/],
    ["/hooks/code", /is written/],
    ["/hooks/code=telegram:abc-secret", /no scheme is called "telegram"/],
    ["/hooks/code=github:", /secret is empty/],
    ["/hooks/code=hmac(colour=red):abc-secret", /hmac takes header/],
    ["/hooks/code=hmac(signed={body}.x):abc-secret", /ends with \{body\}/],
    ["/hooks/code=hmac(encoding=octal):abc-secret", /encoding is hex or base64/],
  ])("refuses %s and shows no secret", (text, message) => {
    expect(() => parseWebhook(text)).toThrow(message);
    expect(() => parseWebhook(text)).not.toThrow(/abc-secret/);
  });

  it("takes the names the library has", () => {
    expect(parseWebhook("POST /a=standardWebhooks:x").scheme).toBe("standard-webhooks");
    expect(parseWebhook("/a=stripe:whsec_a:b=c")).toEqual({ endpoint: "/a", scheme: "stripe", secret: "whsec_a:b=c" });
  });
});

function verdictOf(result: ScanResult): string | undefined {
  return result.protections.find(({ protection }) => protection === "webhook-receive")?.verdict;
}

async function scanned(receive: Receiver, given: WebhookSecret): Promise<ScanResult> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const isHook = request.method === "POST" && request.url === "/hooks/code";
      const [status, json] = isHook ? receive(body, request.headers) : [404];
      response.writeHead(status, { "content-type": "application/json" });
      response.end(json === undefined ? undefined : JSON.stringify(json));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  try {
    const ping = { get: { security: [], responses: { 200: { description: "alive" } } } };
    return await scan({
      url: `http://127.0.0.1:${address.port}`,
      openapi: { openapi: "3.1.0", info: { title: "shop", version: "1" }, paths: { "/ping": ping } },
      identities: [],
      only: ["webhook-receive"],
      webhooks: [given],
      seed: 1,
    });
  } finally {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
