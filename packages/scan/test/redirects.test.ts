import { afterEach, describe, expect, it } from "vitest";
import type { JsonRecord } from "../src/json.ts";
import type { Verdict } from "../src/scan.ts";
import { type Answered, scanThings, startThings } from "./things.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const text = { type: "string", maxLength: 300 };

/** What the scan says of `GET /go?next=…` where it answers like that, by a description with those answers. */
async function ofRedirect(
  answer: (next: string) => Answered,
  responses: JsonRecord = { 302: { description: "Elsewhere" } },
  name = "next",
): Promise<Pick<Verdict, "verdict" | "why"> | undefined> {
  const { url, close } = await startThings({
    before: ({ path, request }) => {
      if (path !== "/go") return undefined;
      return answer(new URL(request.url ?? "", "http://localhost").searchParams.get(name) ?? "");
    },
  });
  closing.push(close);
  const parameters = [{ name, in: "query", required: false, schema: text }];
  const openapi = {
    openapi: "3.1.0",
    info: { title: "go", version: "1" },
    paths: { "/go": { get: { security: [], parameters, responses } } },
  };
  const result = await scanThings(url, ["output"], { openapi });
  return result.verdicts.find(({ check }) => check === `redirect-${name}`);
}

const to = (location: string): Answered => [302, undefined, { location }];
const page = (html: string): Answered => [200, html];

describe("the output probe and redirects", () => {
  const open: readonly (readonly [string, (next: string) => Answered])[] = [
    ["whatever it is told", (next) => to(encodeURI(decodeURI(next)))],
    ["a path, and takes two slashes for one", (next) => to(next.startsWith("/") ? next : "/")],
    ["a path, and forgets the backslash", (next) => to(/^\/(?!\/)/.test(next) ? next.replaceAll("\t", "%09") : "/")],
    ["our host, by how the address begins", (next) => to(next.startsWith("https://127.0.0.1") ? next : "/")],
    ["it by a page that goes on", (next) => page(`<meta http-equiv="refresh" content="0; url=${next}">`)],
  ];
  it.each(open)("finds an API that sends on to %s", async (_what, answer) => {
    expect(await ofRedirect(answer)).toMatchObject({
      verdict: "broken",
      why: expect.stringContaining("whatever address next names"),
    });
  });

  const closed: readonly (readonly [string, (next: string) => Answered])[] = [
    ["sends on to its own list", (next) => to(next === "/account" ? next : "/")],
    ["refuses what is not on it", () => [400, { title: "No" }]],
    ["fails on what is not on it", () => [500, { title: "No" }]],
    ["asks for a sign-in first", (next) => to(`/sign-in?next=${encodeURIComponent(next)}`)],
    ["asks another host for one", (next) => to(`https://id.example/authorize?state=${encodeURIComponent(next)}`)],
    ["puts it behind its own path", (next) => to(`/out/${encodeURIComponent(next)}`)],
    ["puts it behind a #", (next) => to(`/#${encodeURIComponent(next)}`)],
    ["shows where it would go", (next) => page(`<p>Go on to ${next.replaceAll("<", "&lt;")}?</p>`)],
    ["shows it as a Location that nobody follows", (next) => [201, {}, { location: encodeURI(decodeURI(next)) }]],
    ["sends a browser there once and never again", once()],
  ];
  it.each(closed)("finds nothing where an API %s", async (_what, answer) => {
    expect(await ofRedirect(answer)).toMatchObject({ verdict: "held" });
  });

  it("asks where a name says so, or where the operation says it sends on", async () => {
    const whatever = (next: string): Answered => to(encodeURI(decodeURI(next)));
    const ok = { 200: { description: "OK" } };
    expect(await ofRedirect(whatever, ok, "returnTo")).toMatchObject({ verdict: "broken" });
    expect(await ofRedirect(whatever, ok, "redirect_uri")).toMatchObject({ verdict: "broken" });
    expect(await ofRedirect(whatever, ok, "colour")).toBeUndefined();
    expect(await ofRedirect(whatever, { 303: { description: "Elsewhere" } }, "colour")).toMatchObject({
      verdict: "broken",
    });
  });
});

function once(): (next: string) => Answered {
  let sent = false;
  return (next) => {
    if (sent || !next.includes("pc-") || !next.startsWith("https:")) return to("/");
    sent = true;
    return to(next);
  };
}
