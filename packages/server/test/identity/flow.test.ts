import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApi } from "portcullis";
import * as client from "openid-client";
import { openIdentity, type Mail } from "@portcullis/server/identity";
import { openStorage } from "@portcullis/server/storage";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBrowser } from "./browser.ts";

describe("oauth: openid-client as an independent client", () => {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-id-"));
  const mails: Mail[] = [];
  const port = 24_000 + (process.pid % 10_000);
  const issuer = `http://localhost:${port}`;
  let close: () => Promise<void> = () => Promise.resolve();
  let identity: Awaited<ReturnType<typeof openIdentity>>;

  beforeAll(async () => {
    const storage = await openStorage({ folder });
    identity = await openIdentity({
      issuer,
      serviceName: "Notes",
      storage,
      secret: "tests-only: 48 characters of nothing in particular",
      clients: [
        {
          id: "app",
          name: "Notes App",
          redirectUris: ["http://127.0.0.1/callback"],
          scopes: ["notes:read", "notes:write"],
        },
      ],
      resources: { [`${issuer}/api`]: ["notes:read", "notes:write"] },
      sendMail: (mail) => void mails.push(mail),
    });
    const api = createApi({
      name: "notes",
      hosts: [`localhost:${port}`],
      credentials: [identity.tokensFor(`${issuer}/api`)],
      version: { none: "OAuth fixes its own paths" },
      audit: { onError: (error) => console.error(error) },
    });
    identity.mount(api);
    const listening = await api.listen({ port, handleSignals: false });
    close = async () => {
      await listening.close();
      await identity.close();
      await storage.close();
      rmSync(folder, { recursive: true });
    };
    expect(await identity.accounts.signUp("Alice@example.com", "correct horse battery")).toBeUndefined();
  });
  afterAll(() => close());

  it("signs in by the code flow with PKCE, refreshes, and sees reuse", async () => {
    const config = await client.discovery(new URL(issuer), "app", undefined, client.None(), {
      // oxlint-disable-next-line typescript/no-deprecated -- the server of the test is on loopback
      execute: [client.allowInsecureRequests],
    });
    const verifier = client.randomPKCECodeVerifier();
    const state = client.randomState();
    const nonce = client.randomNonce();
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: "http://127.0.0.1:9/callback",
      scope: "openid email notes:read",
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      state,
      nonce,
      resource: `${issuer}/api`,
    });
    const browser = createBrowser(issuer);
    const signIn = await browser.open(url);
    expect(signIn.text).toContain("Sign in to Notes");
    const wrong = await browser.submit(signIn, { email: "alice@example.com", password: "wrong" });
    expect(wrong.status).toBe(401);
    expect(wrong.text).toContain("Wrong address or password");
    const consent = await browser.submit(wrong, { email: "alice@example.com", password: "correct horse battery" });
    expect(consent.text).toContain("Allow Notes App?");
    const back = await browser.submit(consent, { decision: "allow" });
    expect(back.url.origin).toBe("http://127.0.0.1:9");
    const tokens = await client.authorizationCodeGrant(config, back.url, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
    });
    expect(tokens.claims()?.["email"]).toBe("Alice@example.com");
    expect(tokens.expires_in).toBe(900);
    const first = tokens.refresh_token ?? "";
    const second = await client.refreshTokenGrant(config, first);
    expect(second.refresh_token).not.toBe(first);
    const again = await client.refreshTokenGrant(config, first);
    expect(again.refresh_token).toBe(second.refresh_token);
    const third = await client.refreshTokenGrant(config, second.refresh_token ?? "");
    await expect(client.refreshTokenGrant(config, first)).rejects.toThrow();
    await expect(client.refreshTokenGrant(config, third.refresh_token ?? "")).rejects.toThrow();
  });
});
