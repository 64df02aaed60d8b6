import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identityOf, scan } from "@portcullis/scan";
import { SignJWT } from "jose";
import { anyCaller, createApi, jwt, memorySink, secret } from "portcullis";
import { developmentCertificate } from "portcullis/node";
import { afterAll, expect, it } from "vitest";
import { z } from "zod";

const folder = mkdtempSync(join(tmpdir(), "portcullis-own-limits-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("a caller whose own limit the scan has used up is not said to be refused because of strangers", {
  timeout: 120_000,
}, async () => {
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
