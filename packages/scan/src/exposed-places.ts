import { type Answer, mediaTypeOf } from "./answer.ts";
import { isRecord } from "./json.ts";

/** A path that strangers try first, and what only the thing itself could answer there. */
export interface Place {
  readonly path: string;
  /** Names it in a sentence. */
  readonly what: string;
  readonly shows: (answer: Answer) => boolean;
}

/** At least two tell-tale words, so that no ordinary answer is mistaken for a dump. */
function debugging(answer: Answer): boolean {
  const words = [
    /\bNODE_ENV\b/i,
    /\b(?:DATABASE|DB|REDIS|MONGO)_?(?:URL|URI|PASSWORD|HOST|PATH)?\b/i,
    /\b\w*(?:SECRET|PASSWORD|API_?KEY|PRIVATE_?KEY)\w*\b/i,
    /\b(?:heapUsed|heapTotal|rss)\b/,
    /\b(?:pid|ppid|uptime|argv|execPath|cwd|hostname|nodeVersion|versions)\b/,
    /\bnode_modules\b/,
    /\b(?:memoryUsage|cpuUsage|loadavg)\b/,
    /\b(?:routes|middleware|stack)\b/,
  ];
  return words.filter((word) => word.test(answer.text)).length >= 2;
}

const isOpenApi = (answer: Answer) =>
  (isRecord(answer.json) && ("openapi" in answer.json || "swagger" in answer.json) && "paths" in answer.json) ||
  (/^["']?(?:openapi|swagger)["']?:\s*["']?[23]\./m.test(answer.text) && /^["']?paths["']?:/m.test(answer.text));
const isDocumentation = (answer: Answer) => /swagger-ui|redoc|stoplight-elements|scalar/i.test(answer.text);
const isMetrics = (answer: Answer) => /^# (?:HELP|TYPE) \w+/m.test(answer.text);
const isEnvironment = (answer: Answer) =>
  /^(?:export )?[A-Z][A-Z0-9_]{2,}=\S/m.test(answer.text) && mediaTypeOf(answer) !== "text/html";
const isDump = (answer: Answer) =>
  /^(?:CREATE TABLE|INSERT INTO) /im.test(answer.text) && mediaTypeOf(answer) !== "text/html";

/** The places, each asked for once. */
export const places: readonly Place[] = [
  { path: "/.env", what: "an .env file", shows: isEnvironment },
  { path: "/.env.local", what: "an .env file", shows: isEnvironment },
  { path: "/.env.production", what: "an .env file", shows: isEnvironment },
  { path: "/.git/HEAD", what: "a git repository", shows: (answer) => answer.text.startsWith("ref: refs/") },
  { path: "/.git/config", what: "a git repository", shows: (answer) => /^\[core\]/m.test(answer.text) },
  { path: "/.npmrc", what: "a registry's token", shows: (answer) => /^\/\/\S+:_authToken=/m.test(answer.text) },
  { path: "/debug", what: "a debug endpoint", shows: debugging },
  { path: "/debug/config", what: "a debug endpoint", shows: debugging },
  { path: "/debug/env", what: "a debug endpoint", shows: debugging },
  { path: "/v1/debug", what: "a debug endpoint", shows: debugging },
  { path: "/status", what: "a status page with internals", shows: debugging },
  { path: "/config", what: "the configuration", shows: debugging },
  { path: "/actuator/env", what: "a Spring actuator", shows: (answer) => /"propertySources"/.test(answer.text) },
  { path: "/metrics", what: "metrics", shows: isMetrics },
  { path: "/openapi.json", what: "the API's description", shows: isOpenApi },
  { path: "/openapi.yaml", what: "the API's description", shows: isOpenApi },
  { path: "/swagger.json", what: "the API's description", shows: isOpenApi },
  {
    path: "/api-docs",
    what: "the API's description",
    shows: (answer) => isOpenApi(answer) || /swagger-ui/i.test(answer.text),
  },
  { path: "/docs", what: "documentation", shows: isDocumentation },
  {
    path: "/package.json",
    what: "package.json",
    shows: (answer) => isRecord(answer.json) && "dependencies" in answer.json,
  },
  { path: "/docker-compose.yml", what: "how it is deployed", shows: (answer) => /^services:\s*$/m.test(answer.text) },
  { path: "/backup.sql", what: "a database's dump", shows: isDump },
];
