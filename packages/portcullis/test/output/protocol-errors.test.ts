import { answer, html, markup, protocolError, publicAccess } from "portcullis";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type FrontDoor, openDoor, routeUntyped, testApi } from "../front-door.ts";

const ProtocolError = z.strictObject({ error: z.enum(["invalid_grant", "invalid_client", "access_denied"]) });
const refusals = protocolError(ProtocolError, "RFC 6749 section 5.2");
const wide = { global: "100000/s", address: "100000/s", wideAddress: "100000/s", caller: "100000/s" } as const;
const access = publicAccess("the tests ask for tokens");

describe("output: refusals another specification shapes", () => {
  const doors: FrontDoor[] = [];
  afterAll(() => Promise.all(doors.map((door) => door.close())));
  const open = async (failures: `${number}/${"s" | "5min"}`, value: () => unknown): Promise<FrontDoor> => {
    const test = testApi({ limits: { ...wide, failures } });
    const output = { 200: html(), 400: refusals, 401: refusals, 403: refusals, 404: refusals };
    for (const method of ["POST", "GET"]) {
      routeUntyped(test.api, { path: `${method} /v1/token`, access, output }, value);
    }
    const door = await openDoor(test);
    doors.push(door);
    return door;
  };
  const said = (error: string, status: number, more: object = {}) =>
    answer({ error, secret: "x" }, { status, ...more });

  it("answers its declared fields as JSON, under the headers of every refusal", async () => {
    const door = await open("100000/s", () => said("invalid_grant", 400));
    const reply = await door.ask("POST /v1/token");
    expect([reply.status, reply.body]).toEqual([400, '{"error":"invalid_grant"}']);
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      "content-type": "application/json",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
    });
    const head = await door.ask("HEAD /v1/token");
    expect([head.status, head.body]).toEqual([400, ""]);
  });

  it.each([
    [400, "bad-request"],
    [401, "bad-credential"],
    [403, "forbidden"],
    [404, "not-found"],
  ])("is recorded as a refusal and counts against the failure budget: %i", async (status, code) => {
    const door = await open("3/5min", () => said("access_denied", status));
    for (let i = 0; i < 3; i++) {
      const reply = await door.ask("POST /v1/token");
      expect(reply.status).toBe(status);
      expect(await door.recordedCode(reply)).toBe(code);
    }
    expect((await door.ask("POST /v1/token")).code).toBe("failure-budget-spent");
  });

  it("says with a 401 how to prove oneself", async () => {
    const door = await open("100000/s", () => said("invalid_client", 401));
    expect((await door.ask("POST /v1/token")).headers.get("www-authenticate")).toContain("Bearer");
  });

  it("carries the cookies it takes back", async () => {
    const cookies = [{ name: "__Host-state", value: "", maxAgeSeconds: 0 }];
    const door = await open("100000/s", () => said("access_denied", 403, { cookies }));
    const reply = await door.ask("POST /v1/token");
    expect([reply.status, reply.headers.get("set-cookie")?.startsWith("__Host-state=;")]).toEqual([403, true]);
  });

  it("answers 500 where the handler's no is none of the declared ones", async () => {
    for (const [error, status] of [
      ["made up", 400],
      ["access_denied", 409],
      ["access_denied", 500],
      ["access_denied", 200],
    ] as const) {
      const door = await open("100000/s", () => said(error, status));
      const reply = await door.ask("POST /v1/token");
      expect([reply.status, reply.code]).toEqual([500, "internal"]);
      expect(await door.recordedCode(reply)).toBe("undeclared-output");
    }
  });

  it("lets a page say no as well, as a page, recorded and counted the same; a form shown again costs nothing", async () => {
    const page = { title: "No", body: markup`<p>No</p>` };
    for (const [status, code] of [
      [401, "bad-credential"],
      [403, "forbidden"],
      [404, "not-found"],
      [400, "bad-request"],
    ] as const) {
      const test = testApi({ limits: { ...wide, failures: "2/5min" } });
      routeUntyped(test.api, { path: "POST /v1/page", access, output: { 200: html(), [status]: html() } }, () =>
        answer(page, { status }),
      );
      const door = await openDoor(test);
      doors.push(door);
      for (let i = 0; i < 2; i++) {
        const reply = await door.ask("POST /v1/page");
        expect([reply.status, reply.headers.get("content-type")]).toEqual([status, "text/html; charset=utf-8"]);
        expect(reply.headers.get("content-security-policy")).toContain("form-action 'self'");
        expect(await door.recordedCode(reply)).toBe(code);
      }
      expect((await door.ask("POST /v1/page")).status, String(status)).toBe(status === 400 ? 400 : 429);
    }
  });

  it("costs nobody anything where the answer is no refusal", async () => {
    const door = await open("2/5min", () => ({ title: "x", body: markup`<p>x</p>` }));
    for (let i = 0; i < 4; i++) expect((await door.ask("POST /v1/token")).status).toBe(200);
  });
});
