import { decode } from "jsonwebtoken";
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

interface Claims {
  readonly sub?: string | undefined;
  readonly tid?: string;
  readonly scope?: string;
}

function callerIn(token: string): Caller {
  const claims: Claims = decode(token, { json: true }) ?? {};
  return {
    subject: claims.sub ?? "",
    tenant: claims.tid,
    scopes: claims.scope?.split(" ") ?? [],
    roles: [],
    proof: { kind: "jwt", issuer: undefined, credentialId: undefined, ambient: false, claims: { ...claims } },
  };
}
