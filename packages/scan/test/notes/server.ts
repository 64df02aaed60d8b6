import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { checkArrival, checkCrossSite, corsHeaders } from "./arrival.ts";
import { checkBody, readBody } from "./body.ts";
import { callerOf } from "./caller.ts";
import { openData, users } from "./data.ts";
import type { Hole } from "./holes.ts";
import { createLimiter } from "./limiter.ts";
import { limits } from "./manifest.ts";
import { Refused } from "./refused.ts";
import { type Matched, matchRoute } from "./routes.ts";
import { jwtSecret, signToken } from "./tokens.ts";

/** A running notes API: written by hand on node:http, without any library, clean unless holes are asked for. */
export interface Notes {
  readonly url: string;
  readonly tokens: { readonly alice: string; readonly bob: string; readonly admin: string };
  readonly account: { readonly user: string; readonly password: string };
  readonly jwtSecret: string;
  close(): Promise<void>;
}

/** Starts it on a free port of the loopback address. */
export async function startNotes(open: readonly Hole[] = []): Promise<Notes> {
  const has: ReadonlySet<string> = new Set(open);
  const data = openData();
  const limiters = {
    address: createLimiter(limits.address.limit, limits.address.windowMs),
    caller: createLimiter(limits.caller.limit, limits.caller.windowMs),
    failures: createLimiter(limits.failures.limit, limits.failures.windowMs),
    slow: createLimiter(limits.slow.limit, limits.slow.windowMs),
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const shared = {
      ...(has.has("security-headers: no no-store") ? {} : { "cache-control": "no-store" }),
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "x-request-id": randomUUID(),
      ...corsHeaders(request, has),
    };
    try {
      const matched = await admit(request);
      const { status, json, headers = {} } = await matched.run();
      const text = json === undefined ? "" : JSON.stringify(json);
      const type = text === "" ? {} : { "content-type": "application/json" };
      response.writeHead(status, { ...shared, ...type, ...headers }).end(text);
    } catch (error) {
      refuse(request, response, shared, error);
    }
  }

  async function admit(request: IncomingMessage): Promise<Matched> {
    checkArrival(request, has);
    if (request.method === "OPTIONS") throw new Refused(204);
    if (has.has("exposure: a debug endpoint") && request.url === "/debug") {
      return {
        run: () =>
          Promise.resolve({
            status: 200,
            json: { NODE_ENV: "test", DATABASE_URL: "x", pid: process.pid, memoryUsage: process.memoryUsage() },
          }),
      };
    }
    if (limiters.failures.isSpent("strangers")) {
      // Only who is proved passes now.
      if (callerOf(request, data, has) === undefined) throw new Refused(429, { "retry-after": "1" });
    }
    const route = matchRoute(request, data, has);
    const caller = route.isPublic ? undefined : callerOf(request, data, has);
    if (!route.isPublic && caller === undefined) throw new Refused(401, { "www-authenticate": "Bearer" });
    if (route.isPublic || caller?.byCookie === true) checkCrossSite(request, has);
    if (caller !== undefined) wait(limiters.caller.take(caller.id));
    else wait(limiters.address.take("one"));
    if (route.slow && caller !== undefined && !has.has("rate-limit: none on the route")) {
      const spoofed = request.headers["x-forwarded-for"];
      const key =
        has.has("rate-limit: counted by X-Forwarded-For") && spoofed !== undefined ? String(spoofed) : caller.id;
      wait(limiters.slow.take(key));
    }
    if (route.role !== undefined && caller?.role !== route.role && !has.has("function-access: no role is asked for"))
      throw new Refused(403);
    const scopes = caller?.scopes ?? [];
    if (
      route.scope !== undefined &&
      !scopes.includes(route.scope) &&
      !has.has("function-access: no scope is asked for")
    )
      throw new Refused(403);
    const body = route.fields === undefined ? undefined : checkBody(await readBody(request, has), route.fields, has);
    return { run: () => Promise.resolve(route.handle({ caller, body, request })) };
  }

  function wait(ms: number): void {
    if (ms > 0) throw new Refused(429, { "retry-after": String(Math.ceil(ms / 1000)) });
  }

  function refuse(
    request: IncomingMessage,
    response: ServerResponse,
    shared: Readonly<Record<string, string>>,
    error: unknown,
  ): void {
    const status = error instanceof Refused ? error.status : 500;
    if ([401, 403, 404, 405, 421].includes(status) && callerOf(request, data, has) === undefined)
      limiters.failures.charge("strangers");
    const headers: Record<string, string> = { ...shared, ...(error instanceof Refused ? error.headers : {}) };
    if (has.has("security-headers: no nosniff on refusals")) delete headers["x-content-type-options"];
    // What was not read is not waited for.
    if (!request.complete) headers["connection"] = "close";
    if (status === 204) return void response.writeHead(204, headers).end();
    const leak =
      has.has("errors: stack traces") && error instanceof Error
        ? { stack: `${error.stack}\n    at Layer.handle (/srv/app/node_modules/express/lib/layer.js:95:5)` }
        : {};
    if (has.has("errors: text in place of a problem"))
      return void response.writeHead(status, { ...headers, "content-type": "text/html" }).end("<h1>No</h1>");
    const problem = { type: "about:blank", title: "No", status, requestId: shared["x-request-id"], ...leak };
    response.writeHead(status, { ...headers, "content-type": "application/problem+json" }).end(JSON.stringify(problem));
  }

  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  const [alice, bob, admin] = users;
  return {
    url: `http://127.0.0.1:${address.port}`,
    tokens: { alice: signToken(alice.id), bob: signToken(bob.id), admin: signToken(admin.id) },
    account: { user: alice.email, password: alice.password },
    jwtSecret,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      data.close();
    },
  };
}
