import { createHmac, timingSafeEqual } from "node:crypto";
import { isRecord, numberAt, textAt } from "../../src/json.ts";
import { audience, issuer } from "./manifest.ts";

/** A secret for tests; long enough for HS256 (RFC 7518 section 3.2). */
export const jwtSecret = "a-test-secret-of-forty-characters-00000000";

/** Signs a token that lives five minutes. */
export function signToken(subject: string): string {
  const now = Math.floor(Date.now() / 1000);
  const head = encoded({ alg: "HS256", typ: "at+jwt" });
  const body = encoded({ iss: issuer, aud: audience, sub: subject, iat: now, exp: now + 300, scope: "notes" });
  return `${head}.${body}.${mac(`${head}.${body}`)}`;
}

/** What a token says, or undefined where it must not be believed. */
export function readToken(
  token: string,
  leaveOut: ReadonlySet<string>,
): { subject: string; scopes: readonly string[] } | undefined {
  const [head = "", body = "", signature = "", ...rest] = token.split(".");
  const header = decoded(head);
  const claims = decoded(body);
  const subject = textAt(claims, "sub");
  if (subject === undefined) return undefined;
  const said = { subject, scopes: (textAt(claims, "scope") ?? "").split(" ") };
  if (leaveOut.has("jwt: decoded, never verified")) return said;
  if (leaveOut.has("jwt: alg none is believed") && textAt(header, "alg")?.toLowerCase() === "none") return said;
  if (rest.length > 0 || textAt(header, "alg") !== "HS256" || textAt(header, "typ") !== "at+jwt") return undefined;
  if (isRecord(header) && header["crit"] !== undefined) return undefined;
  const expected = Buffer.from(mac(`${head}.${body}`));
  const given = Buffer.from(signature);
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) return undefined;
  const now = Date.now() / 1000;
  const exp = numberAt(claims, "exp");
  const iat = numberAt(claims, "iat");
  const nbf = numberAt(claims, "nbf");
  if (exp === undefined || (exp < now - 30 && !leaveOut.has("jwt: expiry is not looked at"))) return undefined;
  if (iat === undefined || iat > now + 30) return undefined;
  const old = leaveOut.has("jwt: age is not looked at") || leaveOut.has("jwt: expiry is not looked at");
  if (iat < now - 3600 - 30 && !old) return undefined;
  if (nbf !== undefined && nbf > now + 30) return undefined;
  if (textAt(claims, "iss") !== issuer) return undefined;
  if (textAt(claims, "aud") !== audience && !leaveOut.has("jwt: audience is not looked at")) return undefined;
  return said;
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decoded(part: string): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    return value;
  } catch {
    return undefined;
  }
}

function mac(text: string): string {
  return createHmac("sha256", jwtSecret).update(text).digest("base64url");
}
