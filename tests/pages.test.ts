import { identityOf, scan, type ScanResult } from "@portcullis/scan";
import type { Listening } from "portcullis";
import {
  anyCaller,
  answer,
  createApi,
  form,
  html,
  jwt,
  markup,
  memorySink,
  protocolError,
  publicAccess,
  redirect,
  secret,
} from "portcullis";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

const key = "tests-only: 48 characters of nothing in particular";
const short = z.string().max(200);
const access = publicAccess("for the tests");
const limit = "100000/s";

/** Pages, redirects, forms and cookies, as a sign-in has them. */
function pagesApi() {
  const api = createApi({
    name: "pages",
    hosts: ["localhost", "127.0.0.1"],
    credentials: [jwt({ issuer: "https://id.example", audience: "https://api.example", keys: secret(key) })],
    limits: { global: limit, address: limit, wideAddress: limit, caller: limit, failures: limit },
    audit: { sinks: [memorySink(10_000)] },
  });
  api.route(
    { path: "GET /v1/me", access: anyCaller, limit, output: z.strictObject({ name: short }) },
    ({ caller }) => ({ name: caller.subject }),
  );
  api.route(
    {
      path: "GET /v1/search",
      access,
      limit,
      input: { query: z.strictObject({ q: short.optional() }) },
      output: html({ style: "p { margin: 0 }" }),
    },
    ({ query }) => ({
      title: `${query.q}`,
      body: markup`<p title="${query.q}">${query.q}</p><a href="${query.q}">go</a>`,
    }),
  );
  api.route(
    {
      path: "GET /v1/onward",
      access,
      limit,
      input: { query: z.strictObject({ next: short.optional() }) },
      output: redirect(["/v1/search", "https://app.example.com/in"]),
    },
    ({ query }) => (query.next?.startsWith("/") === true ? query.next : "/v1/search"),
  );
  api.route(
    {
      path: "POST /v1/consent",
      access: anyCaller,
      limit,
      input: { body: form(z.strictObject({ choice: z.enum(["yes", "no"]), returnTo: short })) },
      output: { 200: html(), 303: redirect(["/v1/search"]) },
    },
    ({ body }) => answer(body.returnTo, { status: 303 }),
  );
  api.route(
    {
      path: "POST /v1/state",
      access,
      limit,
      input: { cookies: z.strictObject({ "__Host-state": short }) },
      output: z.strictObject({ ok: z.boolean() }),
    },
    () => ({ ok: true }),
  );
  api.route(
    {
      path: "POST /v1/token",
      access,
      limit,
      input: { body: form(z.strictObject({ code: short })) },
      output: {
        200: z.strictObject({ ok: z.boolean() }),
        400: protocolError(z.strictObject({ error: z.enum(["invalid_grant"]) }), "RFC 6749 section 5.2"),
      },
    },
    () => answer({ error: "invalid_grant" as const }, { status: 400 }),
  );
  return api;
}

async function credential(subject: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: "https://id.example", aud: "https://api.example", sub: subject, iat: now, exp: now + 600 };
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .sign(new TextEncoder().encode(key));
  return `Bearer ${token}`;
}

describe("pages, redirects and forms, by the manifest and by the prover", () => {
  const api = pagesApi();
  const manifest = api.manifest();
  let listening: Listening | undefined;
  let result: ScanResult | undefined;
  beforeAll(async () => {
    listening = await api.listen({ port: 0, handleSignals: false });
    const identities = [identityOf("alice", await credential("alice")), identityOf("bob", await credential("bob"))];
    result = await scan({ url: listening.url, manifest, identities, seed: 5 });
  });
  afterAll(() => listening?.close());

  it("stand in the manifest as what they are", () => {
    const content = (type: string) => ({ requestBody: { content: { [type]: expect.anything() } } });
    const refusal = { status: 400, kind: "protocol-error", reason: "RFC 6749 section 5.2" };
    expect(manifest).toMatchObject({
      paths: {
        "/v1/search": {
          get: {
            responses: { 200: { content: { "text/html": { schema: { type: "string" } } } } },
            "x-portcullis": { output: [{ status: 200, kind: "html", navigatesTo: [] }] },
          },
        },
        "/v1/onward": {
          get: {
            responses: { 303: { headers: { location: { required: true } } } },
            "x-portcullis": {
              output: [{ status: 303, kind: "redirect", allowlist: ["/v1/search", "https://app.example.com/in"] }],
            },
          },
        },
        "/v1/consent": { post: content("application/x-www-form-urlencoded") },
        "/v1/state": { post: { parameters: [{ name: "__Host-state", in: "cookie", required: true }] } },
        "/v1/token": { post: { "x-portcullis": { output: [{ status: 200, kind: "schema" }, refusal] } } },
      },
    });
  });

  it("are attacked, and nothing of them is broken", () => {
    const verdicts = result?.verdicts ?? [];
    expect(verdicts.filter(({ verdict }) => verdict === "broken")).toEqual([]);
    const held = verdicts.filter(({ verdict }) => verdict === "held").map((one) => `${one.check} ${one.operation}`);
    expect(held).toEqual(
      expect.arrayContaining([
        "markup-q GET /v1/search",
        "redirect-next GET /v1/onward",
        "answer GET /v1/onward",
        "secrets GET /v1/search",
      ]),
    );
  });

  it("are no puzzle to the prover: what it could not decide has nothing to do with them", () => {
    const unclear = (result?.verdicts ?? []).filter(({ verdict }) => verdict === "inconclusive");
    const theirs = unclear.filter(({ operation }) => operation !== undefined && !operation.includes("/v1/me"));
    expect(theirs.map((one) => `${one.protection}/${one.check} ${one.operation}: ${one.why}`)).toEqual([]);
  });
});
