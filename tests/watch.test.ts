import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterEach, expect, it, vi } from "vitest";
import { buildWatchedApi } from "../examples/watch/api.ts";
import { flushSentry } from "../examples/watch/sentry.ts";

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One server that plays collector, alert receiver and Sentry. */
async function receiver() {
  const received: Received[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      received.push({ path: req.url ?? "", headers: req.headers, body: Buffer.concat(chunks).toString() });
      res.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the receiver has no port");
  return { port: address.port, received, close: () => new Promise((resolve) => server.close(resolve)) };
}

const folder = mkdtempSync(join(tmpdir(), "watched-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("a file, a SIEM, a signed webhook and Sentry's own client are told what happened, and no more", async () => {
  const { port, received, close } = await receiver();
  const secret = `whsec_${Buffer.alloc(32, "secrets of the example").toString("base64")}`;
  const file = join(folder, "security.log");
  const said = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const api = buildWatchedApi({
    file,
    siem: { url: `http://127.0.0.1:${port}/siem`, token: "collector" },
    alerts: { url: `http://127.0.0.1:${port}/alerts`, secret },
    sentryDsn: `http://public@127.0.0.1:${port}/1`,
  });
  const listening = await api.listen({ port: 0, handleSignals: false });
  const headers = { "content-type": "application/json" };
  for (let n = 0; n < 12; n++) {
    const password = n === 0 ? "correct horse" : "battery staple";
    const body = JSON.stringify({ account: `user${n}@example.com`, password });
    await (await fetch(`${listening.url}/v1/sign-in`, { method: "POST", headers, body })).text();
  }
  const broken = await fetch(`${listening.url}/v1/broken?token=${"s".repeat(3)}`).then((answer) => answer.text());
  const failed = await fetch(`${listening.url}/v1/broken`);
  const requestId = failed.headers.get("x-request-id");
  expect([failed.status, await failed.text()]).not.toContain("fire");
  expect(broken).not.toContain("fire");
  await vi.waitFor(() => expect(received.map(({ path }) => path)).toContain("/alerts"), 10_000);
  await listening.close();
  await flushSentry();
  await close();
  const signedIn = said.mock.calls.flat().map(String);
  said.mockRestore();

  const lines = readFileSync(file, "utf8");
  const shipped = received.filter(({ path }) => path === "/siem");
  expect(shipped.map(({ body }) => body).join("")).toBe(lines);
  expect(shipped[0]?.headers.authorization).toBe("Bearer collector");
  expect(lines).toContain('"type":"signed-in"');
  expect(lines).toContain('"type":"alert"');
  expect(signedIn).toHaveLength(1);

  const alert = received.find(({ path }) => path === "/alerts");
  const signed = Object.fromEntries(Object.entries(alert?.headers ?? {}).map(([name, value]) => [name, String(value)]));
  expect(new Webhook(secret).verify(alert?.body ?? "", signed)).toMatchObject({
    data: { detector: "failed-sign-ins", about: { kind: "address", name: "127.0.0.1" } },
  });

  const envelopes = received.filter(({ path }) => path.startsWith("/api/1/envelope/")).map(({ body }) => body);
  expect(envelopes.join("")).toContain("the database is on fire");
  expect(envelopes.join("")).toContain(`"requestId":"${requestId}"`);
  for (const body of [lines, ...received.map((one) => one.body)]) expect(body).not.toContain("@example.com");
});
