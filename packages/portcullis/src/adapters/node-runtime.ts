import { createHash, createHmac, randomBytes, randomFillSync } from "node:crypto";
import type { Runtime } from "../runtime.ts";
import { standardOutputSink } from "./line-sinks.ts";
import { listen } from "./node.ts";
import { verifyWithNode } from "./node-signature.ts";

/** One fill serves this many request ids; asking the system for the bytes of each costs more. */
const idsAtOnce = 256;
const idLength = 22;
let ids = "";
let next = 0;

/** Node: synchronous hashing, real sockets, records on standard output. */
export const runtime: Runtime = {
  hashing: {
    sha256: (data) => createHash("sha256").update(data).digest(),
    hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
    hmacSha512: (key, data) => createHmac("sha512", key).update(data).digest(),
  },
  verifySignature: verifyWithNode,
  randomBytes: (count) => new Uint8Array(randomFillSync(new Uint8Array(count))),
  newId() {
    if (next === ids.length) {
      // Every character carries 6 random bits of its own, wherever the text is cut.
      ids = randomBytes((idsAtOnce * idLength * 6) / 8).toString("base64url");
      next = 0;
    }
    const middle = next + idLength / 2;
    next += idLength;
    // In halves, because V8 copies short pieces; a longer one would keep all of `ids` alive as long as it lives itself.
    return ids.slice(middle - idLength / 2, middle) + ids.slice(middle, next);
  },
  monotonic: () => performance.now(),
  utf8: (text) => Buffer.from(text, "utf8"),
  variable: (name) => process.env[name],
  schedule(delayMs, work) {
    setTimeout(work, delayMs).unref();
  },
  standardSink: standardOutputSink,
  listen,
};
