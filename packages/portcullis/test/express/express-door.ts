import type { RequestListener, Server } from "node:http";
import { createServer } from "node:http";
import express from "express";
import express4 from "express4";
import { afterEach } from "vitest";
import type { RawAnswer } from "../node/raw.ts";
import { raw } from "../node/raw.ts";
import { type Asked, bearer, requestText } from "../front-door.ts";

/** An Express application, whichever version made it; the two have the same types. */
export type App = ReturnType<typeof express>;

/** Both versions, as `describe.each` takes them. */
export const versions: readonly { readonly version: string; readonly make: typeof express }[] = [
  { version: "Express 4", make: express4 },
  { version: "Express 5", make: express },
];

/** A server that is closed after the test, and a client that sends what the test says. */
export interface ExpressDoor {
  readonly port: number;
  ask(line: string, request?: Asked): Promise<RawAnswer & { readonly json: unknown }>;
}

const open: Server[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Lets an application listen on this machine, on a port of the system's choice. */
export async function serve(app: RequestListener): Promise<ExpressDoor> {
  const server = createServer(app);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const { port } = address;
  return {
    port,
    async ask(line, request = {}) {
      const headers = request.as === undefined ? {} : await bearer(request.as);
      const answer = await raw(port, requestText(line, { ...request, headers: { ...headers, ...request.headers } }));
      return { ...answer, json: jsonOf(answer.body) };
    },
  };
}

function jsonOf(body: string): unknown {
  try {
    const value: unknown = JSON.parse(body);
    return value;
  } catch {
    return undefined;
  }
}
