import { createHash, randomUUID } from "node:crypto";
import type { Mail } from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";
import type { Browser, Page } from "./browser.ts";
import { bob, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

const password = "harbour lights at nine";

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("another address for an account, %s", (_kind, start) => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  const mails: Mail[] = [];
  let people = 0;
  let person = { email: "", password };
  let id = "";

  beforeAll(async () => {
    stores = await start();
    storage = await stores.open();
    server = await startOAuthServer(storage, { sendMail: (mail) => void mails.push(mail) });
  });
  afterAll(async () => {
    await server.close();
    await stores.stop();
  });
  beforeEach(async () => {
    server.forgiveLimits();
    person = { email: `person-${people++}@example.com`, password };
    await server.identity.accounts.signUp(person.email, password);
    id = (await server.identity.accounts.findByEmail(person.email))?.id ?? "";
    await mailsTo(person.email, 1);
    mails.length = 0;
  });

  it("is there once the link is opened, with the password, and ends everything that the old one opened", async () => {
    const { access, refresh } = await tokensOf();
    const browser = await signedIn();
    const asked = await ask(browser, "new@example.com");
    expect([asked.status, asked.text.includes("Look at your mail")]).toEqual([200, true]);
    const [link] = await mailsTo("new@example.com", 1);
    const [notice] = await mailsTo(person.email, 1);
    expect(notice).toMatchObject({ subject: "Your address is to be changed (Notes)" });
    expect([notice?.text.includes("new@example.com"), notice?.text.includes(tokenIn(link))]).toEqual([true, false]);
    expect((await server.call(access)).status).toBe(200);
    expect(await server.identity.accounts.find(id)).toMatchObject({ email: person.email, isVerified: false });

    await server.identity.accounts.requestReset(person.email);
    const [, reset] = await mailsTo(person.email, 2);
    const done = await confirm(tokenIn(link));
    expect([done.status, done.text.includes("Your address is changed")]).toEqual([200, true]);
    expect(await server.identity.accounts.find(id)).toMatchObject({ email: "new@example.com", isVerified: true });
    expect([(await server.call(access)).status, (await server.refresh(refresh)).status]).toEqual([401, 400]);
    expect((await browser.open("/account")).url.pathname).toBe("/account/sign-in");
    expect(await server.identity.accounts.authenticate(person.email, password)).toBeUndefined();
    expect(await server.identity.accounts.authenticate("New@Example.com", password)).toMatchObject({ id });
    expect(await server.identity.accounts.resetPassword(tokenIn(reset), "a password of somebody else")).toBe(
      "bad-token",
    );
    expect((await confirm(tokenIn(link))).status).toBe(400);
    const told = await mailsTo(person.email, 3);
    expect(told[2]).toMatchObject({ subject: "Your address was changed (Notes)" });
    await vi.waitFor(() => {
      const types = server.events().map(({ type }) => type);
      expect(types).toEqual(expect.arrayContaining(["address-requested", "address-changed"]));
    }, 10_000);
    await server.identity.accounts.remove(id);
  });

  it("takes the password twice: to ask, and with the link, from whoever it belongs to", async () => {
    const browser = await signedIn();
    const wrong = await ask(browser, "new@example.com", { password: "not the password" });
    expect([wrong.status, wrong.text.includes("Wrong address or password.")]).toEqual([401, true]);
    const others = await ask(browser, "new@example.com", { ...bob });
    expect(others.status).toBe(401);
    expect((await ask(browser, "no address")).status).toBe(400);
    expect(mails).toEqual([]);

    await ask(browser, "new@example.com");
    const [link] = await mailsTo("new@example.com", 1);
    const page = await server.browser().open(`/account/email/${tokenIn(link)}`);
    expect([page.text.includes("new@example.com"), page.text.includes(person.email)]).toEqual([true, false]);
    expect((await confirm(tokenIn(link), { password: "not the password" })).status).toBe(401);
    expect((await confirm(tokenIn(link), { ...bob })).status).toBe(401);
    expect(await server.identity.accounts.find(id)).toMatchObject({ email: person.email });
    expect((await confirm(tokenIn(link))).status).toBe(200);
    await server.identity.accounts.remove(id);
  });

  it("says the same of an address that is another's, and tells its owner alone", async () => {
    const browser = await signedIn();
    const free = await ask(browser, "free@example.com");
    await mailsTo("free@example.com", 1);
    const taken = await ask(browser, bob.email);
    // Without the head, whose nonce is new each time.
    const bodyOf = (text: string) => text.slice(text.indexOf("<body>"));
    expect(bodyOf(taken.text)).toBe(bodyOf(free.text).replaceAll("free@example.com", bob.email));
    expect(taken.status).toBe(free.status);
    const [mail] = await mailsTo(bob.email, 1);
    expect(mail).toMatchObject({ subject: "You already have an account (Notes)" });
    expect(mail?.text).not.toContain("/account/email/");
    await mailsTo(person.email, 2);
  });

  it("does not come with a link that a newer one replaced, that ran out, or whose address somebody else took", async () => {
    const browser = await signedIn();
    await ask(browser, "first@example.com");
    await ask(browser, "second@example.com");
    const [first] = await mailsTo("first@example.com", 1);
    const [second] = await mailsTo("second@example.com", 1);
    expect((await confirm(tokenIn(first))).status).toBe(400);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 86_400_000 });
    expect((await confirm(tokenIn(second))).status).toBe(400);
    vi.useRealTimers();
    await server.identity.accounts.signUp("second@example.com", "somebody else was faster");
    expect((await confirm(tokenIn(second))).status).toBe(400);
    expect(await server.identity.accounts.find(id)).toMatchObject({ email: person.email });
    expect(await server.identity.accounts.authenticate("second@example.com", password)).toBeUndefined();
  });

  it("does not come for a thief who asked with the password, once the owner has changed it", async () => {
    await ask(await signedIn(), "thief@example.com");
    const [link] = await mailsTo("thief@example.com", 1);
    const next = "nine lights at the harbour";
    expect(await server.identity.accounts.changePassword(id, password, next)).toBeUndefined();
    expect((await confirm(tokenIn(link))).status).toBe(400);
    expect((await confirm(tokenIn(link), { password: next })).status).toBe(400);
  });

  it("comes once of many that press the button, and never from a page of another site", async () => {
    const browser = await signedIn();
    const foreign = await fetch(`${server.base}/account/email`, {
      method: "POST",
      headers: {
        "sec-fetch-site": "cross-site",
        cookie: [...browser.cookies].map((one) => one.join("=")).join("; "),
      },
      body: new URLSearchParams({ ...person, newEmail: "thief@example.com" }),
    });
    expect(foreign.status).toBe(403);
    const stranger = await ask(server.browser(), "thief@example.com");
    expect(stranger.url.pathname).toBe("/account/sign-in");
    await ask(browser, `new-${id}@example.com`);
    const [link] = await mailsTo(`new-${id}@example.com`, 1);
    expect(mails.some(({ to }) => to === "thief@example.com")).toBe(false);
    const all = await Promise.all([1, 2, 3].map(() => confirm(tokenIn(link))));
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it("is refused like a taken one where somebody signs up with it in the same moment, and so is a second account", async () => {
    const wanted = `wanted-${id}@example.com`;
    await ask(await signedIn(), wanted);
    const [link] = await mailsTo(wanted, 1);
    const stranger = {
      ...(await storage.db.selectFrom("account").selectAll().where("id", "=", id).executeTakeFirstOrThrow()),
      id: randomUUID(),
      email: wanted,
      email_key: wanted,
    };
    let waiting: Promise<Page> | undefined;
    await storage.db.transaction().execute(async (one) => {
      await one.insertInto("account").values(stranger).execute();
      waiting = confirm(tokenIn(link));
      // It has found the address free by then; the embedded store lets nobody look before this is over.
      if (storage.kind === "postgres") {
        await vi.waitFor(async () => {
          const found = await sql`select 1 from pg_locks where not granted`.execute(one);
          expect(found.rows).not.toEqual([]);
        }, 10_000);
      }
    });
    const refused = await waiting;
    expect([refused?.status, refused?.text.includes("This link cannot be used any more")]).toEqual([400, true]);
    expect(await server.identity.accounts.find(id)).toMatchObject({ email: person.email, isVerified: false });
    // Both have a link to the same address, and press the button at once.
    const second = { email: `second-${id}@example.com`, password };
    await server.identity.accounts.signUp(second.email, password);
    const seconds = (await server.identity.accounts.findByEmail(second.email))?.id ?? "";
    mails.length = 0;
    const shared = `shared-${id}@example.com`;
    for (const one of [id, seconds]) await server.identity.accounts.requestAddress(one, shared);
    const [first, other] = await mailsTo(shared, 2);
    const tokens = await Promise.all(
      [first, other].map(async (mail) => {
        const token = tokenIn(mail);
        const row = await storage.db
          .selectFrom("mail_token")
          .select("account_id")
          .where("hash", "=", createHash("sha256").update(token).digest("base64url"))
          .executeTakeFirstOrThrow();
        return { token, as: row.account_id === id ? person : second };
      }),
    );
    const pages = await Promise.all(tokens.map(({ token, as }) => confirm(token, as)));
    expect(pages.map(({ status }) => status).toSorted()).toEqual([200, 400]);
  });

  it("makes one account of many sign-ups with one address at once, and answers them all the same", async () => {
    const email = `many-${id}@example.com`;
    server.forgiveLimits();
    const pages = await Promise.all(
      [1, 2, 3, 4].map(async (one) => {
        const browser = server.browser();
        return browser.submit(await browser.open("/account/sign-up"), { email, password: `${password} ${one}` });
      }),
    );
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(new Set(pages.map(({ text }) => text.slice(text.indexOf("<body>")))).size).toBe(1);
    const rows = await storage.db.selectFrom("account").select("id").where("email_key", "=", email).execute();
    expect(rows).toHaveLength(1);
  });

  async function signedIn(): Promise<Browser> {
    const browser = server.browser();
    await browser.submit(await browser.open("/account/sign-in"), person);
    return browser;
  }

  async function ask(browser: Browser, newEmail: string, over: Readonly<Record<string, string>> = {}) {
    server.forgiveLimits();
    const page = await browser.open("/account/email");
    return page.url.pathname === "/account/email" ? browser.submit(page, { ...person, newEmail, ...over }) : page;
  }

  async function confirm(token: string, over: Readonly<Record<string, string>> = {}) {
    server.forgiveLimits();
    const browser = server.browser();
    return browser.submit(await browser.open(`/account/email/${token}`), { ...person, ...over });
  }

  async function tokensOf() {
    const done = await server.authorize(server.browser(), {}, person);
    const { body } = await server.token({
      grant_type: "authorization_code",
      code: done.params.get("code") ?? "",
      code_verifier: done.verifier,
      redirect_uri: done.redirectUri,
      client_id: "web",
      client_secret: "web-secret-that-is-only-for-tests-0123456789",
    });
    return { access: String(body["access_token"]), refresh: String(body["refresh_token"]) };
  }

  /** Mails leave after the answer. */
  async function mailsTo(to: string, count: number): Promise<readonly Mail[]> {
    return vi.waitFor(() => {
      const found = mails.filter((mail) => mail.to === to);
      expect(found.length).toBeGreaterThanOrEqual(count);
      return found;
    }, 10_000);
  }

  function tokenIn(mail: Mail | undefined): string {
    return /\/account\/\w+\/([\w-]+)/.exec(mail?.text ?? "")?.[1] ?? "none";
  }
});
