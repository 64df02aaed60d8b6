import { afterEach, describe, expect, it } from "vitest";
import { brokenIn, closeSurfaces, scanSurface, verdictOn } from "./surface.ts";
import type { Answered, Asked } from "./things.ts";

afterEach(closeSurfaces);

const map: Answered = [200, { version: 3, sources: ["../src/auth.ts"], names: [], mappings: "AAAA" }];
const text = (body: string, type = "text/plain"): Answered => [200, body, { "content-type": type }];

/** An API that also answers these paths, to anybody. */
function scanWith(answers: (path: string) => Answered | undefined) {
  return scanSurface({ before: ({ path, method }: Asked) => (method === "GET" ? answers(path) : undefined) }, [
    "exposure",
  ]);
}

describe("the exposure probe", () => {
  it.each<[string, string, Answered]>([
    ["an .env file", "/.env", text("NODE_ENV=production\nJWT_SECRET=x\n")],
    ["a git repository", "/.git/config", text("[core]\n\tbare = false\n")],
    ["metrics", "/metrics", text("# HELP up Whether it is.\n# TYPE up gauge\nup 1\n")],
    ["a description in YAML", "/openapi.yaml", text("openapi: 3.1.0\ninfo: {}\npaths:\n  /x: {}\n")],
    ["a dump", "/backup.sql", text("CREATE TABLE users (id int);\n")],
    ["a source map at a usual name", "/main.js.map", map],
  ])("finds %s", async (_name, path, answer) => {
    const found = brokenIn(await scanWith((asked) => (asked === path ? answer : undefined)));
    expect(found).toEqual([expect.stringContaining(path)]);
  });

  it.each([
    ["by its own word", "\n//# sourceMappingURL=hidden-1a2b.map", "/assets/hidden-1a2b.map"],
    ["by its name", "", "/assets/app-1a2b.js.map"],
  ])("finds a source map a script of the start page leads to %s", async (_name, comment, path) => {
    const result = await scanWith((asked) => {
      if (asked === "/") return text('<script type="module" src="/assets/app-1a2b.js"></script>', "text/html");
      if (asked === "/assets/app-1a2b.js") return text(`run()${comment}`, "text/javascript");
      return asked === path ? map : undefined;
    });
    expect(verdictOn(result, "source-map")).toMatchObject({ verdict: "broken", why: expect.stringContaining(path) });
  });

  it("takes a page, an empty map and a script of another host for none of them", async () => {
    const result = await scanWith((asked) => {
      if (asked === "/") return text('<script src="https://cdn.example.com/app.js"></script>', "text/html");
      if (asked === "/main.js.map") return [200, { version: 3, sources: [], mappings: "" }];
      return asked === "/.env" ? text("<p>API_KEY=1</p>\nAPI_KEY=1", "text/html") : undefined;
    });
    expect(brokenIn(result)).toEqual([]);
  });

  it("does not decide where names that cannot exist are answered alike", async () => {
    const result = await scanWith((asked) => {
      if (asked.endsWith(".map")) return map;
      return asked.startsWith("/.") ? text("NODE_ENV=production\nJWT_SECRET=x\n") : undefined;
    });
    expect(brokenIn(result)).toEqual([]);
    expect(verdictOn(result, "source-map")).toMatchObject({ verdict: "inconclusive" });
    expect(verdictOn(result, "path--env")).toMatchObject({ verdict: "inconclusive" });
  });
});
