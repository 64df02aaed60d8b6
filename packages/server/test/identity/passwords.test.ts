import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { breachedByRange, mailToConsole, mailToFile } from "@portcullis/server/identity";
import { emailKey } from "../../src/identity/addresses.ts";
import { isCommon } from "../../src/identity/breached.ts";
import { commonPasswords } from "../../src/identity/common-passwords.ts";
import { leansOn, wordsOfService } from "../../src/identity/guessable-words.ts";
import { plainMail } from "../../src/identity/mail.ts";
import { checkPassword, hashPassword, isCheap } from "../../src/identity/passwords.ts";
import { createWorkQueue, TooBusy } from "../../src/identity/work-queue.ts";
import { embeddedStores } from "../storage/open-stores.ts";
import { startOAuthServer } from "./oauth-server.ts";

vi.unmock("../../src/identity/password-cost.ts");

describe("common passwords", () => {
  it("are 49,000, lower case, with the commonest among them", () => {
    const words = commonPasswords();
    expect(words.size).toBeGreaterThan(49_000);
    for (const word of ["123456", "password", "qwertyuiop", "1qaz2wsx3edc"]) expect(words.has(word)).toBe(true);
    for (const word of words) expect(word).toBe(word.toLowerCase());
  });

  it.each([
    "1qaz2wsx3edc",
    "Administrator",
    "password1234",
    "Dragon!!2024",
    "qwertyqwerty",
    "passwordpassword1",
    "aaaaaaaaaaaaaaa",
    "abcdabcdabcd",
    "abcdefghijkl",
    "987654321098",
    "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10\uff11\uff12",
  ])("are found as %s", (password) => expect(isCommon(password)).toBe(true));

  it.each([
    "correct horse battery",
    "sunset-7391-8425",
    "zq wv kx jf!",
    "kx93jfls02kdlq",
    "\u043b\u043e\u0448\u0430\u0434\u044c \u0438 \u0441\u043a\u043e\u0431\u0430",
  ])("are not %s", (password) => expect(isCommon(password)).toBe(false));
});

describe("words of the service", () => {
  const words = wordsOfService("Acme Notes", "https://id.my-shop.example.com", ["Falcon", "Z\u00fcrich"]);

  it("are those of its name, its host and its own list, of three letters and more", () => {
    expect(words).toEqual(["acme", "notes", "shop", "example", "com", "falcon", "zurich"]);
  });

  it.each([
    "AcmeNotes2024!",
    "acme-notes-acme",
    "F4lc0n$F4lc0n$",
    "noclaf-noclaf",
    "Z\u00fcrich.Zurich",
    "\uff21\uff23\uff2d\uff25notes12345",
    "falcon password",
    "falcon12345678",
    "notes \u{1f40e}\u{1f40e}\u{1f40e}\u{1f40e}\u{1f40e}\u{1f40e}\u{1f40e}",
  ])("are most of %s", (password) => expect(leansOn(password, words)).toBe(true));

  it.each([
    "correct horse battery",
    "my notes on two horses",
    "completely unrelated",
    "falconer in a thunderstorm",
    "\u043b\u043e\u0448\u0430\u0434\u044c notes \u0441\u043a\u043e\u0431\u0430",
  ])("are not most of %s", (password) => expect(leansOn(password, words)).toBe(false));
});

describe("a service that knows breached passwords", () => {
  const password = "correct horse battery";
  const hash = createHash("sha1").update(password).digest("hex").toUpperCase();

  it("is told five digits of a hash and nothing else, and believed", async () => {
    const asked: string[] = [];
    const answer = (lines: string) =>
      breachedByRange((prefix) => {
        asked.push(prefix);
        return Promise.resolve(lines);
      });
    const other = `${"0".repeat(35)}:7`;
    expect(await answer(`${other}\r\n${hash.slice(5)}:12`)(password)).toBe(true);
    expect(await answer(`${hash.slice(5).toLowerCase()}:1\n`)(password)).toBe(true);
    expect(await answer(other)(password)).toBe(false);
    // Padding, so that the length of an answer tells nothing.
    expect(await answer(`${hash.slice(5)}:0`)(password)).toBe(false);
    expect(await answer("")(password)).toBe(false);
    expect(new Set(asked)).toEqual(new Set([hash.slice(0, 5)]));
  });

  it("leaves a password undecided where it does not answer, or with something else", async () => {
    await expect(breachedByRange(() => Promise.reject(new Error("down")))(password)).rejects.toThrow("down");
    await expect(breachedByRange(() => Promise.resolve("<html>"))(password)).rejects.toThrow("something else");
  });

  it("is asked whenever a password is set, and none is set that it could not tell of", async () => {
    const stores = await embeddedStores();
    const known = new Set(["staple battery horse"]);
    let isDown = false;
    const server = await startOAuthServer(await stores.open(), {
      isBreached: (one) => {
        if (isDown) throw new Error("down");
        return known.has(one);
      },
    });
    async function signUp(email: string, secret: string): Promise<string> {
      server.forgiveLimits();
      const browser = server.browser();
      const { status, text } = await browser.submit(await browser.open("/account/sign-up"), {
        email,
        password: secret,
      });
      return `${status} ${/role="alert">([^<]*)/.exec(text)?.[1] ?? ""}`;
    }
    expect(await signUp("carol@example.com", "staple battery horse")).toMatch(/^400 .*others try/);
    isDown = true;
    expect(await signUp("carol@example.com", password)).toMatch(/^5\d\d/);
    expect(await server.identity.accounts.findByEmail("carol@example.com")).toBeUndefined();
    isDown = false;
    expect(await signUp("carol@example.com", password)).toMatch(/^200/);
    const { id = "" } = (await server.identity.accounts.findByEmail("carol@example.com")) ?? {};
    const change = () => server.identity.accounts.changePassword(id, password, "staple battery horse");
    expect(await change()).toBe("breached");
    await server.close();
    await stores.stop();
  });

  it("is not asked for what everybody knows", async () => {
    expect(await breachedByRange(() => Promise.reject(new Error("asked")))("password1234")).toBe(true);
  });
});

describe("addresses", () => {
  it.each([
    ["Stra\u00dfe@x.de", "STRASSE@X.DE"],
    ["Stra\u00dfe@x.de", "STRA\u1e9eE@x.de"],
    ["\u039f\u0394\u039f\u03a3@x.gr", "\u03bf\u03b4\u03bf\u03c2@x.gr"],
    ["\u0130@x.tr", "i\u0307@x.tr"],
    ["\u017fam@x.de", "Sam@x.de"],
    ["\u00e9@x.de", "e\u0301@x.de"],
    ["a@b\u00fccher.example", "a@xn--bcher-kva.example"],
    ["a@\uff58.de", "a@x.de"],
    [" a@x.de ", "a@x.de"],
  ])("are one: %s and %s", (one, other) => expect(emailKey(one)).toBe(emailKey(other)));

  it.each([
    ["\u0131@x.tr", "i@x.tr"],
    ["\uff41@x.de", "a@x.de"],
    ["\u0430@x.de", "a@x.de"],
    ["a.b@x.de", "ab@x.de"],
    ["a+b@x.de", "a@x.de"],
  ])("are two: %s and %s", (one, other) => expect(emailKey(one)).not.toBe(emailKey(other)));
});

describe("stored passwords", () => {
  it("are known again, in whichever form of the same letters they are typed", async () => {
    const stored = await hashPassword("caf\u00e9 au lait noir");
    expect(await checkPassword("cafe\u0301 au lait noir", stored)).toBe(true);
    expect(await checkPassword("cafe au lait noir", stored)).toBe(false);
    expect(await checkPassword("anything", undefined)).toBe(false);
    expect(stored).not.toBe(await hashPassword("caf\u00e9 au lait noir"));
  });

  it("are compared whole: no end is cut off, no blank taken away, no capital folded", async () => {
    const password = ` ${"a Long phrase ".repeat(9)}b `;
    const stored = await hashPassword(password);
    expect(await checkPassword(password, stored)).toBe(true);
    const others = [`${password.slice(0, -2)}c `, password.trim(), password.trimStart(), password.toLowerCase()];
    for (const other of others) expect([other, await checkPassword(other, stored)]).toEqual([other, false]);
  });

  it("cost whoever has stolen them 19 MiB and two passes of argon2id for every guess", async () => {
    expect(await hashPassword("correct horse battery")).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it("are hashed anew where that cost less than it does now", async () => {
    expect(isCheap(await hashPassword("correct horse battery", { memory: 8192, passes: 1, parallelism: 1 }))).toBe(
      true,
    );
    expect(isCheap(await hashPassword("correct horse battery"))).toBe(false);
  });
});

describe("a queue of work", () => {
  it("does so many at once, has so many wait, and refuses the others at once", async () => {
    const queue = createWorkQueue(2, 3);
    let running = 0;
    let most = 0;
    const ends: (() => void)[] = [];
    const work = () =>
      queue.run(async () => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => ends.push(resolve));
        running--;
        return "done";
      });
    const given = Array.from({ length: 5 }, work);
    await expect(work()).rejects.toBeInstanceOf(TooBusy);
    for (let round = 0; round < 20; round++) {
      ends.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([await Promise.all(given), most]).toEqual([Array.from({ length: 5 }, () => "done"), 2]);
  });

  it("goes on after work that failed", async () => {
    const queue = createWorkQueue(1, 5);
    const failed = queue.run(() => Promise.reject(new Error("broken")));
    const next = queue.run(() => Promise.resolve("done"));
    await expect(failed).rejects.toThrow("broken");
    expect(await next).toBe("done");
  });
});

describe("mail", () => {
  it.each([
    { to: "a@example.com\r\nBcc: b@example.com", subject: "Hello" },
    { to: "a@example.com, b@example.com", subject: "Hello" },
    { to: "a@example.com", subject: "Hello\nBcc: b@example.com" },
    { to: "a@example.com", subject: "Hello\u2028" },
  ])("is not sent where it would be read as more than one address or header: $to $subject", (mail) => {
    expect(() => plainMail(() => {})({ ...mail, text: "" })).toThrow("no plain text");
  });

  it("goes to a file, one JSON object a line, or to the terminal", async () => {
    const outside = mkdtempSync(join(tmpdir(), "portcullis-mail-"));
    const folder = join(outside, "outbox");
    const path = join(folder, "mail.ndjson");
    const mails = ["one", "two\nlines"].map((text) => ({ to: "a@example.com", subject: "Hello", text }));
    const printed: string[] = [];
    for (const mail of mails) {
      await mailToFile(path)(mail);
      await mailToConsole((text) => void printed.push(text))(mail);
    }
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(mails);
    // Whoever reads it could reset a password.
    expect([folder, path].map((one) => statSync(one).mode & 0o077)).toEqual([0, 0]);
    for (const { to, subject, text } of mails) {
      for (const part of [to, subject, text]) expect(printed.join("")).toContain(part);
    }
    rmSync(outside, { recursive: true });
  });
});
