import type { Rule } from "./tool.ts";
import { apiKeys } from "./rules/api-keys.ts";
import { audit } from "./rules/audit.ts";
import { authentication } from "./rules/authentication.ts";
import { bodySize } from "./rules/body-size.ts";
import { cors } from "./rules/cors.ts";
import { csrf } from "./rules/csrf.ts";
import { errors } from "./rules/errors.ts";
import { exposure } from "./rules/exposure.ts";
import { host } from "./rules/host.ts";
import { injection } from "./rules/injection.ts";
import { jwt } from "./rules/jwt.ts";
import { massAssignment } from "./rules/mass-assignment.ts";
import { output } from "./rules/output.ts";
import { pagination } from "./rules/pagination.ts";
import { rateLimit } from "./rules/rate-limit.ts";
import { sessions } from "./rules/sessions.ts";
import { transport } from "./rules/transport.ts";
import { webhookReceive } from "./rules/webhook-receive.ts";

/** Every rule, by the protection it is about. */
export const rules: Record<string, Rule> = {
  authentication,
  jwt,
  "api-keys": apiKeys,
  sessions,
  "mass-assignment": massAssignment,
  output,
  injection,
  "rate-limit": rateLimit,
  "body-size": bodySize,
  pagination,
  transport,
  host,
  cors,
  csrf,
  errors,
  "webhook-receive": webhookReceive,
  audit,
  exposure,
};
