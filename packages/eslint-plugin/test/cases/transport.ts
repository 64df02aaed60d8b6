import { type Case, finds, leaves } from "../case.ts";

export const transport: readonly Case[] = [
  finds(
    "unchecked",
    "an agent that checks no certificate",
    'import https from "node:https";\nnew https.Agent({ rejectUnauthorized: false });',
  ),
  finds(
    "unchecked",
    "a database connection that checks none",
    'import { Pool } from "pg";\nnew Pool({ ssl: { rejectUnauthorized: false } });',
  ),
  finds("unchecked", "options that are changed afterwards", "options.rejectUnauthorized = false;"),
  finds("uncheckedProcess", "the switch for the whole process", 'process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";'),
  finds(
    "uncheckedProcess",
    "the same in brackets, by an import",
    'import { env } from "node:process";\nenv["NODE_TLS_REJECT_UNAUTHORIZED"] = 0;',
  ),
  leaves("a check that is on", "connect({ rejectUnauthorized: true, ca });\nconnect({ rejectUnauthorized: strict });"),
  leaves(
    "a test of the switch",
    'if (process.env.NODE_TLS_REJECT_UNAUTHORIZED === "0") throw new Error("no");\nconst env = {};\nenv.NODE_TLS_REJECT_UNAUTHORIZED = "1";',
  ),
];
