import { defaults } from "../defaults.ts";
import type { Exchange } from "../exchange.ts";
import type { SecurityEvent } from "../events/event.ts";
import { injectionPatternIn, type InjectionPattern } from "../lib/injection-pattern.ts";
import type { Refusal } from "../refusal.ts";
import type { Auditor } from "../gate.ts";
import { spelledAlike } from "../limits/key.ts";
import type { PassedOn } from "../passing.ts";

/**
 * Observes every call: one record after the last byte or the abort, one event per refusal and per sign-in. Accounts
 * appear as keyed hashes, paths as their route's pattern; bodies, query values and secrets never. Past the failure
 * budget or the limit of an address its refusals become one event per second and code, with an exact count.
 *
 * @see OWASP ASVS 5.0 sections 16.2 and 16.3
 */
export const audit: Auditor = (api) => {
  const service = api.config.name;
  const { recorder, accounts, crowd } = api;

  function failed(x: Exchange | undefined, error: unknown, stage: string): void {
    recorder.failed(error, { requestId: x?.id, route: x?.route?.name, stage });
    recorder.record({
      kind: "event",
      type: "error-thrown",
      time: api.environment.clock.now(),
      service,
      protection: "errors",
      reason: stage,
      error: textOf(error),
      ...(x === undefined ? {} : { requestId: x.id }),
      ...(x?.route === undefined ? {} : { route: x.route.name }),
    });
  }

  function finished(x: Exchange, aborted: boolean): void {
    try {
      const { caller, refusal, route } = x;
      const account = caller === undefined ? accountNamed(x) : accounts.hash(caller.subject);
      const address = x.address?.text ?? "unknown";
      const method = x.isHead ? "HEAD" : x.method === "" ? "-" : x.method;
      recorder.record({
        kind: "call",
        time: x.timeMs,
        service,
        requestId: x.id,
        account,
        tenant: caller?.tenant,
        proof: caller?.proof.kind,
        address,
        userAgent: x.headers["user-agent"]?.slice(0, defaults.userAgentMaxLength),
        method,
        route: route?.name ?? x.passedOn?.route,
        status: x.status,
        durationMs: Math.round((api.environment.clock.monotonic() - x.startedMs) * 1000) / 1000,
        code: refusal?.code,
        aborted,
      });
      // Nearly every call ends here: nothing happened that anybody has to know.
      if (refusal === undefined && route?.startsSession !== true && x.passedOn === undefined) return;
      const common = {
        kind: "event",
        time: x.timeMs,
        service,
        requestId: x.id,
        status: x.status,
        address,
        method,
        ...(account === undefined ? {} : { account }),
        ...(caller?.tenant === undefined ? {} : { tenant: caller.tenant }),
        ...(route === undefined ? {} : { route: route.name }),
      } as const;
      if (x.passedOn !== undefined) {
        recordPassing(x.passedOn, common, x.isFlooding);
        return;
      }
      if (refusal === undefined) {
        recorder.record({ ...common, type: "signed-in", protection: "sessions" });
        return;
      }
      const pattern = patternOf(x, refusal);
      crowd.refused(x.isFlooding, {
        ...common,
        ...(pattern === undefined ? {} : { pattern }),
        type: "refused",
        protection: refusal.protection,
        code: refusal.code,
        reason: refusal.reason,
      });
    } catch (error) {
      failed(x, error, "audit");
    }
  }

  /** What nobody guarded: a listed route's call, or what shadow mode let through. */
  function recordPassing(
    { kind, route, wouldRefuse }: PassedOn,
    common: Omit<SecurityEvent, "type">,
    isFlooding: boolean,
  ): void {
    const event = { ...common, ...(route === undefined ? {} : { route }) };
    if (kind === "not-yet") recorder.record({ ...event, type: "passed-on" });
    else if (wouldRefuse !== undefined) {
      const { protection, code, status, reason } = wouldRefuse;
      crowd.refused(isFlooding, { ...event, type: "would-refuse", protection, code, status, reason });
    }
  }

  /** The account a sign-in named, by the spelling that limits count it by, hashed like a caller's subject. */
  function accountNamed(x: Exchange): string | undefined {
    const field = x.route?.accountField;
    if (field === undefined || typeof x.bodyInput !== "object" || x.bodyInput === null) return undefined;
    const name: unknown = Reflect.get(x.bodyInput, field);
    return typeof name === "string" ? accounts.hash(spelledAlike(name)) : undefined;
  }

  return { finished, failed };
};

/** For alerts: what a request refused for what it holds looks like. One of many is enough, so a flood is not read. */
function patternOf(x: Exchange, { status }: Refusal): InjectionPattern | undefined {
  if (x.isFlooding || (status !== 400 && status !== 404)) return undefined;
  return injectionPatternIn(x.arrival.target, x.bodySent);
}

/** Message and stack of whatever was thrown, causes included; never throws itself. */
function textOf(error: unknown): string {
  const parts: string[] = [];
  try {
    for (let one = error; one !== undefined && parts.length < 5; one = one instanceof Error ? one.cause : undefined) {
      parts.push(one instanceof Error ? (one.stack ?? `${one.name}: ${one.message}`) : typeof one);
    }
  } catch {
    parts.push("an error that cannot be read");
  }
  return parts.join("\ncaused by ").slice(0, errorMaxLength);
}

const errorMaxLength = 4_096;
