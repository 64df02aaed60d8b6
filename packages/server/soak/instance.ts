/** One instance of an identity server with an API behind it, in a process of its own: `instance.ts <InstanceOptions as JSON>`. */
import { flushCompileCache } from "node:module";
import { DatabaseSync } from "node:sqlite";
import { randomUUID } from "node:crypto";
import { type Api, anyCaller, by, createApi, nothing, type RouteLimit, view } from "portcullis";
import { createMemoryLimiter } from "../../portcullis/src/limits/memory-limiter.ts";
import { openIdentity, redisPush } from "@portcullis/server/identity";
import { openStorage, type StorageOptions } from "@portcullis/server/storage";
import { Redis } from "ioredis";
import { Client } from "pg";
import { z } from "zod";

/** What an instance is told. */
export interface InstanceOptions {
  readonly storage: StorageOptions;
  readonly port: number;
  /** The issuer is there, which is one of the instances. */
  readonly issuerPort: number;
  /** Limits see more time pass than does, so that none of them is what is measured. */
  readonly isUnlimited?: boolean;
  /** From then on its clock goes twenty times slower, milliseconds since 1970: what comes at once is at once on a busy machine. */
  readonly slowFrom?: number | undefined;
  /** Where a Redis is that instances tell each other through. */
  readonly redisPort?: number | undefined;
  /** Limits are those an API has that names none; default: as good as none but those of the identity server's own routes. */
  readonly isUsual?: boolean;
}

/** What an instance may be asked to do besides what it serves. */
export type Command =
  | { readonly do: "account"; readonly email: string; readonly password: string }
  | { readonly do: "disable" | "enable" | "sign-out-everywhere"; readonly account: string }
  | { readonly do: "create-key"; readonly account: string }
  | { readonly do: "rotate-key" | "revoke-key"; readonly account: string; readonly id: string }
  | { readonly do: "end-sessions"; readonly account: string }
  /** Says what its policies add up to. */
  | { readonly do: "manifest" }
  /**
   * Is killed before that statement from now on, as the kernel's out-of-memory killer would; 1 is the next one, of those
   * that begin so.
   */
  | { readonly do: "die-before"; readonly statement: number; readonly beginning?: string }
  /** Limits forget what they counted. */
  | { readonly do: "forgive" };

/** What it says to one. */
export interface Reply {
  readonly id: number;
  readonly said?: Readonly<Record<string, string>>;
  readonly failed?: string;
}

export const clientId = "app";
/** Another client of the same kind. */
export const otherClientId = "other";
export const redirectUri = "https://app.example.com/callback";
export const machine = { id: "machine", secret: "machine-secret-that-is-only-for-tests-0123456789" } as const;
export const resourcePath = "/api";
const scopes = ["notes:read", "notes:write", "keys:read", "keys:write"];

if (process.argv[2] !== undefined && process.send !== undefined) await main(process.argv[2]);

async function main(given: string): Promise<void> {
  const {
    storage: where,
    port,
    issuerPort,
    isUnlimited = false,
    isUsual = false,
    redisPort,
    slowFrom,
  }: InstanceOptions = JSON.parse(given);
  const issuer = `http://localhost:${issuerPort}`;
  const storage = await openStorage(where);
  const redis = redisPort === undefined ? undefined : new Redis({ port: redisPort, retryStrategy: () => 20 });
  // Redis is taken away on purpose, too.
  redis?.on("error", () => {});
  const identity = await openIdentity({
    issuer,
    serviceName: "Soak",
    storage,
    secret: "tests-only: 48 characters of nothing in particular",
    clients: [
      { id: clientId, name: "App", redirectUris: [redirectUri], scopes, isFirstParty: true },
      { id: otherClientId, name: "Other", redirectUris: [redirectUri], scopes, isFirstParty: true },
      { id: machine.id, name: "Machine", secret: machine.secret, scopes: ["notes:read"], callsAsItself: true },
    ],
    resources: { [`${issuer}${resourcePath}`]: scopes },
    keys: { prefix: "prj" },
    browserSessions: { returnTo: ["/"] },
    ...(redis === undefined ? {} : { push: redisPush(redis) }),
    ...(slowFrom === undefined ? {} : { now: () => slowFrom + Math.floor((Date.now() - slowFrom) / 20) }),
    sendMail: () => {},
    // PostgreSQL is taken away on purpose.
    onError: () => {},
  });
  const sessions = identity.sessions();
  let skew = 0;
  const step = isUnlimited ? 60_000 : 0;
  const plenty = "1000000/s";
  const limit = isUsual ? {} : ({ limit: { rate: plenty, by: "caller" } } as const);
  const api = createApi({
    name: "soak",
    hosts: [...new Set([`localhost:${port}`, `localhost:${issuerPort}`])],
    credentials: [identity.tokensFor(`${issuer}${resourcePath}`), identity.keys().credential, sessions.credential],
    version: { none: "deployed with what calls it" },
    limits: {
      ...(isUsual ? {} : { global: plenty, address: plenty, caller: plenty, failures: plenty }),
      limiter: (options) => createMemoryLimiter({ ...options, now: () => options.now() + (skew += step) }),
    },
    audit: { sinks: [{ name: "nowhere", write: () => {} }] },
    alerts: "none",
  });
  api.route(
    {
      path: "GET /me",
      access: anyCaller,
      output: z.strictObject({ subject: z.string().max(100) }),
      ...limit,
    },
    ({ caller }) => ({ subject: caller.subject }),
  );
  mountNotes(api, limit);
  identity.mount(api);
  await api.listen({ port, handleSignals: false });

  async function act(command: Command): Promise<Readonly<Record<string, string>>> {
    const { accounts } = identity;
    switch (command.do) {
      case "account": {
        await accounts.signUp(command.email, command.password);
        return { id: (await accounts.findByEmail(command.email))?.id ?? "" };
      }
      case "disable":
        await accounts.disable(command.account);
        return {};
      case "enable":
        await accounts.enable(command.account);
        return {};
      case "sign-out-everywhere":
        await accounts.signOutEverywhere(command.account);
        return {};
      case "manifest":
        // Where limits are not what is measured, nobody is to keep to them either.
        return {
          manifest: JSON.stringify(api.manifest(), (name, value: unknown) =>
            isUnlimited && name === "limits" ? undefined : value,
          ),
        };
      case "die-before":
        dieBefore(command.statement, command.beginning ?? "");
        return {};
      case "forgive":
        skew += 7_200_000;
        return {};
      case "end-sessions":
        await sessions.endAll(command.account);
        return {};
      case "create-key": {
        const made = await identity.keys().create({ owner: command.account, name: "soak", scopes: ["notes:read"] });
        return { id: made?.id ?? "", key: made?.key ?? "" };
      }
      case "rotate-key": {
        const made = await identity.keys().rotate(command.id, command.account, 0);
        return made === undefined ? {} : { id: made.id, key: made.key };
      }
      case "revoke-key":
        return { done: String(await identity.keys().revoke(command.id, command.account)) };
      default:
        throw new Error("an unknown command");
    }
  }

  function dieBefore(statement: number, beginning: string): void {
    let left = statement;
    const count = (text: unknown): void => {
      if (!String(text).startsWith(beginning)) return;
      left--;
      if (left === 0) process.kill(process.pid, "SIGKILL");
    };
    const { prepare } = DatabaseSync.prototype;
    DatabaseSync.prototype.prepare = function counted(...args) {
      count(args[0]);
      return Reflect.apply(prepare, this, args);
    };
    const { query } = Client.prototype;
    Reflect.set(Client.prototype, "query", function counted(this: Client, ...args: unknown[]): unknown {
      count(args[0]);
      const answer: unknown = Reflect.apply(query, this, args);
      return answer;
    });
  }

  process.on("message", ({ id, command }: { id: number; command: Command }) => {
    act(command).then(
      (said) => process.send?.({ id, said } satisfies Reply),
      (error: unknown) => process.send?.({ id, failed: String(error) } satisfies Reply),
    );
  });
  process.on("disconnect", () => process.exit());
  // It is killed, and what was compiled would be lost to the next one.
  flushCompileCache();
  process.send?.("ready");
}

/** Something to read, write and own: kept until the process ends. */
function mountNotes(api: Api, limit: { readonly limit?: RouteLimit }): void {
  const notes = new Map<string, { readonly id: string; readonly owner: string; readonly text: string }>();
  const note = api.resource("note", {
    load: (id) => Promise.resolve(notes.get(id)),
    owner: ({ owner }) => owner,
    serverSet: ["id", "owner"],
  });
  const Note = z.object({ id: z.uuid(), text: z.string().max(200) });
  const params = z.strictObject({ noteId: z.uuid() });
  const objects = { note: by("noteId", note) };
  const [read, write] = ["notes:read", "notes:write"] as const;
  api.route(
    {
      path: "POST /notes",
      access: { scopes: [write] },
      input: { body: z.strictObject({ text: z.string().min(1).max(200) }) },
      output: { 201: view(Note, note) },
      ...limit,
    },
    ({ caller, body }) => {
      const made = { id: randomUUID(), owner: caller.subject, text: body.text };
      notes.set(made.id, made);
      return made;
    },
  );
  api.route(
    {
      path: "GET /notes/:noteId",
      access: { scopes: [read] },
      input: { params },
      objects,
      output: view(Note, note),
      ...limit,
    },
    ({ note: found }) => found,
  );
  api.route(
    {
      path: "DELETE /notes/:noteId",
      access: { scopes: [write] },
      input: { params },
      objects,
      output: nothing,
      ...limit,
    },
    ({ note: found }) => {
      notes.delete(found.id);
      return undefined;
    },
  );
}
