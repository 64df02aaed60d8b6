/**
 * Portcullis: one policy per route, enforced by gates at run time, attacked by a prover that reads the same policy.
 *
 * @packageDocumentation
 */
export type { Alert, DetectorId } from "./alerts/alert.ts";
export { alertWebhook } from "./alerts/alert-webhook.ts";
export type { AlertWebhookOptions } from "./alerts/alert-webhook.ts";
export type { AlertsOptions, DeliveredAlert } from "./alerts/watch.ts";
export { createApi } from "./api.ts";
export type { Api } from "./api.ts";
export type { Caller, Proof } from "./caller.ts";
export { checklist, protection } from "./checklist.ts";
export type { Protection, ProtectionId } from "./checklist.ts";
export type { Credential, CredentialVerifier } from "./credential.ts";
export { defaults } from "./defaults.ts";
export type { Clock, Problem } from "./environment.ts";
export type { ApiKeysOptions } from "./gates/api-keys.ts";
export { apiKeys } from "./gates/api-keys.ts";
export { jwt } from "./gates/jwt.ts";
export type { SessionCaller, SessionOptions } from "./gates/sessions.ts";
export { session } from "./gates/sessions.ts";
export { issueApiKey, revokeApiKey, rotateApiKey } from "./lib/issue-api-key.ts";
export type { ApiKeyRecord, ApiKeyStore } from "./lib/api-key-store.ts";
export { memoryKeyStore } from "./lib/memory-key-store.ts";
export { publicKey, secret } from "./lib/jwt-keys.ts";
export { jwks } from "./lib/jwks.ts";
export { jwksUrl } from "./lib/jwks-url.ts";
export type { JwtOptions } from "./lib/jwt-options.ts";
export type { TokenRevocations } from "./lib/token-revocations.ts";
export type { SecurityEvent } from "./events/event.ts";
export type { CallRecord } from "./events/record.ts";
export { memorySink, sinkTo } from "./events/sink.ts";
export type { AuditBatch, AuditSink } from "./events/sink.ts";
export { StartRefused } from "./listen.ts";
export type { ListenOptions, Listening } from "./listen.ts";
export type { Manifest } from "./manifest.ts";
export { described } from "./lib/standard-schema.ts";
export { OptionsError } from "./lib/options-error.ts";
export { dangerouslyDivideLimits } from "./limits/dangerously-divide-limits.ts";
export * from "./limits/presets.ts";
export { answer, byRole, everyOwner, list, nothing, shared, unowned, view } from "./output.ts";
export type { CookieToSet } from "./output.ts";
export { anyCaller, cursorPages, pages, publicAccess } from "./policy.ts";
export type { ApiConfig, RequestFacts, RouteLimit, RoutePolicy } from "./policy.ts";
export type { FetchFacts } from "./adapters/fetch.ts";
export type { PlatformName } from "./lib/platforms.ts";
export { refuse } from "./refusal.ts";
export type { Refusal, RefusalCode } from "./refusal.ts";
export { by, byEach, notAnObject } from "./resource.ts";
export type { Resource, ResourceRule } from "./resource.ts";
export * from "./webhooks/webhooks.ts";
