import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Mail } from "@portcullis/server/identity";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";
import { type OAuthServer, startOAuthServer } from "./oauth-server.ts";

const person = {
  email: "a.person.with.a.long.name@a-long-name-of-a-host.example.com",
  password: "harbour lights at nine",
};

/** What is wrong with the page as it stands, by WCAG 2.2 AA as far as a program sees it. */
const faults = `(() => {
  const found = [];
  if (document.documentElement.lang !== "en") found.push("no language");
  if (document.title === "") found.push("no title");
  if (document.querySelectorAll("h1").length !== 1 || document.querySelectorAll("main").length !== 1) found.push("not one h1 in one main");
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the window");
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((one) => one / 255).map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one !== null; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$/.test(color)) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const contrast = (one, two) => { const [a, b] = [luminance(one), luminance(two)].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05); };
  for (const element of document.body.querySelectorAll("*")) {
    const style = getComputedStyle(element);
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "") || element.tagName === "INPUT";
    if (says && contrast(style.color, behind(element)) < 4.5) found.push("too little contrast: " + element.outerHTML.slice(0, 80));
    if (element.tagName === "INPUT") {
      if (element.labels.length !== 1) found.push("no label: " + element.outerHTML.slice(0, 80));
      if (!element.autocomplete) found.push("no autocomplete: " + element.outerHTML.slice(0, 80));
      if (!element.readOnly && contrast(style.borderTopColor, behind(element.parentElement)) < 3) found.push("a field without an edge");
      const hint = element.getAttribute("aria-describedby");
      if (hint !== null && document.getElementById(hint) === null) found.push("no hint: " + hint);
    }
    if (/^(A|BUTTON|INPUT)$/.test(element.tagName) && element.getBoundingClientRect().height < 20) found.push("too small: " + element.outerHTML.slice(0, 80));
  }
  return found;
})()`;

/** Somebody else's list of what is wrong with a page; sent over the debugger, because the pages let no script in. */
const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core")), "utf8");
const axeFaults = `axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ": " + html.slice(0, 80))))`;

describe("account pages in a browser", () => {
  let stores: TestStores;
  let server: OAuthServer;
  let browser: Browser;
  const mails: Mail[] = [];
  let laterMs = 0;
  beforeAll(async () => {
    stores = await embeddedStores();
    server = await startOAuthServer(await stores.open(), {
      sendMail: (mail) => void mails.push(mail),
      now: () => Date.now() + laterMs,
      keys: { prefix: "prj", scopes: { read: "notes:read", write: "notes:write" } },
      browserSessions: { returnTo: ["/"] },
    });
    await server.identity.accounts.signUp(person.email, person.password);
    // An application and its button on the account's page.
    const request = { client_id: "app", redirect_uri: "http://127.0.0.1/callback", scope: "openid notes:read" };
    await server.authorize(server.browser(), request, person);
    const owner = (await server.identity.accounts.findByEmail(person.email))?.id ?? "";
    await server.identity.keys().create({ owner, name: "backup-of-everything-there-is-each-night", scopes: [] });
    browser = await chromium.launch({
      timeout: 120_000,
      executablePath: ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync) ?? "chromium",
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    await stores.stop();
  });

  /** Types the person's address and password, with the keyboard alone. */
  async function signInByKeyboard(page: Page): Promise<void> {
    await page.keyboard.press("Tab");
    await page.keyboard.type(person.email);
    await page.keyboard.press("Tab");
    await page.keyboard.type(person.password);
    await page.keyboard.press("Enter");
  }

  async function opened(context: BrowserContext): Promise<Page> {
    server.forgiveLimits();
    const page = await context.newPage();
    await page.goto(`${server.issuer}/account`);
    return page;
  }

  it.each([
    ["a wide window, light", { width: 1280, height: 800 }, "light", []],
    ["a wide window, dark, by axe too", { width: 1280, height: 800 }, "dark", [axe]],
    ["a phone, light, by axe too", { width: 390, height: 844 }, "light", [axe]],
    ["a phone at 200 %, dark", { width: 195, height: 422 }, "dark", []],
  ] as const)(
    "can be read and used by everybody: %s",
    async (_what, viewport, colorScheme, judges) => {
      const context = await browser.newContext({ viewport, colorScheme });
      const page = await opened(context);
      const told: string[] = [];
      page.on("console", (message) => told.push(message.text()));
      const check = async (by: readonly string[] = judges) => {
        const found = [await page.evaluate(faults)];
        for (const judge of by) {
          await page.evaluate(judge);
          found.push(await page.evaluate(axeFaults));
        }
        expect([page.url(), ...found]).toEqual([page.url(), ...found.map(() => [])]);
      };
      const open = async (path: string) => {
        server.forgiveLimits();
        await page.goto(`${server.issuer}${path}`);
      };
      const visit = async (path: string) => {
        await open(path);
        await check();
      };
      await check();
      for (const path of ["sign-up", "forgotten", "verify/x", "reset/x"]) await visit(`/account/${path}`);
      await page.fill("#password", person.password);
      await page.click("button");
      await check();
      await visit("/account/sign-up");
      await page.fill("#email", "new@example.com");
      await page.fill("#password", "password1234");
      await page.click("button");
      await page.waitForSelector("[role=alert]");
      await check();
      await visit("/account/sign-in");
      await signInByKeyboard(page);
      await page.waitForURL(`${server.issuer}/account`);
      await check();
      for (const path of ["password", "email", "email/x", "sign-out-everywhere", "delete"])
        await visit(`/account/${path}`);
      await visit("/auth/sign-in");
      expect(await page.textContent("button")).toBe(`Continue as ${person.email}`);
      await visit("/account");
      laterMs += 11 * 60_000;
      await page.click("text=Withdraw");
      expect(await page.textContent("h1")).toBe("Withdraw Notes App?");
      await check();
      const authorize = new URL("/oauth/authorize", server.issuer);
      for (const [name, value] of Object.entries({
        client_id: "web",
        redirect_uri: "https://web.example.com/callback",
        response_type: "code",
        scope: "openid email notes:read",
        code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        code_challenge_method: "S256",
      }))
        authorize.searchParams.set(name, value);
      await visit(`${authorize.pathname}${authorize.search}`);
      expect(await page.textContent("h1")).toBe("Allow Web Notes?");

      // Who is refused. They are made alike, so that axe looks at the one that says most.
      const refused = async (status: number) => {
        await check(status === 403 ? judges : []);
        expect(await page.textContent(".hint")).toMatch(new RegExp(`^${status} `));
      };
      for (const [path, status] of [
        ["/account/no-such-page", 404],
        ["/account/sign-out", 405],
        ["/account/sign-in?no=such", 400],
      ] as const) {
        await open(path);
        await refused(status);
      }
      await page.goto(`${server.issuer.replace("localhost", "127.0.0.1")}/account`);
      await refused(421);
      await page.goto("about:blank");
      await page.setContent(
        `<form method="post" action="${server.issuer}/account/sign-out"><button>Out</button></form>`,
      );
      await page.click("button");
      await refused(403);
      await page.click("a");
      expect(await page.textContent("h1")).toBe("Your account at Notes");
      await open("/account/forgotten");
      const body = new URLSearchParams({ email: "nobody@example.com" });
      for (let times = 0; times < 5; times++) await fetch(page.url(), { method: "POST", body });
      await page.fill("#email", "nobody@example.com");
      await page.click("button");
      await refused(429);
      await page.click("text=Back to the page");
      expect(await page.textContent("h1")).toBe("Forgotten your password?");
      expect(told.filter((text) => /Content.Security|Refused|blocked/i.test(text))).toEqual([]);
      await context.close();
    },
    60_000,
  );

  it("need no script and no mouse", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await opened(context);
    await signInByKeyboard(page);
    await page.waitForURL(`${server.issuer}/account`);
    // Past the buttons that mail the link again, withdraw an application and revoke a key.
    for (let tab = 0; tab < 4; tab++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForURL(/password$/);
    expect(await page.inputValue("#email")).toBe(person.email);
    await context.close();
  });

  it("take an address in any script as it is typed, and let none turn the text around it", async () => {
    const context = await browser.newContext();
    const page = await opened(context);
    await page.goto(`${server.issuer}/account/sign-up`);
    const email = "Straße@bücher.example";
    await page.fill("#email", email);
    await page.fill("#password", person.password);
    await page.click("button");
    expect(await page.textContent("main")).toContain(`a message to ${email}.`);
    expect((await server.identity.accounts.findByEmail(email))?.email).toBe(email);
    await page.goto(`${server.issuer}/account/forgotten`);
    await page.fill("#email", "\u202Eabc");
    await page.click("button");
    const isInOrder = `(() => {
      const shown = document.querySelector("strong");
      const next = document.createRange();
      next.setStart(shown.nextSibling, 0);
      next.setEnd(shown.nextSibling, 1);
      return next.getBoundingClientRect().left >= shown.getBoundingClientRect().right - 1;
    })()`;
    expect(await page.evaluate(isInOrder)).toBe(true);
    await context.close();
  });

  it("show where the keyboard is", async () => {
    const context = await browser.newContext();
    const page = await opened(context);
    for (const expected of ["INPUT email", "INPUT password", "BUTTON", "A", "A"]) {
      await page.keyboard.press("Tab");
      const at = `(() => { const { activeElement: one } = document; return [(one.tagName + " " + (one.name ?? "")).trim(), getComputedStyle(one).outlineStyle, getComputedStyle(one).outlineWidth]; })()`;
      expect(await page.evaluate(at)).toEqual([expected, "solid", "3px"]);
    }
    await context.close();
  });

  it("bring who signs up on the way to an application back to it", async () => {
    const context = await browser.newContext();
    const page = await opened(context);
    const url = new URL("/oauth/authorize", server.issuer);
    for (const [name, value] of Object.entries({
      client_id: "web",
      redirect_uri: "https://web.example.com/callback",
      response_type: "code",
      scope: "openid notes:read",
      code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
      code_challenge_method: "S256",
    }))
      url.searchParams.set(name, value);
    await page.goto(url.href);
    await page.click("text=Create an account");
    const email = "on.the.way@example.com";
    await page.fill("#email", email);
    await page.fill("#password", person.password);
    await page.click("button");
    expect(await page.textContent("h1")).toBe("Look at your mail");
    const mail = await vi.waitFor(() => {
      const one = mails.findLast(({ to }) => to === email);
      if (one === undefined) throw new Error("no mail yet");
      return one;
    }, 10_000);
    await page.goto(/http\S+/.exec(mail.text)?.[0] ?? "");
    expect(await page.inputValue("#email")).toBe(email);
    await page.fill("#password", person.password);
    await page.click("button");
    await page.click("text=Sign in");
    expect(await page.textContent("main")).toContain("to continue to Web Notes");
    await page.fill("#email", email);
    await page.fill("#password", person.password);
    await page.click("button");
    await page.waitForSelector("text=Do not allow");
    await context.close();
  });
});
