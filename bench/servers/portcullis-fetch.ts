import { serve } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { Hono } from "hono";
import { createApi, memoryKeyStore } from "portcullis";
import { fileSink } from "portcullis/node";
import { declareProjects } from "../projects-api.ts";
import { logPath, portOf, serving } from "./serving.ts";

/** Portcullis inside Hono on its Node server: each request becomes a `Request` and each answer a `Response`. */
const api = declareProjects({ create: createApi, keys: memoryKeyStore(), audit: { sinks: [fileSink(logPath)] } });

const app = new Hono();
app.all("*", (c) => {
  const { address } = getConnInfo(c).remote;
  return api.fetch(c.req.raw, { scheme: "http", ...(address === undefined ? {} : { peer: address }) });
});
const server = serve({ port: 0, hostname: "127.0.0.1", fetch: app.fetch }, () => serving({ port: portOf(server) }));
