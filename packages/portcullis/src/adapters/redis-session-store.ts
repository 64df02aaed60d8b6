import { hash } from "node:crypto";
import { readSession, writeSession } from "../lib/read-session.ts";
import { mostOfSubject, type SessionRecord, type SessionStore } from "../lib/session-store.ts";
import { redisScript } from "./redis-script.ts";
import { type DurableRedisStoreOptions, openRedisStore } from "./redis-store.ts";

/**
 * Keeps sessions in Redis or Valkey, for all instances: one that is ended is over with the next request everywhere. Each
 * session ends there by itself, a minute after its time is up. Give it a database that evicts nothing: a session that is
 * dropped signs somebody out.
 *
 * What is written is as safe as the server keeps it: with `appendonly yes` and `appendfsync always` neither a crash nor a
 * kill brings an ended session back. A server without an append-only file is refused at the first write.
 *
 * @throws OptionsError for a client that queues or retries, and for a prefix or a time that makes no sense
 */
export function redisSessionStore(options: DurableRedisStoreOptions): SessionStore {
  const store = openRedisStore(options, "redisSessionStore");
  const sessionKey = (idHash: string): string => store.key(`session:${idHash}`);
  // Subjects may be e-mail addresses; who reads the server's keys does not read them.
  const subjectKey = (subject: string): string => store.key(`sessions-of:${hash("sha256", subject, "base64url")}`);

  async function find(idHash: string): Promise<SessionRecord | undefined> {
    const found = await store.ask(findScript, [sessionKey(idHash)]);
    const [record, lastSeenAt]: readonly unknown[] = Array.isArray(found) ? found : [];
    return record === null || record === undefined ? undefined : readSession(record, Number(lastSeenAt));
  }

  return {
    async insert(record) {
      const keys = [sessionKey(record.idHash), subjectKey(record.subject)];
      const { idHash, startedAt, lastSeenAt, endsAt, idleMs } = record;
      const parameters = [writeSession(record), lastSeenAt, idleMs, endsAt - startedAt, idHash];
      await store.demandDurable();
      const held = Number(await store.ask(insertScript, keys, parameters));
      if (held === 0) throw new Error("a session with this id exists");
      if (!(held > mostOfSubject)) return;
      const oldest = await store.ask(oldestScript, [subjectKey(record.subject)], [mostOfSubject]);
      const idHashes = Array.isArray(oldest) ? oldest.map(String) : [];
      await store.ask(endScript, [subjectKey(record.subject), ...idHashes.map(sessionKey)], idHashes);
    },
    find,
    async touch(idHash, at) {
      await store.ask(touchScript, [sessionKey(idHash)], [at]);
    },
    async end(idHash) {
      const record = await find(idHash);
      if (record === undefined) return;
      await store.demandDurable();
      await store.ask(endScript, [subjectKey(record.subject), sessionKey(idHash)], [idHash]);
    },
    async endAll(subject, except = "") {
      await store.demandDurable();
      let ended = 0;
      // Until none is left: one may have been started while the others were read.
      for (;;) {
        const ids = await store.ask(listScript, [subjectKey(subject)], [except]);
        if (!Array.isArray(ids)) throw new TypeError("Redis did not answer with a list");
        if (ids.length === 0) return ended;
        const idHashes = ids.map(String);
        const answer = await store.ask(endScript, [subjectKey(subject), ...idHashes.map(sessionKey)], idHashes);
        ended += Number(answer);
      }
    },
  };
}

/**
 * Fields: the record, the last use, and by the server's clock when it ends anyway. The subject's list goes by that clock
 * too: by a process's whose clock is ahead, sessions that live would drop out of it and survive the end of all.
 */
const insertScript = redisScript(`
if redis.call("EXISTS", KEYS[1]) == 1 then return 0 end
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lifetime = tonumber(ARGV[4])
local endsAt = string.format("%.0f", now + lifetime)
redis.call("HSET", KEYS[1], "record", ARGV[1], "lastSeenAt", ARGV[2], "idleMs", ARGV[3], "endsAt", endsAt)
redis.call("PEXPIRE", KEYS[1], string.format("%.0f", math.min(tonumber(ARGV[3]), lifetime) + 60000))
redis.call("ZREMRANGEBYSCORE", KEYS[2], "-inf", string.format("(%.0f", now - 60000))
redis.call("ZADD", KEYS[2], endsAt, ARGV[5])
if redis.call("PTTL", KEYS[2]) < lifetime + 60000 then
  redis.call("PEXPIRE", KEYS[2], string.format("%.0f", lifetime + 60000))
end
return redis.call("ZCARD", KEYS[2])
`);

/** Those that end first, beyond as many as may stay. */
const oldestScript = redisScript(`return redis.call("ZRANGE", KEYS[1], 0, -1 - ARGV[1])`);

const findScript = redisScript(`return redis.call("HMGET", KEYS[1], "record", "lastSeenAt")`);

const touchScript = redisScript(`
local seen = redis.call("HMGET", KEYS[1], "lastSeenAt", "idleMs", "endsAt")
if not seen[1] or tonumber(ARGV[1]) <= tonumber(seen[1]) then return 0 end
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call("HSET", KEYS[1], "lastSeenAt", ARGV[1])
local left = math.max(0, math.min(tonumber(seen[2]), tonumber(seen[3]) - now))
redis.call("PEXPIRE", KEYS[1], string.format("%.0f", left + 60000))
return 1
`);

const listScript = redisScript(`
local others = {}
for _, idHash in ipairs(redis.call("ZRANGE", KEYS[1], 0, 999)) do
  if idHash ~= ARGV[1] then others[#others + 1] = idHash end
end
return others
`);

/** KEYS: the subject's list, then the sessions. ARGV: their names in the list. Returns how many there were. */
const endScript = redisScript(`
local ended = 0
for i, idHash in ipairs(ARGV) do
  ended = ended + redis.call("DEL", KEYS[i + 1])
  redis.call("ZREM", KEYS[1], idHash)
end
return ended
`);
