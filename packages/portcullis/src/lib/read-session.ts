import type { SessionRecord } from "./session-store.ts";

/** A session as text, without the use that changes. */
export function writeSession({ lastSeenAt: _changes, ...fixed }: SessionRecord): string {
  return JSON.stringify(fixed);
}

/**
 * A session as a store kept it.
 *
 * @throws TypeError when it is none: who wrote into the store is believed nothing
 */
export function readSession(text: unknown, lastSeenAt: unknown): SessionRecord {
  const stored: unknown = typeof text === "string" ? JSON.parse(text) : undefined;
  if (!isRecord(stored)) throw notOne();
  const { idHash, subject, tenant, scopes, claims, startedAt, endsAt, idleMs } = stored;
  if (typeof idHash !== "string" || typeof subject !== "string" || subject === "") throw notOne();
  if (tenant !== undefined && typeof tenant !== "string") throw notOne();
  if (!isTexts(scopes) || !isRecord(claims)) throw notOne();
  if (!isTime(startedAt) || !isTime(endsAt) || !isTime(idleMs) || !isTime(lastSeenAt)) throw notOne();
  return Object.freeze({
    idHash,
    subject,
    tenant,
    scopes: Object.freeze([...scopes]),
    claims: Object.freeze({ ...claims }),
    startedAt,
    lastSeenAt,
    endsAt,
    idleMs,
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function notOne(): TypeError {
  return new TypeError("a stored session is none");
}
