import type { Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";
import {
  flowCookie,
  freePort,
  type Instance,
  me,
  person,
  sessionCookie,
  signIn,
  startInstance,
} from "./session-server.ts";

const Who = z.object({
  session: z.object({
    subject: z.string(),
    email: z.string(),
    emailVerified: z.boolean(),
    idleExpiresAt: z.string(),
    expiresAt: z.string(),
  }),
});

describe.each([
  ["the embedded store", embeddedStores],
  ["PostgreSQL", postgresStores],
])("sessions: browsers on %s", (_which, stores) => {
  let all: TestStores;
  let storage: Storage;
  let at: Instance;
  const clock = Date.now();

  beforeAll(async () => {
    all = await stores();
    storage = await all.open();
    const port = await freePort();
    at = await startInstance(storage, [port], port, { now: () => clock });
    expect(await at.identity.accounts.signUp(person.email, person.password)).toBeUndefined();
  });
  afterAll(async () => {
    expect(at.errors).toEqual([]);
    await at.close();
    await all.stop();
  });
  const ask = async (method: string, path: string, cookie?: string, more: Record<string, string> = {}) => {
    const response = await fetch(`${at.origin}${path}`, {
      method,
      redirect: "manual",
      headers: { ...(cookie === undefined ? {} : { cookie }), "sec-fetch-site": "same-origin", ...more },
    });
    return { status: response.status, text: await response.text(), headers: response.headers };
  };

  it("signs in, says who it is, renews, and signs out", async () => {
    const browser = at.browser();
    expect(await ask("GET", "/auth/session")).toMatchObject({ status: 200, text: '{"session":null}' });
    const end = await signIn(browser);
    expect(end.url.pathname).toBe("/notes/today");
    const cookie = browser.cookies.get(sessionCookie);
    expect(browser.cookies.has(flowCookie)).toBe(false);
    const carried = `${sessionCookie}=${cookie}`;
    const { session } = Who.parse(JSON.parse((await ask("GET", "/auth/session", carried)).text));
    expect(session).toMatchObject({ email: person.email, emailVerified: false });
    expect(Date.parse(session.idleExpiresAt) - clock).toBe(8 * 3_600_000);
    expect(Date.parse(session.expiresAt) - clock).toBe(7 * 86_400_000);
    expect(JSON.parse((await ask("GET", "/api/me", carried)).text)).toEqual({
      subject: session.subject,
      scopes: ["notes:read"],
      token: true,
    });
    expect((await ask("POST", "/auth/refresh", carried)).status).toBe(200);
    const out = await ask("POST", "/auth/sign-out", carried);
    expect(out.status).toBe(204);
    expect(out.headers.get("set-cookie")).toContain(`${sessionCookie}=; Path=/; Max-Age=0`);
    expect(await me(at.origin, cookie)).toBe(401);
    expect(at.events.map(({ type }) => type)).toEqual(["session-started", "session-ended"]);
  });
});
