import { once } from "node:events";
import { createServer } from "node:http";
import { createApp } from "./app.ts";
import { JWT_SECRET, signToken } from "./auth.ts";
import { accounts, openDb } from "./db.ts";

/**
 * Starts the API with every hole on purpose, on the loopback address and nowhere else.
 *
 * @param options.port      0 .. 65535; default 0, any free port
 * @param options.host      only "127.0.0.1"; it is an option so that asking for another address fails loudly
 * @param options.announce  takes the warning; default prints it on stderr
 * @returns the address, ready-made credentials of the seeded accounts, and `close()`, which resolves when nothing is left
 * @throws Error when another host is asked for, or when the port is taken
 */
export async function startUnprotected({
  port = 0,
  host = "127.0.0.1",
  announce = (warning: string): void => console.warn(warning),
}: StartOptions = {}): Promise<Unprotected> {
  if (host !== "127.0.0.1") {
    throw new Error(`This API is broken on purpose and listens on 127.0.0.1 only, not on "${host}".`);
  }

  const db = openDb();
  const { app, createKey } = createApp(db);
  // hole: transport: plain http, whatever is sent over it.
  const server = createServer(app);
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    db.close();
    throw error;
  }

  const address = server.address();
  const listening = typeof address === "object" && address ? address.port : port;
  const url = `http://127.0.0.1:${listening}`;
  announce(warning(url));

  let closed: Promise<void> | undefined;
  async function close() {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
    db.close();
  }

  return {
    url,
    port: listening,
    accounts,
    jwtSecret: JWT_SECRET,
    tokens: forEveryone((account) => signToken(account)),
    keys: forEveryone((account) => createKey(account.id, `${account.name}'s key`, ["projects:read"]).key),
    close: () => (closed ??= close()),
  };
}

export interface StartOptions {
  port?: number;
  host?: string;
  announce?: (warning: string) => void;
}

/** The running API and what a test or a scan needs to call it as the seeded accounts. */
export interface Unprotected {
  url: string;
  port: number;
  /** Id, e-mail address, password, tenant and role of each. */
  accounts: typeof accounts;
  /** The secret of the tokens, for whoever wants to forge them well rather than badly. */
  jwtSecret: string;
  /** Bearer tokens. */
  tokens: ForEveryone;
  /** API keys. */
  keys: ForEveryone;
  close(): Promise<void>;
}

type Name = keyof typeof accounts;
type ForEveryone = Record<Name, string>;

function forEveryone(make: (account: (typeof accounts)[Name]) => string): ForEveryone {
  const { alice, bob, carol, admin } = accounts;
  return { alice: make(alice), bob: make(bob), carol: make(carol), admin: make(admin) };
}

function warning(url: string): string {
  return [
    "",
    "  !!!  UNPROTECTED ON PURPOSE  !!!  ",
    "  This API has every hole of the checklist. It exists to be attacked on this machine.",
    "  Never deploy it, never put real data in it, stop it when you are done.",
    `  ${url}`,
    "",
  ].join("\n");
}

if (process.argv[1] === import.meta.filename) {
  const { PORT = "3000", HOST = "127.0.0.1" } = process.env;
  const api = await startUnprotected({ port: Number(PORT), host: HOST });
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void api.close());
}
