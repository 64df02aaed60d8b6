import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** Where keys are, as the command line says it. */
export interface PlaceFlags {
  readonly folder?: string;
  readonly url?: string;
  readonly owner?: string;
}

/** A key as people read it; `key` once, when it was made. */
export type ListedKey = z.output<typeof Listed>;

/** A place that has keys. */
export interface KeyPlace {
  create(key: {
    readonly name: string;
    readonly scopes: readonly string[];
    readonly rate: string | undefined;
    readonly expiresInDays: number;
  }): Promise<ListedKey>;
  list(): Promise<readonly ListedKey[]>;
  rotate(id: string, overlapSeconds: number): Promise<ListedKey | undefined>;
  revoke(id: string): Promise<boolean>;
  close(): Promise<void>;
}

const Listed = z.object({
  id: z.string(),
  name: z.string(),
  prefix: z.string(),
  scopes: z.array(z.string()),
  rate: z.string().nullable(),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
  replacedBy: z.string().nullable(),
  client: z.string().nullable(),
  key: z.string().optional(),
});

/** @throws Error that says what to write where it cannot be told which place is meant, or it does not open */
export async function openPlace(flags: PlaceFlags, env: NodeJS.ProcessEnv): Promise<KeyPlace> {
  const { folder, url } = flags;
  const postgres = env["PORTCULLIS_POSTGRES_URL"];
  if (url !== undefined && folder !== undefined) throw new Error("say --folder or --url, not both");
  if (url !== undefined) return running(url, env["PORTCULLIS_TOKEN"]);
  if (folder !== undefined) return embedded(folder, flags, env);
  if (postgres !== undefined && postgres !== "")
    return stored({ postgres: { connectionString: postgres } }, flags, env);
  throw new Error("say where the keys are: --folder, --url, or PORTCULLIS_POSTGRES_URL");
}

async function embedded(folder: string, flags: PlaceFlags, env: NodeJS.ProcessEnv): Promise<KeyPlace> {
  // Opening makes a store where there is none, and nobody means that here.
  if (!existsSync(join(folder, "identity.sqlite"))) throw new Error(`there is no store in ${folder}`);
  try {
    return await stored({ folder }, flags, env);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes("another process has")) throw error;
    throw new Error(
      `the server has ${folder} open: ask it with --url and an access token in PORTCULLIS_TOKEN, or stop it first`,
      { cause: error },
    );
  }
}

type Where = { readonly folder: string } | { readonly postgres: { readonly connectionString: string } };

async function stored(where: Where, { owner: who }: PlaceFlags, env: NodeJS.ProcessEnv): Promise<KeyPlace> {
  if (who === undefined) throw new Error("whose keys? Say --owner, an account's id or e-mail address");
  // Only who opens a store needs what opens it.
  const [{ openKeys }, { openStorage }] = await Promise.all([
    import("@portcullis/server/keys"),
    import("@portcullis/server/storage"),
  ]);
  const storage = await openStorage(where);
  const pepper = env["PORTCULLIS_PEPPER"] ?? "";
  const by = `portcullis keys, by ${userHere()}`;
  const [keys, found] = await closingAtFailure(storage, async () => {
    const open = await openKeys(storage, { by, pepper: pepper === "" ? undefined : pepper });
    const account = await open.ownerOf(who);
    if (account === undefined && who.includes("@")) throw new Error(`there is no account ${who}`);
    return [open, account] as const;
  });
  // Keys of somebody who is gone can still be looked at and revoked.
  const owner = found ?? who;
  return {
    async create({ expiresInDays, rate, ...key }) {
      if (found === undefined) throw new Error(`there is no account or application ${who}`);
      const expiresAt = Date.now() + expiresInDays * 86_400_000;
      const made = await keys.create({ ...key, owner, expiresAt, rate });
      if (made === undefined) throw new Error("the owner has as many keys as he may");
      return shown(made);
    },
    list: async () => (await keys.list(owner)).map(shown),
    async rotate(id, overlapSeconds) {
      const made = await keys.rotate(id, owner, overlapSeconds);
      return made === undefined ? undefined : shown(made);
    },
    revoke: (id) => keys.revoke(id, owner),
    close: () => storage.close(),
  };
}

/** As the system names who runs the command; a container may have no name for the number. */
function userHere(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? "unknown"}`;
  }
}

/** What is left open where it throws is closed. */
async function closingAtFailure<T>(storage: { close(): Promise<void> }, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await storage.close();
    throw error;
  }
}

interface StoredKey {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly rate: string | undefined;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly lastUsedAt: number | undefined;
  readonly replacedBy: string | undefined;
  readonly client: string | undefined;
  readonly key?: string;
}

function shown({ createdAt, expiresAt, lastUsedAt, rate, replacedBy, client, ...key }: StoredKey): ListedKey {
  const time = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return Listed.parse({
    ...key,
    rate: rate ?? null,
    createdAt: time(createdAt),
    expiresAt: time(expiresAt),
    lastUsedAt: time(lastUsedAt),
    replacedBy: replacedBy ?? null,
    client: client ?? null,
  });
}

const Page = z.object({ items: z.array(Listed), next: z.string().nullish() });
const Refusal = z.object({ title: z.string(), code: z.string() });

/** Through the API itself, as whoever the token proves. */
function running(url: string, token: string | undefined): KeyPlace {
  if (token === undefined || token === "") throw new Error("put an access token of the owner in PORTCULLIS_TOKEN");
  if (!URL.canParse(url)) throw new Error(`${url} is no address`);
  const { protocol, hostname } = new URL(url);
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  if (protocol !== "https:" && !(protocol === "http:" && isHere)) {
    throw new Error(`a token is not sent to ${url}: write https`);
  }

  async function ask(method: string, path: string, json?: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(new URL(path, url), {
      method,
      redirect: "error",
      signal: AbortSignal.timeout(30_000),
      headers: {
        authorization: `Bearer ${token}`,
        ...(json === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    const text = await response.text();
    return { status: response.status, body: parsed(text) };
  }
  /** What is no JSON is no answer of the API: a proxy's page, or another server's. */
  function parsed(text: string): unknown {
    try {
      const body: unknown = text === "" ? undefined : JSON.parse(text);
      return body;
    } catch {
      return undefined;
    }
  }
  function known<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
    const read = schema.safeParse(body);
    if (!read.success) throw new Error(`what ${url} answers is nothing of keys: is it the API's address?`);
    return read.data;
  }
  function refused(status: number, body: unknown): Error {
    const said = Refusal.safeParse(body);
    return new Error(`the API answered ${status}${said.success ? `: ${said.data.title} (${said.data.code})` : ""}`);
  }

  return {
    async create({ name, scopes, rate, expiresInDays }) {
      const { status, body } = await ask("POST", "/keys", {
        name,
        scopes,
        expiresInDays,
        ...(rate === undefined ? {} : { rate }),
      });
      if (status !== 201) throw refused(status, body);
      return known(Listed, body);
    },
    async list() {
      const all: ListedKey[] = [];
      let cursor: string | undefined;
      do {
        const query = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const { status, body } = await ask("GET", `/keys?limit=100${query}`);
        if (status !== 200) throw refused(status, body);
        const { items, next } = known(Page, body);
        all.push(...items);
        cursor = next ?? undefined;
      } while (cursor !== undefined);
      return all;
    },
    async rotate(id, overlapSeconds) {
      const { status, body } = await ask("POST", `/keys/${encodeURIComponent(id)}/rotate`, { overlapSeconds });
      if (status === 404 || status === 409) return undefined;
      if (status !== 201) throw refused(status, body);
      return known(Listed, body);
    },
    async revoke(id) {
      const { status, body } = await ask("DELETE", `/keys/${encodeURIComponent(id)}`);
      if (status === 404) return false;
      if (status !== 204) throw refused(status, body);
      return true;
    },
    close: () => Promise.resolve(),
  };
}
