import type { Rule } from "./rule.ts";
import { audit } from "./rules/audit.ts";
import { authentication } from "./rules/authentication.ts";
import { cors } from "./rules/cors.ts";
import { errors } from "./rules/errors.ts";
import { exposure } from "./rules/exposure.ts";
import { host } from "./rules/host.ts";
import { injection } from "./rules/injection.ts";
import { jwt } from "./rules/jwt.ts";
import { massAssignment } from "./rules/mass-assignment.ts";
import { output } from "./rules/output.ts";
import { rateLimit } from "./rules/rate-limit.ts";
import { sessions } from "./rules/sessions.ts";
import { transport } from "./rules/transport.ts";
import { webhookReceive } from "./rules/webhook-receive.ts";

/** Every rule, by the protection it is about. */
export const rules: Record<string, Rule> = {
  authentication,
  jwt,
  sessions,
  "mass-assignment": massAssignment,
  output,
  injection,
  "rate-limit": rateLimit,
  transport,
  host,
  cors,
  errors,
  "webhook-receive": webhookReceive,
  audit,
  exposure,
};
