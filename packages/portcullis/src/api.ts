import type { Demand } from "./demand.ts";
import type { Problem } from "./environment.ts";
import { assemblePlan } from "./assemble.ts";
import { accountEvents, type AccountHappening } from "./events/account-event.ts";
import type { SecurityEvent } from "./events/event.ts";
import type { Answer, Arrival } from "./exchange.ts";
import type { AdapterFacts, Handled, ListenOptions, Listening, Served } from "./listen.ts";
import { StartRefused } from "./listen.ts";
import type { Manifest } from "./manifest.ts";
import { writeManifest } from "./manifest.ts";
import type { OutputPolicy } from "./output.ts";
import type { Gates, Pipeline } from "./pipeline.ts";
import { assemblePipeline, standardGates } from "./pipeline.ts";
import type { ApiPlan, DeclaredRoute } from "./plan.ts";
import type { ApiConfig } from "./api-config.ts";
import type {
  AccessPolicy,
  Given,
  Handler,
  InputPolicy,
  NoInputs,
  NoObjects,
  ObjectsPolicy,
  PagePolicy,
  RoutePath,
  RoutePolicy,
} from "./policy.ts";
import type { PolicyChecks } from "./policy-checks.ts";
import { listenProblems } from "./problems/options.ts";
import { findProblems } from "./problems/problems.ts";
import { occasionalEvent } from "./lib/occasional-event.ts";
import { Refusal } from "./refusal.ts";
import type { AnyResource, Resource, ResourceRule } from "./resource.ts";
import {
  checkFacts,
  FetchArrival,
  type FetchFacts,
  keepRecords,
  responseOf,
  unknownToFetch,
} from "./adapters/fetch.ts";
import { isLoopbackHost, splitHost } from "./lib/host-name.ts";
import { isPlatform, platforms } from "./lib/platforms.ts";
import { runtime } from "#runtime";

/** An API under guard: what `createApi` returns. */
export interface Api extends Served {
  /**
   * Declares a kind of object once: how it is loaded and who may reach it. Every route and every list that touches it
   * obeys the same rule.
   */
  resource<T>(name: string, rule: ResourceRule<T>): Resource<T>;
  /**
   * Declares one route: its policy, and the handler that runs when every gate has admitted the request. Registering a
   * path again replaces it, so that a reloaded module works in development.
   */
  route<
    const Path extends RoutePath,
    const Access extends AccessPolicy,
    const Output extends OutputPolicy,
    Input extends InputPolicy = NoInputs,
    const Objects extends ObjectsPolicy = NoObjects,
    const Paging extends PagePolicy | undefined = undefined,
  >(
    policy: RoutePolicy<Path, Access, Input, Objects, Output, Paging> &
      PolicyChecks<Path, Access, Input, Objects, Output, Paging>,
    handler: Handler<Given<Path, Access, Input, Objects, Paging>, Output>,
  ): void;
  /** Has a part that declares routes say what it needs of this API: what it names stops the start. */
  demand(demand: Demand): void;
  /** Everything that would stop the start, with the fix; empty when the API may listen. No side effects. */
  problems(): readonly Problem[];
  /**
   * The sum of all policies, as OpenAPI 3.1 with `x-portcullis`.
   *
   * @throws StartRefused where there are problems: an incomplete policy proves nothing
   */
  manifest(): Manifest;
  /**
   * Serves the API on sockets of our own.
   *
   * @throws StartRefused before anything listens, with every problem at once
   */
  listen(options: ListenOptions): Promise<Listening>;
  /**
   * Answers one `Request`, for hosts that speak `Request` and `Response`: Next.js, Hono, Deno, Bun, workers. What a
   * `Request` cannot tell is unknown and stays it: name the platform in `proxies`, or hand over the facts.
   *
   * @param facts  what the host knows of the request beyond it; never anything a client wrote
   * @throws StartRefused (the promise rejects) where there are problems, at every request until they are mended
   * @throws OptionsError where `facts` holds anything else, such as a worker's environment
   */
  fetch(request: Request, facts?: FetchFacts): Promise<Response>;
  /**
   * Records what happened to an account, a session, a permission, a token or a key, among the events that `onEvent`, sinks
   * and alerts see. Before the API serves it is kept, the last 100 of it, and recorded when it does.
   *
   * @throws TypeError for a type that is none of the list, which only untyped code can say
   */
  tell(happening: AccountHappening): void;
}

/**
 * Makes an API that refuses to start with a hole in its policy. No side effects: no timers, files or fetches before
 * the first request or `listen`. Throws nothing itself: a mistake in `config`, a resource or a route is one of
 * `problems()`, and `listen`, `manifest` and an adapter's start throw `StartRefused` with all of them.
 *
 * @param config  who may come in at all; what is left out is safe (`defaults.ts`, each with its unit)
 * @see OWASP API8:2023, and docs/protections for what each gate answers
 */
export function createApi(config: ApiConfig): Api {
  return createApiWith(config, standardGates);
}

/** {@link createApi} with other gates; for the tests that hold each gate against its usual wrong version. */
export function createApiWith(config: ApiConfig, gates: Gates): Api {
  const resources = new Map<string, AnyResource>();
  const routes = new Map<string, DeclaredRoute>();
  const demands: Demand[] = [];
  const declared = (): readonly DeclaredRoute[] => [...routes.values()];
  let facts: AdapterFacts | undefined;
  let running: { readonly plan: ApiPlan; readonly pipeline: Pipeline } | undefined;
  // What ran before a route was declared that does not start: it serves nothing any more, and still says no.
  let lastRunning: typeof running;
  let hasStopped = false;
  let tellTurnedAway: ((reason: string) => void) | undefined;
  let early: { readonly happening: AccountHappening; readonly time: number }[] = [];

  function problems(): readonly Problem[] {
    return findProblems(config, [...resources.values()], declared(), demands, facts);
  }

  /** Builds everything once; a later `route` builds it anew. */
  function run(): { readonly plan: ApiPlan; readonly pipeline: Pipeline } {
    if (running !== undefined) return running;
    const found = problems();
    if (found.length > 0) throw new StartRefused(found);
    const before = hasStopped ? undefined : lastRunning?.plan;
    const plan = assemblePlan(config, [...resources.values()], declared(), facts?.passing, before);
    hasStopped = false;
    running = { plan, pipeline: assemblePipeline(plan, gates) };
    lastRunning = running;
    for (const { happening, time } of early) record(plan, happening, time);
    early = [];
    return running;
  }

  function record(plan: ApiPlan, happening: AccountHappening, time: number): void {
    const { type, subject, client, request, reason } = happening;
    const account = subject === undefined ? undefined : plan.accounts.hash(subject);
    plan.recorder.record({
      kind: "event",
      type,
      time,
      service: config.name,
      protection: accountEvents[type].protection,
      ...(account === undefined ? {} : { account }),
      ...(client === undefined ? {} : { client }),
      ...(request === undefined ? {} : { requestId: request.id, address: request.address }),
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** Starts with the first request, because no host says when it begins to serve. */
  function startForFetch(given: FetchFacts): ApiPlan {
    if (facts === undefined) {
      const adapter = typeof config.proxies === "string" ? config.proxies : "fetch";
      const unknown = [...(given.peer === undefined ? ["peer"] : []), ...unknownToFetch];
      try {
        api.start({ adapter, tls: "unknown", loopbackOnly: false, unknown });
      } catch (error) {
        facts = undefined;
        throw error;
      }
    }
    return run().plan;
  }

  /** For local work where the developer said so: a request from nowhere, to a loopback name, is this machine's own. */
  function withLoopback(request: Request, given: FetchFacts): FetchFacts {
    if (config.dangerouslyAllowLoopback === undefined || given.peer !== undefined) return given;
    const host = request.headers.get("host") ?? new URL(request.url).host;
    return isLoopbackHost(splitHost(host).host) ? { scheme: "http", ...given, peer: "127.0.0.1" } : given;
  }

  const api: Api = {
    name: config.name,
    resource(name, rule) {
      const resource = Object.freeze({ name, rule: Object.freeze({ ...rule }) });
      resources.set(name, resource);
      return resource;
    },
    route(policy, handler) {
      routes.set(`${policy.path} ${typeof policy.version === "string" ? policy.version : ""}`, {
        policy,
        hasHandler: typeof handler === "function",
        // The policy's types say what the handler is given; the pipeline's input and object-access gates make it true.
        handler(given): unknown {
          return Reflect.apply(handler, undefined, [given]);
        },
      });
      running = undefined;
    },
    demand(demand) {
      demands.push(demand);
      running = undefined;
    },
    problems,
    manifest() {
      const found = problems();
      if (found.length > 0) throw new StartRefused(found);
      return writeManifest(config, [...resources.values()], declared(), facts);
    },
    async listen(options) {
      const mistakes = listenProblems(options);
      if (mistakes.length > 0) throw new StartRefused([...mistakes, ...problems()]);
      return runtime.listen(api, options);
    },
    start(adapterFacts) {
      facts = adapterFacts;
      running = undefined;
      if (adapterFacts.building === true) {
        const found = problems();
        if (found.length > 0) throw new StartRefused(found);
        return;
      }
      const { plan } = run();
      plan.environment.emit({
        kind: "event",
        type: "started",
        time: plan.environment.clock.now(),
        service: config.name,
        ...(adapterFacts.tls === "none" && config.proxies === undefined ? { reason: localOnly } : {}),
      });
    },
    handle(arrival: Arrival): Handled | Promise<Handled> {
      return run().pipeline.handle(arrival);
    },
    refuse(code, reason, peer, scheme): Answer {
      const handled = (lastRunning ?? run()).pipeline.refuse(new Refusal(code, reason), unread(peer, scheme));
      handled.finished(false);
      return handled.answer;
    },
    async fetch(request, given = {}) {
      checkFacts(given);
      const plan = startForFetch(given);
      const { proxies } = config;
      const arrival = new FetchArrival(request, withLoopback(request, given), plan.deadlines);
      const handled = await api.handle(arrival);
      if (handled.answer.close) arrival.leave();
      const response = responseOf(handled);
      handled.finished(request.signal.aborted);
      await keepRecords(plan, given, isPlatform(proxies) && platforms[proxies].freezes);
      return response;
    },
    routes: () => [...routes.values()].map(({ policy }) => policy.path),
    note(type, reason) {
      const { clock, emit } = (lastRunning ?? run()).plan.environment;
      emit({ kind: "event", type, time: clock.now(), service: config.name, reason });
    },
    tell(happening) {
      const { type } = happening;
      // Kept until the start, it would be the start that fails.
      if (!Object.hasOwn(accountEvents, type))
        throw new TypeError(`api.tell: ${type} is nothing that happens to accounts`);
      const time = config.clock?.now() ?? Date.now();
      if (lastRunning === undefined) early = [...early.slice(-99), { happening, time }];
      else record(lastRunning.plan, happening, time);
    },
    isProxy: (address) => (lastRunning ?? run()).plan.topology.peer(address).trusted,
    turnedAway(address, reason) {
      const { clock } = (lastRunning ?? run()).plan.environment;
      const emit = (event: SecurityEvent): void => (lastRunning ?? run()).plan.environment.emit(event);
      tellTurnedAway ??= occasionalEvent({ clock, emit }, "connections-refused", "rate-limit", turnedAwayEveryMs);
      tellTurnedAway(`connections from ${address}: ${reason}`);
    },
    async stop() {
      if (lastRunning === undefined) return;
      const { environment, recorder, crowd } = lastRunning.plan;
      hasStopped = true;
      crowd.flush();
      environment.emit({ kind: "event", type: "stopped", time: environment.clock.now(), service: config.name });
      await recorder.stop();
    },
  };
  return api;
}

/** What stands for a request that never became one. */
function unread(peer: string, scheme: "https" | "http"): Arrival {
  return {
    method: "",
    target: "",
    headers: [],
    peer,
    scheme,
    hasBody: false,
    readBody: () => Promise.resolve("aborted"),
    signal: () => AbortSignal.abort(),
  };
}

const turnedAwayEveryMs = 1_000;

/** For who wonders why requests through a proxy are refused. */
const localOnly =
  "plain http, for this machine alone; where a proxy hands strangers on, declare it: proxies: { trusted, header }";
