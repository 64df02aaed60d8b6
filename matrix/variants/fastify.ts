import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { fastify, type FastifyReply, type FastifyRequest } from "fastify";
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

/** The product on Fastify 5: hooks, a content type parser with a body limit, an error handler. Tokens are HS256. */
export async function startFastify(on: MutantName | undefined): Promise<Running> {
  const world = createWorld("HS256", on);
  const serving = await serve(await createListener(world), world.mutant);
  return runningPlain(world, serving, routesOf(world), "HS256");
}

async function createListener(world: World): Promise<RequestListener> {
  const { mutant } = world;
  let listener: RequestListener | undefined;
  const app = fastify({
    bodyLimit: mutant("no-body-limit") ? 50 * 1024 * 1024 : 102_400,
    serverFactory(handler) {
      listener = handler;
      return createServer();
    },
    frameworkErrors: (error, req, reply) => void send(req, reply, problem(error.statusCode ?? 400), world),
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false },
  });

  app.addHook("onRequest", async (req, reply) => {
    const incoming = incomingOf(req.raw);
    const refused = arrive(incoming, world);
    if (refused !== undefined) return await send(req, reply, refused, world);
    const methods = methodsAt(incoming.path, world);
    if (incoming.method === "OPTIONS" && methods.length > 0) {
      return await send(req, reply, answerOptions(incoming, world, methods), world);
    }
    return undefined;
  });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_req, body, done) => done(null, body));

  const callers = new WeakMap<IncomingMessage, Caller>();
  for (const operation of routesOf(world)) {
    app.route({
      method: operation.method,
      url: operation.path,
      async onRequest(req, reply) {
        const result = admit(operation, incomingOf(req.raw), world);
        if ("reply" in result) return await send(req, reply, result.reply, world);
        callers.set(req.raw, result.caller);
        return undefined;
      },
      handler: async (req, reply) => {
        const caller = callers.get(req.raw);
        if (caller === undefined) throw new Error("nobody was admitted");
        return await send(req, reply, await acted(operation, req, caller, world), world);
      },
    });
  }

  app.setNotFoundHandler((req, reply) => send(req, reply, missing(incomingOf(req.raw), world), world));
  app.setErrorHandler((error: Error & { readonly statusCode?: number }, req, reply) =>
    mutant("stack-in-answer")
      ? send(req, reply, { status: error.statusCode ?? 500, body: { error: error.message, stack: error.stack } }, world)
      : send(req, reply, problem(error.statusCode ?? 500), world),
  );
  await app.ready();
  if (listener === undefined) throw new Error("Fastify made no server");
  return mutant("method-override") ? overriding(listener) : listener;
}

async function acted(operation: Operation, req: FastifyRequest, caller: Caller, world: World): Promise<Reply> {
  const bytes = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
  const params: Record<string, string> = {};
  if (typeof req.params === "object" && req.params !== null) {
    for (const [name, value] of Object.entries(req.params)) params[name] = String(value);
  }
  return await act(operation, { incoming: incomingOf(req.raw), caller, params, bytes }, world);
}

/** Rewrites the method before anything is routed. */
function overriding(listener: RequestListener): RequestListener {
  return function override(req, res) {
    const method = req.headers["x-http-method-override"];
    if (req.method === "POST" && typeof method === "string") req.method = method.toUpperCase();
    listener(req, res);
  };
}

async function send(req: FastifyRequest, reply: FastifyReply, answer: Reply, world: World): Promise<FastifyReply> {
  const { status, headers, payload } = answerOf(answer);
  const isBare = world.mutant("headers-on-success-only") && status >= 400;
  if (!isBare) reply.headers(everyHeader(incomingOf(req.raw), world));
  for (const [name, value] of Object.entries(headers)) reply.header(name, value);
  return reply.code(status).send(payload);
}
