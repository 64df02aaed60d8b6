import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Fix, fixOf, fixTargets } from "@portcullis/scan/reporters";
import { checklist } from "portcullis/checklist";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as Given from "./fixes/given.ts";

const root = join(import.meta.dirname, "..");
// Inside the checkout, so that packages are found.
const folder = join(root, `.portcullis/fixes-${process.pid}`);
beforeAll(() => void mkdirSync(folder, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const withoutFinding = ["audit", "alerts"];

describe("the smallest fixes", () => {
  it("are there for every protection that a scan can find broken", () => {
    const lacking = checklist.filter(({ id }) => fixOf(id) === undefined).map(({ id }) => id);
    expect(lacking.sort()).toEqual(withoutFinding.sort());
  });

  it("fit on a page: nothing is longer than 30 lines or 140 columns", () => {
    for (const [name, code] of blocks()) {
      expect.soft(code.split("\n").length, name).toBeLessThanOrEqual(30);
      for (const line of code.split("\n")) expect.soft(line.length, `${name}: ${line}`).toBeLessThanOrEqual(140);
    }
  });

  it("compile against the library and the frameworks they are for, each on its own", () => {
    const files = blocks().map(([name, code, target]) => {
      const file = `${name}.ts`;
      writeFileSync(join(folder, file), `${importsOf(code, target)}\n${declared(code, target)}\n${code}\nexport {};\n`);
      return file;
    });
    writeFileSync(join(folder, "control.ts"), 'import express from "express";\nexpress().use(1, 2);\n');
    const options = { noUnusedLocals: false, noUnusedParameters: false, incremental: false, tsBuildInfoFile: null };
    const config = {
      extends: join(root, "tsconfig.workspace.json"),
      compilerOptions: { ...options, lib: ["es2024", "dom", "dom.iterable"], types: ["node"] },
      include: [...files, "control.ts"],
      exclude: [],
      references: [],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const run = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
    const complaints = run.stdout.split("\n").filter((line) => line.includes(basename(folder)));
    // The control shows that the compiler looked.
    expect(complaints).toEqual([expect.stringContaining("control.ts(2,")]);
  });
});

function blocks(): readonly (readonly [name: string, code: string, target: keyof Fix])[] {
  return checklist.flatMap(({ id }) => {
    const fix = fixOf(id);
    return fix === undefined ? [] : fixTargets.map(([target]) => [`${id}-${target}`, fix[target], target] as const);
  });
}

/** Import lines for the names a block uses and does not declare itself. */
function importsOf(code: string, target: keyof Fix): string {
  const isUsed = (name: string) =>
    new RegExp(`(?<![.\\w"'-])${name}\\b(?!["'])`).test(code) &&
    !new RegExp(`\\b(?:const|function) ${name}\\b`).test(code);
  const from = { ...anywhere, ...frameworks[target] };
  return Object.entries(from)
    .flatMap(([module, names]) => {
      const used = names.filter((name) => isUsed(name.replace(/^(?:type|default) /, "")));
      const whole = used.find((name) => name.startsWith("default "))?.slice("default ".length);
      const parts = used.filter((name) => !name.startsWith("default "));
      if (whole !== undefined)
        return [
          `import ${[whole, ...(parts.length > 0 ? [`{ ${parts.join(", ")} }`] : [])].join(", ")} from "${module}";`,
        ];
      return parts.length === 0 ? [] : [`import { ${parts.join(", ")} } from "${module}";`];
    })
    .join("\n");
}

function declared(code: string, target: keyof Fix): string {
  if (/\bconst app\b/.test(code)) return "";
  if (target === "express") {
    return `import type { Express } from "express";\nimport type { Server } from "node:http";\nimport type { RequestHandler } from "express";
declare const app: Express;\ndeclare const server: Server;\ndeclare const debugRoutes: RequestHandler;`;
  }
  if (target === "fastify")
    return 'import type { FastifyInstance } from "fastify";\ndeclare const app: FastifyInstance;';
  if (target !== "hono") return "";
  return 'import type { Hono } from "hono";\nimport type { HttpBindings } from "@hono/node-server";\ndeclare const app: Hono<{ Bindings: HttpBindings }>;';
}

type Imports = Readonly<Record<string, readonly string[]>>;

function exportedBy(file: string): readonly string[] {
  const source = readFileSync(join(root, file), "utf8");
  const listed = [...source.matchAll(/^export \{([^}]+)\}/gm)].flatMap((found) => (found[1] ?? "").split(","));
  const constants = [...source.matchAll(/^export (?:declare )?(?:const|function|async function) (\w+)/gm)];
  return [...listed, ...constants.map((found) => found[1] ?? "")]
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

const anywhere: Imports = {
  zod: ["z"],
  "node:crypto": ["createHash", "createHmac", "randomBytes", "randomUUID", "timingSafeEqual"],
};
/** What the blocks take for granted. */
const given: readonly (keyof typeof Given)[] = [
  "callerOf",
  "requireCaller",
  "db",
  "counter",
  "log",
  "publicPaths",
  "registeredRedirects",
  "ourOrigin",
  "webhookSecret",
  "cert",
  "key",
  "vettedFetch",
  "work",
];
const plain: Imports = {
  jose: ["createRemoteJWKSet", "jwtVerify"],
  portcullis: ["signWebhook"],
  [join(root, "tests/fixes/given.ts")]: given,
};
const frameworks: Readonly<Record<keyof Fix, Imports>> = {
  summary: {},
  portcullis: {
    portcullis: [
      ...exportedBy("packages/portcullis/src/index.ts"),
      ...exportedBy("packages/portcullis/src/limits/presets.ts"),
    ],
    [join(root, "tests/docs/given.ts")]: exportedBy("tests/docs/given.ts"),
    [join(root, "tests/fixes/given.ts")]: ["vettedFetch", "webhookSecret"],
  },
  express: {
    ...plain,
    express: ["default express", "type Request", "type Response", "type NextFunction"],
    cors: ["default cors"],
    "node:https": ["createServer"],
  },
  fastify: { ...plain, fastify: ["default fastify"], "@fastify/cors": ["default cors"] },
  hono: {
    ...plain,
    "hono/body-limit": ["bodyLimit"],
    "hono/cookie": ["setCookie"],
    "hono/cors": ["cors"],
    "hono/secure-headers": ["secureHeaders"],
    "@hono/node-server": ["serve"],
    "@hono/node-server/conninfo": ["getConnInfo"],
    "node:https": ["createServer"],
  },
  // With the endings that Node asks for; an application of Next.js leaves them out.
  next: { ...plain, "next/server.js": ["type NextRequest"], "next/headers.js": ["cookies"], next: ["type NextConfig"] },
};
