import { openStorage, type Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../../../scripts/free-ports.ts";
import { postgresStores, type TestStores } from "../storage/open-stores.ts";
import { type Instance, me, person, sessionCookie, signedIn, startInstance } from "./session-server.ts";

describe("sessions: three instances on PostgreSQL", () => {
  let all: TestStores;
  const storages: Storage[] = [];
  const instances: Instance[] = [];
  let clock = Date.now();
  let accountId = "";
  let { password } = person;

  beforeAll(async () => {
    all = await postgresStores();
    const place = await all.place();
    const ports = [await freePort(), await freePort(), await freePort()];
    for (const port of ports) {
      const storage = await openStorage(place);
      storages.push(storage);
      instances.push(await startInstance(storage, ports, port, { now: () => clock }));
    }
    await first().identity.accounts.signUp(person.email, password);
    accountId = (await first().identity.accounts.findByEmail(person.email))?.id ?? "";
  });
  afterAll(async () => {
    expect(instances.flatMap(({ errors }) => errors)).toEqual([]);
    for (const one of instances) await one.close();
    for (const one of storages) await one.close();
    await all.stop();
  });
  beforeEach(() => {
    for (const one of instances) one.forgiveLimits();
  });

  function first(): Instance {
    const [one] = instances;
    if (one === undefined) throw new Error("nothing runs");
    return one;
  }
  const everywhere = (cookie: string) => Promise.all(instances.map(({ origin }) => me(origin, cookie)));
  const rotations = async () =>
    (await storages[0]?.db.selectFrom("refresh_token").select("hash").execute())?.length ?? 0;

  it("a session that began on one is known on all", async () => {
    expect(await everywhere(await signedIn(first()))).toEqual([200, 200, 200]);
  });

  it.each([
    ["that was signed out", (cookie: string) => post("/auth/sign-out", cookie)],
    ["that was signed out everywhere", (cookie: string) => post("/auth/sign-out?everywhere=true", cookie)],
    ["that was ended by its owner from elsewhere", () => first().sessions.endAll(accountId)],
    [
      "whose password was changed",
      async () => {
        await first().identity.accounts.changePassword(accountId, password, `${password}!`);
        password += "!";
      },
    ],
    [
      "whose account was disabled",
      async () => {
        await first().identity.accounts.disable(accountId);
      },
    ],
  ])("a session %s is refused on all within 1 s", async (_which, end) => {
    await first().identity.accounts.enable(accountId);
    const browser = first().browser();
    await first().identity.accounts.enable(accountId);
    const asked = await browser.open("/auth/sign-in");
    await browser.submit(asked, { email: person.email, password });
    const cookie = browser.cookies.get(sessionCookie) ?? "";
    expect(await everywhere(cookie)).toEqual([200, 200, 200]);
    await end(cookie);
    const begun = performance.now();
    let refused = await everywhere(cookie);
    while (refused.includes(200) && performance.now() - begun < 5000) refused = await everywhere(cookie);
    const tookMs = performance.now() - begun;
    expect(refused).toEqual([401, 401, 401]);
    expect(tookMs).toBeLessThan(1000);
    await first().identity.accounts.enable(accountId);
  });

  it("tabs that ask for a renewal at once get one each at most, and nobody is signed out", async () => {
    const browser = first().browser();
    await browser.submit(await browser.open("/auth/sign-in"), { email: person.email, password });
    const cookie = browser.cookies.get(sessionCookie) ?? "";
    const asked = await Promise.all(instances.flatMap(({ origin }) => [1, 2, 3].map(() => renew(origin, cookie))));
    expect(new Set(asked)).toEqual(new Set([200]));
    expect(await everywhere(cookie)).toEqual([200, 200, 200]);
  });

  it("a process that died while it renewed is waited for, and another takes over", async () => {
    const browser = first().browser();
    await browser.submit(await browser.open("/auth/sign-in"), { email: person.email, password });
    const cookie = browser.cookies.get(sessionCookie) ?? "";
    await storages[0]?.db
      .updateTable("browser_session")
      .set({ renewing_until: clock + 5000 })
      .where("ended_at", "is", null)
      .execute();
    const before = await rotations();
    const waiting = Promise.all(instances.map(({ origin }) => renew(origin, cookie)));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await rotations()).toBe(before);
    clock += 5001;
    expect(await waiting).toEqual([200, 200, 200]);
    expect((await rotations()) - before).toBe(1);
  });

  // The last one: oidc-provider has a clock of its own, and nobody signs in ahead of it.
  it("requests on all of them while the tokens run out renew them once, and nobody is signed out", async () => {
    const browser = first().browser();
    await browser.submit(await browser.open("/auth/sign-in"), { email: person.email, password });
    const cookie = browser.cookies.get(sessionCookie) ?? "";
    for (let round = 1; round <= 3; round++) {
      const before = await rotations();
      clock += 14.5 * 60_000;
      const asked = await Promise.all(Array.from({ length: 20 }, () => everywhere(cookie)));
      expect(new Set(asked.flat())).toEqual(new Set([200]));
      expect((await rotations()) - before).toBe(1);
    }
    const families = await storages[0]?.db.selectFrom("refresh_family").selectAll().execute();
    expect(families?.filter(({ revoked_why }) => revoked_why === "reused")).toEqual([]);
  });

  it("sessions that ran out are told of once, by whichever takes them out", async () => {
    clock = Date.now();
    await first().identity.accounts.signOutEverywhere(accountId);
    const told = () =>
      instances.flatMap(({ events }) =>
        events.filter(({ type, why }) => type === "session-ended" && why !== undefined),
      );
    for (let one = 0; one < 3; one++) {
      const browser = first().browser();
      await browser.submit(await browser.open("/auth/sign-in"), { email: person.email, password });
    }
    await storages[0]?.db
      .updateTable("browser_session")
      .set({ expires_at: clock + 8 * 3_600_000 })
      .where("hash", "=", (await first().sessions.list(accountId))[0]?.name ?? "")
      .execute();
    const before = told().length;
    clock += 8 * 3_600_000;
    // What one of them holds at this moment is left to the others.
    await Promise.all(instances.flatMap(({ sessions }) => [sessions.sweep(), sessions.sweep()]));
    for (const { sessions } of instances) await sessions.sweep();
    const ended = told().slice(before);
    expect(ended.map(({ why }) => why).toSorted()).toEqual([
      "it was as old as it may be",
      "nobody used it",
      "nobody used it",
    ]);
    expect(new Set(ended.map(({ subject }) => subject))).toEqual(new Set([accountId]));
  });

  it("ends with everything of everybody on all within 1 s, whoever's it is", async () => {
    clock = Date.now();
    const browser = first().browser();
    await browser.submit(await browser.open("/auth/sign-in"), { email: person.email, password });
    const cookie = browser.cookies.get(sessionCookie) ?? "";
    expect(await everywhere(cookie)).toEqual([200, 200, 200]);
    await first().identity.endEverything();
    const begun = performance.now();
    let refused = await everywhere(cookie);
    while (refused.includes(200) && performance.now() - begun < 5000) refused = await everywhere(cookie);
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(refused).toEqual([401, 401, 401]);
    expect(await first().sessions.list(accountId)).toEqual([]);
  });

  function renew(origin: string, cookie: string): Promise<number> {
    return post("/auth/refresh", cookie, origin);
  }
  async function post(path: string, cookie: string, origin = first().origin): Promise<number> {
    const headers = { cookie: `${sessionCookie}=${cookie}`, "sec-fetch-site": "same-origin" };
    const response = await fetch(`${origin}${path}`, { method: "POST", headers });
    await response.body?.cancel();
    return response.status;
  }
});
