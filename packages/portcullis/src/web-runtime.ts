import { OptionsError } from "./lib/options-error.ts";
import { verifyWithWebCrypto } from "./lib/web-signature.ts";
import type { Runtime } from "./runtime.ts";

const encoder = new TextEncoder();

async function hmac(hash: "SHA-256" | "SHA-512", key: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey("raw", new Uint8Array(key), { name: "HMAC", hash }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, new Uint8Array(data)));
}

/** Runtimes that speak Web standards only. */
export const runtime: Runtime = {
  hashing: {
    async sha256(data) {
      return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(data)));
    },
    hmacSha256: (key, data) => hmac("SHA-256", key, data),
    hmacSha512: (key, data) => hmac("SHA-512", key, data),
  },
  verifySignature: verifyWithWebCrypto,
  randomBytes(count) {
    return crypto.getRandomValues(new Uint8Array(count));
  },
  newId() {
    const text = String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)));
    return btoa(text).slice(0, 22).replaceAll("+", "-").replaceAll("/", "_");
  },
  monotonic() {
    return performance.now();
  },
  utf8(text) {
    return encoder.encode(text);
  },
  variable(name) {
    const host: unknown = Reflect.get(globalThis, "process");
    const environment: unknown = typeof host === "object" && host !== null ? Reflect.get(host, "env") : undefined;
    const value: unknown =
      typeof environment === "object" && environment !== null ? Reflect.get(environment, name) : undefined;
    return typeof value === "string" ? value : undefined;
  },
  schedule(delayMs, work) {
    setTimeout(work, delayMs);
  },
  standardSink() {
    // console.log is the one writer every runtime has; the batch's own last newline is left to it.
    return { name: "console", write: (batch) => console.log(batch.text().trimEnd()) };
  },
  async listen() {
    throw new OptionsError("this runtime has no sockets to listen on", "serve the API through a fetch adapter");
  },
};
