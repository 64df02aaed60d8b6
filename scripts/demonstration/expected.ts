import type { ProtectionId } from "portcullis/checklist";

/**
 * What `examples/projects-unprotected` lacks and a probe can see from outside; each has a `// hole: <id>` mark there. A
 * demonstration in which one of them is not found broken has failed.
 */
export const lackingProtections = [
  "authentication",
  "jwt",
  "api-keys",
  "sessions",
  "function-access",
  "object-access",
  "input",
  "mass-assignment",
  "output",
  "injection",
  "rate-limit",
  "body-size",
  "pagination",
  "transport",
  "host",
  "cors",
  "csrf",
  "security-headers",
  "canonical-request",
  "errors",
  "versioning",
  "exposure",
] as const satisfies readonly ProtectionId[];
