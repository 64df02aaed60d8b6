import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../scripts/free-ports.ts";
import { createBrowser } from "../packages/server/test/identity/browser.ts";
import { colorsFor } from "../scripts/demonstration/colors.ts";
import { type IdentityDemonstration, signInLines, startIdentity } from "../scripts/demonstration/identity.ts";

describe("./start: a sign-in for the browser", () => {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-start-"));
  const mails: string[] = [];
  let port = 0;
  let running: IdentityDemonstration;
  const start = async () => {
    running = await startIdentity(folder, port, (text) => void mails.push(text));
  };
  beforeAll(async () => {
    port = await freePort();
    await start();
  });
  afterAll(async () => {
    await running.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What a person does who reads the terminal. */
  async function signIn({ page, email, password }: Pick<IdentityDemonstration, "page" | "email" | "password">) {
    const browser = createBrowser(new URL(page).origin);
    expect((await browser.open(page)).text).toContain("Nobody is signed in");
    const form = await browser.open(`${page}auth/sign-in`);
    return { browser, landed: await browser.submit(form, { email, password }) };
  }

  it("prints where to go, and as whom", () => {
    expect(signInLines(running, colorsFor(false))).toEqual([
      "Sign in with a browser · accounts of its own, on the embedded store",
      `  http://localhost:${port}/`,
      "  address   alice@example.com",
      "  password  four words and a horse",
      "  Mails are printed here. Safari may keep no cookie of plain http: take Chrome, Edge or Firefox.",
    ]);
  });

  it("signs in who types what is printed, and the session says who it is", async () => {
    const { browser, landed } = await signIn(running);
    expect([landed.url.href, landed.status]).toEqual([running.page, 200]);
    expect(landed.text).toContain("<strong>alice@example.com</strong>");
    const session: unknown = JSON.parse((await browser.open(`${running.page}auth/session`)).text);
    expect(session).toMatchObject({ session: { email: "alice@example.com", emailVerified: true } });
    expect((await signIn({ ...running, password: "four words and a mule" })).landed.status).toBe(401);
  });

  it("keeps accounts for the next start, and the printed one as it is printed", async () => {
    const { browser } = await signIn(running);
    const newPassword = "another word for a horse";
    const change = await browser.open(`${running.page}account/password`);
    expect(
      (await browser.submit(change, { email: running.email, password: running.password, newPassword })).status,
    ).toBe(200);
    const bob = { email: "bob@example.com", password: "harbour lights at nine" };
    const stranger = createBrowser(new URL(running.page).origin);
    await stranger.submit(await stranger.open(`${running.page}account/sign-up`), bob);
    await expect.poll(() => mails.join("")).toContain("mail to bob@example.com: Confirm your address");

    await running.close();
    await start();
    for (const person of [running, { ...bob, page: running.page }]) {
      const { landed } = await signIn(person);
      expect(landed.text).toContain(`<strong>${person.email}</strong>`);
    }
  });

  it("keeps its data to this user, and says so where another process has it", async () => {
    expect(statSync(join(folder, "identity")).mode & 0o077).toBe(0);
    expect(statSync(join(folder, "identity/secret")).mode & 0o077).toBe(0);
    await expect(startIdentity(folder, await freePort())).rejects.toThrow(/another process has .*identity open/);
  });
});
