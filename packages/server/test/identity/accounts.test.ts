import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { Mail } from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { usual } from "../../src/identity/password-cost.ts";
import { hashPassword } from "../../src/identity/passwords.ts";
import { accountsOf, embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";
import type { Browser, Page } from "./browser.ts";
import { clients, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

const minute = 60_000;
const first = "correct horse battery";
const second = "staple battery horse";
const cookie = "__Host-portcullis-op";

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("accounts through their pages, %s", (_kind, start) => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  const mails: Mail[] = [];
  beforeAll(async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    stores = await start();
    storage = await stores.open();
    server = await startOAuthServer(storage, { sendMail: (mail) => void mails.push(mail) });
  });
  beforeEach(() => server.forgiveLimits());
  afterAll(async () => {
    await server.close();
    await stores.stop();
    vi.useRealTimers();
  });

  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
  const title = ({ text }: Page) => /<h1>([^<]*)/.exec(text)?.[1];
  const problem = ({ text }: Page) => /role="alert">([^<]*)/.exec(text)?.[1];
  const newAddress = () => `p-${randomUUID()}@example.com`;

  async function fill(browser: Browser, path: string, values: Readonly<Record<string, string>> = {}): Promise<Page> {
    server.forgiveLimits();
    return browser.submit(await browser.open(path), values);
  }
  async function signUp(email = newAddress(), password = first): Promise<string> {
    expect(title(await fill(server.browser(), "/account/sign-up", { email, password }))).toBe("Look at your mail");
    return email;
  }
  async function signIn(email: string, password = first): Promise<Browser> {
    const browser = server.browser();
    const page = await fill(browser, "/account/sign-in", { email, password });
    expect([page.status, page.url.pathname]).toEqual([200, "/account"]);
    return browser;
  }
  async function canSignIn(email: string, password: string): Promise<boolean> {
    const page = await fill(server.browser(), "/account/sign-in", { email, password });
    return page.status === 200;
  }
  const isSignedIn = async (browser: Browser) => (await browser.open("/account")).url.pathname === "/account";
  /** Path of the newest link that was mailed to an address. */
  async function mailed(to: string, subject: RegExp): Promise<string> {
    const mail = await vi.waitFor(() => {
      const found = mails.findLast((one) => one.to === to && subject.test(one.subject));
      if (found === undefined) throw new Error(`nothing was mailed to ${to}`);
      return found;
    }, 10_000);
    const link = /http\S+/.exec(mail.text)?.[0] ?? "";
    expect(link.startsWith(`${server.issuer}/account/`)).toBe(true);
    return link.slice(server.issuer.length);
  }
  async function resetLink(email: string): Promise<string> {
    mails.length = 0;
    await fill(server.browser(), "/account/forgotten", { email });
    return mailed(email, /^Reset your password/);
  }
  async function eventsOf(email: string): Promise<readonly string[]> {
    const id = (await server.identity.accounts.findByEmail(email))?.id ?? "";
    // One event more, whose account is known, tells which hash is whose.
    server.api.tell({ type: "account-enabled", subject: id, request: { id: `marker ${id}`, address: "::1" } });
    return vi.waitFor(() => {
      const marker = server.events().find(({ requestId }) => requestId === `marker ${id}`);
      if (marker === undefined) throw new Error("not recorded yet");
      return server
        .events()
        .filter(({ account, requestId }) => account === marker.account && requestId !== marker.requestId)
        .map(({ type }) => type);
    }, 10_000);
  }

  it("confirms an address when the button is pressed, not when a mail scanner follows the link, and once", async () => {
    const email = await signUp();
    const link = await mailed(email, /^Confirm/);
    for (let scan = 0; scan < 3; scan++) expect((await server.browser().open(link)).status).toBe(200);
    expect((await server.identity.accounts.findByEmail(email))?.isVerified).toBe(false);
    expect(title(await fill(server.browser(), link, { email, password: first }))).toBe("Your address is confirmed");
    expect((await server.identity.accounts.findByEmail(email))?.isVerified).toBe(true);
    const again = await fill(server.browser(), link, { email, password: first });
    expect([again.status, title(again)]).toEqual([400, "This link cannot be used any more"]);
    expect(await eventsOf(email)).toEqual(["signed-up", "address-verified"]);
  });

  it("lets mailed links run out, and a new one replace the old", async () => {
    const email = await signUp();
    const verify = await mailed(email, /^Confirm/);
    pass(24 * 60 * minute);
    expect((await fill(server.browser(), verify, { email, password: first })).status).toBe(400);
    const [old, late] = [await resetLink(email), await resetLink(email)];
    expect((await fill(server.browser(), old, { password: second })).status).toBe(400);
    pass(30 * minute);
    expect((await fill(server.browser(), late, { password: second })).status).toBe(400);
    const fresh = await resetLink(email);
    pass(29 * minute);
    expect((await fill(server.browser(), fresh, { password: second })).status).toBe(200);
    expect(await canSignIn(email, second)).toBe(true);
  });

  it("mails the link that confirms an address again, to who is signed in, in place of the first", async () => {
    const email = await signUp();
    const first_ = await mailed(email, /^Confirm/);
    const browser = await signIn(email);
    mails.length = 0;
    const account = (await server.identity.accounts.findByEmail(email))?.id ?? "";
    expect(title(await fill(browser, "/account", { account }))).toBe("Look at your mail");
    const next = await mailed(email, /^Confirm/);
    const proof = { email, password: first };
    expect((await fill(server.browser(), first_, proof)).status).toBe(400);
    expect((await fill(server.browser(), next, proof)).status).toBe(200);
    expect((await browser.open("/account")).text).not.toContain("verify-again");
    const body = new URLSearchParams({ account });
    const stranger = await fetch(`${server.issuer}/account/verify-again`, { method: "POST", body });
    expect(stranger.status).toBe(401);
  });

  it("takes a link of one purpose for no other", async () => {
    const email = await signUp();
    const verify = await mailed(email, /^Confirm/);
    expect((await fill(server.browser(), verify.replace("verify", "reset"), { password: second })).status).toBe(400);
    const reset = await resetLink(email);
    const asVerify = await fill(server.browser(), reset.replace("reset", "verify"), { email, password: first });
    expect(asVerify.status).toBe(400);
  });

  it("signs nobody in by a mail: who used a link that confirms, or one that sets a password, still signs in", async () => {
    const email = await signUp();
    const verify = await mailed(email, /^Confirm/);
    for (const [link, values, done] of [
      [verify, { email, password: first }, "Your address is confirmed"],
      [await resetLink(email), { password: second }, "Your password is set"],
    ] as const) {
      const browser = server.browser();
      expect(title(await fill(browser, link, values))).toBe(done);
      expect([browser.cookies.size, await isSignedIn(browser)]).toEqual([0, false]);
    }
    expect(await canSignIn(email, second)).toBe(true);
  });

  it("confirms no account that a stranger made with somebody's address, though its owner presses the button", async () => {
    const email = await signUp(newAddress(), "what a stranger knows");
    const other = await signUp(newAddress(), first);
    const link = await mailed(email, /^Confirm/);
    expect((await server.browser().open(link)).text).toContain(`readonly value="${email}"`);
    for (const [typed, password] of [
      [email, first],
      [other, first],
    ] as const) {
      const page = await fill(server.browser(), link, { email: typed, password });
      expect([page.status, problem(page)]).toEqual([401, "Wrong address or password."]);
    }
    expect((await fill(server.browser(), link)).status).toBe(400);
    expect((await server.identity.accounts.findByEmail(email))?.isVerified).toBe(false);
    // Who signed up, and can read the mail, still can.
    const done = await fill(server.browser(), link, { email, password: "what a stranger knows" });
    expect(title(done)).toBe("Your address is confirmed");
  });

  it("lets nobody who has the link guess the password on and on", async () => {
    const email = await signUp();
    const browser = server.browser();
    const page = await browser.open(await mailed(email, /^Confirm/));
    server.forgiveLimits();
    const statuses: number[] = [];
    for (let guess = 0; guess < 7; guess++) {
      statuses.push((await browser.submit(page, { email, password: `guess ${guess}` })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
  });

  it("gives a reset to one of many that bring the same link at once", async () => {
    const email = await signUp();
    const token = (await resetLink(email)).split("/").at(-1) ?? "";
    const { accounts } = server.identity;
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, n) => accounts.resetPassword(token, `${second} ${n}`)),
    );
    expect(results.filter((result) => result === undefined)).toHaveLength(1);
    expect(results.filter((result) => result === "bad-token")).toHaveLength(7);
  });

  it("ends everything signed in with a reset, and keeps the link where the new password is none", async () => {
    const email = await signUp();
    const browser = await signIn(email);
    const tokens = await server.tokens("web", {}, browser);
    const link = await resetLink(email);
    const refused = await fill(server.browser(), link, { password: "password1234" });
    expect([refused.status, problem(refused)]).toEqual([400, expect.stringContaining("first that others try")]);
    const own = await fill(server.browser(), link, { password: "example.com-2024" });
    expect([own.status, problem(own)]).toEqual([400, expect.stringContaining("little more than your address")]);
    expect(title(await fill(server.browser(), link, { password: second }))).toBe("Your password is set");
    expect(await isSignedIn(browser)).toBe(false);
    expect((await server.call(tokens.access)).status).toBe(401);
    expect((await server.refresh(tokens.refresh)).status).toBe(400);
    expect([await canSignIn(email, first), await canSignIn(email, second)]).toEqual([false, true]);
    expect(await eventsOf(email)).toEqual(expect.arrayContaining(["password-reset", "address-verified"]));
    await vi.waitFor(
      () => expect(mails.map(({ subject }) => subject)).toContain("Your password was reset (Notes)"),
      10_000,
    );
  });

  it("mails whose password is right after five wrong ones, and of ten wrong ones, and nobody else", async () => {
    const { accounts } = server.identity;
    const [email, unconfirmed] = [await signUp(), await signUp()];
    await fill(server.browser(), await mailed(email, /^Confirm your address/), { email, password: first });
    const guess = async (times: number, who = email) => {
      for (let i = 0; i < times; i++) expect(await accounts.authenticate(who, `wrong ${i}`)).toBeUndefined();
    };
    const subjects = () => mails.map(({ to, subject }) => `${to}: ${subject}`);
    const after = `${email}: A sign-in after wrong passwords (Notes)`;
    const tried = `${email}: Wrong passwords for your account (Notes)`;
    mails.length = 0;

    await guess(4);
    // A day without one begins anew.
    pass(24 * 60 * minute);
    await guess(1);
    expect(await accounts.authenticate(email, first)).toBeDefined();
    await guess(5);
    expect(await accounts.authenticate(email, first)).toBeDefined();
    await vi.waitFor(() => expect(subjects()).toContain(after));
    expect(mails.at(-1)?.text).toContain("after 5 wrong ones");
    expect(subjects()).toEqual([after]);

    // Whose address is not confirmed may be somebody else's.
    await guess(10, unconfirmed);
    await guess(10);
    await vi.waitFor(() => expect(subjects()).toEqual([after, tried]));
  });

  it("tells nobody but its owner that an address has an account, and leaves the account as it is", async () => {
    const email = newAddress();
    const one = await fill(server.browser(), "/account/sign-up", { email, password: first });
    const two = await fill(server.browser(), "/account/sign-up", { email: email.toUpperCase(), password: second });
    const same = ({ status, text, headers }: Page) => {
      const varies = new Set(["date", "x-request-id", "content-security-policy", "ratelimit", "ratelimit-policy"]);
      return [
        status,
        text.replaceAll(/nonce="[^"]*"/g, "").toLowerCase(),
        [...headers].filter(([name]) => !varies.has(name)),
      ];
    };
    expect(same(two)).toEqual(same(one));
    await mailed(email, /^You already have an account/);
    expect([await canSignIn(email, first), await canSignIn(email, second)]).toEqual([true, false]);
    expect(await eventsOf(email)).not.toContain("password-reset");
  });

  it("knows an address in every spelling that is the same to its reader, and shows it as it was typed", async () => {
    const local = `Stra\u00dfe-${randomUUID().slice(0, 8)}-e\u0301`;
    const email = await signUp(`${local}@B\u00fccher.example`);
    for (const spelling of [
      email,
      email.toUpperCase(),
      `${local.normalize("NFC").replace("\u00df", "SS")}@xn--bcher-kva.example`,
    ]) {
      const browser = await signIn(spelling);
      expect((await browser.open("/account")).text).toContain(email);
    }
    for (const other of [email.replace("tra", "t\uff52a"), email.replace("B", "8")]) {
      expect(await canSignIn(other, first)).toBe(false);
    }
  });

  it.each([
    ["a header", "a@example.com\r\nBcc: b@example.com"],
    ["a list", "a@example.com,b@example.com"],
    ["a display name", "Bank <a@example.com>"],
    ["a quoted name", '"a b"@example.com'],
    ["two hosts", "a@example.com@example.org"],
    ["a machine", "a@[127.0.0.1]"],
    ["no domain", "a@localhost"],
    ["a direction mark", "a\u202e@example.com"],
    ["a long name", `${"a".repeat(65)}@example.com`],
  ])("sends no mail where an address is %s", async (_what, email) => {
    mails.length = 0;
    const page = await fill(server.browser(), "/account/sign-up", { email, password: first });
    expect(page.status).toBe(400);
    await fill(server.browser(), "/account/forgotten", { email });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(mails).toEqual([]);
  });

  it.each([
    ["11 characters", "a b c d e f", "too short"],
    ["11 characters of two units each", "\u{1f40e}".repeat(11), "too short"],
    ["129 characters", "a b ".repeat(32) + "a", "too long"],
    ["a common one in disguise", "PassWord!2024", "first that others try"],
    ["one run", "abcdefghijklmnop", "first that others try"],
    ["the address", "p@example.com", "little more than your address"],
    ["a part of the address, in disguise", "3xAmple-example", "little more than your address"],
    ["the name of the service, in disguise", "N0te$!Seton.2024", "a name everybody knows here"],
  ])("takes no password of %s", async (_what, password, said) => {
    const page = await fill(server.browser(), "/account/sign-up", { email: "P@EXAMPLE.com", password });
    expect([page.status, problem(page)]).toEqual([400, expect.stringContaining(said)]);
  });

  it.each([
    ["12 characters of any kind", "zq wv kx jf!"],
    ["128 characters", "a b c d ".repeat(16)],
    ["no Latin letters at all", "\u043b\u043e\u0448\u0430\u0434\u044c \u0438 \u0441\u043a\u043e\u0431\u0430"],
  ])("takes a password of %s", async (_what, password) => {
    const email = await signUp(newAddress(), password);
    expect(await canSignIn(email, password)).toBe(true);
    expect(
      await canSignIn(email, password.toUpperCase() === password ? password.toLowerCase() : password.toUpperCase()),
    ).toBe(false);
  });

  it("changes a password for who knows the present one, keeps this browser and signs everything else out", async () => {
    const email = await signUp();
    const [here, elsewhere] = [await signIn(email), await signIn(email)];
    const before = here.cookies.get(cookie);
    const reset = await resetLink(email);
    const change = (values: object) =>
      fill(here, "/account/password", { email, password: first, newPassword: second, ...values });
    const wrong = await change({ password: "wrong" });
    expect([wrong.status, problem(wrong)]).toEqual([401, "Wrong address or password."]);
    expect((await change({ newPassword: "short" })).status).toBe(400);
    expect(await isSignedIn(elsewhere)).toBe(true);
    const done = await change({});
    expect(title(done)).toBe("Your password is changed");
    expect(here.cookies.get(cookie)).not.toBe(before);
    expect([await isSignedIn(here), await isSignedIn(elsewhere)]).toEqual([true, false]);
    const old = server.browser();
    old.cookies.set(cookie, before ?? "");
    expect(await isSignedIn(old)).toBe(false);
    // What was mailed for the old one opens nothing.
    expect((await fill(server.browser(), reset, { password: "a third long phrase" })).status).toBe(400);
    expect(await eventsOf(email)).toContain("password-changed");
  });

  it("is where password managers look for it that a password is changed", async () => {
    const browser = await signIn(await signUp());
    expect((await browser.open("/.well-known/change-password")).url.pathname).toBe("/account/password");
  });

  it("lets one of several changes of a password happen that all know the old one", async () => {
    const email = await signUp();
    const id = (await server.identity.accounts.findByEmail(email))?.id ?? "";
    const results = await Promise.all(
      Array.from({ length: 6 }, (_, n) => server.identity.accounts.changePassword(id, first, `${second} ${n}`)),
    );
    expect(results.filter((result) => result === undefined)).toHaveLength(1);
    expect(results.filter((result) => result === "wrong-password")).toHaveLength(5);
  });

  it("asks whoever is signed in for their own password, and takes nobody else's", async () => {
    const [alice, bob] = [await signUp(), await signUp(newAddress(), second)];
    const browser = await signIn(alice);
    for (const path of ["/account/password", "/account/sign-out-everywhere", "/account/delete"]) {
      const extra = path === "/account/password" ? { newPassword: "a third long phrase" } : {};
      for (const [email, password] of [
        [bob, second],
        [alice, second],
        [bob, first],
      ] as const) {
        const page = await fill(browser, path, { email, password, ...extra });
        expect([path, page.status]).toEqual([path, 401]);
      }
    }
    expect(await isSignedIn(browser)).toBe(true);
    expect([await canSignIn(alice, first), await canSignIn(bob, second)]).toEqual([true, true]);
  });

  it("lets five wrong passwords an hour be tried, whichever form they are typed into", async () => {
    const email = await signUp();
    const browser = await signIn(email);
    const authorize = new URL("/oauth/authorize", server.issuer);
    authorize.search = new URLSearchParams({
      client_id: "web",
      redirect_uri: clients.web.redirectUris[0],
      response_type: "code",
      scope: "openid",
      code_challenge: "x".repeat(43),
      code_challenge_method: "S256",
      prompt: "login",
    }).toString();
    const link = await mailed(email, /^Confirm/);
    server.forgiveLimits();
    const forms = ["sign-out-everywhere", "delete", "password"].map((name) => `/account/${name}`);
    const guess = async (form: string, extra = {}) =>
      (await browser.submit(await browser.open(form), { email, password: "not the one", ...extra })).status;
    expect(await guess(forms[0] ?? "")).toBe(401);
    expect(await guess(forms[1] ?? "")).toBe(401);
    expect(await guess(forms[2] ?? "", { newPassword: second })).toBe(401);
    expect(await guess(authorize.href)).toBe(401);
    expect(await guess(link)).toBe(401);
    server.forgiveLimits(minute);
    for (const form of [...forms.slice(0, 2), authorize.href, link]) {
      expect([form, await guess(form)]).toEqual([form, 429]);
    }
    // Who has no account is told the same, after as many.
    const unknown = newAddress();
    const sendTo = (address: string) =>
      fetch(`${server.base}/account/sign-in`, {
        method: "POST",
        body: new URLSearchParams({ email: address, password: "not the one" }),
        headers: { "sec-fetch-site": "same-origin", accept: "text/html" },
      });
    for (let at = 0; at < 5; at++) {
      server.forgiveLimits(minute);
      expect((await sendTo(unknown)).status).toBe(401);
    }
    const told = [];
    for (const address of [email, unknown]) {
      server.forgiveLimits(minute);
      const answer = await sendTo(address);
      const text = await answer.text();
      expect([answer.status, /Try again in \d+ minutes\./.test(text)]).toEqual([429, true]);
      told.push([
        text.replaceAll(/nonce="[^"]+"|Request [\w-]{22}|in \d+ minutes/g, ""),
        [...answer.headers.keys()].toSorted(),
      ]);
    }
    expect(told[0]).toEqual(told[1]);
  });

  it("ends the session a browser has when somebody signs in there again", async () => {
    const standing = async (value: string) => {
      const other = server.browser();
      other.cookies.set(cookie, value);
      return isSignedIn(other);
    };
    const email = await signUp();
    for (const next of [email, await signUp()]) {
      const before = (await signIn(email)).cookies.get(cookie) ?? "";
      server.forgiveLimits();
      const response = await fetch(`${server.issuer}/account/sign-in`, {
        method: "POST",
        body: new URLSearchParams({ email: next, password: first }),
        headers: { cookie: `${cookie}=${before}`, "sec-fetch-site": "same-origin" },
      });
      const now = /__Host-portcullis-op=([^;]+)/.exec(response.headers.get("set-cookie") ?? "")?.[1] ?? "";
      expect([response.status, now === before]).toEqual([200, false]);
      expect([await standing(before), await standing(now)]).toEqual([false, true]);
    }
  });

  it("signs out here, or everywhere at once", async () => {
    const email = await signUp();
    const [one, two, three] = [await signIn(email), await signIn(email), await signIn(email)];
    const stolen = one.cookies.get(cookie) ?? "";
    const page = await one.open("/account");
    await one.submit({ ...page, text: page.text.replace(/<form[^>]*verify-again/, "") }, {});
    const thief = server.browser();
    thief.cookies.set(cookie, stolen);
    expect([await isSignedIn(one), await isSignedIn(thief), await isSignedIn(two)]).toEqual([false, false, true]);
    const tokens = await server.tokens("web", {}, three);
    expect((await two.open("/account")).text).toContain("Web Notes");
    expect(title(await fill(two, "/account/sign-out-everywhere", { email, password: first }))).toBe(
      "Signed out everywhere",
    );
    expect([await isSignedIn(two), await isSignedIn(three)]).toEqual([false, false]);
    expect((await server.call(tokens.access)).status).toBe(401);
    expect((await server.refresh(tokens.refresh)).status).toBe(400);
    expect(await eventsOf(email)).toContain("signed-out-everywhere");
  });

  it("can be signed out of on every page there is for who is signed in", async () => {
    const email = await signUp();
    const signOut = '<form method="post" action="/account/sign-out">';
    for (const path of ["", "/password", "/email", "/sign-out-everywhere", "/delete"]) {
      const browser = await signIn(email);
      const page = await browser.open(`/account${path}`);
      expect([page.url.pathname, page.text.split(signOut).length]).toEqual([`/account${path}`, 2]);
      await browser.submit({ ...page, text: page.text.slice(page.text.indexOf(signOut)) }, {});
      expect([path, await isSignedIn(browser)]).toEqual([path, false]);
    }
  });

  it("takes back what one application was allowed, and shows each application once", async () => {
    const email = await signUp();
    const browser = await signIn(email);
    const [once, again] = [await server.tokens("web", {}, browser), await server.tokens("web", {}, browser)];
    const app = await server.tokens("app", {}, browser);
    const { text } = await browser.open("/account");
    expect(text.match(/aria-label="Withdraw: Web Notes"/g)).toHaveLength(1);
    expect(text.match(/aria-label="Withdraw: Notes App"/g)).toHaveLength(1);
    const withdraw = (cookies: ReadonlyMap<string, string>, site = "same-origin") =>
      fetch(`${server.base}/account/withdraw`, {
        method: "POST",
        body: new URLSearchParams({ application: "web" }),
        headers: { "sec-fetch-site": site, cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
        redirect: "manual",
      });
    expect((await withdraw(browser.cookies, "cross-site")).status).toBe(403);
    expect((await withdraw(new Map())).headers.get("location")).toBe("/account/sign-in");
    expect((await server.call(once.access)).status).toBe(200);
    expect((await withdraw(browser.cookies)).headers.get("location")).toBe("/account");
    const calls = [once, again, app].map(async ({ access }) => (await server.call(access)).status);
    expect(await Promise.all(calls)).toEqual([401, 401, 200]);
    expect((await browser.open("/account")).text).not.toContain("Web Notes");
    expect(await eventsOf(email)).toContain("consent-withdrawn");
    const asked = await server.authorize(browser, { client_id: "web", redirect_uri: clients.web.redirectUris[0] });
    expect(asked.asked).toEqual(["Allow Web Notes?"]);
  });

  it("deletes an account with everything it was signed in with, and frees its address", async () => {
    const email = await signUp();
    const [here, elsewhere] = [await signIn(email), await signIn(email)];
    const tokens = await server.tokens("web", {}, elsewhere);
    const id = (await server.identity.accounts.findByEmail(email))?.id ?? "";
    expect(title(await fill(here, "/account/delete", { email, password: first }))).toBe("Your account is deleted");
    expect([await isSignedIn(here), await isSignedIn(elsewhere)]).toEqual([false, false]);
    expect((await server.call(tokens.access)).status).toBe(401);
    expect(await canSignIn(email, first)).toBe(false);
    expect(await server.identity.accounts.find(id)).toBeUndefined();
    await signUp(email, second);
    expect(await canSignIn(email, second)).toBe(true);
    expect((await server.identity.accounts.findByEmail(email))?.id).not.toBe(id);
  });

  it("keeps a disabled account out until it is enabled again, and mails it no link", async () => {
    const email = await signUp();
    const browser = await signIn(email);
    const { accounts } = server.identity;
    const id = (await accounts.findByEmail(email))?.id ?? "";
    const pending = await resetLink(email);
    expect(await accounts.disable(id)).toBe(true);
    expect([await isSignedIn(browser), await canSignIn(email, first)]).toEqual([false, false]);
    mails.length = 0;
    await fill(server.browser(), "/account/forgotten", { email });
    await fill(server.browser(), "/account/sign-up", { email, password: second });
    // The link from before was replaced by one that nobody has.
    expect((await fill(server.browser(), pending, { password: second })).status).toBe(400);
    expect([await canSignIn(email, first), await canSignIn(email, second)]).toEqual([false, false]);
    expect(mails.filter(({ text }) => text.includes("/account/"))).toEqual([]);
    expect([await accounts.enable(id), await accounts.enable(id)]).toEqual([true, false]);
    expect([await canSignIn(email, first), await isSignedIn(browser)]).toEqual([true, false]);
  });

  it.each([
    ["disabled", (id: string) => accountsOf(storage).disable(id, Date.now())],
    ["signed out everywhere", (id: string) => accountsOf(storage).endSessions(id)],
    ["deleted", (id: string) => accountsOf(storage).remove(id)],
  ])(
    "signs nobody in whose account was %s by a server that crashed before it had ended the sessions",
    async (_how, act) => {
      const email = await signUp();
      const browser = await signIn(email);
      await act((await server.identity.accounts.findByEmail(email))?.id ?? "");
      expect(await isSignedIn(browser)).toBe(false);
    },
  );

  it("hashes a password anew at the next sign-in where that cost less than it does now", async () => {
    const email = await signUp();
    const store = accountsOf(storage);
    const id = (await server.identity.accounts.findByEmail(email))?.id ?? "";
    const cheap = await hashPassword(first, { ...usual, memory: usual.memory / 2 });
    await store.setPassword(id, cheap);
    expect(await canSignIn(email, "wrong")).toBe(false);
    expect((await store.find(id))?.password).toBe(cheap);
    const browser = await signIn(email);
    const mended = (await store.find(id))?.password;
    expect(mended).toContain(`$m=${usual.memory},t=${usual.passes},p=1$`);
    // Nobody is signed out by it.
    expect(await isSignedIn(browser)).toBe(true);
    await signIn(email);
    expect((await store.find(id))?.password).toBe(mended);
  });

  it("ends a session of its own after 14 days, whatever it was used for", async () => {
    const browser = await signIn(await signUp());
    pass(23 * 60 * minute);
    expect(await isSignedIn(browser)).toBe(true);
    pass(14 * 24 * 60 * minute);
    expect(await isSignedIn(browser)).toBe(false);
  });

  it("does nothing for a page of another site", async () => {
    const email = await signUp();
    const browser = await signIn(email);
    const verify = await mailed(email, /^Confirm/);
    const reset = await resetLink(email);
    const body = { email, password: first, newPassword: second };
    for (const path of ["sign-in", "sign-out", "sign-up", "forgotten", "password", "sign-out-everywhere", "delete"]
      .map((name) => `/account/${name}`)
      .concat(verify, reset)) {
      server.forgiveLimits();
      const response = await fetch(`${server.issuer}${path}`, {
        method: "POST",
        body: new URLSearchParams(body),
        headers: {
          "sec-fetch-site": "cross-site",
          origin: "https://evil.example",
          cookie: `${cookie}=${browser.cookies.get(cookie)}`,
        },
      });
      expect([path, response.status]).toEqual([path, 403]);
    }
    expect([await isSignedIn(browser), await canSignIn(email, first)]).toEqual([true, true]);
  });

  it("does the same in JSON for pages of others", async () => {
    const email = newAddress();
    async function post(path: string, body: object) {
      server.forgiveLimits();
      const headers = { "content-type": "application/json" };
      const url = `${server.issuer}/account/json/${path}`;
      const response = await fetch(url, { method: "POST", body: JSON.stringify(body), headers });
      return [response.status, await response.json()];
    }
    const done = [200, { problem: null }];
    expect(await post("sign-up", { email, password: "short" })).toEqual([200, { problem: "too-short" }]);
    expect(await post("sign-up", { email, password: first })).toEqual(done);
    const token = async (subject: RegExp) => (await mailed(email, subject)).split("/").at(-1);
    const verify = { token: await token(/^Confirm/), email, password: first };
    expect(await post("verify", { ...verify, password: second })).toEqual([200, { problem: "wrong-password" }]);
    expect(await post("verify", verify)).toEqual(done);
    expect(await post("verify", verify)).toEqual([200, { problem: "bad-token" }]);
    expect(await post("sign-up", { email, password: second })).toEqual(done);
    expect(await post("forgotten", { email: newAddress() })).toEqual(done);
    expect(await post("forgotten", { email })).toEqual(done);
    const reset = { token: await token(/^Reset/), password: second };
    expect(await post("reset", reset)).toEqual(done);
    expect(await post("reset", reset)).toEqual([200, { problem: "bad-token" }]);
    expect(await canSignIn(email, second)).toBe(true);
  });

  it("keeps no mailed secret, no password and no cookie in the tables", async () => {
    const email = await signUp();
    const browser = await signIn(email);
    const secrets = [(await resetLink(email)).split("/").at(-1) ?? "", first, browser.cookies.get(cookie) ?? ""];
    const tables = await storage.db.introspection.getTables();
    for (const { name } of tables) {
      const { rows } = await sql`select * from ${sql.table(name)}`.execute(storage.db);
      const text = JSON.stringify(rows);
      for (const secret of secrets) expect(text.includes(secret)).toBe(false);
    }
  });

  it("has so many passwords wait and no more: then 503, and soon all is well again", async () => {
    const email = await signUp();
    const account = await server.identity.accounts.findByEmail(email);
    // Some 5 ms of a core each: all of the crowd have come before the row can have gone.
    await accountsOf(storage).setPassword(account?.id ?? "", await hashPassword(first, { ...usual, memory: 4096 }));
    const browser = server.browser();
    const page = await browser.open("/account/sign-in");
    const turnedAway: unknown[] = [];
    const crowding = new AbortController();
    const crowd = Array.from({ length: 120 }, async () => {
      while (!crowding.signal.aborted) {
        await server.identity.accounts.authenticate(email, "wrong").catch((error: unknown) => turnedAway.push(error));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    await vi.waitFor(() => expect(turnedAway.length).toBeGreaterThan(0), 10_000);
    const statuses: number[] = [];
    for (let look = 0; look < 20 && !statuses.includes(503); look++) {
      server.forgiveLimits();
      statuses.push((await browser.submit(page, { email, password: first })).status);
    }
    crowding.abort();
    await Promise.all(crowd);
    expect(statuses).toContain(503);
    for (const error of turnedAway) expect(error).toMatchObject({ name: "TooBusy" });
    expect(await canSignIn(email, first)).toBe(true);
  }, 120_000);
});
