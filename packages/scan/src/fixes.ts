import type { ProtectionId } from "portcullis/checklist";
import { apiKeys } from "./fixes/api-keys.ts";
import { authentication } from "./fixes/authentication.ts";
import { bodySize } from "./fixes/body-size.ts";
import { canonicalRequest } from "./fixes/canonical-request.ts";
import { cors } from "./fixes/cors.ts";
import { csrf } from "./fixes/csrf.ts";
import { errors } from "./fixes/errors.ts";
import { exposure } from "./fixes/exposure.ts";
import type { Fix } from "./fixes/fix.ts";
import { functionAccess } from "./fixes/function-access.ts";
import { host } from "./fixes/host.ts";
import { idempotency } from "./fixes/idempotency.ts";
import { injection } from "./fixes/injection.ts";
import { input } from "./fixes/input.ts";
import { jwt } from "./fixes/jwt.ts";
import { massAssignment } from "./fixes/mass-assignment.ts";
import { oauth } from "./fixes/oauth.ts";
import { objectAccess } from "./fixes/object-access.ts";
import { output } from "./fixes/output.ts";
import { pagination } from "./fixes/pagination.ts";
import { rateLimit } from "./fixes/rate-limit.ts";
import { securityHeaders } from "./fixes/security-headers.ts";
import { sessions } from "./fixes/sessions.ts";
import { ssrf } from "./fixes/ssrf.ts";
import { transport } from "./fixes/transport.ts";
import { versioning } from "./fixes/versioning.ts";
import { webhookReceive } from "./fixes/webhook-receive.ts";
import { webhookSend } from "./fixes/webhook-send.ts";

export { type Fix, fixTargets } from "./fixes/fix.ts";

/** The smallest fix of a protection; undefined for what no scan can find broken, the records of a server. */
export function fixOf(id: ProtectionId): Fix | undefined {
  return fixes[id];
}

const fixes: Readonly<Partial<Record<ProtectionId, Fix>>> = {
  authentication,
  jwt,
  "api-keys": apiKeys,
  oauth,
  sessions,
  "function-access": functionAccess,
  "object-access": objectAccess,
  input,
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
  "security-headers": securityHeaders,
  "canonical-request": canonicalRequest,
  errors,
  "webhook-receive": webhookReceive,
  "webhook-send": webhookSend,
  versioning,
  exposure,
  idempotency,
  ssrf,
};
