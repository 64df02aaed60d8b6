import type { SecurityEvent } from "./event.ts";
import type { CallRecord } from "./record.ts";

/**
 * An entry as one line of JSON without the newline, its time as RFC 3339 in UTC. What `JSON.stringify` would write, put
 * together by hand for call records, because there is one for every request; and no control character in it, because
 * terminals obey those that JSON lets stand (U+007F to U+009F: U+009B begins an escape sequence).
 */
export function lineOf(entry: CallRecord | SecurityEvent): string {
  return entry.kind === "call" ? callLine(entry) : visible(JSON.stringify({ ...entry, time: isoTime(entry.time) }));
}

function callLine(record: CallRecord): string {
  const { account, tenant, proof, userAgent, route, code } = record;
  let line = `{"kind":"call","time":"${isoTime(record.time)}","service":${quote(record.service)}`;
  line += `,"requestId":${quote(record.requestId)}`;
  if (account !== undefined) line += `,"account":${quote(account)}`;
  if (tenant !== undefined) line += `,"tenant":${quote(tenant)}`;
  if (proof !== undefined) line += `,"proof":${quote(proof)}`;
  line += `,"address":${quote(record.address)}`;
  if (userAgent !== undefined) line += `,"userAgent":${quote(userAgent)}`;
  line += `,"method":${quote(record.method)}`;
  if (route !== undefined) line += `,"route":${quote(route)}`;
  line += `,"status":${record.status},"durationMs":${record.durationMs}`;
  if (code !== undefined) line += `,"code":${quote(code)}`;
  return `${line},"aborted":${record.aborted}}`;
}

/** A text as a JSON string; what needs an escape, and a lone surrogate, is left to the engine. */
function quote(text: string): string {
  return NEEDS_ESCAPE.test(text) ? visible(JSON.stringify(text)) : `"${text}"`;
}

function visible(json: string): string {
  return json.replaceAll(LATE_CONTROL, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const NEEDS_ESCAPE = /["\\\u0000-\u001f\u007f-\u009f\ud800-\udfff]/;
const LATE_CONTROL = /[\u007f-\u009f]/g;

let lastSecond = Number.NaN;
let upToSecond = "";

/** Unix milliseconds as `2026-01-02T03:04:05.006Z`; what stands before the milliseconds is made once a second. */
function isoTime(unixMs: number): string {
  const second = Math.floor(unixMs / 1_000);
  if (second !== lastSecond) {
    upToSecond = new Date(second * 1_000).toISOString().slice(0, -4);
    lastSecond = second;
  }
  const ms = Math.floor(unixMs - second * 1_000);
  return `${upToSecond}${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}Z`;
}
