import { afterEach, describe, expect, it } from "vitest";
import { brokenIn, closeSurfaces, scanSurface, type Surface, verdictOn } from "./surface.ts";

afterEach(closeSurfaces);

const scanTransport = (surface: Surface) => scanSurface(surface, ["transport"]);
const pinned = { "strict-transport-security": "max-age=31536000; includeSubDomains" };

describe("the transport probe over https", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ["is missing", {}, /carry no Strict-Transport-Security/],
    ["lasts minutes", { "strict-transport-security": "max-age=300; includeSubDomains" }, /lasts 300 s/],
    ["leaves subdomains out", { "strict-transport-security": "max-age=31536000" }, /leaves subdomains out/],
  ])("finds that HSTS %s", async (_name, headers, why) => {
    const found = brokenIn(await scanTransport({ tls: "only", headers: () => headers }));
    expect(found).toEqual([expect.stringMatching(why)]);
  });

  it("holds where it is right, and where it is right for the public name of the description", async () => {
    expect(brokenIn(await scanTransport({ tls: "only", headers: () => pinned }))).toEqual([]);
    const result = await scanTransport({
      tls: "only",
      headers: ({ headers: { host } }) => (host === "things.example.com" ? pinned : {}),
    });
    expect(verdictOn(result, "hsts")).toMatchObject({ verdict: "held" });
  });

  it("finds that the port answers plain http as well", async () => {
    const result = await scanTransport({ tls: "either", headers: () => pinned });
    expect(brokenIn(result)).toEqual([expect.stringMatching(/^transport\/plain-http: .*as https is/)]);
  });

  it("takes a redirect, an explanation and a page of somebody else's for refusals", async () => {
    const redirect = await scanTransport({
      headers: () => pinned,
      tls: () => (_request, response) => void response.writeHead(308, { location: "https://localhost/" }).end(),
    });
    const explains = await scanTransport({
      headers: () => pinned,
      tls: () => (_request, response) => void response.writeHead(400).end("This port speaks https."),
    });
    const page = await scanTransport({
      headers: () => pinned,
      tls: () => (_request, response) =>
        void response.writeHead(200, { "content-type": "text/html" }).end("Use https."),
    });
    for (const result of [redirect, explains, page])
      expect(verdictOn(result, "plain-http")).toMatchObject({ verdict: "held" });
  });
});

describe("the transport probe over plain http", () => {
  it("leaves alone that HSTS is sent where browsers ignore it, by an API whose description promises nothing", async () => {
    expect(brokenIn(await scanTransport({ headers: () => pinned }))).toEqual([]);
  });
});
