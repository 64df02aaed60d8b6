import type { Probe } from "./probe.ts";
import { apiKeys } from "./probes/api-keys.ts";
import { authentication } from "./probes/authentication.ts";
import { bodySize } from "./probes/body-size.ts";
import { canonicalRequest } from "./probes/canonical-request.ts";
import { cors } from "./probes/cors.ts";
import { csrf } from "./probes/csrf.ts";
import { errors } from "./probes/errors.ts";
import { exposure } from "./probes/exposure.ts";
import { functionAccess } from "./probes/function-access.ts";
import { host } from "./probes/host.ts";
import { idempotency } from "./probes/idempotency.ts";
import { injection } from "./probes/injection.ts";
import { input } from "./probes/input.ts";
import { jwt } from "./probes/jwt.ts";
import { massAssignment } from "./probes/mass-assignment.ts";
import { oauth } from "./probes/oauth.ts";
import { objectAccess } from "./probes/object-access.ts";
import { output } from "./probes/output.ts";
import { pagination } from "./probes/pagination.ts";
import { rateLimit } from "./probes/rate-limit.ts";
import { securityHeaders } from "./probes/security-headers.ts";
import { sessions } from "./probes/sessions.ts";
import { ssrf } from "./probes/ssrf.ts";
import { transport } from "./probes/transport.ts";
import { versioning } from "./probes/versioning.ts";
import { webhookReceive } from "./probes/webhook-receive.ts";

/** All probes in the order they are planned. Limits come last: proving them uses them up. */
export const probes: readonly Probe[] = [
  authentication,
  jwt,
  objectAccess,
  functionAccess,
  massAssignment,
  input,
  output,
  injection,
  ssrf,
  idempotency,
  apiKeys,
  oauth,
  sessions,
  webhookReceive,
  csrf,
  cors,
  transport,
  host,
  securityHeaders,
  canonicalRequest,
  errors,
  versioning,
  exposure,
  bodySize,
  pagination,
  rateLimit,
];
