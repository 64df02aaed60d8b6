import type { Answer } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Identity } from "./identities.ts";
import { walk } from "./json.ts";
import type { Operation } from "./target.ts";

/** Parts of a path that say: this is not for everybody. */
const words = /^(?:admin(?:istrat(?:or|ion))?s?|back-?office|super-?(?:user|admin)s?|staff|moderat(?:or|ion)s?|root)$/i;

/** True where an operation's path says that it is for the people who run the API; `/administration-fees` says nothing. */
export function isAdministrative({ path }: Operation): boolean {
  return path.split("/").some((part) => words.test(part));
}

/**
 * People besides the caller whose records an answer holds: accounts of the scan's other identities, and e-mail addresses
 * where there is more than one, since one may be the caller's own.
 */
export function peopleIn(context: ProbeContext, answer: Answer, caller: Identity): ReadonlySet<string> {
  const own = context.subject(caller);
  const others = new Set(
    context.identities.flatMap((identity) => {
      const subject = context.subject(identity);
      return identity.name === caller.name || subject === undefined || subject === own ? [] : [subject];
    }),
  );
  const found = new Set<string>();
  const addresses = new Set<string>();
  walk(answer.json, (_path, _name, value) => {
    if (typeof value !== "string") return;
    if (others.has(value)) found.add(value);
    if (/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(value)) addresses.add(value.toLowerCase());
  });
  if (addresses.size > 1) for (const address of addresses) found.add(address);
  return found;
}

/**
 * True where two answers hold the same records: most of what identifies one of them, ids and addresses, stands in the other
 * too. Of answers without such values, the whole content is compared.
 */
export function sharesRecords(answer: Answer, other: Answer): boolean {
  const ids = idsIn(answer);
  const theirs = idsIn(other);
  if (theirs.size === 0) return ids.size === 0 && answer.text !== "" && answer.text === other.text;
  const shared = [...theirs].filter((id) => ids.has(id)).length;
  return shared >= Math.min(2, theirs.size);
}

function idsIn(answer: Answer): ReadonlySet<string> {
  const ids = new Set<string>();
  walk(answer.json, (_path, name, value) => {
    if (typeof value !== "string" && typeof value !== "number") return;
    const text = String(value);
    if (/(?:^|_)id$|[a-z]Id$|^uuid$|^e-?mail/i.test(name) && text !== "") ids.add(`${name} ${text}`);
  });
  return ids;
}
