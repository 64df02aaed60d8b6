import { freePort } from "../../../../scripts/free-ports.ts";
import { createServer } from "node:https";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";
import { developmentCertificate } from "portcullis/node";

/**
 * An OpenID issuer that is none of ours: oidc-provider as it comes, over https, under a certificate authority of the tests.
 * It knows one person, and asks browsers whether they are she.
 */
export interface OtherIssuer {
  readonly url: string;
  readonly ca: string;
  /** Signs its ID tokens. */
  readonly key: CryptoKey;
  readonly kid: string;
  /** Goes through its pages as somebody it knows. @returns where it sends the browser back to */
  authorize(address: string): Promise<URL>;
  /** Requests its token endpoint answered. */
  readonly asked: { grant: string; status: number }[];
  /** How many refresh tokens clients have handed in to be revoked. */
  takenBack(): number;
  /** Takes every refresh token back. */
  forgetEverybody(): Promise<void>;
  close(): Promise<void>;
}

/** Starts it. @param redirectUri  of the one client it has, `notes` */
export async function startOtherIssuer(redirectUri: string, clientSecret: string): Promise<OtherIssuer> {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-issuer-"));
  const { cert, key: tlsKey, ca } = certificate(folder);
  const port = await freePort();
  const url = `https://localhost:${port}`;
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const kid = "other-1";
  const asked: { grant: string; status: number }[] = [];
  const provider = new Provider(url, {
    clients: [
      {
        client_id: "notes",
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: "client_secret_basic",
        grant_types: ["authorization_code", "refresh_token"],
      },
    ],
    // As many do: nothing of a secret in the body.
    clientAuthMethods: ["client_secret_basic"],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid, use: "sig", alg: "RS256" }] },
    cookies: { keys: ["only for tests, and long enough"] },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    conformIdTokenClaims: false,
    ttl: { AccessToken: 300 },
    rotateRefreshToken: true,
    interactions: { url: (_context, { uid }) => `/enter/${uid}` },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: "carol@elsewhere.example", email_verified: true }),
    }),
    async loadExistingGrant({ oidc }) {
      const grant = new provider.Grant({
        clientId: oidc.client?.clientId ?? "",
        accountId: oidc.session?.accountId ?? "",
      });
      grant.addOIDCScope("openid email offline_access");
      await grant.save();
      return grant;
    },
  });
  provider.on(
    "grant.success",
    ({ oidc }) => void asked.push({ grant: String(oidc.params?.["grant_type"]), status: 200 }),
  );
  provider.on(
    "grant.error",
    ({ oidc }) => void asked.push({ grant: String(oidc.params?.["grant_type"]), status: 400 }),
  );
  const refreshTokens: { destroy(): Promise<void> }[] = [];
  provider.on("refresh_token.saved", (token) => void refreshTokens.push(token));
  let takenBack = 0;
  provider.on("refresh_token.destroyed", () => void takenBack++);
  const handle = provider.callback();
  const server = createServer({ cert, key: tlsKey }, (request, response) => {
    const { pathname, search } = new URL(request.url ?? "/", url);
    if (!pathname.startsWith("/enter/")) void handle(request, response);
    else if (search === "" && request.headers.accept?.includes("text/html") === true) {
      response.setHeader("content-type", "text/html").end('<a href="?done">I am Carol</a>');
    } else void provider.interactionFinished(request, response, { login: { accountId: "carol" }, consent: {} });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));

  return {
    url,
    ca,
    key: privateKey,
    kid,
    asked,
    async authorize(address) {
      const jar = new Map<string, string>();
      let next = new URL(address);
      for (let hop = 0; hop < 10 && next.origin === url; hop++) {
        const response = await fetch(next, {
          redirect: "manual",
          headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") },
        });
        await response.body?.cancel();
        for (const line of response.headers.getSetCookie()) {
          const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
          jar.set(name, value);
        }
        const location = response.headers.get("location");
        if (location === null) throw new Error(`${next.href} answers ${response.status}`);
        next = new URL(location, next);
      }
      return next;
    },
    takenBack: () => takenBack,
    async forgetEverybody() {
      for (const token of refreshTokens) await token.destroy();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}

function certificate(folder: string) {
  const { cert, key, caPath } = developmentCertificate({ folder });
  return { cert, key, ca: readFileSync(caPath, "utf8") };
}
