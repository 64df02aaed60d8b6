import { rmSync } from "node:fs";
import { join } from "node:path";
import { mailToConsole, openIdentity, type Mail } from "@portcullis/server/identity";
import { openStorage } from "@portcullis/server/storage";
import { createApi } from "portcullis";
import { fileSink } from "portcullis/node";

/** A running identity server, and who can sign in to it. */
export interface IdentityDemonstration {
  /** The page of the account; who is nobody yet is asked to sign in. */
  readonly page: string;
  readonly email: string;
  readonly password: string;
  close(): Promise<void>;
}

const email = "alice@example.com";
const password = "four words and a horse";

/**
 * Starts accounts and sign-in on the embedded store with one account, anew each time. Plain http, which Portcullis serves
 * to this machine alone, so that no browser has to be told of a certificate; mails are printed.
 *
 * @param folder  for its data and its records
 * @param port    0 .. 65535, free
 */
export async function startIdentity(folder: string, port: number): Promise<IdentityDemonstration> {
  const [data, records] = [join(folder, "identity"), join(folder, "identity.ndjson")];
  for (const path of [data, records]) rmSync(path, { recursive: true, force: true });
  const storage = await openStorage({ folder: data });
  const print = mailToConsole();
  let seeding: ((mail: Mail) => void) | undefined;
  const confirmation = new Promise<Mail>((resolve) => {
    seeding = resolve;
  });
  const issuer = `http://localhost:${port}`;
  try {
    const identity = await openIdentity({
      issuer,
      serviceName: "Portcullis",
      storage,
      secret: "for demonstrations on one machine: gone with its data",
      clients: [],
      resources: { [`${issuer}/api`]: [] },
      sendMail: (mail) => (seeding === undefined ? print(mail) : seeding(mail)),
    });
    await identity.accounts.signUp(email, password);
    const link = /\/account\/verify\/([\w-]+)/.exec((await confirmation).text);
    await identity.accounts.verifyEmail(link?.[1] ?? "", email, password);
    seeding = undefined;
    const api = createApi({
      name: "identity",
      hosts: [`localhost:${port}`],
      credentials: [identity.tokensFor(`${issuer}/api`)],
      version: { none: "OAuth fixes its own paths" },
      audit: { sinks: [fileSink(records)] },
    });
    identity.mount(api);
    const listening = await api.listen({ port, handleSignals: false });
    return {
      page: `${issuer}/account`,
      email,
      password,
      async close() {
        await listening.close();
        await identity.close();
        await storage.close();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}
