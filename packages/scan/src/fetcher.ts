import http from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { addressFor, hostOf, isLoopbackName, nameOf, portOf } from "./address.ts";
import type { Answer } from "./answer.ts";
import { answerOf, headerOf, noAnswer } from "./answer.ts";
import { declareCaller, declareLimits, routeKeys, spared, unknownNearby, unknownRate } from "./declared-limits.ts";
import { certificateProblem } from "./certificate.ts";
import { createGates } from "./gates.ts";
import { createLocalAddresses } from "./local-addresses.ts";
import type { Pacer, Reservation } from "./pace.ts";
import { type Conversation, converse, type Wire } from "./raw.ts";
import type { Interrupt } from "./interrupt.ts";
import { BudgetSpent, ScanError, TargetGone, Unreachable } from "./scan-error.ts";
import type { Policy } from "./target.ts";
import type { Outgoing } from "./outgoing.ts";
import { wireHeaders } from "./wire-headers.ts";

export type { Outgoing } from "./outgoing.ts";

/** Where the target is and how to talk to it. */
export interface FetcherOptions {
  readonly url: URL;
  /** PEM certificates to trust besides the system's. */
  readonly ca?: string;
  readonly policy: Policy;
  readonly pacer: Pacer;
  /** Longest wait for an answer; default 10,000. */
  readonly timeoutMs?: number;
  /** Answers are cut there; default 2 MiB. */
  readonly maxAnswerBytes?: number;
  /** Most requests of the whole scan; default 20,000. */
  readonly maxRequests?: number;
  /** Most requests in any second, bursts among them; default: what the target's own limits allow. */
  readonly rate?: number;
  /** Asked before every request; default: nobody ends the scan. */
  readonly interrupt?: Interrupt;
}

/** Sends requests to one host and to no other; redirects are answers, never followed. */
export interface Fetcher {
  readonly url: URL;
  /** Requests sent so far. */
  readonly sent: number;
  /** What it saw besides answers, one sentence each: that the target went away and came back. */
  readonly notes: readonly string[];
  /**
   * Sends one request. Waits for the target's limits; a 429 or 503 is tried again at most twice after its Retry-After.
   *
   * @throws BudgetSpent when a limit leaves no room, Unreachable for an operation that kept giving no whole answer in time,
   *   TargetGone when nothing listens any more, ScanError when it cannot be trusted
   */
  send(outgoing: Outgoing): Promise<Answer>;
  /**
   * Writes bytes to a connection of their own; for requests that no HTTP library would send.
   *
   * @param like  the request they are a variant of, whose limits they count against; default: a stranger's
   */
  raw(wire: Omit<Wire, "url" | "ca">, like?: Outgoing): Promise<Conversation>;
  /** Keeps so many requests of the budget for later, and a few more; they are not spent before `spendRest`. */
  keep(requests: number): void;
  /** What was kept of the budget so far may be spent from now on. */
  spendRest(): void;
  /**
   * Makes sure that the target still listens where its last requests got no answer.
   *
   * @throws TargetGone that names the request
   */
  assertListening(): Promise<void>;
  close(): void;
}

/** True for requests that are one of many and may come from any address of this machine: those that claim nothing of it. */
function namesNoAddress({ headers, burst }: Outgoing): boolean {
  return burst !== true && !headers.some(([name]) => /forward|^x-real|-ip$|^via$|^cookie$/.test(name));
}

/** Statuses a failure budget counts (docs/manifest.md, `limits.failures`). */
const failures: ReadonlySet<number> = new Set([401, 403, 404, 405, 421]);

/** Whoever sends bytes that are a variant of no request. */
const stranger: Outgoing = { method: "GET", target: "/", headers: [], label: "nobody" };

/** Makes a fetcher. No request is sent yet. */
export function createFetcher(options: FetcherOptions): Fetcher {
  const { url, pacer, policy } = options;
  const secure = url.protocol === "https:";
  const agent = new (secure ? https : http).Agent({
    keepAlive: true,
    maxSockets: 48,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
  const gates = createGates();
  const otherAddresses = createLocalAddresses(url);
  const timeoutMs = options.timeoutMs ?? 10_000;
  const maxAnswerBytes = options.maxAnswerBytes ?? 2 * 1024 * 1024;
  const maxRequests = options.maxRequests ?? 20_000;
  // Without a rest, nobody could be seen to live at the end, and nothing that was created be deleted.
  const rest = Math.min(100, Math.max(12, Math.ceil(maxRequests * 0.1)));
  let kept = rest;
  let sent = 0;
  /** Whether anything was ever answered. */
  let answered = false;
  const notes: string[] = [];
  /** The last requests that got no answer, and whether anything was answered after them. */
  let unanswered: { outgoing: Outgoing; at: number }[] = [];
  /** How often in a row an operation gave no whole answer in time. */
  const stuck = new Map<string, number>();
  const unknown = isLoopbackName(hostOf(url)) ? unknownNearby : unknownRate;
  declareLimits(pacer, policy, unknown);
  if (options.rate !== undefined) pacer.declare("rate", { limit: options.rate, windowMs: 1000 });

  function count(): void {
    options.interrupt?.assertGoing();
    if (sent >= maxRequests - kept)
      throw new BudgetSpent(`the scan's budget of ${maxRequests} requests is used up (--budget <requests>)`);
    sent += 1;
  }

  /** Keeps in mind who waits in vain: an operation that hangs would else cost the scan ten seconds each time. */
  function remember(outgoing: Outgoing, answer: Answer): void {
    const key = stuckKey(outgoing);
    if (answer.ms >= timeoutMs) stuck.set(key, (stuck.get(key) ?? 0) + 1);
    else if (answer.status !== 0) stuck.delete(key);
    if (answer.status !== 0) [unanswered, answered] = [[], true];
    else unanswered = [...unanswered.slice(-7), { outgoing, at: performance.now() }];
  }

  function assertUnstuck(outgoing: Outgoing): void {
    if ((stuck.get(stuckKey(outgoing)) ?? 0) < mostStuck) return;
    throw new Unreachable(
      `${outgoing.operation?.id ?? `${outgoing.method} ${outgoing.target}`} gave no whole answer within ${timeoutMs / 1000} s, ${mostStuck} times in a row`,
    );
  }

  async function paced(outgoing: Outgoing): Promise<Answer> {
    return await withinLimits(
      outgoing,
      (from) => once(outgoing, from),
      (answer) => failures.has(answer.status),
      namesNoAddress(outgoing),
    );
  }

  /** Waits for the limits a request counts against, sends it, and settles what only failures count against. */
  async function withinLimits<Got>(
    outgoing: Outgoing,
    go: (from: string | undefined) => Promise<Got>,
    failed: (got: Got) => boolean,
    isMovable: boolean,
  ): Promise<Got> {
    const caller = outgoing.as?.name;
    // Before proof a failure counts against the address, after it against the caller.
    const failureKey = caller === undefined || outgoing.operation === undefined ? "failures" : `failures ${caller}`;
    if (caller !== undefined) declareCaller(pacer, policy, caller, unknown);
    const routes = routeKeys(pacer, outgoing);
    const others = isMovable && policy.limits.failures !== undefined ? await otherAddresses() : [];
    // From here to the first place that is taken nothing waits, so that a place that is free stays free.
    const from = failureKey === "failures" && isMovable ? addressWithRoom(others) : undefined;
    const here = from === undefined ? "" : ` ${from}`;
    const isSpared = failureKey === "failures" && isMovable && from === undefined && pacer.hasRoom([spared]);
    const reservations: Reservation[] = [];
    let counted = false;
    try {
      for (const key of [...(isSpared ? [spared] : []), `${failureKey}${here}`, ...routes.failures])
        reservations.push(await pacer.reserve(key));
      const who = caller === undefined ? [`address${here}`] : ["tenant", `caller ${caller}`];
      await pacer.take(["all", "rate", ...who, ...routes.requests]);
      count();
      const got = await go(from);
      counted = failed(got);
      return got;
    } finally {
      for (const reservation of reservations) reservation.settle(counted);
    }
  }

  /** Another address of this machine, where what is declared for the usual one is used up, and where that can be spared. */
  function addressWithRoom(others: readonly string[]): string | undefined {
    const { failures: limit, address } = policy.limits;
    if (limit === undefined || pacer.hasRoom(["failures", "address", spared])) return undefined;
    for (const other of others) {
      pacer.declare(`failures ${other}`, limit, "count");
      if (address !== undefined) pacer.declare(`address ${other}`, address);
      if (pacer.hasRoom([`failures ${other}`, `address ${other}`])) return other;
    }
    return undefined;
  }

  async function send(outgoing: Outgoing): Promise<Answer> {
    options.interrupt?.assertGoing();
    assertUnstuck(outgoing);
    if (outgoing.burst === true) {
      await pacer.take(["rate"]);
      count();
      return await once(outgoing);
    }
    const gate = gateOf(outgoing);
    await gates.open(gate);
    let answer = await paced(outgoing);
    if (answer.status === 429) slowDown(outgoing);
    for (let tries = 0; tries < 2 && (answer.status === 429 || answer.status === 503); tries += 1) {
      const asked = Number(headerOf(answer, "retry-after") ?? "1");
      const waitMs = Number.isFinite(asked) && asked >= 0 ? asked * 1000 + 50 : 1000;
      if (waitMs > pacer.longestWaitMs()) return answer;
      gates.close(gate, waitMs);
      await gates.open(gate);
      answer = await paced(outgoing);
    }
    return answer;
  }

  /** Operations that met a limit nobody declared, by the name of the limit they were sent under. */
  const met = new Map<string, Set<string>>();

  /** Where several operations meet limits nobody declared, it is their caller's: then the usual pace is fast enough. */
  function slowDown(outgoing: Outgoing): void {
    const { address, caller } = policy.limits;
    const { as } = outgoing;
    if ((as === undefined ? address : caller) !== undefined) return;
    const name = as === undefined ? "address" : `caller ${as.name}`;
    const operations = (met.get(name) ?? new Set()).add(stuckKey(outgoing));
    met.set(name, operations);
    if (operations.size > 2) pacer.lower(name, unknownRate);
  }

  async function once(outgoing: Outgoing, from?: string): Promise<Answer> {
    const first = await attempt(outgoing, from);
    // A kept connection that the server closed at the same moment says nothing about the request.
    if (first.retry === true) unanswered = [...unanswered.slice(-7), { outgoing, at: performance.now() }];
    const { answer, refused } = first.retry === true ? await attempt(outgoing, from) : first;
    if (refused === true) await assertAlive(outgoing);
    remember(outgoing, answer);
    return answer;
  }

  /** Opens a request. @throws Unreachable for what cannot be written as HTTP, such as a header of two lines */
  function written(outgoing: Outgoing, how: http.RequestOptions): http.ClientRequest {
    try {
      return (secure ? https : http).request(how);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Unreachable(`${stuckKey(outgoing)} cannot be written as an HTTP request (${why})`, { cause });
    }
  }

  function attempt(outgoing: Outgoing, from?: string): Promise<{ answer: Answer; retry?: boolean; refused?: boolean }> {
    return new Promise((resolve, reject) => {
      const started = performance.now();
      const ms = () => performance.now() - started;
      const request = written(outgoing, {
        agent,
        host: addressFor(hostOf(url)),
        ...nameOf(url),
        port: portOf(url),
        method: outgoing.method,
        path: outgoing.target,
        headers: wireHeaders(url, outgoing),
        ...(from === undefined ? {} : { localAddress: from, family: 4 }),
        ...(options.ca === undefined ? {} : { ca: options.ca }),
      });
      let tooSlow = false;
      const timer = setTimeout(() => {
        tooSlow = true;
        request.destroy(new Error("no answer in time"));
      }, timeoutMs);
      // Who switches to another protocol, unasked, has answered, and says nothing more that is HTTP.
      for (const event of ["upgrade", "connect"]) {
        request.once(event, (response: http.IncomingMessage, socket: Duplex) => {
          clearTimeout(timer);
          socket.destroy();
          const { statusCode = 0, rawHeaders } = response;
          resolve({ answer: answerOf({ status: statusCode, rawHeaders, body: Buffer.alloc(0), ms: ms() }) });
        });
      }
      request.once("error", (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        const untrusted = certificateProblem(error);
        if (untrusted !== undefined) return reject(new ScanError(untrusted, { cause: error }));
        resolve({
          answer: noAnswer(error.code === "ECONNRESET" ? "the connection was closed" : error.message, ms()),
          retry: request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE"),
          refused: error.code === "ECONNREFUSED",
        });
      });
      request.once("response", (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        let tooLarge = false;
        let settled = false;
        const finish = () => {
          if (settled) return;
          settled = true;
          clearTimeout(timer);
          // Who answers before it has read the body may never read it: its connection, and the body, would be kept.
          if (!request.writableFinished) request.destroy();
          resolve({
            answer: answerOf({
              status: response.statusCode ?? 0,
              rawHeaders: response.rawHeaders,
              body: Buffer.concat(chunks),
              ms: ms(),
              truncated: tooLarge ? "too large" : !response.complete && (tooSlow ? "too slow" : "broken off"),
            }),
          });
        };
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size <= maxAnswerBytes) return chunks.push(chunk);
          tooLarge = true;
          request.destroy();
          return finish();
        });
        response.once("end", finish);
        response.once("error", finish);
        response.once("close", finish);
      });
      if (outgoing.body === undefined) request.end();
      else request.end(outgoing.body);
    });
  }

  async function assertAlive(last: Outgoing): Promise<void> {
    // Whoever was cut off is likelier to be the reason than who found the door closed.
    const cutOff = unanswered.filter(({ at }) => performance.now() - at < 5000).map(({ outgoing }) => outgoing);
    const suspects = [...new Set((cutOff.length > 0 ? cutOff : [last]).map(requestLine))];
    const others = suspects.length > 1 ? ` (others in flight: ${suspects.slice(1).join(", ")})` : "";
    for (let tries = 0; tries < 8; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      const again = await attempt({ method: "GET", target: url.pathname, headers: [], label: "alive?" });
      if (again.refused === true) continue;
      notes.push(`The target went away for a moment; the last request was ${suspects[0]}${others}.`);
      unanswered = [];
      return;
    }
    if (!answered) throw new ScanError(`nothing listens on ${url.origin}`);
    throw new TargetGone(`the target stopped listening; the last request was ${suspects[0]}${others}`);
  }

  return {
    url,
    get sent() {
      return sent;
    },
    notes,
    send,
    keep(requests) {
      if (kept > 0) kept = rest + requests;
    },
    spendRest() {
      kept = 0;
    },
    async assertListening() {
      const last = unanswered.at(-1);
      if (last === undefined) return;
      const again = await attempt({ method: "GET", target: url.pathname, headers: [], label: "alive?" });
      if (again.refused === true) await assertAlive(last.outgoing);
      unanswered = [];
    },
    async raw(wire, like = stranger) {
      await gates.open(gateOf(like));
      return await withinLimits(
        like,
        () => converse({ ...wire, url, ...(options.ca === undefined ? {} : { ca: options.ca }) }),
        ({ answers }) => answers.some((answer) => failures.has(answer.status)),
        false,
      );
    },
    close: () => agent.destroy(),
  };
}

/** So often in a row, and an operation is not asked again. */
const mostStuck = 3;

function stuckKey(outgoing: Outgoing): string {
  return outgoing.operation?.id ?? `${outgoing.method} ${outgoing.target.split("?")[0]}`;
}

/** What a refusal for now is taken to be about: one operation, for one caller. */
function gateOf(outgoing: Outgoing): string {
  return `${stuckKey(outgoing)} ${outgoing.as?.name ?? ""}`;
}

function requestLine(outgoing: Outgoing): string {
  const { method, target, label } = outgoing;
  return `${method} ${target.length > 200 ? `${target.slice(0, 200)}…` : target} as ${label}`;
}
