import type { Problem } from "../environment.ts";
import { isBlank } from "../lib/blank.ts";
import { topology, type TopologyOptions, topologyProblems } from "../lib/forwarded.ts";
import { isLoopbackHost, splitHost } from "../lib/host-name.ts";
import { isPlatform, type Platform, platforms, type PlatformName } from "../lib/platforms.ts";
import type { AdapterFacts } from "../listen.ts";
import type { ApiConfig } from "../api-config.ts";
import { runtime } from "#runtime";

/** What is wrong with what an API says of who stands in front of it, whoever serves it. */
export function frontProblems(config: ApiConfig): Problem[] {
  const { proxies, dangerouslyAllowLoopback } = config;
  const found: Problem[] = [];
  if (typeof proxies === "string") {
    if (!isPlatform(proxies)) {
      const names = Object.keys(platforms).join(", ");
      found.push(problem("proxies", "is no platform we know", `name one of ${names}, or write { trusted, header }`));
    }
  } else if (proxies !== undefined) {
    for (const one of topologyProblems(proxies)) found.push(problem(`proxies.${one.field}`, one.problem, one.fix));
    if (proxies.dangerouslyAssumeProxy !== undefined && isBlank(proxies.dangerouslyAssumeProxy)) {
      const fix = "say what keeps everybody else from reaching the server, such as a private network";
      found.push(problem("proxies.dangerouslyAssumeProxy", "has no reason", fix));
    }
  }
  if (dangerouslyAllowLoopback === undefined) return found;
  const field = "dangerouslyAllowLoopback";
  if (isBlank(dangerouslyAllowLoopback)) {
    found.push(problem(field, "has no reason", "say what hides the socket, such as next dev"));
  }
  if (isPlatform(proxies)) {
    found.push(problem(field, `${proxies} is no place for local work`, "leave it out where proxies names a platform"));
  }
  if (typeof proxies === "object" && trustsThisMachine(proxies)) {
    const fix = "leave one of the two out: where the proxy runs here, its header says whose request it is";
    found.push(problem(field, "proxies trusts this machine, so a loopback Host could write address and scheme", fix));
  }
  if (runtime.variable("NODE_ENV") === "production") {
    const fix = "leave it out in production, and say who stands in front in proxies";
    found.push(problem(field, "whoever writes a loopback Host would be let in without https", fix));
  }
  return found;
}

/** Who has no socket and says a loopback Host counts as this machine, and must not be its proxy as well. */
function trustsThisMachine(proxies: TopologyOptions): boolean {
  if (topologyProblems(proxies).length > 0) return false; // told already, and nothing starts
  const { peer } = topology(proxies);
  return peer("127.0.0.1").trusted || peer("::1").trusted;
}

/** What only the adapter knows: whether anything protects the wire, and whether anybody knows whose request it is. */
export function topologyNeeds(config: ApiConfig, facts: AdapterFacts): Problem[] {
  const { proxies } = config;
  if (isPlatform(proxies)) return platformNeeds(config, proxies, facts);
  if (facts.unknown.includes("peer")) return hiddenSocketNeeds(config);
  if (facts.tls !== "none" || proxies !== undefined) {
    return facts.tls === "1.2" && config.minTls !== "1.2"
      ? [
          {
            ...problem("tls", "TLS 1.2 is spoken", 'say minTls: "1.2" in createApi, so that the manifest shows it'),
            where: "listen",
          },
        ]
      : [];
  }
  const allLoopback = config.hosts.every((host) => isLoopbackHost(splitHost(host).host));
  if (facts.loopbackOnly && allLoopback) return [];
  return [
    problem(
      "proxies",
      "there is neither TLS nor a proxy that speaks it",
      "give api.listen a certificate, or declare the proxy in front: proxies: { trusted, header }",
    ),
  ];
}

function platformNeeds(config: ApiConfig, name: PlatformName, { building }: AdapterFacts): Problem[] {
  const { marks, agent, freezes } = platforms[name];
  const found = freezes ? countingNeeds(config) : [];
  // A build may run anywhere; what it makes is asked again where it starts.
  if (building === true || runsOn(platforms[name])) return found;
  const fix =
    agent === undefined
      ? `name it only there: proxies: process.env.${marks[0]} === undefined ? undefined : "${name}"`
      : `name it only there; a server behind ${name} names its networks: { trusted, header: "${platforms[name].header}" }`;
  const missing =
    agent === undefined
      ? `${marks.join(" and ")} ${marks.length === 1 ? "is" : "are"} not set`
      : `navigator.userAgent is not ${agent}`;
  return [
    ...found,
    problem("proxies", `this process does not run on ${name} (${missing}), so anybody could write the address`, fix),
  ];
}

/** Whether the process shows that it runs there. A variable that is set to nothing, as shells leave one, shows nothing. */
function runsOn({ marks, agent }: Platform): boolean {
  if (agent !== undefined) return typeof navigator !== "undefined" && navigator.userAgent === agent;
  return marks.some((mark) => (runtime.variable(mark) ?? "") !== "");
}

function hiddenSocketNeeds(config: ApiConfig): Problem[] {
  const { proxies } = config;
  const found: Problem[] = [];
  const assumed = typeof proxies === "object" && proxies.dangerouslyAssumeProxy !== undefined;
  if (!assumed && config.dangerouslyAllowLoopback === undefined) {
    const platform = 'name the platform (proxies: "vercel")';
    found.push(
      proxies === undefined
        ? problem(
            "proxies",
            "nobody can see the socket here, so no request has an address",
            `${platform}, or hand the peer to api.fetch; for local work say dangerouslyAllowLoopback with a reason`,
          )
        : problem(
            "proxies",
            "nobody can see here whether a request came through one of these proxies",
            `${platform}, hand the peer to api.fetch, or say proxies.dangerouslyAssumeProxy with what guarantees it`,
          ),
    );
  }
  return [...found, ...countingNeeds(config)];
}

/** A host that starts processes as it likes would multiply every limit. */
function countingNeeds({ limits }: ApiConfig): Problem[] {
  if (limits?.instances !== undefined || limits?.limiter !== undefined) return [];
  return [
    problem(
      "limits.instances",
      "nobody says how many processes run, and each would count by itself",
      "say limits: { instances: 1 } where one process serves all, else share the counts with limits.limiter",
    ),
  ];
}

function problem(field: string, text: string, fix: string): Problem {
  return { where: "createApi", field, problem: text, fix };
}
