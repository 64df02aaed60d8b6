import { OptionsError } from "../lib/options-error.ts";
import { clientProblems, type RedisClient } from "./redis-client.ts";
import type { RedisScript } from "./redis-script.ts";

/** What a store asks of a client besides scripts. */
export interface RedisStoreClient extends RedisClient {
  /** What the server says of itself; `persistence` is asked for. */
  info(section: string): Promise<string>;
}

/** Where a store in Redis keeps its records. */
export interface RedisStoreOptions {
  /** An ioredis instance: `new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 0 })`. */
  readonly client: RedisStoreClient;
  /** Begins every key and is its hash tag. Letters, digits, `.`, `_`, `-` and `:`; at most 64. Default `portcullis`. */
  readonly prefix?: string;
  /** Longest wait for an answer, in milliseconds; whole, 1 .. 60_000, default 1000. What is late throws. */
  readonly timeoutMs?: number;
}

/** A store whose records must outlive the server. */
export interface DurableRedisStoreOptions extends RedisStoreOptions {
  /**
   * Begins every key and is its hash tag, such as the API's name. Letters, digits, `.`, `_`, `-` and `:`; at most 64. To be
   * said, because two APIs with the same one take each other's sessions and keys.
   */
  readonly prefix: string;
  /**
   * Why it may forget: a Redis without an append-only file answers and loses the last seconds or everything when it ends,
   * revocations too. Without a reason such a server is refused at the first write.
   */
  readonly dangerouslyMayForget?: string;
}

/** Asks one server within a time, for one store. */
export interface RedisStore {
  /** Runs a script. @throws (rejects) where there is no answer in time; the script may have run */
  ask(script: RedisScript, keys: readonly string[], parameters?: readonly (string | number)[]): Promise<unknown>;
  /** A key of this store. */
  key(name: string): string;
  /** @throws (rejects) OptionsError where what is written could be forgotten and nobody said why it may */
  demandDurable(): Promise<void>;
}

/**
 * @param who  the function the developer called, for messages
 * @throws OptionsError for a client that queues or retries, and for a prefix or a time that makes no sense
 */
export function openRedisStore(options: DurableRedisStoreOptions, who: string): RedisStore {
  const { client, prefix, timeoutMs = 1000, dangerouslyMayForget } = options;
  const [problem] = clientProblems(client, who);
  if (problem !== undefined) throw new OptionsError(`${who}: of the client, ${problem.problem}.`, `${problem.fix}.`);
  if (prefix === undefined) {
    throw new OptionsError(
      `${who}: there is no prefix.`,
      "Write the API's name, so that no other API shares its records.",
    );
  }
  if (!/^[A-Za-z0-9._:-]{1,64}$/.test(prefix)) {
    throw new OptionsError(`${who}: the prefix cannot be a hash tag.`, "Write letters, digits, dots, hyphens, colons.");
  }
  if (!(Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= 60_000)) {
    throw new OptionsError(`${who}: timeoutMs is out of range.`, "Write whole milliseconds from 1 to 60000.");
  }
  if (dangerouslyMayForget?.trim() === "") {
    throw new OptionsError(`${who}: dangerouslyMayForget is blank.`, "Say why the store may forget.");
  }
  let isDurable: boolean | undefined = dangerouslyMayForget === undefined ? undefined : true;

  return {
    ask: (script, keys, parameters = []) => within(timeoutMs, script.run(client, keys, parameters)),
    key: (name) => `{${prefix}}:${name}`,
    async demandDurable() {
      isDurable ??= /^aof_enabled:1\r?$/m.test(await within(timeoutMs, client.info("persistence")));
      if (isDurable) return;
      // The server may be set up right meanwhile: it is asked again at the next write.
      isDurable = undefined;
      throw new OptionsError(
        `${who}: this Redis has no append-only file, so a restart undoes what was revoked.`,
        "Run it with appendonly yes (and appendfsync always), or give dangerouslyMayForget a reason.",
      );
    },
  };
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
