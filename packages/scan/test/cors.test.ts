import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { recordAt } from "../src/json.ts";
import { identityOf } from "../src/scan.ts";
import { brokenIn, closeSurfaces, scanSurface, verdictOn } from "./surface.ts";
import { description } from "./things.ts";

afterEach(closeSurfaces);

const app = "https://app.example.com";
const origins = [app];

/** An API that lets in the origins for which this is true, as people write it. */
function letting(isIn: (origin: string) => boolean, credentials = true) {
  return {
    headers({ headers: { origin } }: IncomingMessage): Readonly<Record<string, string>> {
      const vary: Readonly<Record<string, string>> = { vary: "Origin" };
      if (origin === undefined || !isIn(origin)) return vary;
      const more: Readonly<Record<string, string>> = credentials ? { "access-control-allow-credentials": "true" } : {};
      return { ...vary, "access-control-allow-origin": origin, ...more };
    },
  };
}

const scanCors = (surface: Parameters<typeof scanSurface>[0], given: readonly string[] = []) =>
  scanSurface(surface, ["cors"], { origins: given });

describe("the cors probe", () => {
  it.each<[string, (origin: string) => boolean, string]>([
    ["the end of the origin is compared", (origin) => origin.endsWith("app.example.com"), "origin-prefix"],
    ["the end of its domain is compared", (origin) => origin.endsWith("example.com"), "origin-parent-prefix"],
    ["its beginning is compared", (origin) => origin.startsWith(app), "origin-suffix"],
    ["a dot stands for anything", (origin) => /^https:\/\/app.example.com$/.test(origin), "origin-dot-replaced"],
    ["the scheme is not looked at", (origin) => /^https?:\/\/app\.example\.com$/.test(origin), "origin-downgrade"],
    ["null is on the list", (origin) => origin === app || origin === "null", "origin-null"],
    ["this machine is on the list", (origin) => origin === app || origin.includes("//localhost"), "origin-localhost"],
  ])("finds that %s, where the allowed origin is known", async (_name, isIn, check) => {
    const result = await scanCors(letting(isIn), origins);
    expect(verdictOn(result, check)).toMatchObject({ verdict: "broken" });
  });

  it("holds where exactly the allowed origin is let in", async () => {
    const result = await scanCors(
      letting((origin) => origin === app),
      origins,
    );
    expect(brokenIn(result)).toEqual([]);
    expect(verdictOn(result, "vary")).toMatchObject({ verdict: "held" });
  });

  it("says once that any origin is let in, and where", async () => {
    const result = await scanCors(letting(() => true));
    const found = brokenIn(result).filter((line) => line.startsWith("cors/origin-"));
    expect(found).toEqual([expect.stringMatching(/^cors\/origin-foreign: .*cookies \(GET \/me, GET \/things\/:id\)/)]);
  });

  it("learns an allowed origin from the servers of the description, and imitates it", async () => {
    const result = await scanCors(letting((origin) => origin.startsWith("https://things.example.com")));
    expect(verdictOn(result, "origin-suffix")).toMatchObject({ verdict: "broken" });
  });

  it("learns one from recorded requests", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cors-"));
    const requests = join(folder, "recorded.har");
    const request = { method: "GET", url: "http://localhost/me", headers: [{ name: "Origin", value: app }] };
    writeFileSync(requests, JSON.stringify({ log: { entries: [{ request, response: { status: 200 } }] } }));
    const result = await scanSurface(
      letting((origin) => origin.startsWith(app)),
      ["cors"],
      { requests },
    );
    rmSync(folder, { recursive: true });
    expect(verdictOn(result, "origin-suffix")).toMatchObject({ verdict: "broken" });
  });

  it("takes subdomains, ports and this machine for meant where nobody says which origins are", async () => {
    const isOwn = (origin: string) =>
      /^https?:\/\/(?:[\w.]+\.)?(?:localhost|things\.example\.com)(?::\d+)?$/.test(origin);
    expect(brokenIn(await scanCors(letting(isOwn)))).toEqual([]);
    expect(verdictOn(await scanCors(letting(isOwn), ["https://things.example.com"]), "origin-subdomain")).toMatchObject(
      {
        verdict: "broken",
      },
    );
  });

  it("finds what is open only where a cookie comes along", async () => {
    const { headers } = letting(() => true);
    const surface = {
      headers: (request: IncomingMessage) =>
        request.headers.cookie === undefined ? { vary: "Origin" } : headers(request),
    };
    expect(brokenIn(await scanCors(surface)).join()).toMatch(/origin-foreign/);
  });

  it("finds what is open only to somebody whose session is known", async () => {
    const { headers } = letting(() => true);
    const isKnown = (request: IncomingMessage) => request.headers.cookie?.includes("sid=carol") === true;
    const result = await scanSurface(
      {
        headers: (request) => (isKnown(request) ? headers(request) : {}),
        before: ({ path, request }) => (path === "/me" && isKnown(request) ? [200, { id: "carol" }] : undefined),
      },
      ["cors"],
      { identities: [identityOf("alice", "Bearer token-of-alice"), identityOf("carol", "cookie:sid=carol")] },
    );
    expect(verdictOn(result, "origin-foreign")).toMatchObject({ verdict: "broken" });
  });

  it("leaves alone what anybody may read without a credential", async () => {
    const paths = recordAt(description, "paths");
    const me = recordAt(recordAt(paths, "/me"), "get");
    const openapi = { ...description, paths: { "/me": { get: { ...me, security: [] } } } };
    const open = { before: () => [200, { title: "hello" }] as const };
    const result = await scanSurface({ ...letting(() => true, false), ...open }, ["cors"], { openapi });
    expect(brokenIn(result)).toEqual([]);
  });

  it("finds that Vary is missing where an answer depends on the origin", async () => {
    const { headers } = letting((origin) => origin === app);
    const silent = (request: IncomingMessage) =>
      Object.fromEntries(Object.entries(headers(request)).filter(([name]) => name !== "vary"));
    expect(brokenIn(await scanCors({ headers: silent }, origins))).toEqual([expect.stringMatching(/^cors\/vary/)]);
  });

  it.each([
    ["every method", "GET, POST, PUT, DELETE", "broken"],
    ["the methods of the path", "GET, POST, OPTIONS", "held"],
  ])("looks at a preflight that grants %s", async (_name, granted, verdict) => {
    const { headers } = letting((origin) => origin === app);
    const result = await scanCors(
      {
        headers,
        before: ({ method, path }) =>
          method === "OPTIONS"
            ? [204, undefined, { "access-control-allow-methods": path === "/me" ? "GET" : granted }]
            : undefined,
      },
      origins,
    );
    expect(verdictOn(result, "preflight-methods")).toMatchObject({ verdict });
  });

  it("says what was not tried where the origin that was given is let in nowhere", async () => {
    const result = await scanCors({}, origins);
    expect(brokenIn(result)).toEqual([]);
    expect(verdictOn(result, "vary")).toMatchObject({ verdict: "not-applicable", untried: true });
  });

  it.each(["app.example.com", "null", "https://app.example.com/path"])("refuses %s for an origin", async (text) => {
    await expect(scanCors({}, [text])).rejects.toThrow(/is no origin; write it as https:/);
  });
});
