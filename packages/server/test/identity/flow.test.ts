import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { anyCaller, createApi, memorySink } from "portcullis";
import * as client from "openid-client";
import { openIdentity, type Mail } from "@portcullis/server/identity";
import { openStorage } from "@portcullis/server/storage";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { createBrowser } from "./browser.ts";

describe("oauth: openid-client as an independent client", () => {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-id-"));
  const callback = "https://web.example.com/callback";
  const mails: Mail[] = [];
  const secrets = {
    web: "web-secret-of-the-tests-0123456789-abcdef",
    job: "job-secret-of-the-tests-0123456789-abcdef",
  };
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
        { id: "web", name: "Web Notes", redirectUris: [callback], secret: secrets.web, scopes: ["notes:read"] },
        { id: "job", name: "Night job", secret: secrets.job, scopes: ["notes:read"], callsAsItself: true },
      ],
      resources: { [`${issuer}/api`]: ["notes:read", "notes:write"] },
      sendMail: (mail) => void mails.push(mail),
    });
    const api = createApi({
      name: "notes",
      hosts: [`localhost:${port}`],
      credentials: [identity.tokensFor(`${issuer}/api`)],
      version: { none: "a test" },
      audit: { sinks: [memorySink(1000)], onError: (error) => console.error(error) },
    });
    api.route(
      { path: "GET /me", access: anyCaller, output: z.object({ subject: z.string().max(100) }), limit: "600/min" },
      ({ caller }) => ({ subject: caller.subject }),
    );
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

  const discover = (id: string, proof: client.ClientAuth) =>
    client.discovery(new URL(issuer), id, undefined, proof, {
      // oxlint-disable-next-line typescript/no-deprecated -- the server of the test is on loopback
      execute: [client.allowInsecureRequests],
    });

  it.each([
    ["in the body", client.ClientSecretPost],
    ["with Basic", client.ClientSecretBasic],
  ])("lets an application with a secret sign people in, and give their tokens back, %s", async (_how, proof) => {
    const config = await discover("web", proof(secrets.web));
    const verifier = client.randomPKCECodeVerifier();
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: callback,
      scope: "openid notes:read",
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    const browser = createBrowser(issuer);
    const asked = await browser.submit(await browser.open(url), {
      email: "alice@example.com",
      password: "correct horse battery",
    });
    // Allowed once, nobody is asked again.
    const back = asked.text.includes("Allow Web Notes?") ? await browser.submit(asked, { decision: "allow" }) : asked;
    const tokens = await client.authorizationCodeGrant(config, back.url, { pkceCodeVerifier: verifier });
    const next = await client.refreshTokenGrant(config, tokens.refresh_token ?? "");
    expect(await statusOf(next.access_token)).toBe(200);
    await client.tokenRevocation(config, next.access_token);
    expect([await statusOf(next.access_token), await statusOf(tokens.access_token)]).toEqual([401, 200]);
    await client.tokenRevocation(config, next.refresh_token ?? "");
    expect(await statusOf(tokens.access_token)).toBe(401);
    await expect(client.refreshTokenGrant(config, next.refresh_token ?? "")).rejects.toMatchObject({
      error: "invalid_grant",
    });
  });

  it.each([
    ["in the body", client.ClientSecretPost],
    ["with Basic", client.ClientSecretBasic],
  ])("lets a program call as itself that proves itself %s, and no other", async (_how, proof) => {
    const config = await discover("job", proof(secrets.job));
    const { access_token, refresh_token } = await client.clientCredentialsGrant(config, { scope: "notes:read" });
    expect([await statusOf(access_token), refresh_token]).toEqual([200, undefined]);
    const other = await discover("job", proof(secrets.web));
    await expect(client.clientCredentialsGrant(other, {})).rejects.toMatchObject({ status: 401 });
  });

  async function statusOf(token: string): Promise<number> {
    const response = await fetch(`${issuer}/me`, { headers: { authorization: `Bearer ${token}` } });
    await response.body?.cancel();
    return response.status;
  }
});
