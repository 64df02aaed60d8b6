import { decodeJwt } from "jose";
import type { Caller } from "portcullis";
import { type Hole, withCredential } from "../hole.ts";

/** `jwt.decode` where `jwt.verify` was meant: both return the claims, one believes them. */
export const hole: Hole = {
  id: "jwt",
  wrong: "tokens are decoded and never verified",
  create: withCredential("jwt", (credential) => (environment) => ({
    ...credential.build(environment),
    cached: () => undefined,
    verify: (token) => callerIn(token),
  })),
};

function callerIn(token: string): Caller {
  const claims = decodeJwt<{ readonly tid?: string; readonly scope?: string }>(token);
  return {
    subject: claims.sub ?? "",
    tenant: claims.tid,
    scopes: claims.scope?.split(" ") ?? [],
    roles: [],
    proof: { kind: "jwt", issuer: claims.iss, credentialId: claims.jti, ambient: false, claims },
  };
}
