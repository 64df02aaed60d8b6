import type { IncomingMessage } from "node:http";
import { isRecord, type JsonRecord, listAt, numberAt, recordAt, textsAt } from "../../src/json.ts";
import { bodyMaxBytes } from "./manifest.ts";
import { Refused } from "./refused.ts";
import { strictJson } from "./strict-json.ts";

/** The body as bytes, counted as they arrive. */
export async function readBody(request: IncomingMessage, has: ReadonlySet<string>): Promise<string> {
  const most = has.has("body-size: none") ? 50_000_000 : bodyMaxBytes;
  if (Number(request.headers["content-length"] ?? 0) > most) throw new Refused(413);
  const type = request.headers["content-type"] ?? "";
  const anyType = has.has("input: any media type") || has.has("csrf: only JSON is checked");
  if (!anyType && !/^application\/json(?:; ?charset=utf-8)?$/i.test(type)) throw new Refused(415);
  if (request.headers["content-encoding"] !== undefined) throw new Refused(415);
  request.setEncoding("latin1");
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(String(chunk), "latin1");
    size += bytes.length;
    if (size > most) throw new Refused(413);
    chunks.push(bytes);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Refused(400);
  }
}

/** The body as its schema allows it; everything else is 400. */
export function checkBody(text: string, schema: JsonRecord, has: ReadonlySet<string>): JsonRecord {
  const loose = has.has("input: unknown members pass") || has.has("mass-assignment: the body is merged");
  let value: unknown;
  try {
    value = loose || has.has("body-size: none") ? JSON.parse(text) : strictJson(text, { depth: 16, keys: 200 });
  } catch {
    throw new Refused(400);
  }
  if (!isRecord(value)) throw new Refused(400);
  const properties = recordAt(schema, "properties") ?? {};
  for (const name of textsAt(schema, "required")) if (!Object.hasOwn(value, name)) throw new Refused(400);
  for (const [name, member] of Object.entries(value)) {
    const rule = recordAt(properties, name);
    if (rule === undefined) {
      if (loose) continue;
      throw new Refused(400);
    }
    if (typeof member !== "string") throw new Refused(400);
    const most = has.has("input: lengths are not looked at")
      ? Number.POSITIVE_INFINITY
      : (numberAt(rule, "maxLength") ?? 1000);
    if (member.length > most || member.length < (numberAt(rule, "minLength") ?? 0)) throw new Refused(400);
    const choices = listAt(rule, "enum");
    if (choices.length > 0 && !choices.includes(member)) throw new Refused(400);
    if (rule["format"] === "email" && !/^[^@\s']+@[a-z0-9.]+$/i.test(member)) throw new Refused(400);
  }
  return value;
}
