import { type Answer, isSuccess, mediaTypeOf } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import { isRecord } from "../json.ts";
import { isLimited, sameSignature } from "../oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  type Outcome,
  type Probe,
  threeLegs,
} from "../probe.ts";
import { withCredential, withQuery } from "../requests.ts";

/**
 * Places that strangers find first: debug endpoints, dot files, source maps, metrics, documentation. Only content that
 * could be nothing else counts, compared with paths that cannot exist. And credentials in the URL.
 */
export const exposure: Probe = { id: "exposure", plan: planExposure };

interface Place {
  readonly path: string;
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
  return answer.text.length > 2 && words.filter((word) => word.test(answer.text)).length >= 2;
}

const isOpenApi = (answer: Answer) =>
  isRecord(answer.json) && ("openapi" in answer.json || "swagger" in answer.json) && "paths" in answer.json;
const isMetrics = (answer: Answer) => /^# (?:HELP|TYPE) \w+/m.test(answer.text);

const places: readonly Place[] = [
  {
    path: "/.env",
    what: "an .env file",
    shows: (answer) => /^[A-Z][A-Z0-9_]{2,}=\S/m.test(answer.text) && mediaTypeOf(answer) !== "text/html",
  },
  { path: "/.git/HEAD", what: "a git repository", shows: (answer) => answer.text.startsWith("ref: refs/") },
  { path: "/.git/config", what: "a git repository", shows: (answer) => /^\[core\]/m.test(answer.text) },
  { path: "/debug", what: "a debug endpoint", shows: debugging },
  { path: "/debug/config", what: "a debug endpoint", shows: debugging },
  { path: "/debug/env", what: "a debug endpoint", shows: debugging },
  { path: "/v1/debug", what: "a debug endpoint", shows: debugging },
  { path: "/status", what: "a status page with internals", shows: debugging },
  { path: "/config", what: "the configuration", shows: debugging },
  { path: "/actuator/env", what: "a Spring actuator", shows: (answer) => /"propertySources"/.test(answer.text) },
  { path: "/metrics", what: "metrics", shows: isMetrics },
  { path: "/openapi.json", what: "the API's description", shows: isOpenApi },
  { path: "/swagger.json", what: "the API's description", shows: isOpenApi },
  {
    path: "/api-docs",
    what: "the API's description",
    shows: (answer) => isOpenApi(answer) || /swagger-ui/i.test(answer.text),
  },
  { path: "/docs", what: "documentation", shows: (answer) => /swagger-ui|redoc/i.test(answer.text) },
  {
    path: "/package.json",
    what: "package.json",
    shows: (answer) => isRecord(answer.json) && "dependencies" in answer.json,
  },
  {
    path: "/server.js.map",
    what: "a source map",
    shows: (answer) => isRecord(answer.json) && "mappings" in answer.json,
  },
];

function planExposure(context: ProbeContext): readonly Check[] {
  const declared = new Set(context.target.operations.map((operation) => operation.path));
  const checks: Check[] = places
    .filter((place) => !declared.has(place.path))
    .map((place) => ({
      check: `path-${place.path.slice(1).replace(/[^a-z0-9]+/gi, "-")}`,
      run: () => look(context, place),
    }));
  return [...checks, { check: "credential-in-url", run: () => credentialInUrl(context) }];
}

async function look(context: ProbeContext, place: Place): Promise<Outcome> {
  const ask = () =>
    context.send("attack", { method: "GET", target: place.path, headers: [["accept", "*/*"]], label: "nobody" });
  const trial = await ask();
  if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), [trial]);
  const nowhere = await context.nowhere();
  if (!isSuccess(trial.answer) || sameSignature(trial.answer, nowhere.answer) || !place.shows(trial.answer)) {
    return held(`${place.path} shows nothing`, [trial]);
  }
  const again = await ask();
  if (!isSuccess(again.answer) || !place.shows(again.answer))
    return inconclusive("it showed something once and not again", [trial, again]);
  return broken(`${place.path} shows ${place.what} to anybody`, [nowhere, trial]);
}

/** The caller's own credential in the query: URLs end in logs. */
async function credentialInUrl(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await context.witness();
  const bare = withCredential(witness.positive.outgoing, undefined, `${witness.identity.name}, credential in the URL`);
  const found: NamedOutcome[] = [];
  for (const name of ["access_token", "token", "api_key", "key", "jwt", "auth"]) {
    const garbage = await context.send(
      "negative",
      withQuery({ ...bare, label: "nobody, made-up credential in the URL" }, name, "pc-made-up-credential"),
    );
    const result = await threeLegs({
      positive: witness.positive,
      negatives: [garbage, ...witness.negatives],
      canary: witness.canary,
      attack: () => context.send("attack", withQuery(bare, name, witness.identity.secret)),
      broken: `a credential in the URL (?${name}=) is accepted`,
      held: `a credential in the URL (?${name}=) is refused`,
    });
    found.push({ check: `in-url-${name}`, ...result });
  }
  return found;
}
