import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { MutantName } from "../mutants.ts";
import { act } from "../parts/act.ts";
import { admit } from "../parts/admit.ts";
import { answerOf, everyHeader } from "../parts/answer.ts";
import { arrive } from "../parts/arrive.ts";
import { answerOptions } from "../parts/cors.ts";
import { type Incoming, incomingOf, problem, type Reply } from "../parts/exchange.ts";
import { methodsAt, missing, routesOf } from "../parts/routes.ts";
import { serve } from "../parts/serve.ts";
import { createWorld, type World } from "../parts/world.ts";
import type { Caller, Operation } from "../product/operation.ts";
import { type Running, runningPlain } from "./running.ts";

interface Env {
  readonly Bindings: HttpBindings;
  readonly Variables: { caller: Caller };
}

/** The product on Hono over Node: Web requests, `bodyLimit`, `onError`. Tokens are RS256, their keys published. */
export async function startHono(on: MutantName | undefined): Promise<Running> {
  const world = createWorld("RS256", on);
  const app = createApp(world);
  const listener = getRequestListener((request, env) => app.fetch(request, env), {
    // What is no Web request at all, such as TRACE.
    errorHandler: () =>
      new Response('{"title":"Bad Request","status":400}', { status: 400, headers: plainHeaders(world) }),
  });
  const serving = await serve((req, res) => void listener(req, res), world.mutant);
  return runningPlain(world, serving, routesOf(world), "RS256");
}

function createApp(world: World) {
  const { mutant } = world;
  const app = new Hono<Env>({ strict: true });

  app.use(async (c, next) => {
    const incoming = at(c);
    const refused = arrive(incoming, world);
    if (refused !== undefined) return send(c, refused, world);
    const methods = methodsAt(incoming.path, world);
    if (incoming.method === "OPTIONS" && methods.length > 0)
      return send(c, answerOptions(incoming, world, methods), world);
    await next();
    return undefined;
  });

  for (const operation of routesOf(world)) {
    app.on(
      operation.method,
      operation.path,
      async (c, next) => {
        const result = admit(operation, at(c), world);
        if ("reply" in result) return send(c, result.reply, world);
        c.set("caller", result.caller);
        await next();
        return undefined;
      },
      mutant("length-believed")
        ? async (c, next) => {
            if (Number(c.req.header("content-length") ?? 0) > MAX_BYTES) return send(c, problem(413), world);
            await next();
            return undefined;
          }
        : limitedBody(world),
      async (c) => send(c, await acted(operation, c, world), world),
    );
  }

  app.notFound((c) => send(c, missing(at(c), world), world));
  app.onError((error, c) =>
    mutant("stack-in-answer")
      ? send(
          c,
          { status: "status" in error ? 400 : 500, headers: { "content-type": "text/plain" }, text: error.stack ?? "" },
          world,
        )
      : send(c, problem(500), world),
  );
  return app;
}

const MAX_BYTES = 102_400;

/** `bodyLimit` hands its own, untyped context on; the route's is the one that knows the request. */
function limitedBody(world: World): MiddlewareHandler<Env> {
  return (c, next) => bodyLimit({ maxSize: MAX_BYTES, onError: () => send(c, problem(413), world) })(c, next);
}

function at(c: Context<Env>): Incoming {
  return incomingOf(c.env.incoming);
}

async function acted(operation: Operation, c: Context<Env>, world: World): Promise<Reply> {
  const hasBody = c.req.raw.body !== null;
  const bytes = hasBody ? Buffer.from(await c.req.arrayBuffer()) : Buffer.alloc(0);
  return await act(operation, { incoming: at(c), caller: c.get("caller"), params: { ...c.req.param() }, bytes }, world);
}

function send(c: Context<Env>, reply: Reply, world: World): Response {
  const { status, headers, payload } = answerOf(reply);
  const isBare = world.mutant("headers-on-success-only") && status >= 400;
  const all = { ...(isBare ? {} : everyHeader(at(c), world)), ...headers };
  const response = new Headers();
  for (const [name, value] of Object.entries(all)) {
    for (const one of typeof value === "string" ? [value] : value) response.append(name, one);
  }
  return payload === undefined
    ? new Response(null, { status: status, headers: response })
    : new Response(payload, { status: status, headers: response });
}

function plainHeaders(world: World): Record<string, string> {
  const nothing: Incoming = {
    method: "",
    target: "",
    path: "",
    query: new URLSearchParams(),
    headers: {},
    rawHeaders: [],
    address: "",
  };
  return { ...everyHeader(nothing, world), "content-type": "application/problem+json" };
}
