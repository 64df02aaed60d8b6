import type { Arrival } from "../packages/portcullis/src/exchange.ts";
import { createApi, nothing, anyCaller, sinkTo } from "portcullis";
import type { Caller, Credential } from "portcullis";

/**
 * What one process holds after one proved caller and after a million of them, each from an address of its own: the
 * limiter's tables and every cache are bounded, so the two differ by noise. Prints bytes; run with --expose-gc.
 */
const callers = 1_000_000;

const anybody: Credential = {
  protection: "sessions",
  name: "anybody",
  carrier: { in: "header", header: "x-caller" },
  issuer: undefined,
  mapsSubject: false,
  problems: () => [],
  describe: () => ({}),
  build: () => ({ recognises: () => true, cached: () => undefined, verify: callerNamed }),
};

const api = createApi({
  name: "memory",
  hosts: ["localhost"],
  credentials: [anybody],
  proxies: { trusted: ["127.0.0.0/8"], header: "x-forwarded-for" },
  limits: { global: "1000000/s", address: "1000/s", wideAddress: "1000/s" },
  audit: { sinks: [sinkTo("nowhere", () => undefined)] },
});
api.route({ path: "GET /v1/nothing", access: anyCaller, output: nothing, limit: "1000/s" }, () => undefined);

let admitted = 0;
await call(0);
const one = held();
for (let n = 1; n < callers; n++) await call(n);
const many = held();
console.log(`\nMemory of the process, after a full collection; ${admitted} of ${callers} calls admitted`);
console.log(`  1 caller           ${mebibytes(one)}`);
console.log(`  1,000,000 callers  ${mebibytes(many)}   (${mebibytes(many - one)} more)`);
if (admitted < callers / 2) throw new Error("most calls were refused, so this says nothing");

async function call(n: number): Promise<void> {
  const handled = await api.handle(arrival(n));
  if (handled.answer.status === 204) admitted++;
  handled.finished(false);
  // The records' timer needs a turn now and then.
  if (n % 10_000 === 0) await new Promise((resolve) => setImmediate(resolve));
}

function arrival(n: number): Arrival {
  const address = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
  return {
    method: "GET",
    target: "/v1/nothing",
    headers: ["host", "localhost", "x-caller", `caller-${n}`, "x-forwarded-for", address, "x-forwarded-proto", "https"],
    peer: "127.0.0.1",
    scheme: "http",
    hasBody: false,
    readBody: () => Promise.resolve("aborted"),
    signal: () => new AbortController().signal,
  };
}

function callerNamed(value: string): Caller {
  const proof = { kind: "sessions", issuer: undefined, credentialId: undefined, ambient: false, claims: {} } as const;
  return Object.freeze({ subject: value, tenant: undefined, scopes: [], roles: [], proof });
}

function held(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers, external } = process.memoryUsage();
  return heapUsed + Math.max(arrayBuffers, external);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
