import type { ApiKeyRecord, ApiKeyStore } from "../lib/api-key-store.ts";
import { redisScript, type RedisScript } from "./redis-script.ts";
import { type DurableRedisStoreOptions, openRedisStore } from "./redis-store.ts";

/**
 * Keeps API keys in Redis or Valkey, for all instances. Each change is one script: all of it or nothing. A revocation or
 * rotation counts at once in the process that made it, and in the others within {@link believedMs} of the answer they
 * last had: while keys are used, every process asks for the generation in the background, and a process that has not heard
 * from Redis for that long believes nothing it has cached.
 *
 * What is written is as safe as the server keeps it: `appendonly yes` with `appendfsync always` for "neither a crash nor a
 * kill undoes a revocation". A server without an append-only file is refused at the first write.
 *
 * @throws OptionsError for a client that queues or retries, and for a prefix or a time that makes no sense
 */
export function redisKeyStore(options: DurableRedisStoreOptions): ApiKeyStore {
  const store = openRedisStore(options, "redisKeyStore");
  const generationKey = store.key("generation");
  const recordKey = (id: string): string => store.key(`api-key:${id}`);
  const subjectKey = (subject: string): string => store.key(`api-keys-of:${subject}`);
  let known: { readonly generation: number; readonly askedAt: number } | undefined;
  let isAsking = false;

  /** Every answer begins with the generation, so that whoever asks for anything also learns it. */
  async function ask(
    script: RedisScript,
    keys: readonly string[],
    parameters: readonly (string | number)[] = [],
  ): Promise<unknown> {
    const askedAt = performance.now();
    const answer = await store.ask(script, [generationKey, ...keys], parameters);
    const [generation, ...rest]: readonly unknown[] = Array.isArray(answer) ? answer : [];
    if (typeof generation !== "number") throw new TypeError("Redis did not answer with a generation");
    // Answers come in the order of their questions, and questions that were asked later know more.
    if (known === undefined || askedAt >= known.askedAt) known = { generation, askedAt };
    return rest[0];
  }

  return {
    async insert(record) {
      const parameters = [record.createdAt, record.id, ...fieldsOf(record)];
      await store.demandDurable();
      if ((await ask(insertScript, [recordKey(record.id), subjectKey(record.subject)], parameters)) !== 1) {
        throw new Error("an API key with this id exists");
      }
    },
    async find(id) {
      const found = await ask(findScript, [recordKey(id)]);
      return found === null ? undefined : readRecord(found);
    },
    async listBySubject(subject, limit) {
      const ids = await ask(listScript, [subjectKey(subject)], [limit]);
      if (!Array.isArray(ids)) throw new TypeError("Redis did not answer with a list");
      const found = await Promise.all(ids.map(async (id) => ask(findScript, [recordKey(String(id))])));
      return found.filter((one) => one !== null).map(readRecord);
    },
    async revoke(id, at) {
      await store.demandDurable();
      return (await ask(revokeScript, [recordKey(id)], [at])) === 1;
    },
    async rotate(id, successor, oldExpiresAt) {
      const keys = [recordKey(id), recordKey(successor.id), subjectKey(successor.subject)];
      const parameters = [successor.createdAt, successor.id, oldExpiresAt, ...fieldsOf(successor)];
      await store.demandDurable();
      const outcome = await ask(rotateScript, keys, parameters);
      if (outcome === -1) throw new Error("an API key with the successor's id exists");
      return outcome === 1;
    },
    async touch(id, at) {
      await ask(touchScript, [recordKey(id)], [at]);
    },
    generation() {
      const now = performance.now();
      if (!isAsking && (known === undefined || now - known.askedAt >= askEveryMs)) {
        isAsking = true;
        ask(generationScript, [])
          .catch(() => undefined)
          .finally(() => (isAsking = false));
      }
      return known !== undefined && now - known.askedAt <= believedMs ? known.generation : undefined;
    },
  };
}

/** How often the generation is asked for while keys are used. */
const askEveryMs = 100;
/** How long an answer is believed. */
const believedMs = 500;

/**
 * A generation is the time of its change, in microseconds. One counted up from the one before would come a second time
 * after a failover to a server that had not heard of the last change: what was cached then would count again, although
 * another key was revoked meanwhile.
 */
const begin = `
local function change()
  local time = redis.call("TIME")
  local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  local before = tonumber(redis.call("GET", KEYS[1]) or "0")
  redis.call("SET", KEYS[1], string.format("%.0f", math.max(now, before + 1)))
end
if redis.call("EXISTS", KEYS[1]) == 0 then change() end
local function answer(what) return { tonumber(redis.call("GET", KEYS[1])), what } end
`;

const generationScript = redisScript(`${begin} return answer(0)`);

const insertScript = redisScript(`${begin}
if redis.call("EXISTS", KEYS[2]) == 1 then return answer(0) end
redis.call("HSET", KEYS[2], unpack(ARGV, 3))
redis.call("ZADD", KEYS[3], -tonumber(ARGV[1]), ARGV[2])
return answer(1)
`);

const findScript = redisScript(`${begin}
if redis.call("EXISTS", KEYS[2]) == 0 then return answer(false) end
return answer(redis.call("HMGET", KEYS[2], "record", "expiresAt", "revokedAt", "lastUsedAt", "replacedBy"))
`);

const listScript = redisScript(`${begin} return answer(redis.call("ZRANGE", KEYS[2], 0, ARGV[1] - 1))`);

const revokeScript = redisScript(`${begin}
if redis.call("EXISTS", KEYS[2]) == 0 then return answer(0) end
if redis.call("HSETNX", KEYS[2], "revokedAt", ARGV[1]) == 1 then change() end
return answer(1)
`);

const rotateScript = redisScript(`${begin}
if redis.call("EXISTS", KEYS[2]) == 0 or redis.call("HEXISTS", KEYS[2], "revokedAt") == 1 or
  redis.call("HEXISTS", KEYS[2], "replacedBy") == 1 then return answer(0) end
local expiresAt = redis.call("HGET", KEYS[2], "expiresAt")
if expiresAt and tonumber(expiresAt) <= tonumber(ARGV[1]) then return answer(0) end
if redis.call("EXISTS", KEYS[3]) == 1 then return answer(-1) end
local ends = ARGV[3]
if expiresAt and tonumber(expiresAt) < tonumber(ends) then ends = expiresAt end
redis.call("HSET", KEYS[2], "expiresAt", ends, "replacedBy", ARGV[2])
redis.call("HSET", KEYS[3], unpack(ARGV, 4))
redis.call("ZADD", KEYS[4], -tonumber(ARGV[1]), ARGV[2])
change()
return answer(1)
`);

const touchScript = redisScript(`${begin}
if redis.call("EXISTS", KEYS[2]) == 1 then
  local before = tonumber(redis.call("HGET", KEYS[2], "lastUsedAt") or "0")
  if before < tonumber(ARGV[1]) then redis.call("HSET", KEYS[2], "lastUsedAt", ARGV[1]) end
end
return answer(0)
`);

/** As a hash has it: what never changes as JSON, the rest in fields of its own, so that no script reads JSON. */
function fieldsOf({ hash, expiresAt, revokedAt, lastUsedAt, replacedBy, ...fixed }: ApiKeyRecord): readonly string[] {
  const record = JSON.stringify({ ...fixed, hash: Buffer.from(hash).toString("base64url") });
  const fields = Object.entries({ record, expiresAt, revokedAt, lastUsedAt, replacedBy });
  return fields.flatMap(([name, value]) => (value === undefined ? [] : [name, `${value}`]));
}

function readRecord(found: unknown): ApiKeyRecord {
  const [record, expiresAt, revokedAt, lastUsedAt, replacedBy]: readonly unknown[] = Array.isArray(found) ? found : [];
  const stored: unknown = JSON.parse(text(record));
  if (typeof stored !== "object" || stored === null) throw new TypeError("a stored key is no record");
  const fixed: Readonly<Record<string, unknown>> = { ...stored };
  const { scopes, createdAt, tenant, rate } = fixed;
  if (!Array.isArray(scopes) || typeof createdAt !== "number") throw new TypeError("a stored key is no record");
  return Object.freeze({
    id: text(fixed["id"]),
    hash: new Uint8Array(Buffer.from(text(fixed["hash"]), "base64url")),
    subject: text(fixed["subject"]),
    tenant: tenant === undefined ? undefined : text(tenant),
    scopes: Object.freeze(scopes.map(text)),
    ...(rate === undefined ? {} : { rate: text(rate) }),
    name: text(fixed["name"]),
    environment: text(fixed["environment"]),
    displayPrefix: text(fixed["displayPrefix"]),
    createdAt,
    expiresAt: optionalTime(expiresAt),
    revokedAt: optionalTime(revokedAt),
    lastUsedAt: optionalTime(lastUsedAt),
    replacedBy: replacedBy === null ? undefined : text(replacedBy),
  });
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("a stored value is no text");
  return value;
}

function optionalTime(value: unknown): number | undefined {
  if (value === null) return undefined;
  const time = Number(text(value));
  if (!Number.isFinite(time)) throw new TypeError("a stored time is no number");
  return time;
}
