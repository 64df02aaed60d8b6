import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Identity, type Mail, mailToConsole, openIdentity } from "@portcullis/server/identity";
import { openStorage } from "@portcullis/server/storage";
import { createApi, html, markup, publicAccess } from "portcullis";
import { fileSink } from "portcullis/node";
import type { Colors } from "./colors.ts";

/** A running identity server, and who can sign in to it. */
export interface IdentityDemonstration {
  /** The page to begin at. */
  readonly page: string;
  readonly email: string;
  readonly password: string;
  close(): Promise<void>;
}

const email = "alice@example.com";
const password = "four words and a horse";

/**
 * Starts accounts and sign-in on the embedded store: one account is there, and whoever signs up is there the next time.
 * Plain http, which Portcullis serves to this machine alone, so that no browser has to be told of a certificate.
 *
 * @param folder  for its data and its records
 * @param port    0 .. 65535, free
 * @param write   where mails are printed
 * @throws Error where another process has the folder open or the port is taken
 */
export async function startIdentity(
  folder: string,
  port: number,
  write?: (text: string) => void,
): Promise<IdentityDemonstration> {
  const data = join(folder, "identity");
  const secret = secretIn(data);
  const storage = await openStorage({ folder: data });
  const print = mailToConsole(write);
  let seeding: ((mail: Mail) => void) | undefined;
  const issuer = `http://localhost:${port}`;
  let identity: Identity | undefined;
  try {
    identity = await openIdentity({
      issuer,
      serviceName: "Portcullis",
      storage,
      secret,
      clients: [],
      resources: { [`${issuer}/api`]: [] },
      browserSessions: { returnTo: ["/"] },
      sendMail: (mail) => (seeding === undefined ? print(mail) : seeding(mail)),
    });
    const { accounts } = identity;
    await seed(accounts, (take) => void (seeding = take));
    const records = join(folder, "identity.ndjson");
    rmSync(records, { force: true });
    const api = createApi({
      name: "identity",
      hosts: [`localhost:${port}`],
      credentials: [identity.sessions().credential],
      version: { none: "deployed with what calls it" },
      audit: { sinks: [fileSink(records)] },
    });
    identity.mount(api);
    api.route(
      { path: "GET /", access: publicAccess("says whether anybody is signed in"), output: html({ style }) },
      async ({ caller }) => home(caller === undefined ? undefined : (await accounts.find(caller.subject))?.email),
    );
    const listening = await api.listen({ port, handleSignals: false });
    const opened = identity;
    return {
      page: `${issuer}/`,
      email,
      password,
      async close() {
        await listening.close();
        await opened.close();
        await storage.close();
      },
    };
  } catch (error) {
    await identity?.close();
    await storage.close();
    throw error;
  }
}

/** What a terminal says of it. */
export function signInLines(identity: IdentityDemonstration, colors: Colors): readonly string[] {
  return [
    `${colors.bold("Sign in with a browser")} ${colors.dim("· accounts of its own, on the embedded store")}`,
    `  ${colors.accent(identity.page)}`,
    `  address   ${colors.accent(identity.email)}`,
    `  password  ${colors.accent(identity.password)}`,
    colors.dim("  Mails are printed here. Safari may keep no cookie of plain http: take Chrome, Edge or Firefox."),
  ];
}

/** The same as long as the data is; data without it cannot be opened any more. */
function secretIn(data: string): string {
  const path = join(data, "secret");
  if (!existsSync(path)) {
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data, { recursive: true, mode: 0o700 });
    writeFileSync(path, randomBytes(48).toString("base64url"), { mode: 0o600 });
  }
  return readFileSync(path, "utf8");
}

/** One account that can sign in as it is printed, whatever was done with it before. */
async function seed(
  accounts: Identity["accounts"],
  instead: (take: ((mail: Mail) => void) | undefined) => void,
): Promise<void> {
  if ((await accounts.authenticate(email, password))?.isVerified === true) return;
  const before = await accounts.findByEmail(email);
  if (before !== undefined) await accounts.remove(before.id);
  const confirmation = new Promise<Mail>((resolve) => instead(resolve));
  await accounts.signUp(email, password);
  const link = /\/account\/verify\/([\w-]+)/.exec((await confirmation).text);
  instead(undefined);
  await accounts.verifyEmail(link?.[1] ?? "", email, password);
}

function home(who: string | undefined) {
  const [title, body] =
    who === undefined
      ? [
          "Nobody is signed in",
          markup`<p><a class="button" href="/auth/sign-in">Sign in</a></p>
<p>No account yet? <a href="/account/sign-up">Create one</a>.</p>`,
        ]
      : [
          "You are signed in",
          markup`<p>as <strong>${who}</strong>. This browser has a cookie that no script reads, and no token.</p>
<p><a class="button" href="/account">Your account</a></p>
<p>An app asks who is there at <a href="/auth/session">/auth/session</a>.</p>`,
        ];
  return { title, body: markup`<main><h1>${title}</h1>${body}</main>` };
}

const style = `
:root{color-scheme:light dark;--ink:#1a1c20;--soft:#545b66;--faint:#dfe3e8;--page:#f4f5f7;--card:#fff;--accent:#0b57d0;--on-accent:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#b0b7c2;--faint:#363b43;--page:#15171a;--card:#1e2125;--accent:#8ab4f8;--on-accent:#10213c}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem 1rem;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:26rem;background:var(--card);border:1px solid var(--faint);border-radius:.75rem;padding:clamp(1.25rem,6vw,2rem);overflow-wrap:anywhere}
main>:last-child{margin-bottom:0}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.25}
p{color:var(--soft)}
strong{color:var(--ink)}
a{color:var(--accent);text-underline-offset:.15em}
a.button{display:block;margin-top:1.25rem;padding:.5rem 1rem;min-height:2.75rem;line-height:1.625rem;border:1px solid var(--accent);border-radius:.5rem;background:var(--accent);color:var(--on-accent);font-weight:600;text-align:center;text-decoration:none}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
`
  .trim()
  .replaceAll("\n", "");
