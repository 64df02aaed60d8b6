import express from "express";
import express4 from "express4";
import fc from "fast-check";
import { type Api, createApi, notAnObject, publicAccess } from "portcullis";
import { adopt, type NotYet } from "portcullis/express";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { serve, versions } from "./express-door.ts";

const methods = ["GET", "POST", "DELETE"] as const;
const paths = ["/v1/a", "/v1/b", "/v1/:x", "/v1/a/:y", "/v1/:x/b", "/v1/:x/:y", "/v1"] as const;
const texts = [
  "/v1/a",
  "/v1/b",
  "/v1/c",
  "/v1/A",
  "/v1/a/b",
  "/v1/a/c",
  "/v1/c/b",
  "/v1/b/a",
  "/v1",
  "/V1/a",
  "/v1/a/",
] as const;

type Kind = "declared" | "listed" | "declared and left in Express";

/** A table in some order: each route once, and what became of it. */
const tables = fc.uniqueArray(
  fc.record({
    method: fc.constantFrom(...methods),
    path: fc.constantFrom(...paths),
    kind: fc.constantFrom<Kind>("declared", "listed", "declared and left in Express"),
    isNested: fc.boolean(),
  }),
  { minLength: 2, maxLength: 10, selector: ({ method, path }) => `${method} ${path.replaceAll(/:\w/g, ":")}` },
);

const requests = fc.array(
  fc.record({
    method: fc.constantFrom(...methods, "HEAD"),
    path: fc.constantFrom(...texts),
    override: fc.option(fc.constantFrom(...methods), { nil: undefined }),
  }),
  { minLength: 5, maxLength: 15 },
);

function apiOf(declared: readonly { readonly method: (typeof methods)[number]; readonly path: `/${string}` }[]): Api {
  const api = createApi({
    name: "any",
    hosts: ["localhost"],
    credentials: [],
    limits: { address: "100000/s", global: "100000/s", failures: "100000/s", wideAddress: "100000/s" },
    audit: { sinks: [{ name: "none", write: () => undefined }] },
  });
  for (const { method, path } of [...declared, { method: "GET", path: "/v1/always/there/it/is" } as const]) {
    const names = [...path.matchAll(/:(\w)/g)].map(([, name = ""]) => name);
    const policy = {
      path: `${method} ${path}`,
      access: publicAccess("for the test"),
      ...(names.length === 0
        ? {}
        : {
            input: { params: z.strictObject(Object.fromEntries(names.map((name) => [name, z.string().max(9)]))) },
            objects: Object.fromEntries(names.map((name) => [name, notAnObject("for the test")])),
          }),
      output: z.strictObject({ by: z.string().max(30) }),
      limit: "100000/s",
    };
    Reflect.apply(api.route, api, [policy, () => ({ by: "the API" })]);
  }
  return api;
}

describe.each(versions)("$version: adopt, whatever the table", ({ version, make }) => {
  const Router = version === "Express 4" ? express4.Router : express.Router;

  it("runs no handler of Express but listed ones, and only for requests that fit one of their patterns", async () => {
    await fc.assert(
      fc.asyncProperty(tables, requests, async (table, asked) => {
        const api = apiOf(table.filter(({ kind }) => kind !== "listed"));
        const app = make();
        app.use(function override(req, _res, next) {
          req.method = req.get("x-http-method-override") ?? req.method;
          next();
        });
        const notYet: NotYet[] = [];
        for (const { method, path, kind, isNested } of table) {
          if (kind === "declared") continue;
          const name = method === "GET" ? "get" : method === "POST" ? "post" : "delete";
          const by = `${kind}: ${method} ${path}`;
          const router = Router();
          (isNested ? router : app)[name](isNested ? path.slice(3) || "/" : path, (_req, res) => {
            res.set("x-by", by).json({ by });
          });
          if (isNested) app.use("/v1", router);
          if (kind === "listed")
            notYet.push({ route: `${method} ${path}`, reason: "for the test", until: "2099-01-31" });
        }
        adopt(app, api, { notYet, middleware: [{ name: "override", reason: "the attacker's friend" }] });
        const door = await serve(app);
        for (const { method, path, override } of asked) {
          const headers = override === undefined ? {} : { "x-http-method-override": override };
          const answer = await door.ask(`${method} ${path}`, { headers });
          const by = answer.headers.get("x-by");
          if (by === undefined) continue;
          expect(by).toMatch(/^listed: /);
          // It was let through as a listed route of its own method, spelt exactly.
          const isListed = notYet.some(({ route }) => {
            const [its = "", pattern = ""] = route.split(" ");
            return (
              its === (method === "HEAD" ? "GET" : method) &&
              new RegExp(`^${pattern.replaceAll(/:\w/g, "[^/]+")}$`).test(path)
            );
          });
          expect([method, path, isListed]).toEqual([method, path, true]);
          // The API's own route wins, unless the listed one is more literal.
          const exact = table.some(
            (one) => one.kind !== "listed" && one.method === (method === "HEAD" ? "GET" : method) && one.path === path,
          );
          expect([method, path, exact]).toEqual([method, path, false]);
        }
      }),
      { seed: 20, numRuns: 40 },
    );
  });
});
