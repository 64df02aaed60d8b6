import type { Case } from "./case.ts";
import { audit } from "./cases/audit.ts";
import { authentication } from "./cases/authentication.ts";
import { cors } from "./cases/cors.ts";
import { errors } from "./cases/errors.ts";
import { exposure } from "./cases/exposure.ts";
import { host } from "./cases/host.ts";
import { injection } from "./cases/injection.ts";
import { jwt } from "./cases/jwt.ts";
import { massAssignment } from "./cases/mass-assignment.ts";
import { output } from "./cases/output.ts";
import { rateLimit } from "./cases/rate-limit.ts";
import { sessions } from "./cases/sessions.ts";
import { transport } from "./cases/transport.ts";
import { webhookReceive } from "./cases/webhook-receive.ts";

/** What each rule finds and what it leaves, by protection; ESLint, oxlint and `portcullis check` must agree on all of it. */
export const cases: Readonly<Record<string, readonly Case[]>> = {
  audit,
  authentication,
  cors,
  errors,
  exposure,
  host,
  injection,
  jwt,
  "mass-assignment": massAssignment,
  output,
  "rate-limit": rateLimit,
  sessions,
  transport,
  "webhook-receive": webhookReceive,
};
