import { createHash, createHmac, randomFillSync } from "node:crypto";
import type { Runtime } from "../runtime.ts";
import { standardOutputSink } from "./line-sinks.ts";
import { listen } from "./node.ts";

/** One fill of the pool serves this many request ids; asking the system for 16 bytes each time costs more. */
const pooledIds = 256;
const idBytes = 16;
const pool = Buffer.allocUnsafe(pooledIds * idBytes);
let next = pool.length;

/** Node: synchronous hashing, real sockets, records on standard output. */
export const runtime: Runtime = {
  hashing: {
    sha256: (data) => createHash("sha256").update(data).digest(),
    hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
  },
  randomBytes: (count) => new Uint8Array(randomFillSync(new Uint8Array(count))),
  newId() {
    if (next === pool.length) {
      randomFillSync(pool);
      next = 0;
    }
    const id = pool.toString("base64url", next, next + idBytes);
    next += idBytes;
    return id;
  },
  monotonic: () => performance.now(),
  utf8: (text) => Buffer.from(text, "utf8"),
  schedule(delayMs, work) {
    setTimeout(work, delayMs).unref();
  },
  standardSink: standardOutputSink,
  listen,
};
