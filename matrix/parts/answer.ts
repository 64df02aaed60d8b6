import { randomUUID } from "node:crypto";
import { corsHeaders } from "./cors.ts";
import type { Incoming, Reply } from "./exchange.ts";
import type { World } from "./world.ts";

/** An answer as it is sent. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly payload: string | undefined;
}

/** The headers of every answer, refusals and the framework's own pages among them. */
export function everyHeader(incoming: Incoming, world: World): Record<string, string> {
  const { mutant } = world;
  const all: Record<string, string | false> = {
    "x-content-type-options": !mutant("no-nosniff") && "nosniff",
    "x-frame-options": !mutant("no-frame-options") && "DENY",
    "content-security-policy": !mutant("no-csp") && "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security":
      !mutant("no-hsts") && (mutant("short-hsts") ? "max-age=300" : "max-age=31536000; includeSubDomains"),
    "cache-control": mutant("cacheable") ? "public, max-age=600" : "no-store",
    "x-powered-by": mutant("banner") && "Express/5.3.0 (Ubuntu)",
    "x-request-id": randomUUID(),
  };
  const sent = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== false);
  const headers = mutant("html-echo") ? sent.filter(([name]) => !rendering.includes(name)) : sent;
  return { ...Object.fromEntries(headers), ...corsHeaders(incoming, world) };
}

const rendering: readonly string[] = ["content-security-policy", "x-content-type-options"];

/** A reply as text, with its content type. */
export function answerOf(reply: Reply): Answer {
  const { status, headers = {}, body, text } = reply;
  const payload = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const type = payload === undefined ? {} : { "content-type": "application/json; charset=utf-8" };
  return { status, headers: { ...type, ...headers }, payload };
}
