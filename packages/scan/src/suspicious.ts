import { isSafe, type Operation, type Target } from "./target.ts";

/** Words for what a read has no business to do. */
const verbs =
  /^(?:delete|remove|destroy|erase|wipe|purge|clear|reset|truncate|drop|flush|init|initdb|createdb|seed|restore|revoke|disable|deactivate|ban|log-?out|sign-?out|shutdown|restart|reboot|kill|stop|pay|transfer|send|unsubscribe)$/i;

/**
 * True where fetching a path may change or wipe something although a read should not: a part of it begins with a word
 * that says so (`/reset`, `/deleteUser`, `/clear-cache`). `/deleted-items` says nothing.
 */
export function changesByReading(path: string): boolean {
  return path.split("/").some((part) => {
    if (part.startsWith("{")) return false;
    const [first = ""] = part.replace(/([a-z\d])([A-Z])/g, "$1 $2").split(/[-_. ]/);
    return verbs.test(part) || verbs.test(first);
  });
}

/**
 * Leaves out the reads that may change something. They keep their place in the ledger, with the reason.
 *
 * @param allowed  `--allow-unsafe`: leave nothing out
 */
export function withoutUnsafeReads(target: Target, allowed: boolean): Target {
  const left = target.operations.filter((operation) => isSafe(operation) && changesByReading(operation.path));
  if (allowed || left.length === 0) return target;
  const why =
    "Not fetched: its name says that reading it may change or wipe something (--allow-unsafe lets it be tried).";
  return {
    ...target,
    operations: target.operations.filter((operation) => !left.includes(operation)),
    untouched: [...target.untouched, ...left.map((operation: Operation) => ({ operation: operation.id, why }))],
    assumptions: [
      ...target.assumptions,
      `Left alone, because reading may change something: ${left.map(({ id }) => id).join(", ")}.`,
    ],
  };
}
