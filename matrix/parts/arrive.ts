import { type Incoming, problem, type Reply } from "./exchange.ts";
import { rates } from "./limiter.ts";
import type { World } from "./world.ts";

/** What is refused before anybody asks which route it is: what can be read in two ways, hosts of others, floods. */
export function arrive(incoming: Incoming, { mutant, limiter }: World): Reply | undefined {
  const { target, query, headers, rawHeaders, address } = incoming;
  // Neither a fragment nor anything encoded that need not be: two readers would see two paths.
  if (!/^\/[\x21\x22\x24-\x7e]*$/.test(target) || /%(?![0-9a-f]{2})/i.test(target)) return problem(400);
  if (/\\|\/\/|\/\.{1,2}(?:\/|$)|%(?:2[ef]|5c|0[0-9a-f]|[46][1-9a-f]|[57][0-9a]|3\d|2d|5f|7e)/i.test(incoming.path)) {
    return problem(400);
  }
  for (const name of singular) {
    if (rawHeaders.filter((field, index) => index % 2 === 0 && field.toLowerCase() === name).length > 1)
      return problem(400);
  }
  const names = [...query.keys()];
  if (new Set(names).size !== names.length && !mutant("repeated-query")) return problem(400);
  if (names.some((name) => secrets.includes(name.toLowerCase()))) {
    const isTaken =
      (mutant("token-in-query") && query.has("access_token")) || (mutant("key-in-query") && query.has("api_key"));
    if (!isTaken) return problem(400);
  }
  const [host = ""] = (headers["host"] ?? "").split(":");
  if (!["localhost", "127.0.0.1"].includes(host.toLowerCase()) && !mutant("any-host")) return problem(421);
  const wait = limiter.take(`address ${address}`, rates.address);
  return wait > 0 ? problem(429, { "retry-after": String(wait) }) : undefined;
}

const singular = [
  "host",
  "authorization",
  "content-type",
  "content-length",
  "origin",
  "x-api-key",
  "cookie",
  "idempotency-key",
];

const secrets: readonly string[] = [
  "access_token",
  "token",
  "api_key",
  "apikey",
  "key",
  "authorization",
  "jwt",
  "session",
];
