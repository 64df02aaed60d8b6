import { type ApiKeyStore, apiKeys, createApi, jwt, type RouteLimit, secret, session } from "portcullis";
import type { World } from "../parts/world.ts";
import { appOrigin, audience, issuer, keyPrefix } from "../product/people.ts";
import { scopes } from "../product/schemas.ts";
import { declareResources } from "./portcullis-resources.ts";
import { accountRoutes } from "./portcullis-accounts.ts";
import { otherRoutes } from "./portcullis-others.ts";
import { projectRoutes } from "./portcullis-projects.ts";

/** The parts of one API over the library. */
export interface Parts {
  readonly world: World;
  readonly store: ApiKeyStore;
  readonly reading: "60/s" | "1500/s";
  readonly writing: "40/s" | "1500/s";
  readonly signingIn: readonly RouteLimit[];
}

/** The product over the library: every mistake here is one a policy or a handler can still make. */
export function buildApi(world: World, store: ApiKeyStore) {
  const { mutant, data, sessions, tokens } = world;
  const isUncounted = mutant("no-limit");
  const parts: Parts = {
    world,
    store,
    reading: isUncounted ? "1500/s" : "60/s",
    writing: isUncounted ? "1500/s" : "40/s",
    signingIn: mutant("sign-in-unlimited")
      ? [
          { rate: "1500/s", by: "address" },
          { rate: "1500/s", by: "body.email" },
        ]
      : [
          { rate: "30/s", by: "address" },
          { rate: "30/10s", by: "body.email", and: "address", counts: "failures" },
          { rate: "300/10s", by: "body.email", counts: "failures" },
        ],
  };
  const api = createApi({
    name: "projects",
    hosts: ["localhost", "127.0.0.1"],
    origins: [appOrigin],
    credentials: [
      jwt({
        issuer,
        audience,
        typ: "at+jwt",
        keys: secret(tokens.testKey),
        tenant: ({ tid }) => (typeof tid === "string" ? tid : undefined),
        maxAgeSeconds: mutant("jwt-old") ? 86_400 : 3600,
      }),
      apiKeys({ prefix: keyPrefix, store: storeOf(store, world), header: "x-api-key" }),
      session({
        cookies: [sessions.name],
        resolve(cookies) {
          const id = cookies[sessions.name] ?? "";
          const user = data.users.get(sessions.resolve(id) ?? "");
          return user === undefined || user.disabled
            ? undefined
            : { subject: user.id, tenant: user.tenantId, scopes, claims: { sessionId: id } };
        },
      }),
    ],
    roles: ({ subject }) => [data.users.get(subject)?.role ?? "none"],
    limits: {
      global: "2000/s",
      address: "400/s",
      wideAddress: "1600/s",
      caller: isUncounted ? "1600/s" : "200/s",
      failures: "200/10s",
    },
    body: { maxBytes: mutant("no-body-limit") ? 50 * 1024 * 1024 : 102_400 },
    minTls: mutant("old-tls") ? "1.2" : "1.3",
    audit: { sinks: [{ name: "nowhere", write: () => undefined }], onError: () => undefined },
    alerts: "none",
  });
  const resources = declareResources(api, parts);
  accountRoutes(api, resources, parts);
  projectRoutes(api, resources, parts);
  otherRoutes(api, resources, parts);
  return api;
}

/** The store as requests ask it. */
function storeOf(store: ApiKeyStore, { mutant, data }: World): ApiKeyStore {
  return {
    ...store,
    async find(id) {
      const record = await store.find(id);
      if (record === undefined || data.users.get(record.subject)?.disabled !== false) return undefined;
      return mutant("key-revoked") ? { ...record, revokedAt: undefined } : record;
    },
    generation: () => (mutant("key-revoked") ? 1 : store.generation()),
  };
}
