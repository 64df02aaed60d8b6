import { createServer } from "node:http";
import express from "express";
import express4 from "express4";
import { adopt, toExpress } from "portcullis/express";
import type { TestApi } from "../front-door.ts";
import { askSocket, conformance, type Opened, type Unseen } from "./conformance.ts";

/** What the server decides that somebody else made, before any middleware is asked. */
const unseen: Readonly<Record<string, Unseen>> = {
  "no Host": { because: "Node refuses it by itself, without our headers", instead: 400 },
  "headers over 16 KiB": { because: "Node's own bound is lower than ours and answers first", instead: 431 },
  "what is no request": { because: "Node answers it by itself, without our headers", instead: 400 },
  "a length beside chunks": { because: "Node answers it by itself, without our headers", instead: 400 },
  "a header block without end": { because: "Node answers it by itself, without our headers", instead: 431 },
  "an expectation nobody knows": { because: "Node answers it by itself, without our headers", instead: 417 },
  "100-continue for a body nobody wants": {
    because: "Node has invited the body before anybody is asked",
    instead: 100,
  },
  "an upgrade": { because: "without a listener Node takes it for an ordinary request", instead: 200 },
  "a tunnel": { because: "without a listener Node closes the connection", instead: 0 },
};

async function serve(app: ReturnType<typeof express>, { api }: TestApi): Promise<Opened> {
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return {
    ask: (sent) => askSocket(address.port, sent),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await api.stop();
    },
  };
}

for (const [version, make] of [
  ["express 4", express4],
  ["express 5", express],
] as const) {
  conformance(
    `${version}: toExpress`,
    (test) => {
      const app = make();
      app.use(toExpress(test.api));
      return serve(app, test);
    },
    unseen,
  );
  conformance(
    `${version}: adopt, with routes that are not guarded yet`,
    (test) => {
      const app = make();
      app.use(express.json());
      app.get("/admin/users", (_req, res) => void res.json([]));
      app.get("/v1/open", (_req, res) => void res.send("the old handler"));
      adopt(app, test.api, { notYet: [{ route: "GET /admin/users", reason: "being moved", until: "2099-01-31" }] });
      return serve(app, test);
    },
    unseen,
  );
}
