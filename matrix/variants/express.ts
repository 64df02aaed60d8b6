import type { IncomingMessage } from "node:http";
import express, { type NextFunction, type Request, type Response } from "express";
import type { MutantName } from "../mutants.ts";
import { act } from "../parts/act.ts";
import { admit } from "../parts/admit.ts";
import { answerOf, everyHeader } from "../parts/answer.ts";
import { arrive } from "../parts/arrive.ts";
import { answerOptions } from "../parts/cors.ts";
import { incomingOf, problem, type Reply } from "../parts/exchange.ts";
import { methodsAt, missing, routesOf } from "../parts/routes.ts";
import { serve } from "../parts/serve.ts";
import { createWorld, type World } from "../parts/world.ts";
import type { Caller, Operation } from "../product/operation.ts";
import { type Running, runningPlain } from "./running.ts";

/** The product on Express 5: middleware, `express.raw`, an error handler of four parameters. Tokens are HS256. */
export async function startExpress(on: MutantName | undefined): Promise<Running> {
  const world = createWorld("HS256", on);
  const serving = await serve(createApp(world), world.mutant);
  return runningPlain(world, serving, routesOf(world), "HS256");
}

function createApp(world: World) {
  const { mutant } = world;
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.set("query parser", false);
  app.enable("strict routing");
  if (!mutant("auth-by-path-prefix")) app.enable("case sensitive routing");

  app.use((req, res, next) => {
    const incoming = incomingOf(req);
    res.set(everyHeader(incoming, world));
    const refused = arrive(incoming, world);
    if (refused !== undefined) return send(res, refused);
    const methods = methodsAt(incoming.path, world);
    if (req.method === "OPTIONS" && methods.length > 0) return send(res, answerOptions(incoming, world, methods));
    next();
  });

  for (const operation of routesOf(world)) {
    const method = operation.method.toLowerCase();
    const route = app.route(operation.path);
    const run = [admitting(operation, world), bodyReader(world), acting(operation, world)];
    if (method === "get") route.get(run);
    else if (method === "post") route.post(run);
    else if (method === "put") route.put(run);
    else if (method === "patch") route.patch(run);
    else route.delete(run);
  }

  app.use((req, res) => send(res, missing(incomingOf(req), world)));
  // Without a handler of our own, Express shows the stack.
  if (!mutant("stack-in-answer")) {
    app.use((error: { readonly status?: number }, _req: Request, res: Response, _next: NextFunction) =>
      send(res, problem(error.status ?? 500)),
    );
  }
  return app;
}

const callers = new WeakMap<IncomingMessage, Caller>();

function admitting(operation: Operation, world: World) {
  return function admitCaller(req: Request, res: Response, next: NextFunction): void {
    const result = admit(operation, incomingOf(req), world);
    if ("reply" in result) return send(res, result.reply);
    callers.set(req, result.caller);
    next();
  };
}

/**
 * Express' own readers answer 413 only when a body that is too long has come to its end, if it ever does; the mutants
 * use them. This one answers at once and closes.
 */
function bodyReader({ mutant }: World) {
  if (mutant("no-body-limit")) return express.raw({ type: () => true, limit: "50mb", inflate: false });
  if (mutant("inflated-body")) return express.raw({ type: () => true, limit: MAX_BYTES, inflate: true });
  if (mutant("endless-drained")) return express.raw({ type: () => true, limit: MAX_BYTES, inflate: false });
  const max = mutant("length-believed") ? Number.POSITIVE_INFINITY : MAX_BYTES;
  return function readBounded(req: Request, res: Response, next: NextFunction): void {
    if (Number(req.headers["content-length"] ?? 0) > MAX_BYTES) return tooLong(res);
    const chunks: Buffer[] = [];
    let bytes = 0;
    req.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= max) chunks.push(chunk);
      else if (!res.headersSent) tooLong(res);
    });
    req.on("error", next);
    req.on("end", () => {
      if (res.headersSent) return;
      req.body = Buffer.concat(chunks);
      next();
    });
  };
}

function tooLong(res: Response): void {
  res.set("connection", "close");
  send(res, problem(413));
}

function acting(operation: Operation, world: World) {
  return async function actFor(req: Request<Record<string, string>, unknown, unknown>, res: Response): Promise<void> {
    const bytes = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
    const caller = callers.get(req);
    if (caller === undefined) throw new Error("nobody was admitted");
    send(res, await act(operation, { incoming: incomingOf(req), caller, params: { ...req.params }, bytes }, world));
  };
}

const MAX_BYTES = 102_400;

function send(res: Response, reply: Reply): void {
  const { status, headers, payload } = answerOf(reply);
  res.status(status);
  for (const [name, value] of Object.entries(headers)) res.set(name, typeof value === "string" ? value : [...value]);
  res.end(payload);
}
