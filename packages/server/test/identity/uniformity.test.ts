import { publicAccess, nothing, refuse } from "portcullis";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";
import { type OAuthServer, startOAuthServer } from "./oauth-server.ts";
import { pair, timeInRounds } from "./paired-times.ts";

// Most of the time an answer takes is the password's.
vi.unmock("../../src/identity/password-cost.ts");

/** Below this, chance is no explanation. */
const sure = 0.0005;
const password = "correct horse battery";

// Times are measured for minutes: here on one store, by `npm run proofs` on both.
const onBoth = process.env["PORTCULLIS_PROOFS"] === "all";

describe.each(
  (
    [
      ["embedded", embeddedStores],
      ["PostgreSQL", postgresStores],
    ] as const
  ).slice(0, onBoth ? 2 : 1),
)("one answer for whoever guesses at accounts, %s", (_kind, start) => {
  let stores: TestStores;
  let server: OAuthServer;
  beforeAll(async () => {
    stores = await start();
    server = await startOAuthServer(await stores.open());
    const { accounts } = server.identity;
    for (const name of ["known-1", "known-2", "blocked"]) await accounts.signUp(address(name), password);
    await accounts.disable((await accounts.findByEmail(address("blocked")))?.id ?? "");
    // The usual wrong version: there is nothing to compare a password with, so nothing is compared.
    server.api.route(
      {
        path: "POST /leaky",
        access: publicAccess("for the tests"),
        input: { body: z.strictObject({ email: z.string().max(254), password: z.string().max(100) }) },
        output: nothing,
        startsSession: { account: "body.email" },
      },
      async ({ body }) => {
        if ((await accounts.findByEmail(body.email)) === undefined) return refuse("sign-in-failed", "no such account");
        const account = await accounts.authenticate(body.email, body.password);
        return account === undefined ? refuse("sign-in-failed", "wrong password") : undefined;
      },
    );
  });
  afterAll(async () => {
    await server.close();
    await stores.stop();
  });

  /** All as long as each other. */
  const address = (name: string) => `${name.padEnd(12, "-")}@example.com`;

  /** What a stranger can see of an answer, without what is new in every one of them. */
  async function ask(path: string, form: Readonly<Record<string, string>>) {
    server.forgiveLimits();
    const response = await fetch(`${server.issuer}${path}`, { method: "POST", body: new URLSearchParams(form) });
    return seen(response, form["email"] ?? "");
  }
  async function askJson(path: string, body: object) {
    server.forgiveLimits();
    const headers = { "content-type": "application/json" };
    return seen(await fetch(`${server.issuer}${path}`, { method: "POST", body: JSON.stringify(body), headers }), "");
  }
  async function seen(response: Response, email: string) {
    const fresh = new Set(["date", "x-request-id", "ratelimit", "ratelimit-policy"]);
    const text = await response.text();
    const nonce = /nonce="([^"]+)"/.exec(text)?.[1] ?? "-";
    const plain = (one: string) => one.replaceAll(nonce, "nonce").replaceAll(email, "address");
    return {
      status: response.status,
      length: text.length,
      text: plain(text),
      headers: [...response.headers].filter(([name]) => !fresh.has(name)).map(([name, value]) => [name, plain(value)]),
    };
  }

  /**
   * The same kind of account twice has to look the same, or the machine is too busy to tell anything; then once more. What
   * looks different once has to do so twice.
   */
  async function different<Kind extends string>(
    kinds: Readonly<Record<Kind | "known" | "alsoKnown", () => Promise<unknown>>>,
    rounds: number,
  ): Promise<readonly string[]> {
    let suspects: readonly string[] | undefined;
    for (let look = 0; look < 5; look++) {
      const { known, alsoKnown, ...others } = await timeInRounds(kinds, rounds);
      if (pair(known, alsoKnown).chance < 0.01) continue;
      const found = Object.entries<readonly number[]>(others).flatMap(([kind, times]) =>
        pair(known, times).chance < sure && suspects?.includes(kind) !== false ? [kind] : [],
      );
      if (found.length === 0 || suspects !== undefined) return found;
      suspects = found;
    }
    throw new Error("the machine is too busy: the same requests differ from themselves");
  }

  const signIn = (name: string, path = "/account/sign-in") => ask(path, { email: address(name), password: "wrong" });

  it("sees the usual wrong version at once", async () => {
    const guess = (name: string) => askJson("/leaky", { email: address(name), password: "wrong" });
    const found = await different(
      { known: () => guess("known-1"), alsoKnown: () => guess("known-2"), unknown: () => guess("nobody") },
      20,
    );
    expect(found).toEqual(["unknown"]);
  }, 240_000);

  it("answers a wrong password, an unknown address and a disabled account alike, to the letter and in time", async () => {
    const answers = await Promise.all(["known-1", "nobody"].map((name) => signIn(name)));
    const blocked = await ask("/account/sign-in", { email: address("blocked"), password });
    expect(answers[0]?.status).toBe(401);
    expect(answers[1]).toEqual(answers[0]);
    expect(blocked).toEqual(answers[0]);
    const found = await different(
      {
        known: () => signIn("known-1"),
        alsoKnown: () => signIn("known-2"),
        unknown: () => signIn("nobody"),
        blocked: () => ask("/account/sign-in", { email: address("blocked"), password }),
      },
      30,
    );
    expect(found).toEqual([]);
  }, 240_000);

  it("answers a forgotten password alike whether there is an account, to the letter and in time", async () => {
    const forgotten = (name: string) => ask("/account/forgotten", { email: address(name) });
    const [known, unknown, blocked] = [
      await forgotten("known-1"),
      await forgotten("nobody"),
      await forgotten("blocked"),
    ];
    expect(known.status).toBe(200);
    expect(unknown).toEqual(known);
    expect(blocked).toEqual(known);
    const found = await different(
      {
        known: () => forgotten("known-1"),
        alsoKnown: () => forgotten("known-2"),
        unknown: () => forgotten("nobody"),
        blocked: () => forgotten("blocked"),
      },
      100,
    );
    expect(found).toEqual([]);
  }, 240_000);

  it("answers a sign-up alike whether the address is free, to the letter and in time", async () => {
    let count = 0;
    const signUp = (name: string) => ask("/account/sign-up", { email: address(name), password });
    const free = () => signUp(`new-${count++}`);
    const [taken, fresh, blocked] = [await signUp("known-1"), await free(), await signUp("blocked")];
    expect(taken.status).toBe(200);
    expect(fresh).toEqual(taken);
    expect(blocked).toEqual(taken);
    const found = await different(
      { known: () => signUp("known-1"), alsoKnown: () => signUp("known-2"), free, blocked: () => signUp("blocked") },
      30,
    );
    expect(found).toEqual([]);
  }, 240_000);
});
