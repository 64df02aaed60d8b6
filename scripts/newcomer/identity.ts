import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createBrowser } from "../../packages/server/test/identity/browser.ts";
import { codeBlocks } from "../../tests/docs/markdown.ts";

const person = { email: "new.user@example.com", password: "harbour lights at nine" };
const secret = "a secret of a newcomer, long enough to be one: 0123456789";

/** What a step said, and whether the page promised it. */
export type Record = (what: string, came: string, isGood: boolean) => void;

/** Writes the first server of `docs/identity.md`, as printed but for the port. */
export function writeIdentityServer(folder: string, page: string, port: number): void {
  const block = codeBlocks(page).find(({ code }) => code.startsWith("// server.ts\n"));
  if (block === undefined) throw new Error("docs/identity.md prints no server.ts");
  writeFileSync(join(folder, "server.ts"), block.code.replaceAll("8787", String(port)));
}

/** From nothing to signed in, by HTTP, as `docs/identity.md` says; and once more after a restart. */
export async function walkIdentity(binary: string, folder: string, port: number, record: Record): Promise<void> {
  const address = `http://localhost:${port}`;
  const browser = createBrowser(address);
  const first = start(binary, folder, secret);
  try {
    const line = await first.saidWith(/^http\S+(?=\n)/m);
    record("the identity server starts and says where to sign up", line, line === `${address}/account/sign-up`);
    const stranger = await fetch(`${address}/api/me`);
    record("a stranger is 401", `${stranger.status}`, stranger.status === 401);
    const elsewhere = await fetch(`http://127.0.0.1:${port}/api/me`);
    record("127.0.0.1 is another host", `${elsewhere.status}`, elsewhere.status === 421);

    const asked = await browser.submit(await browser.open(line), person);
    record("signs up", heading(asked.text), heading(asked.text) === "Look at your mail");
    const link = await first.saidWith(/http\S+\/account\/verify\/\S+(?=\s)/);
    const confirmed = heading((await browser.submit(await browser.open(link), person)).text);
    record(
      "the mail stands in the terminal, and its link confirms",
      confirmed,
      confirmed === "Your address is confirmed",
    );
    record("signs in and comes back", ...(await signIn(address, browser)));
    const session = (await browser.open("/auth/session")).text;
    record(
      "the session says who it is",
      session.slice(0, 80),
      session.includes(`"email":"${person.email}","emailVerified":true`),
    );
  } finally {
    await first.end();
  }

  const second = start(binary, folder, secret);
  try {
    await second.saidWith(/^http\S+(?=\n)/m);
    record("after a restart the account is there", ...(await signIn(address, createBrowser(address))));
    const me = await browser.open("/api/me");
    record("and who was signed in still is", `${me.status}`, me.status === 200);
  } finally {
    await second.end();
  }
  const other = start(binary, folder, "another secret of a newcomer, long enough: 0123456789");
  const refused = await other.saidWith(/secret/);
  record("another secret is refused", refused, (await other.end()) !== 0);
}

async function signIn(address: string, browser: ReturnType<typeof createBrowser>): Promise<[string, boolean]> {
  const { url, status, text } = await browser.submit(await browser.open(`${address}/auth/sign-in`), person);
  return [`${status} ${url.pathname} ${text.slice(0, 60)}`, status === 200 && /^\{"subject":"[^"]+"\}$/.test(text)];
}

function heading(text: string): string {
  return /<h1>([^<]*)/.exec(text)?.[1] ?? text.slice(0, 100);
}

/** Runs the server in its folder. */
function start(binary: string, cwd: string, SECRET: string) {
  const child = spawn(binary, ["server.ts"], {
    cwd,
    env: { ...process.env, SECRET },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let look = (): void => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      look();
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    /** What fits, once it is said. @throws Error where the server ends before */
    saidWith: (pattern: RegExp): Promise<string> =>
      new Promise((resolve, reject) => {
        look = () => {
          const found = pattern.exec(said)?.[0];
          if (found !== undefined) resolve(found);
        };
        look();
        void ended.then(() => reject(new Error(`the server of docs/identity.md ended: ${said}`)));
      }),
    /** @returns its exit code */
    end(): Promise<number | null> {
      child.kill();
      return ended;
    },
  };
}
