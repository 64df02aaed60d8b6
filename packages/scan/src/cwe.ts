import type { ProtectionId } from "portcullis/checklist";

/**
 * The weaknesses a finding is an instance of, the most specific first, as CWE numbers.
 *
 * @param check  the stable name of the check; some name a narrower weakness than their protection does
 * @see MITRE CWE 4.x; the mapping of OWASP API Security Top 10 2023
 */
export function cweOf(id: ProtectionId, check: string): readonly number[] {
  const name = `${id}/${check}`;
  const narrow = narrower.find(([pattern]) => pattern.test(name))?.[1] ?? [];
  return [...new Set([...narrow, ...weaknesses[id]])];
}

const weaknesses: Readonly<Record<ProtectionId, readonly number[]>> = {
  authentication: [306, 287],
  jwt: [347, 345],
  "api-keys": [522, 287],
  oauth: [287, 345],
  sessions: [613, 384],
  "function-access": [285, 862],
  "object-access": [639, 863],
  input: [20],
  "mass-assignment": [915],
  output: [213, 200],
  injection: [74],
  "rate-limit": [770],
  "body-size": [770, 400],
  pagination: [770],
  transport: [319],
  host: [644, 348],
  cors: [942],
  csrf: [352],
  "security-headers": [693],
  "canonical-request": [436],
  errors: [209],
  "webhook-receive": [345],
  "webhook-send": [345],
  audit: [778],
  alerts: [778],
  versioning: [1059],
  exposure: [200, 552],
  idempotency: [837],
  ssrf: [918],
};

const narrower: readonly (readonly [pattern: RegExp, numbers: readonly number[]])[] = [
  [/^jwt\/(?:expired|no-exp|never-expires|exp-text|too-old|not-yet-valid|issued-in-future)$/, [613]],
  [/^jwt\/(?:wrong|no)-(?:audience|issuer|subject|type)$/, [345]],
  [/^api-keys\/in-url-/, [598]],
  [/^object-access\/foreign-(?:.+-)?looks-missing$/, [204]],
  [/^sessions\/cookie-httponly$/, [1004]],
  [/^sessions\/cookie-secure$/, [614]],
  [/^sessions\/cookie-samesite$/, [1275]],
  [/^sessions\/fixation$/, [384]],
  [/^sessions\/one-answer$/, [204]],
  [/^sessions\/one-time$/, [208]],
  [/^sessions\/session-in-url$/, [598]],
  [/^sessions\/cookie-strength$/, [331]],
  [/^oauth\/redirect-/, [601]],
  [/^oauth\/(?:pkce-|verifier-|metadata-pkce)/, [345, 294]],
  [/^oauth\/(?:code-replay|refresh-reuse|refresh-family)/, [294]],
  [/^oauth\/(?:.*-after-|access-token-lifetime)/, [613]],
  [/^oauth\/token-in-url$/, [598]],
  [/^oauth\/token-no-store$/, [525]],
  [/^oauth\/state$/, [352]],
  [/^input\/(?:prototype|constructor)-key$/, [1321]],
  [/^input\/(?:length|items)$/, [1284]],
  [/^input\/type$/, [1287]],
  [/^injection\/(?:sql|quote|pause)-/, [89]],
  [/^injection\/operator-/, [943]],
  [/^injection\/markup-/, [79]],
  [/^output\/redirect-/, [601]],
  [/^rate-limit\/sign-in/, [307]],
  [/^body-size\/compressed$/, [409]],
  [/^body-size\/deep$/, [674]],
  [/^transport\/tls-/, [326]],
  [/^security-headers\/frame-options$/, [1021]],
  [/^security-headers\/no-store$/, [525]],
  [/^security-headers\/no-banner$/, [200]],
  [/^canonical-request\/(?:length-|two-lengths|odd-transfer|space-before|bare-line|folded)/, [444]],
  [/^canonical-request\/(?:dot-|encoded-dots|double-encoded|overlong|backslash)/, [22]],
  [/^webhook-receive\/.*(?:replay|twice)/, [294]],
  [/^versioning\/trace$/, [650]],
  [/^exposure\/(?:in-url-|credential-in-url$)/, [598]],
  [/^exposure\/source-map$/, [540]],
  [/^exposure\/path-debug/, [489]],
  [/^exposure\/path--/, [538]],
];
