import { randomBytes } from "node:crypto";
import { type ApiConfig, type ApiKeyStore, apiKeys, createApi, jwt, memoryKeyStore, secret, session } from "portcullis";
import { createAccounts } from "./accounts.ts";
import { type Data, openData } from "./data/data.ts";
import { createKeys, keyPrefix } from "./keys.ts";
import { limits } from "./limits.ts";
import { declareResources } from "./resources.ts";
import { adminRoutes } from "./routes/admin.ts";
import { commentRoutes } from "./routes/comments.ts";
import { keyRoutes } from "./routes/keys.ts";
import { meRoutes } from "./routes/me.ts";
import { memberRoutes } from "./routes/members.ts";
import { projectRoutes } from "./routes/projects.ts";
import { reportRoutes } from "./routes/reports.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { createSessions, sessionCookie } from "./sessions.ts";
import { audience, createTokens, issuer } from "./tokens.ts";

/** What the API is made of; everything has a default, so that `buildProjectsApi()` is the whole of it. */
export interface ProjectsOptions {
  /** Default: in memory, empty. */
  readonly data?: Data;
  /** Default: in memory. */
  readonly keyStore?: ApiKeyStore;
  /** Signs and proves tokens; at least 256 bits. Default: random, so that tokens end with the process. */
  readonly jwtSecret?: string;
  /** Where records and events go. Default: standard output. */
  readonly audit?: NonNullable<ApiConfig["audit"]>;
  /** Makes the API. The tests hand in one with a gate that is wrong on purpose. */
  readonly create?: typeof createApi;
}

/** The projects API: who may come in, the kinds of objects, and the routes. Nothing runs before it listens. */
export function buildProjectsApi({
  data = openData(),
  keyStore = memoryKeyStore(),
  jwtSecret = randomBytes(48).toString("base64url"),
  audit = {},
  create = createApi,
}: ProjectsOptions = {}) {
  const keys = createKeys(keyStore);
  const tokens = createTokens(jwtSecret);
  const sessions = createSessions(data.sessions);
  const accounts = createAccounts(data.users, sessions, keys);

  const api = create({
    name: "projects",
    hosts: ["localhost", "127.0.0.1"],
    origins: ["https://app.projects.example"],
    credentials: [
      jwt({
        issuer,
        audience,
        typ: "at+jwt",
        keys: secret(jwtSecret),
        tenant: ({ tid }) => (typeof tid === "string" ? tid : undefined),
        revocations: accounts.revocations,
      }),
      apiKeys({ prefix: keyPrefix, store: accounts.keysInUse(keyStore) }),
      session({ cookies: [sessionCookie], resolve: sessions.resolve }),
    ],
    roles: (caller) => accounts.rolesOf(caller.subject),
    limits,
    audit,
  });

  const resources = declareResources(api, data, keys);
  signInRoutes(api, resources, { data, accounts, sessions, tokens });
  meRoutes(api, resources, data);
  projectRoutes(api, resources, data);
  memberRoutes(api, resources, data);
  commentRoutes(api, resources, data);
  keyRoutes(api, resources, keys);
  adminRoutes(api, resources, data, accounts);
  reportRoutes(api);

  return { api, data, keys, tokens };
}
