import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type ListenOptions, type Manifest, memoryKeyStore } from "portcullis";
import { embeddedKeyStore } from "portcullis/node";
import { buildProjectsApi, type ProjectsOptions } from "./api.ts";
import { openData } from "./data/data.ts";
import { accounts, seed, type SeededAccount } from "./seeds.ts";

/** How the example is served. */
export interface StartOptions extends Pick<ProjectsOptions, "audit" | "create" | "jwtSecret"> {
  /** 0 .. 65535; default 0, any free port. */
  readonly port?: number;
  /** Address to listen on; default 127.0.0.1, because the accounts and their passwords are made up and public. */
  readonly host?: string;
  /** Certificate and key in PEM. Default: plain http, which Portcullis serves to this machine only. */
  readonly tls?: NonNullable<ListenOptions["tls"]>;
  /** Folder that keeps projects and keys. Default: in memory, gone when the process ends. */
  readonly folder?: string;
  /** Port of the health answers, apart from the API's. Default: none. */
  readonly healthPort?: number;
  /** Close on SIGTERM and SIGINT. Default: false, whoever started it closes it. */
  readonly handleSignals?: boolean;
}

/** The running API and what a test or a scan needs to call it as the seeded accounts. */
export interface Protected {
  readonly url: string;
  readonly port: number;
  /** Id, e-mail address, password, tenant and role of each. */
  readonly accounts: ForEveryone<Omit<SeededAccount, "role"> & { readonly role: string }>;
  /** The secret of the tokens, for whoever wants to forge them well rather than badly. */
  readonly jwtSecret: string;
  /** Bearer tokens. */
  readonly tokens: ForEveryone<string>;
  /** API keys that may read projects. */
  readonly keys: ForEveryone<string>;
  /** What the prover reads. */
  readonly manifest: Manifest;
  /** Lets requests under way end, writes the last records and closes the database. */
  close(): Promise<void>;
}

/** Starts the API with its seeded accounts. @throws StartRefused where a policy leaves something undecided */
export async function startProtected({
  port = 0,
  host = "127.0.0.1",
  tls,
  folder,
  healthPort,
  handleSignals = false,
  jwtSecret = randomBytes(48).toString("base64url"),
  ...parts
}: StartOptions = {}): Promise<Protected> {
  const { data, keyStore, closeStores } = openStores(folder);
  await seed(data);
  const { api, keys, tokens } = buildProjectsApi({ ...parts, data, keyStore, jwtSecret });
  const options = { port, host, handleSignals, ...(tls && { tls }), ...(healthPort && { healthPort }) };
  const listening = await api.listen(options).catch((error: unknown) => {
    closeStores();
    throw error;
  });
  let closed: Promise<void> | undefined;

  return {
    url: listening.url,
    port: listening.port,
    accounts,
    jwtSecret,
    tokens: await forEveryone((account) => tokens.sign(account)),
    keys: await forEveryone(async ({ id, name, tenantId }) => {
      const issued = await keys.issue({
        subject: id,
        tenant: tenantId,
        name: `${name}'s key`,
        scopes: ["projects:read"],
        expiresAt: Date.now() + KEY_LIFETIME_MS,
      });
      return issued.key;
    }),
    manifest: api.manifest(),
    close: () => (closed ??= listening.close().finally(closeStores)),
  };
}

function openStores(folder: string | undefined) {
  if (folder === undefined) {
    const data = openData();
    return { data, keyStore: memoryKeyStore(), closeStores: data.close };
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const data = openData(join(folder, "projects.sqlite"));
  const keyStore = embeddedKeyStore({ folder });
  function closeStores(): void {
    data.close();
    keyStore.close();
  }
  return { data, keyStore, closeStores };
}

const KEY_LIFETIME_MS = 24 * 3_600_000;

type ForEveryone<T> = Readonly<Record<keyof typeof accounts, T>>;

async function forEveryone(make: (account: SeededAccount) => Promise<string>): Promise<ForEveryone<string>> {
  const { alice, bob, carol, admin } = accounts;
  return { alice: await make(alice), bob: await make(bob), carol: await make(carol), admin: await make(admin) };
}

if (process.argv[1] === import.meta.filename) {
  const { PORT = "3001" } = process.env;
  const api = await startProtected({ port: Number(PORT), handleSignals: true });
  console.error(`The projects API, protected: ${api.url}`);
}
