import express from "express";
import { createApi, memoryKeyStore } from "portcullis";
import { toExpress } from "portcullis/express";
import { fileSink } from "portcullis/node";
import { declareProjects } from "../projects-api.ts";
import { logPath, portOf, serving } from "./serving.ts";

/** Portcullis as a middleware of Express. */
const api = declareProjects({ create: createApi, keys: memoryKeyStore(), audit: { sinks: [fileSink(logPath)] } });
const app = express();
app.use(toExpress(api));
const server = app.listen(0, "127.0.0.1", () => serving({ port: portOf(server) }));
