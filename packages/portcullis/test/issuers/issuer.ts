import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from "jose";

/** Somebody who signs tokens and publishes his keys on a socket of loopback. */
export interface Issuer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
  /** Private key as JWK, for libraries that sign by themselves. */
  readonly privateJwk: JWK;
  /** A token with these claims, `iat` now and `exp` in ten minutes unless they say otherwise. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Answers other requests than those for keys. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  close(): Promise<void>;
}

/** Opens an issuer whose key set stands at any path that ends as these do. */
export async function openIssuer(
  alg: "ES256" | "RS256" | "EdDSA",
  keyPaths: readonly string[] = ["/.well-known/jwks.json", "/protocol/openid-connect/certs", "/api/auth/jwks"],
): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const kid = `key-of-${alg}`;
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg, use: "sig" };
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    if (keyPaths.some((one) => path.endsWith(one))) {
      response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: [publicJwk] }));
    } else if (issuer.answer === undefined) response.writeHead(404).end();
    else issuer.answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const issuer: Issuer = {
    url: `http://127.0.0.1:${address.port}`,
    alg,
    privateKey,
    publicJwk,
    privateJwk: { ...(await exportJWK(privateKey)), kid },
    sign(claims, header = {}) {
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({ iat: now, exp: now + 600, ...claims })
        .setProtectedHeader({ alg, kid, typ: "JWT", ...header })
        .sign(privateKey);
    },
    answer: undefined,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return issuer;
}
