import { createHmac, createPrivateKey, generateKeyPairSync, sign as signBytes } from "node:crypto";
import { audience, issuer, userIds } from "../product/people.ts";
import type { Running } from "../variants/running.ts";

/** What a token is made different by. */
export interface Forged {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Default: as the API itself signs. */
  readonly signature?: (text: string) => string;
}

/** A token of alice's for this API, right in everything that is not said. */
export function forge(api: Running, { header = {}, claims = {}, signature = signatureOf(api) }: Forged): string {
  const now = Math.floor(Date.now() / 1000);
  const right = {
    iss: issuer,
    aud: audience,
    sub: userIds.alice,
    tid: "acme",
    scope: "projects:read",
    iat: now,
    exp: now + 600,
  };
  const alg = api.publicPem === "" ? "HS256" : "RS256";
  const text = `${encode({ alg, typ: "at+jwt", ...header })}.${encode({ ...right, ...claims })}`;
  return `${text}.${signature(text)}`;
}

/** Signs with the public key as if it were a secret. */
export function confused(api: Running): (text: string) => string {
  return (text) => createHmac("sha256", api.publicPem).update(text).digest("base64url");
}

/** A key of the attacker's own, and what stands in the header for it. */
export function ownKey(): { jwk: object; signature: (text: string) => string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    jwk: publicKey.export({ format: "jwk" }),
    signature: (text) =>
      signBytes("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url"),
  };
}

function signatureOf({ jwtKey, publicPem }: Running): (text: string) => string {
  if (publicPem === "") return (text) => createHmac("sha256", jwtKey).update(text).digest("base64url");
  const key = createPrivateKey(jwtKey);
  return (text) => signBytes("sha256", Buffer.from(text), key).toString("base64url");
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
