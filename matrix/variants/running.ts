import type { Serving } from "../parts/serve.ts";
import type { World } from "../parts/world.ts";
import { openapiOf } from "../product/openapi.ts";
import type { Operation } from "../product/operation.ts";
import { type Person, userIds } from "../product/people.ts";
import { certificate } from "../parts/certificate.ts";

/** An API that runs, and what a test or a scan needs to be its callers. */
export interface Running {
  readonly url: string;
  readonly ca: string;
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly openapi?: Readonly<Record<string, unknown>>;
  /** Bearer tokens. */
  readonly tokens: Readonly<Record<Person, string>>;
  /** An API key of carol's that may read projects and nothing else, for `X-Api-Key`. */
  readonly key: string;
  /** What signs tokens. */
  readonly jwtKey: string;
  /** Public half of it, where there is one. */
  readonly publicPem: string;
  readonly webhookSecret: string;
  close(): Promise<void>;
}

/** What a plain API says of itself once it listens. */
export function runningPlain(
  { tokens, keys, webhookSecret, data }: World,
  { port, close }: Serving,
  routes: readonly Operation[],
  algorithm: "HS256" | "RS256",
): Running {
  const tokenOf = (name: Person) => tokens.sign(userIds[name], data.users.get(userIds[name])?.tenantId ?? "");
  return {
    url: `https://localhost:${port}`,
    ca: certificate().ca,
    // What nobody declared stands in no document.
    openapi: openapiOf(
      routes.filter(({ method, path }) => !(method === "PUT" && path === "/v1/projects/:id")),
      algorithm,
    ),
    tokens: { alice: tokenOf("alice"), bob: tokenOf("bob"), carol: tokenOf("carol"), admin: tokenOf("admin") },
    key: keys.issue(userIds.carol, "ci", ["projects:read"]).key,
    jwtKey: tokens.testKey,
    publicPem: tokens.publicPem,
    webhookSecret,
    async close() {
      await close();
      data.close();
    },
  };
}
