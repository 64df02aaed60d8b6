import { createHmac } from "node:crypto";
import { hmac, memoryClaimStore, nothing, webhook, webhookEvent } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { testApi } from "../front-door.ts";
import { withDoor } from "./shop.ts";

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
