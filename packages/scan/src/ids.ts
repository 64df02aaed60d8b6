import { type Answer, headerOf } from "./answer.ts";
import { decoded } from "./decoded.ts";
import { isRecord, type JsonRecord, walk } from "./json.ts";
import type { Kind } from "./kinds.ts";
import { sameNoun } from "./nouns.ts";
import type { Random } from "./random.ts";

/**
 * The id of what an answer speaks about: a member of the answer or of an envelope around it, the Location, a link to
 * itself, or what the request itself chose for the member its path names.
 *
 * @param sent  the body of the request that created it
 */
export function idIn(answer: Answer, kind: Kind, sent?: JsonRecord): string | undefined {
  const names = [kind.parameter, "id", `${kind.name}Id`, `${kind.name}_id`, "_id", "uuid"];
  const isOther = (name: string) => people.test(name) && !sameNoun(name, kind.name);
  const [outer, ...wrapped] = envelopes(answer.json, isOther).map((level) => firstOf(level, names));
  const location = headerOf(answer, "location");
  const links = [location, headerOf(answer, "content-location"), ...linksIn(answer.json)];
  const linked = links.map((link) => (link === undefined ? undefined : idAt(kind, link)));
  const last = location?.split(/[?#]/)[0]?.split("/").at(-1);
  const ids = [outer, ...linked, ...wrapped, idText(last), idText(sent?.[kind.parameter])];
  return ids.find((id) => id !== undefined);
}

function firstOf(level: JsonRecord, names: readonly string[]): string | undefined {
  return names.map((name) => idText(level[name])).find((id) => id !== undefined);
}

/** The id of the member of a list that contains a marker. */
export function idOfMarked(json: unknown, kind: Kind, mark: string): string | undefined {
  let found: string | undefined;
  walk(json, (_path, _name, value) => {
    if (found !== undefined || !isRecord(value)) return;
    const isIt = Object.values(value).some((member) => typeof member === "string" && member.includes(mark));
    if (!isIt) return;
    found = firstOf(value, [kind.parameter, "id", `${kind.name}Id`, "_id", "uuid"]);
  });
  return found;
}

/**
 * Whether an answer names an object. A long id is in no text by chance; a short one, such as a row's number, counts only as
 * the id of the answer, of something it wraps or of a member of a list: counts, pages and years are numbers too.
 *
 * @param field  where the answer only refers to the object: the member that would hold its id
 */
export function namesId(answer: Answer, kind: Kind, id: string, field?: string): boolean {
  if (id.length >= 8) return answer.text.includes(id);
  const own = [kind.parameter, "id", `${kind.name}Id`, `${kind.name}_id`, "_id", "uuid"];
  const isIt = (path: string, name: string) =>
    field === undefined
      ? own.includes(name) && !/\[\]\..*\./.test(path)
      : name === field || path.endsWith(`${kind.name}.id`);
  let found = false;
  walk(answer.json, (path, name, value) => {
    found ||= idText(value) === id && isIt(path, name);
  });
  return found;
}

/** Another id of the same make: letters stay letters, digits digits, and a UUID stays a UUID. */
export function sameShape(id: string, random: Random): string {
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-/i.test(id)) return random.uuid();
  if (/^\d+$/.test(id)) return String(random.int(900_000_000, 999_999_999));
  const prefix = /^[a-z]+_/i.exec(id)?.[0] ?? "";
  return (
    prefix +
    Array.from(id.slice(prefix.length), (unit) => {
      if (/\d/.test(unit)) return String(random.int(0, 9));
      if (/[a-z]/.test(unit)) return String.fromCharCode(97 + random.int(0, 5));
      if (/[A-Z]/.test(unit)) return String.fromCharCode(65 + random.int(0, 5));
      return unit;
    }).join("")
  );
}

/** Who made an object or has it: where an order's answer names its user, the user's id must not be taken for the order's. */
const people =
  /^(?:user|owner|author|creator|account|customer|member|seller|buyer|assignee|reporter|tenant|organi[sz]ation|(?:created|updated|modified)_?by)$/i;

/** An answer and the objects it wraps, outermost first, three levels deep, but for those of a name that is left out. */
function envelopes(json: unknown, isLeftOut: (name: string) => boolean): readonly JsonRecord[] {
  const out: JsonRecord[] = [];
  let level: readonly unknown[] = [json];
  for (let depth = 0; depth < 4; depth += 1) {
    const objects = level.filter(isRecord);
    out.push(...objects);
    level = objects.flatMap((object): readonly unknown[] =>
      Object.entries(object).flatMap(([name, member]) => (isLeftOut(name) ? [] : [member])),
    );
  }
  return out;
}

function linksIn(json: unknown): readonly string[] {
  const links: string[] = [];
  walk(json, (path, name, value) => {
    if (typeof value === "string" && /^(?:href|self|url|uri|link|@id)$/i.test(name) && path.split(".").length <= 4)
      links.push(value);
  });
  return links;
}

/** The id in an address of the kind's item. */
function idAt(kind: Kind, link: string): string | undefined {
  const path = (URL.canParse(link, "http://localhost") ? new URL(link, "http://localhost").pathname : "").split("/");
  const parts = kind.item.split("/");
  if (path.length !== parts.length) return undefined;
  const isIt = parts.every((part, index) => part.startsWith("{") || part === path[index]);
  const id = path[parts.indexOf(`{${kind.parameter}}`)];
  return isIt && id !== undefined ? idText(decoded(id)) : undefined;
}

/** Dots are no id: in a path they lead somewhere else, and what lies there was not created by the scan. */
function idText(value: unknown): string | undefined {
  if (typeof value === "string" && value !== "" && !/^(?:\.|%2e){1,2}$/i.test(value)) return value;
  return typeof value === "number" ? String(value) : undefined;
}
