import { isSuccess } from "./answer.ts";
import type { Trial } from "./exchange.ts";
import { isRecord } from "./json.ts";
import type { Operation } from "./target.ts";

/**
 * Watches every request of a scan for what it created and deleted, so that nothing is left behind unsaid: an API whose
 * description names no way to read or delete something can still create it.
 */
export interface Creations {
  watch(trial: Trial): void;
  /** Says that what this request created is known and will be deleted. */
  claim(trial: Trial): void;
  /** True where a request deleted that target, or something it lies inside of. */
  wasDeleted(target: string): boolean;
  /** Requests that created something nobody claimed and that did not go with something that was deleted. */
  unclaimed(): readonly Trial[];
}

/**
 * Makes the watcher.
 *
 * @param prefix    what every marker of the scan begins with; an answer that shows one and an id is of something stored
 * @param isSignIn  sign-ins create sessions, which end by themselves
 */
export function createCreations(prefix: string, isSignIn: (operation: Operation) => boolean): Creations {
  const created = new Set<Trial>();
  const deleted = new Set<string>();

  const creations: Creations = {
    watch(trial) {
      const { outgoing, answer } = trial;
      if (!isSuccess(answer)) return;
      if (outgoing.method === "DELETE") deleted.add(pathOf(outgoing.target));
      if (outgoing.operation !== undefined && isSignIn(outgoing.operation)) return;
      const isStored = outgoing.method === "POST" && answer.text.includes(prefix) && namesId(answer.json);
      if (answer.status === 201 || isStored) created.add(trial);
    },
    claim: (trial) => void created.delete(trial),
    wasDeleted(target) {
      const path = pathOf(target);
      return [...deleted].some((gone) => path === gone || path.startsWith(`${gone}/`));
    },
    unclaimed: () => [...created].filter(({ outgoing }) => !creations.wasDeleted(outgoing.target)),
  };
  return creations;
}

/** One line per operation for what the scan created and knows no way to delete. */
export function unclaimedLines(trials: readonly Trial[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { outgoing } of trials) {
    const what = outgoing.operation?.id ?? `${outgoing.method} ${pathOf(outgoing.target)}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${count} created by ${what}: nothing that is described deletes it`);
}

function pathOf(target: string): string {
  return target.split(/[?#]/)[0] ?? target;
}

function namesId(json: unknown): boolean {
  if (!isRecord(json)) return false;
  return [json, ...Object.values(json).filter(isRecord)].some(
    (level) => level["id"] !== undefined || level["_id"] !== undefined,
  );
}
