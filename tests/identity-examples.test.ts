import { freePort } from "../scripts/free-ports.ts";
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "portcullis-identity-"));
const children: ChildProcess[] = [];
const person = { email: "new.user@example.com", password: "harbour lights at nine" };
const secret = "tests-only: 48 characters of nothing in particular";
let browser: Browser;

beforeAll(async () => {
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
  for (const child of children) child.kill();
  await Promise.all(
    children.map((child) =>
      child.exitCode === null && child.signalCode === null
        ? new Promise((resolve) => child.once("exit", resolve))
        : Promise.resolve(),
    ),
  );
  rmSync(folder, { recursive: true, force: true });
});

describe("examples/identity-spa in a browser", () => {
  let app = "";
  let api = "";
  const data = join(folder, "spa");

  beforeAll(async () => {
    const [port, pagePort] = [await freePort(), await freePort()];
    app = `http://localhost:${pagePort}`;
    api = `http://localhost:${port}`;
    await start(["--conditions=source", "examples/identity-spa/server.ts"], root, app, {
      PORT: String(port),
      PAGE_PORT: String(pagePort),
      DATA: data,
    });
  });

  it("a new user signs up, confirms the address, signs in, writes a note and signs out", async () => {
    await journey(app, api, join(data, "mail.ndjson"));
  });
});

describe("examples/identity-next in a browser", () => {
  const example = join(root, "examples/identity-next");
  // A copy as deep in the checkout as the example itself, so that packages are found.
  const copy = join(root, `.portcullis/identity-next-${process.pid}`);
  let app = "";

  beforeAll(async () => {
    mkdirSync(join(root, ".portcullis"), { recursive: true });
    cpSync(example, copy, { recursive: true, filter: (path) => !/[\\/](\.next|\.data|\.portcullis)$/.test(path) });
    const next = join(root, "node_modules/next/dist/bin/next");
    await run([next, "build"], copy);
    const [port, apiPort, frontPort] = [await freePort(), await freePort(), await freePort()];
    app = `https://localhost:${frontPort}`;
    const env = { PORT: `${port}`, API_PORT: `${apiPort}`, FRONT_PORT: `${frontPort}`, ORIGIN: app, SECRET: secret };
    await start([next, "start", "-H", "127.0.0.1", "-p", `${port}`], copy, "Ready", env);
    await start(["--conditions=source", "server.ts"], copy, "the API listens", env);
    await start(["--conditions=source", "front.ts"], copy, app, env);
  }, 240_000);
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  it("a new user signs up, confirms the address, signs in, writes a note and signs out", async () => {
    await journey(app, app, join(copy, ".data/mail.ndjson"));
  });
});

/** What a new user does. */
async function journey(app: string, api: string, mails: string): Promise<void> {
  const page = await newPage();
  await page.goto(app);
  await page.waitForSelector("text=Nobody is signed in.");
  await page.click("text=create an account");
  await signUpAndConfirm(page, mails);

  // Who has signed up is led back to the app.
  await page.click("main a:has-text('Sign in')");
  await signIn(page);
  await page.waitForURL(`${app}/`);
  await page.waitForSelector(`text=Signed in as ${person.email}.`);
  await page.fill("input[name=text]", "written by <b>hand</b>");
  await page.click("#add button");
  await page.waitForSelector("#notes li");
  expect(await page.textContent("#notes li")).toBe("written by <b>hand</b>");

  // What scripts and stores of the page hold: nothing.
  expect(await page.evaluate("document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })")).toBe("{}");
  const cookies = await page.context().cookies(api);
  expect(cookies.find(({ name }) => name === "__Host-portcullis-session")).toMatchObject({
    httpOnly: true,
    secure: true,
    sameSite: "Strict",
  });

  await page.reload();
  await page.waitForSelector("#notes li");
  await page.click("#sign-out");
  await page.waitForSelector("text=Nobody is signed in.");
  await page.reload();
  await page.waitForSelector("text=Nobody is signed in.");
  // Signed out at the issuer too: whoever sits down next is asked for a password.
  await page.click("#sign-in");
  await page.waitForSelector("input[type=password]");
  await page.context().close();
}

/** A person's browser of its own. */
async function newPage(): Promise<Page> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  return page;
}

async function signUpAndConfirm(page: Page, mails: string): Promise<void> {
  await page.fill("input[name=email]", person.email);
  await page.fill("input[type=password]", person.password);
  await page.click("button:has-text('Create account')");
  await page.waitForSelector("text=Look at your mail");
  await page.goto(await linkIn(mails));
  await page.fill("input[type=password]", person.password);
  await page.click("main button");
  await page.waitForLoadState();
  expect(await page.textContent("main")).toMatch(/confirmed|verified/i);
}

async function signIn(page: Page): Promise<void> {
  await page.fill("input[name=email]", person.email);
  await page.fill("input[type=password]", person.password);
  await page.click("button:has-text('Sign in')");
}

/** The link of the last mail; sending it is nobody's to wait for. */
async function linkIn(mails: string): Promise<string> {
  for (let tries = 0; tries < 400; tries++) {
    const link = existsSync(mails) ? /https?:\/\/[^\s"\\]+/.exec(readFileSync(mails, "utf8"))?.[0] : undefined;
    if (link !== undefined) return link;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("no mail came");
}

/** Starts a program and waits until it says `ready`. */
function start(args: readonly string[], cwd: string, ready: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    let said = "";
    const take = (chunk: Buffer): void => {
      said += chunk.toString();
      if (said.includes(ready)) resolve();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("exit", (code) => reject(new Error(`${args.join(" ")} ended with ${code}: ${said}`)));
  });
}

/** Runs a program to its end. */
function run(args: readonly string[], cwd: string): Promise<void> {
  const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => void (said += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => void (said += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${args.join(" ")}: ${said}`))));
  });
}
