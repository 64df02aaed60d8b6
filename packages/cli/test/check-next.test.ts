import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { listedRoutes } from "../src/checks/next-listed.ts";
import { ourRoute } from "../src/checks/next-routes.ts";
import { portcullis } from "./command.ts";

const root = join(import.meta.dirname, "../../..");
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const route = "app/api/[[...path]]/route.ts";
const handlers = "export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = toNext(api);\n";
const api = (path = "/api/open", change = "") => `
  import { createApi, publicAccess } from "portcullis";
  import { z } from "zod";
  export const api = createApi({
    name: "app", hosts: ["localhost"], credentials: [], version: { none: "one app" }, limits: { instances: 1 },
    proxies: "vercel", ${change}
  });
  api.route(
    { path: "GET ${path}", access: publicAccess("a test"), output: z.object({ ok: z.boolean() }) },
    () => ({ ok: true }),
  );
`;
/** A small application that is as it should be; each test changes some of it. */
const wellMade: Readonly<Record<string, string>> = {
  "package.json": '{ "type": "module", "dependencies": { "next": "16.4.5", "portcullis": "0.1.0" } }',
  "next.config.ts":
    'import { portcullisHeaders } from "portcullis/next";\n' +
    "export default { poweredByHeader: false, headers: async () => portcullisHeaders() };\n",
  [route]: `import { toNext } from "portcullis/next";\nimport { api } from "../../../lib/api.ts";\n${handlers}`,
  "lib/api.ts": api(),
};

/** A folder inside the checkout, so that packages are found. */
function appWith(files: Readonly<Record<string, string>>): string {
  const parent = join(root, ".portcullis");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "check-next-"));
  folders.push(folder);
  for (const [path, text] of Object.entries({ ...wellMade, ...files })) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

interface Report {
  readonly found: readonly { file: string; line: number; protection: string; problem: string; text: string }[];
  readonly problems?: readonly { where: string; field: string; problem: string }[];
  readonly notes?: readonly string[];
  readonly unread: readonly { file: string; why: string }[];
  readonly lookedAt: string;
}

/** Runs the command in the folder, as the build script does. */
const check = (folder: string, ...flags: readonly string[]) => portcullis(["check", ...flags], { cwd: folder });

async function reportOf(files: Readonly<Record<string, string>>): Promise<Report & { readonly code: number }> {
  const { code, out, err } = await check(appWith(files), "--json");
  if (out === "") throw new Error(err);
  const report: Report = JSON.parse(out);
  return { ...report, code };
}

describe("portcullis check in a Next.js app", () => {
  it("exits 0 where every handler is ours, the API starts and next.config undoes nothing", async () => {
    expect(await check(appWith({}))).toEqual({
      code: 0,
      out: "3 source files, 1 route file (1 of ours): nothing found.\n",
      err: "",
    });
  });

  it("says nothing of an app that does not use Portcullis", async () => {
    const report = await reportOf({
      "package.json": '{ "dependencies": { "next": "16.4.5" } }',
      "pages/api/a.ts": "export default function handler() {}\n",
    });
    expect([report.code, report.lookedAt]).toEqual([0, "4 source files"]);
  });

  it("finds every handler that is not ours, wherever it stands", async () => {
    const own = "export function GET() { return Response.json({}); }\n";
    const { code, found, lookedAt } = await reportOf({
      "app/plain/route.ts": own,
      "app/(group)/test/route.js": own,
      "src/app/dist/route.tsx": own,
      "pages/api/hello.ts": "export default function handler() {}\n",
      "src/pages/api/deep/[id].js": "export default function handler() {}\n",
      ".gitignore": "app/plain\n",
      "app/_private/route.ts": own,
      "app/lib/route.d.ts": "export {};\n",
      "app/page.tsx": "export default function Page() { return null; }\n",
    });
    expect(code).toBe(1);
    expect(found.map(({ file, protection }) => [file, protection])).toEqual(
      [
        "app/(group)/test/route.js",
        "app/plain/route.ts",
        "src/app/dist/route.tsx",
        "pages/api/hello.ts",
        "src/pages/api/deep/[id].js",
      ].map((file) => [file, "authentication"]),
    );
    expect(lookedAt).toMatch(/6 route files \(1 of ours\)$/);
  });

  it("knows the file names of pageExtensions", async () => {
    const { found } = await reportOf({
      "next.config.ts": (wellMade["next.config.ts"] ?? "").replace(
        "{ powered",
        '{ pageExtensions: ["ts", "api.ts"], powered',
      ),
      "app/a/route.api.ts": "export const GET = () => new Response();\n",
    });
    expect(found.map(({ file }) => file)).toEqual(["app/a/route.api.ts"]);
  });

  it("lets a handler stand that is listed with a reason, until its last day, and writes the list into the manifest", async () => {
    const own = "export const GET = () => new Response();\n";
    const files = {
      "app/old/route.ts": own,
      "app/api/auth/[...nextauth]/route.ts": own,
      "portcullis.json": JSON.stringify({
        notYet: [{ route: "app/old/route.ts", reason: "moved next month", until: "2999-12-31" }],
        elsewhere: [{ route: "app/api/auth/[...nextauth]/route.ts", reason: "Auth.js signs people in" }],
      }),
    };
    const folder = appWith(files);
    const { code, out } = await check(folder, "--manifest", "portcullis.manifest.json");
    expect([code, out]).toEqual([0, "5 source files, 3 route files (1 of ours): nothing found.\n"]);
    const manifest: unknown = JSON.parse(readFileSync(join(folder, "portcullis.manifest.json"), "utf8"));
    expect(manifest).toMatchObject({
      "x-portcullis": {
        notYet: [
          { route: "app/old/route.ts", reason: "moved next month", until: "2999-12-31" },
          { route: "app/api/auth/[...nextauth]/route.ts", reason: "Auth.js signs people in" },
        ],
        unknown: expect.arrayContaining(["raw target"]),
      },
      paths: { "/api/open": {} },
    });
  });

  it.each([
    [
      { notYet: [{ route: "app/old/route.ts", reason: "soon", until: "2020-01-31" }] },
      "was to be guarded by 2020-01-31.",
    ],
    [{ notYet: [{ route: "app/old/route.ts", reason: "soon", until: "2999-02-30" }] }, "has no last day."],
    [{ notYet: [{ route: "app/old/route.ts", reason: "soon" }] }, "has no last day."],
    [{ notYet: [{ route: "app/old/route.ts", reason: " ", until: "2999-12-31" }] }, "is listed without a reason."],
    [{ elsewhere: [{ route: "app/old/route.ts" }] }, "is listed without a reason."],
    [
      { elsewhere: [{ route: "app/old/route.ts", reason: "soon", until: "2999-12-31" }] },
      "has an end and stands in elsewhere.",
    ],
    [{ elsewhere: [{ reason: "soon" }] }, "names no route."],
    [{ notYet: { route: "app/old/route.ts" } }, "names no route."],
    [{ ignore: ["app/old/route.ts"] }, "means nothing here."],
  ])("counts an entry for nothing that is not whole: %j", async (list, problem) => {
    const { listed, mistakes } = await listedRoutes(appWith({ "portcullis.json": JSON.stringify(list) }), "2026-11-22");
    expect(listed).toEqual([]);
    expect(mistakes).toMatchObject([{ problem: expect.stringContaining(problem) }]);
  });

  it("finds the handler and the entry that does not cover it", async () => {
    const { code, found } = await reportOf({
      "app/old/route.ts": "export const GET = () => new Response();\n",
      "portcullis.json": '{ "notYet": [{ "route": "app/old/route.ts", "reason": "soon", "until": "2020-01-31" }] }',
    });
    expect(code).toBe(1);
    expect(found.map(({ file }) => file)).toEqual(["app/old/route.ts", "portcullis.json"]);
  });

  it("says what is listed and not there", async () => {
    const list = { elsewhere: [{ route: "app/gone/route.ts", reason: "it was there" }] };
    const { found } = await reportOf({ "portcullis.json": JSON.stringify(list) });
    expect(found.map(({ problem }) => problem)).toEqual(["app/gone/route.ts is listed and not there."]);
  });

  it("finds methods that are left to Next.js, and a file that is no catch-all", async () => {
    const imports = 'import { toNext } from "portcullis/next";\nimport { api } from "../../../lib/api.ts";\n';
    const { found } = await reportOf({
      [route]: `${imports}export const { GET, POST } = toNext(api);\n`,
      "app/api/one/route.ts": imports + handlers,
    });
    expect(found.map(({ file, line, problem }) => [file, line, problem])).toEqual([
      [route, 3, "Next.js answers HEAD, PUT, PATCH, DELETE, OPTIONS here by itself, past the gates."],
      ["app/api/one/route.ts", 3, "This file gets one path alone; Next.js answers all others by itself."],
    ]);
  });

  it("says what would stop the API, and writes no manifest of it", async () => {
    const folder = appWith({ "lib/api.ts": api("/api/open/:id").replace("limits: { instances: 1 },", "") });
    const { code, out } = await check(folder, "--manifest", "out.json");
    expect(code).toBe(1);
    expect(out).toContain("GET /api/open/:id, objects: no rule consumes the id id\n  fix: say whose it is:");
    expect(out).toContain("createApi, limits.instances: nobody says how many processes run");
    expect(out).toContain("3 problems: this API would not start.");
    expect(existsSync(join(folder, "out.json"))).toBe(false);
  });

  it("finds routes that Next.js never hands over, with the basePath in mind", async () => {
    const { problems } = await reportOf({ "lib/api.ts": api("/v1/open") });
    expect(problems).toMatchObject([{ where: "/v1/open", field: "path" }]);
    const config = (basePath: string) =>
      (wellMade["next.config.ts"] ?? "").replace("{ powered", `{ basePath: "${basePath}", powered`);
    const without = await reportOf({ "next.config.ts": config("/shop") });
    expect(without.problems).toMatchObject([{ where: "/api/open", field: "path" }]);
    const withIt = await reportOf({ "next.config.ts": config("/shop"), "lib/api.ts": api("/shop/api/open") });
    expect([withIt.code, withIt.problems]).toEqual([0, undefined]);
  });

  it("finds what a next.config does to the API's answers", async () => {
    const rule = (source: string, key: string, value: string) =>
      `{ source: "${source}", headers: [{ key: "${key}", value: "${value}" }] }`;
    const { found } = await reportOf({
      "next.config.ts":
        'import { portcullisHeaders } from "portcullis/next";\n' +
        "export default () => ({\n  trailingSlash: true,\n  output: 'export',\n  async headers() {\n    return [\n" +
        `      ...portcullisHeaders(),\n      ${rule("/:path*", "X-Frame-Options", "SAMEORIGIN")},\n` +
        `      ${rule("/api/:path*", "Access-Control-Allow-Origin", "*")},\n      ${rule("/(.*)", "cache-control", "public")},\n` +
        `      ${rule("/pages/:path*", "Cache-Control", "public")},\n    ];\n  },\n});\n`,
    });
    expect(found.map(({ line, protection, problem }) => [line, protection, problem])).toEqual([
      [1, "security-headers", "Every answer names Next.js in X-Powered-By."],
      [3, "canonical-request", "Every call of the API is redirected to a path that it does not have."],
      [4, "authentication", "An export has no server, so there is no API."],
      [5, "security-headers", "x-frame-options of /:path* takes the place of the API's own."],
      [
        5,
        "cors",
        "access-control-allow-origin of /api/:path* lets other sites read the API's answers, whatever its origins are.",
      ],
      [5, "security-headers", "cache-control of /(.*) takes the place of the API's no-store."],
    ]);
  });

  it("asks for the headers of what Next.js answers itself, also where there is no next.config", async () => {
    const { found } = await reportOf({ "next.config.ts": "export default { poweredByHeader: false };\n" });
    expect(found.map(({ problem }) => problem)).toEqual([
      "What Next.js answers by itself, such as 404, 405 and 500, has no security headers.",
    ]);
  });

  it("loads modules as next build does: without extensions, by the tsconfig's paths, with .env files", async () => {
    const report = await reportOf({
      "tsconfig.json": '{ "compilerOptions": { "paths": { "@/*": ["./lib/*"] }, /* as create-next-app writes it */ } }',
      ".env.local": "APP_NAME=from-the-file\n",
      [route]: `import { toNext } from "portcullis/next";\nimport api from "@/api";\n${handlers}`,
      "lib/api.ts":
        'import "server-only";\nimport { name } from "./name";\n' +
        `${api().replace('name: "app"', "name")}\nconsole.log("as it loads");\nexport default api;\n`,
      "lib/name/index.ts":
        'if (process.env.NEXT_PHASE !== "phase-production-build" || process.env.NODE_ENV !== "production") throw new Error();\n' +
        'export const name = process.env.APP_NAME ?? "";\nsetInterval(() => {}, 1000);\n',
    });
    expect([report.code, report.unread, report.problems]).toEqual([0, [], undefined]);
  });

  it("exits 3 and says which module it could not load, and why", async () => {
    const broken = await check(
      appWith({ "lib/api.ts": 'export const api = undefined;\nthrow new Error("no database");\n' }),
    );
    expect(broken.code).toBe(3);
    expect(broken.err).toContain(`portcullis check: cannot read ${route}: no database`);
    const ended = await check(appWith({ "lib/api.ts": "export const api = process.exit(0);\n" }));
    expect([ended.code, ended.err]).toEqual([
      3,
      "portcullis check: the application's modules ended the process that loaded them (0)\n",
    ]);
    const other = await check(appWith({ "lib/api.ts": "export const api = { start() {} };\n" }));
    expect(other.err).toContain("exports no API as api: toNext takes what createApi() returned");
  });

  it("says what it does not see", async () => {
    const { code, notes } = await reportOf({
      "proxy.ts": "export function proxy() {}\n",
      "app/actions.ts": '"use server";\nexport async function remove() {}\n',
    });
    expect(code).toBe(0);
    expect(notes).toEqual([
      "proxy.ts runs before the API: what it answers or adds to answers, no gate sees.",
      "1 file with Server Actions: whoever has the page may call them, and no gate sees it.",
    ]);
  });
});

describe("a route file", () => {
  const imports = 'import { toNext } from "portcullis/next";\nimport { api } from "./api";\n';

  it("is ours where its methods are those of toNext", () => {
    const all = { left: [], below: "/api", api: { specifier: "./api", name: "api" } };
    expect(ourRoute(route, imports + handlers)).toEqual(all);
    expect(ourRoute(`src/${route}`, `${imports}export const dynamic = "force-dynamic";\n${handlers}`)).toEqual(all);
    expect(ourRoute("app/(site)/v1/@slot/[...all]/route.ts", imports + handlers)?.below).toBe("/v1");
    expect(ourRoute("app/[[...all]]/route.ts", imports + handlers)?.below).toBe("");
    const renamed = 'import { toNext as serve } from "portcullis/next";\nimport mine from "./api";\n';
    expect(ourRoute(route, renamed + handlers.replace("toNext(api)", "serve(mine)"))?.api?.name).toBe("default");
  });

  it.each([
    ["a toNext of somebody else", handlers.replace("=", "= //\n"), 'import { toNext } from "./to-next";\n'],
    ["a method of its own beside", `${handlers.replace("GET, ", "")}export async function GET() {}\n`, imports],
    [
      "a method of its own, as a constant",
      `${handlers.replace("GET, ", "")}export const GET = () => new Response();\n`,
      imports,
    ],
    ["a method that was renamed", handlers.replace("GET,", "POST: GET,").replace("POST, PUT", "PUT"), imports],
    ["a method from elsewhere", `${handlers.replace("GET, ", "")}export { GET } from "./get";\n`, imports],
    ["whatever another file exports", `${handlers.replace("GET, ", "")}export * from "./get";\n`, imports],
    ["something done to the handlers", handlers.replace("toNext(api)", "open(toNext(api))"), imports],
    ["a rest", "export const { GET, ...rest } = toNext(api);\n", imports],
    ["nothing", "", imports],
  ])("is not ours with %s", (_, code, head) => {
    expect(ourRoute(route, head + code)).toBeUndefined();
  });
});
