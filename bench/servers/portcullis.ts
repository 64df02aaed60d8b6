import { createApi, issueApiKey, memoryKeyStore } from "portcullis";
import { fileSink } from "portcullis/node";
import { declareProjects } from "../projects-api.ts";
import { callerCount, subjectOf, tenantOf } from "../world.ts";
import { logPath, serving } from "./serving.ts";

/** Portcullis on sockets of its own, with every gate. */
const keys = memoryKeyStore();
const api = declareProjects({ create: createApi, keys, audit: { sinks: [fileSink(logPath)] } });

const issued = await Promise.all(
  Array.from({ length: callerCount }, (_, n) =>
    issueApiKey({
      store: keys,
      prefix: "prj",
      subject: subjectOf(n),
      tenant: tenantOf(n),
      scopes: ["projects:read", "projects:write"],
      name: `key ${n}`,
    }),
  ),
);
const { port } = await api.listen({ port: 0, host: "127.0.0.1" });
serving({ port, apiKeys: issued.map(({ key }) => key) });
