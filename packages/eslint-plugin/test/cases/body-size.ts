import { type Case, finds, inExpress, leaves } from "../case.ts";

export const bodySize: readonly Case[] = [
  finds("large", "50 MB of JSON for everybody", inExpress('app.use(express.json({ limit: "50mb" }));')),
  finds(
    "large",
    "the same as a product, in body-parser",
    'const bodyParser = require("body-parser");\nbodyParser.urlencoded({ limit: 50 * 1024 * 1024, extended: true });',
    "src/app.js",
  ),
  finds("large", "no end at all", inExpress("app.use(express.raw({ limit: Infinity }));")),
  finds(
    "large",
    "the same in Fastify",
    'import Fastify from "fastify";\nexport const app = Fastify({ bodyLimit: 104857600 });',
  ),
  leaves(
    "the default, and a megabyte",
    inExpress('app.use(express.json(), express.json({ limit: "1mb" }), express.text({ limit: 2048 }));'),
  ),
  leaves("a limit from the settings", inExpress("app.use(express.json({ limit: config.limit }));")),
  leaves(
    "a limit of something else",
    'import { json } from "./charts.ts";\njson({ limit: "50mb" });\nquery({ limit: 99999999 });',
  ),
];
