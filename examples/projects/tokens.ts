import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import type { User } from "./data/schema.ts";

/** Who signs our tokens, and for whom: `iss` and `aud`. */
export const issuer = "https://id.projects.example";
export const audience = "https://api.projects.example";

/** What somebody who signs in may do. API keys are issued for a part of it. */
export const scopes = [
  "account:write",
  "projects:read",
  "projects:write",
  "comments:read",
  "comments:write",
  "keys:read",
  "keys:write",
] as const;

/** How long a token is good for. */
export const tokenSeconds = 15 * 60;

/**
 * Signs access tokens. No role stands in them: roles are asked for at every request, so that a taken role is gone at once.
 *
 * @param secret  at least 256 bits
 * @see RFC 9068 (JWT access tokens)
 */
export function createTokens(secret: string) {
  const key = new TextEncoder().encode(secret);
  return {
    sign: (user: Pick<User, "id" | "tenantId">): Promise<string> =>
      new SignJWT({ tid: user.tenantId, scope: scopes.join(" ") })
        .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(user.id)
        .setIssuedAt()
        .setExpirationTime(`${tokenSeconds} s`)
        .setJti(randomUUID())
        .sign(key),
  };
}

export type Tokens = ReturnType<typeof createTokens>;
