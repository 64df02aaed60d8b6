import type { RouteLimit } from "portcullis";
import { nothing, publicAccess, refuse, signIn } from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { FrontDoor } from "../front-door.ts";
import { openDoor, testApi } from "../front-door.ts";

/** The clock stands still until a test moves it. */
let nowMs = 9_000_000;
const clock = { now: () => 1_800_000_000_000 + nowMs, monotonic: () => nowMs };

let door: FrontDoor | undefined;
afterEach(async () => {
  await door?.close();
  door = undefined;
});

const high = {
  global: "100000/s",
  address: "100000/s",
  wideAddress: "100000/s",
  caller: "100000/s",
  failures: "100000/s",
} as const;

/** An API behind a proxy that tells addresses, with one sign-in; the password is `right`. */
async function serve(limit: RouteLimit | readonly RouteLimit[] = signIn("body.user")) {
  const test = testApi({ clock, limits: high, proxies: { trusted: ["127.0.0.1"], header: "x-forwarded-for" } });
  let checked = 0;
  test.api.route(
    {
      path: "POST /v1/sign-in",
      access: publicAccess("signing in"),
      input: { body: z.strictObject({ user: z.string().max(50), password: z.string().max(50) }) },
      output: nothing,
      startsSession: { account: "body.user" },
      limit,
    },
    ({ body }) => {
      checked++;
      return body.password === "right" ? undefined : refuse("sign-in-failed", "wrong password");
    },
  );
  const opened = await openDoor(test);
  door = opened;
  const from = (address: string) => ({ "x-forwarded-for": address, "x-forwarded-proto": "https" });
  return {
    passwordsChecked: () => checked,
    manifest: () => test.api.manifest(),
    async signIn(address: string, user: string, password: string) {
      return (await opened.ask("POST /v1/sign-in", { headers: from(address), json: { user, password } })).status;
    },
  };
}

/** Tries from one address as long and as fast as a patient stranger would for an hour. */
async function hourOfGuesses(tryOnce: () => Promise<number>): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let minute = 0; minute < 59; minute++) {
    for (let i = 0; i < 3; i++) statuses.push(await tryOnce());
    nowMs += 60_000;
  }
  return statuses;
}

describe("rate-limit: a stranger guesses at an account and locks nobody out", () => {
  it("wrong passwords from one address close the account for that address alone", async () => {
    const { signIn: signInFrom } = await serve();
    const guesses: number[] = [];
    for (let i = 0; i < 5; i++) guesses.push(await signInFrom("198.51.100.7", "alice", "wrong"));
    nowMs += 61_000;
    guesses.push(await signInFrom("198.51.100.7", "alice", "wrong"));
    expect(guesses).toEqual([401, 401, 401, 401, 401, 429]);
    expect(await signInFrom("203.0.113.9", "alice", "right")).toBe(204);
  });

  it("nor does he who knocks for a whole hour, however often", async () => {
    const { signIn: signInFrom, passwordsChecked } = await serve();
    const statuses = await hourOfGuesses(() => signInFrom("198.51.100.7", "alice", "wrong"));
    expect(statuses.filter((status) => status === 401)).toHaveLength(5);
    expect(passwordsChecked()).toBe(5);
    expect(await signInFrom("203.0.113.9", "alice", "right")).toBe(204);
  });

  it("nor does a whole /48 of IPv6, which one customer has", async () => {
    const { signIn: signInFrom } = await serve();
    let host = 0;
    const statuses = await hourOfGuesses(() => signInFrom(`2001:db8:7:${(host++).toString(16)}::1`, "alice", "wrong"));
    expect(statuses.filter((status) => status === 401)).toHaveLength(5);
    expect(await signInFrom("2001:db8:8::1", "alice", "right")).toBe(204);
  });

  it("many addresses together still get no further than the bound of the account", async () => {
    const { signIn: signInFrom, passwordsChecked } = await serve();
    const statuses: number[] = [];
    for (let machine = 1; machine <= 30; machine++) {
      for (let i = 0; i < 5; i++) statuses.push(await signInFrom(`198.51.100.${machine}`, "alice", "wrong"));
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(50);
    expect(passwordsChecked()).toBe(50);
    nowMs += 3_600_000;
    expect(await signInFrom("203.0.113.9", "alice", "right")).toBe(204);
  });

  it("what the account's bound refuses costs the address of its owner nothing", async () => {
    const { signIn: signInFrom } = await serve([
      { rate: "3/h", by: "body.user", and: "address", counts: "failures" },
      { rate: "4/h", by: "body.user", counts: "failures" },
    ]);
    for (const address of ["198.51.100.1", "198.51.100.2"]) {
      for (let i = 0; i < 2; i++) expect(await signInFrom(address, "alice", "wrong")).toBe(401);
    }
    for (let i = 0; i < 10; i++) expect(await signInFrom("203.0.113.9", "alice", "right")).toBe(429);
    nowMs += 3_600_000;
    // All three tries of his own are still there.
    expect(await signInFrom("203.0.113.9", "alice", "wrong")).toBe(401);
    expect(await signInFrom("203.0.113.9", "alice", "wrong")).toBe(401);
    expect(await signInFrom("203.0.113.9", "alice", "right")).toBe(204);
  });

  it("what the address's own bound refuses costs the account nothing, of requests neither", async () => {
    const { signIn: signInFrom } = await serve([
      { rate: "20/h", by: "body.user" },
      { rate: "2/h", by: "body.user", and: "address", counts: "failures" },
      { rate: "50/h", by: "body.user", counts: "failures" },
    ]);
    for (let i = 0; i < 60; i++) await signInFrom("198.51.100.7", "alice", "wrong");
    for (let i = 0; i < 18; i++) expect(await signInFrom("203.0.113.9", "alice", "right")).toBe(204);
    expect(await signInFrom("203.0.113.9", "alice", "right")).toBe(429);
  });

  it("successes use up nothing, and neither do another account's failures", async () => {
    const { signIn: signInFrom } = await serve();
    for (let i = 0; i < 5; i++) expect(await signInFrom("198.51.100.7", "alice", "wrong")).toBe(401);
    nowMs += 61_000;
    expect(await signInFrom("198.51.100.7", "alice", "right")).toBe(429);
    for (let i = 0; i < 4; i++) expect(await signInFrom("198.51.100.7", "bob", "right")).toBe(204);
  });

  it("a limit by account and address alone stops the start, because many machines would pass it", () => {
    const { api } = testApi();
    api.route(
      {
        path: "POST /v1/sign-in",
        access: publicAccess("signing in"),
        input: { body: z.strictObject({ user: z.string().max(50) }) },
        output: nothing,
        startsSession: { account: "body.user" },
        limit: { rate: "5/h", by: "body.user", and: "address", counts: "failures" },
      },
      () => undefined,
    );
    expect(api.problems().map((one) => one.problem)).toEqual([
      "lets one account be guessed without end, from many addresses",
    ]);
  });

  it("and what can only be counted with a field says so at the start", () => {
    const { api } = testApi();
    const route = (limit: unknown) =>
      Reflect.apply(api.route, api, [
        { path: "GET /v1/x", access: publicAccess("x"), output: nothing, limit },
        () => undefined,
      ]);
    route({ rate: "5/h", by: "caller", and: "address" });
    expect(api.problems().map((one) => one.problem)).toEqual(['counts caller and "address" together']);
    route({ rate: "5/h", by: "address", and: "tenant" });
    expect(api.problems().map((one) => one.problem)).toEqual(['counts address and "tenant" together']);
  });

  it("the manifest tells the prover of both bounds", async () => {
    const { manifest } = await serve();
    const [name, sharedAs] = ["route", "sign-in"];
    expect(JSON.stringify(manifest())).toContain(
      JSON.stringify([
        { name, limit: 5, windowMs: 60_000, by: "address", sharedAs, counts: "requests" },
        { name, limit: 5, windowMs: 3_600_000, by: "body.user", and: "address", sharedAs, counts: "failures" },
        { name, limit: 50, windowMs: 3_600_000, by: "body.user", sharedAs, counts: "failures" },
      ]),
    );
  });
});
