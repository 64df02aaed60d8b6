import type { Case } from "./case.ts";
import { apiKeys } from "./cases/api-keys.ts";
import { audit } from "./cases/audit.ts";
import { authentication } from "./cases/authentication.ts";
import { bodySize } from "./cases/body-size.ts";
import { cors } from "./cases/cors.ts";
import { csrf } from "./cases/csrf.ts";
import { errors } from "./cases/errors.ts";
import { exposure } from "./cases/exposure.ts";
import { host } from "./cases/host.ts";
import { injection } from "./cases/injection.ts";
import { jwt } from "./cases/jwt.ts";
import { massAssignment } from "./cases/mass-assignment.ts";
import { output } from "./cases/output.ts";
import { pagination } from "./cases/pagination.ts";
import { rateLimit } from "./cases/rate-limit.ts";
import { sessions } from "./cases/sessions.ts";
import { transport } from "./cases/transport.ts";
import { webhookReceive } from "./cases/webhook-receive.ts";

/** What each rule finds and what it leaves, by protection; ESLint, oxlint and `portcullis check` must agree on all of it. */
export const cases: Readonly<Record<string, readonly Case[]>> = {
  "api-keys": apiKeys,
  audit,
  authentication,
  "body-size": bodySize,
  cors,
  csrf,
  errors,
  exposure,
  host,
  injection,
  jwt,
  "mass-assignment": massAssignment,
  output,
  pagination,
  "rate-limit": rateLimit,
  sessions,
  transport,
  "webhook-receive": webhookReceive,
};
