import { z } from "zod";
import type { Operation } from "../product/operation.ts";
import { operations } from "../product/operations.ts";
import { type Incoming, problem, type Reply } from "./exchange.ts";
import type { World } from "./world.ts";

/** The operations of one API: the product's, and the published keys where tokens are signed by a private one. */
export function routesOf({ tokens, mutant }: World): readonly Operation[] {
  const { jwks } = tokens;
  const more: Operation[] = [];
  if (jwks !== undefined) more.push({ ...published, run: () => ({ status: 200, body: jwks }) });
  const patch = operations.find(({ method, path }) => method === "PATCH" && path === "/v1/projects/:id");
  if (mutant("undeclared-method") && patch !== undefined) more.push({ ...patch, method: "PUT" });
  return [...operations, ...more];
}

const published: Omit<Operation, "run"> = {
  method: "GET",
  path: "/.well-known/jwks.json",
  access: "public",
  status: 200,
  output: z.object({ keys: z.array(z.record(z.string(), z.string())).max(5) }),
  rate: "read",
};

/** What is answered where no route is: 405 with `Allow` where the path is known, else 404; and what should not be there. */
export function missing(incoming: Incoming, world: World): Reply {
  const methods = methodsAt(incoming.path, world);
  if (world.mutant("trace") && incoming.method === "TRACE") {
    const lines = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${value}`);
    return page("message/http", `TRACE ${incoming.target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n`);
  }
  const left = incoming.method === "GET" ? leftBehind(incoming.path, world) : undefined;
  if (left !== undefined) return left;
  return methods.length === 0 ? problem(404) : problem(405, { allow: methods.join(", ") });
}

/** The declared methods of a path, as `Allow` lists them; none where the path is unknown. */
export function methodsAt(path: string, world: World): readonly string[] {
  const declared = operations.filter((one) => patternOf(one.path).test(path)).map(({ method }): string => method);
  if (world.tokens.jwks !== undefined && path === published.path) declared.push("GET");
  return declared.length === 0 ? [] : [...declared, ...(declared.includes("GET") ? ["HEAD"] : []), "OPTIONS"];
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/:\w+/g, "[^/]+").replaceAll(".", "\\.")}$`);
}

/** What a deployment leaves behind for strangers. */
function leftBehind(path: string, { mutant, tokens }: World): Reply | undefined {
  if (mutant("debug-page") && path === "/debug") {
    return {
      status: 200,
      body: {
        env: { NODE_ENV: "development", JWT_SECRET: tokens.testKey, DATABASE_URL: "postgres://app:hunter2@db/app" },
        uptime: 12,
      },
    };
  }
  if (mutant("env-file") && path === "/.env") {
    return page(
      "text/plain",
      "NODE_ENV=production\nJWT_SECRET=not-the-real-one-but-looks-it\nDATABASE_URL=postgres://app:hunter2@db/app\n",
    );
  }
  if (mutant("metrics-open") && path === "/metrics") {
    return page(
      "text/plain; version=0.0.4",
      "# HELP process_cpu_seconds_total CPU time.\n# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 12.5\n",
    );
  }
  if (mutant("source-map") && path === "/main.js.map") {
    return {
      status: 200,
      body: {
        version: 3,
        sources: ["../src/auth.ts"],
        sourcesContent: ["export const secret = process.env.JWT_SECRET;"],
        names: [],
        mappings: "AAAA",
      },
    };
  }
  if (mutant("git-folder") && path === "/.git/config") {
    return page(
      "text/plain",
      '[core]\n\trepositoryformatversion = 0\n[remote "origin"]\n\turl = git@git.example:projects.git\n',
    );
  }
  if (mutant("git-folder") && path === "/.git/HEAD") return page("text/plain", "ref: refs/heads/main\n");
  if (mutant("api-document") && path === "/openapi.json") {
    return {
      status: 200,
      body: {
        openapi: "3.1.0",
        info: { title: "projects", version: "1" },
        paths: { "/v1/internal/refunds": { post: {} } },
      },
    };
  }
  if (mutant("api-document") && path === "/docs") {
    return page("text/html", "<!doctype html><title>Swagger UI</title><div id=swagger-ui></div>");
  }
  return undefined;
}

function page(type: string, text: string): Reply {
  return { status: 200, headers: { "content-type": type }, text };
}
