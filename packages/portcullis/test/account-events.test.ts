import { describe, expect, it } from "vitest";
import { type DeliveredAlert, publicAccess, nothing } from "portcullis";
import { accountEvents } from "../src/events/account-event.ts";
import { testApi } from "./front-door.ts";

describe("what happens to an account", () => {
  const facts = { peer: "203.0.113.7", scheme: "https" } as const;
  const call = () => new Request("https://localhost/v1/open");

  function api(deliver: (alert: DeliveredAlert) => void = () => {}) {
    const test = testApi({ limits: { instances: 1 }, alerts: { deliver } });
    test.api.route({ path: "GET /v1/open", access: publicAccess("for the tests"), output: nothing }, () => undefined);
    return test;
  }

  it("is an event with the account's hash and the request behind it, never with its id", async () => {
    const test = api();
    await test.api.fetch(call(), facts);
    const request = { id: "request-1", address: "203.0.113.9" };
    test.api.tell({ type: "password-changed", subject: "alice-id", request });
    test.api.tell({ type: "refresh-reused", subject: "alice-id", client: "app", reason: "for people" });
    test.api.tell({ type: "client-refused", client: "web" });
    await test.api.stop();
    const [changed, reused, nobody] = test.events().filter(({ type }) => type in accountEvents);
    expect(changed).toMatchObject({ protection: "sessions", requestId: "request-1", address: "203.0.113.9" });
    expect(reused).toMatchObject({
      protection: "oauth",
      client: "app",
      reason: "for people",
      account: changed?.account,
    });
    expect(changed?.account).toMatch(/^[\w-]{16}$/);
    expect(nobody).toMatchObject({ type: "client-refused", protection: "oauth", client: "web" });
    expect(nobody).not.toHaveProperty("account");
    expect(JSON.stringify(test.events())).not.toContain("alice-id");
  });

  it("is recorded with the start where it happened before, the last hundred of it", async () => {
    const test = api();
    for (let n = 0; n < 150; n++) test.api.tell({ type: "signed-up", subject: `person-${n}` });
    await test.api.fetch(call(), facts);
    await test.api.stop();
    const events = test.events().filter(({ type }) => type === "signed-up");
    expect(events).toHaveLength(100);
    expect(new Set(events.map(({ account }) => account)).size).toBe(100);
  });

  it("is one of a list, which a program without types learns where it says something else", async () => {
    const test = api();
    for (const type of ["signed-upp", "toString", undefined]) {
      expect(() => Reflect.apply(test.api.tell, test.api, [{ type }]), type).toThrow(
        "nothing that happens to accounts",
      );
    }
    expect((await test.api.fetch(call(), facts)).status).toBe(204);
    await test.api.stop();
  });

  it("is an alert where a refresh token was used again", async () => {
    const delivered: DeliveredAlert[] = [];
    const test = api((alert) => void delivered.push(alert));
    await test.api.fetch(call(), facts);
    for (let n = 0; n < 3; n++) test.api.tell({ type: "refresh-reused", subject: "alice-id" });
    test.api.tell({ type: "refresh-replayed", subject: "bob-id" });
    await test.api.stop();
    expect(delivered).toMatchObject([{ detector: "refresh-reuse", count: 1, about: { kind: "account" } }]);
  });
});
