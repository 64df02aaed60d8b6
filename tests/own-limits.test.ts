import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identityOf, scan } from "@portcullis/scan";
import { SignJWT } from "jose";
import { anyCaller, createApi, jwt, memorySink, publicAccess, refuse, secret } from "portcullis";
import { developmentCertificate } from "portcullis/node";
import { afterAll, it } from "vitest";
import { z } from "zod";

const folder = mkdtempSync(join(tmpdir(), "portcullis-own-limits-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Side by side: both wait for limits of their own.
it.concurrent("a caller whose own limit the scan has used up is not said to be refused because of strangers", {
  timeout: 120_000,
}, async ({ expect }) => {
  const key = "a secret of the tests that is long enough";
  const issuer = "https://id.example.com";
  const api = createApi({
    name: "small",
    hosts: ["localhost"],
    credentials: [jwt({ issuer, audience: "small", keys: secret(key) })],
    limits: { address: "400/s", caller: "200/s", failures: "30/10s" },
    audit: { sinks: [memorySink()] },
  });
  // The window is too long for the scan to wait for its edges, so the burst on this route comes right before the guesses.
  api.route(
    { path: "GET /v1/me", access: anyCaller, output: z.object({ name: z.string() }), limit: "60/15s" },
    ({ caller }) => ({ name: caller.subject }),
  );
  const tls = developmentCertificate({ folder });
  const server = await api.listen({ port: 0, tls });
  const as = async (name: string) => {
    const token = new SignJWT({}).setProtectedHeader({ alg: "HS256", typ: "JWT" }).setIssuer(issuer);
    const signed = token.setAudience("small").setSubject(name).setIssuedAt().setExpirationTime("1h");
    return identityOf(name, `Bearer ${await signed.sign(new TextEncoder().encode(key))}`);
  };
  try {
    const { verdicts } = await scan({
      url: server.url,
      manifest: api.manifest(),
      ca: tls.ca,
      only: ["authentication", "rate-limit"],
      identities: [await as("alice"), await as("bob")],
      patienceMs: 50_000,
      seed: 1,
    });
    expect(verdicts.filter(({ verdict }) => verdict === "broken")).toEqual([]);
    expect(verdicts.find(({ check }) => check === "strangers-others")).toMatchObject({ verdict: "held" });
  } finally {
    await server.close();
  }
});

it.concurrent("a sign-in whose declared limits let thousands of passwords be guessed a minute is found", {
  timeout: 60_000,
}, async ({ expect }) => {
  const scanned = async (rate: "1500/s" | "10/min") => {
    const api = createApi({
      name: "small",
      hosts: ["localhost"],
      credentials: [],
      limits: { address: "3000/s", failures: "3000/s" },
      audit: { sinks: [memorySink()] },
    });
    const text = z.string().max(100);
    api.route(
      {
        path: "POST /v1/sign-in",
        access: publicAccess("signs in"),
        input: { body: z.strictObject({ email: text, password: text }) },
        output: z.strictObject({ token: text }),
        startsSession: { account: "body.email" },
        limit: [
          { rate, by: "address" },
          { rate, by: "body.email" },
        ],
      },
      () => refuse("sign-in-failed", "whatever is given"),
    );
    const tls = developmentCertificate({ folder });
    const server = await api.listen({ port: 0, tls });
    try {
      const only = ["rate-limit"];
      const target = { url: server.url, manifest: api.manifest(), ca: tls.ca };
      const { verdicts } = await scan({ ...target, only, identities: [], seed: 1 });
      return verdicts.find(({ check }) => check === "sign-in");
    } finally {
      await server.close();
    }
  };
  expect(await scanned("1500/s")).toMatchObject({
    verdict: "broken",
    why: expect.stringContaining("1500 in 1 s are declared"),
  });
  expect(await scanned("10/min")).toMatchObject({ verdict: "held" });
});
