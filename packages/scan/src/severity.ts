import { type Priority, type ProtectionId, protection } from "portcullis/checklist";

/** From the worst to the least, as reports are ranked. */
export const severities: readonly Priority[] = ["critical", "high", "medium", "low"];

/**
 * How bad it is that one check of a protection is broken. It is the protection's own priority, unless the check is about a
 * smaller or a greater thing than the protection as a whole: a header that is missing is no account that is taken over.
 *
 * @param check  the stable name of the check, such as `alg-none`
 */
export function severityOf(id: ProtectionId, check: string): Priority {
  const name = `${id}/${check}`;
  return exceptions.find(([pattern]) => pattern.test(name))?.[1] ?? protection(id).priority;
}

/** True where `left` is at least as bad as `right`. */
export function isAtLeast(left: Priority, right: Priority): boolean {
  return severities.indexOf(left) <= severities.indexOf(right);
}

/** The first pattern that fits counts. What is on no list has the priority of its row. */
const exceptions: readonly (readonly [pattern: RegExp, severity: Priority])[] = [
  // The caller is still the right one; only the form of the credential is taken loosely.
  [/^authentication\/(?:no-scheme|scheme-glued|other-scheme)$/, "low"],
  [/^authentication\/(?:two-tokens|other-header|cookie)$/, "medium"],
  [/^jwt\/(?:exp-text|issued-in-future|too-old|critical-extension)$/, "medium"],
  [/^api-keys\/two-credentials$/, "medium"],
  [/^jwt\/(?:wrong-type|no-subject|no-exp|never-expires|no-audience|no-issuer)$/, "high"],
  // Somebody learns that an object exists, not what is in it.
  [/^object-access\/foreign-(?:.+-)?looks-missing$/, "medium"],
  [/^input\/(?:prototype-key|constructor-key)$/, "high"],
  [/^input\/unknown-query$/, "low"],
  [/^input\//, "medium"],
  [/^output\/redirect-/, "medium"],
  [/^sessions\/(?:cookie-prefix|cookie-domain|cookie-lifetime)$/, "low"],
  [/^sessions\/(?:rotation|sign-out-everywhere)$/, "medium"],
  [/^sessions\/(?:cookie-samesite|one-answer|one-time)$/, "medium"],
  // A second thing has to go wrong before somebody gets in.
  [/^oauth\/(?:pkce-optional|code-replay-revokes|refresh-family|response-issuer|nonce|state)$/, "medium"],
  [/^oauth\/(?:token-no-store|access-token-lifetime|token-in-url|metadata-(?:agree|pkce|none))$/, "medium"],
  [/^oauth\/redirect-query$/, "medium"],
  [/^rate-limit\/.*retry-after$/, "low"],
  [/^rate-limit\/(?:route|caller|caller-window)$/, "medium"],
  [/^transport\/(?:hsts-over-http|tls-v1\.2)$/, "low"],
  [/^transport\/hsts$/, "medium"],
  [/^transport\/tls-/, "high"],
  // Any name is served, which harms only where somebody else's trust in a name leads to it.
  [/^host\/host-any$/, "low"],
  [/^cors\/(?:vary|preflight-methods)$/, "low"],
  [/^cors\/preflight-/, "medium"],
  [/^security-headers\/(?:referrer-policy|no-banner|frame-options|resource-policy)$/, "low"],
  // One answer, two readings of it that agree: untidy, and seldom more.
  [/^canonical-request\/(?:trailing-slash|upper-case|double-slash|double-slash-first|matrix|fragment)$/, "low"],
  [/^canonical-request\/(?:query-|media-type|utf-16|byte-order-mark|dot-segment|backslash)/, "medium"],
  [/^errors\/(?:shape|request-id|status|validator)$/, "low"],
  [/^versioning\/(?:undeclared-method|unknown-path)$/, "low"],
  [/^exposure\/path-(?:docs|api-docs|openapi-json|openapi-yaml|swagger-json|status)$/, "low"],
  [/^exposure\/in-url-/, "medium"],
];
