import { randomInt, randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { StorageOptions } from "@portcullis/server/storage";
import { freePort } from "../../../scripts/free-ports.ts";
import type { InstanceOptions } from "./instance.ts";
import { type Instance, signIn, startInstance, startInstances, type TokenReply } from "./instances.ts";

/** What came of many refreshes at once. */
export interface Crowds {
  readonly processes: number;
  readonly crowds: number;
  readonly refreshesEach: number;
  /** Refreshes that were not answered with tokens. */
  readonly refused: number;
  /** Most different successors one token got; 1 is right. */
  readonly successors: number;
  /** Crowds after which the successor was worth nothing. */
  readonly loggedOut: number;
}

/** What came of kills in the middle of rotations. */
export interface Kills {
  readonly kills: number;
  /** Of them, those that came before an answer did. */
  readonly unanswered: number;
  /** Tokens somebody had been given that led nowhere afterwards. */
  readonly lost: number;
  /** Used tokens that could be used again later. */
  readonly usableTwice: number;
  /** Keys whose revocation had been answered, and that worked after the kill. */
  readonly revocationsLost: number;
}

const password = "correct horse battery";

/** Shows one token `refreshesEach` times at once, spread over the processes, again and again. */
export async function crowds(
  storage: StorageOptions,
  {
    processes,
    crowds: count,
    refreshesEach,
    slowFrom,
  }: Pick<Crowds, "processes" | "crowds" | "refreshesEach"> & Pick<InstanceOptions, "slowFrom">,
): Promise<Crowds> {
  const instances = await startInstances(storage, processes, true, { slowFrom });
  let refused = 0;
  let successors = 0;
  let loggedOut = 0;
  try {
    const first = firstOf(instances);
    const person = await somebody(first);
    for (let crowd = 0; crowd < count; crowd++) {
      const { refresh } = await signIn(first, person.email, password);
      const answers = await Promise.all(
        Array.from({ length: refreshesEach }, (_, n) => instances[n % processes]?.refresh(refresh) ?? failed),
      );
      const given = answers.filter(({ status }) => status === 200);
      refused += answers.length - given.length;
      const different = new Set(given.map((answer) => answer.refresh));
      successors = Math.max(successors, different.size);
      const [successor = ""] = different;
      const next = await instances[crowd % processes]?.refresh(successor);
      if (next?.status !== 200) loggedOut++;
    }
  } finally {
    await Promise.all(instances.map((instance) => instance.kill()));
  }
  return { processes, crowds: count, refreshesEach, refused, successors, loggedOut };
}

/**
 * Kills the process that rotates: before each of the statements of a rotation in turn, and at random moments in between.
 * Then the token is shown again: to the process that was started anew, or where there are several, to another.
 *
 * @param first  how statements begin before which the first kills fall
 */
export async function kills(
  storage: StorageOptions,
  count: number,
  hasOthers: boolean,
  first: readonly string[] = [],
): Promise<Kills> {
  const [issuerPort, otherPort] = [await freePort(), await freePort()];
  const start = () => startInstance({ storage, port: issuerPort, issuerPort, isUnlimited: true });
  let victim = await start();
  const other = hasOthers
    ? await startInstance({ storage, port: otherPort, issuerPort, isUnlimited: true })
    : undefined;
  let unanswered = 0;
  let lost = 0;
  let usableTwice = 0;
  let revocationsLost = 0;
  let step = 1;
  try {
    const person = await somebody(victim);
    for (let kill = 0; kill < count; kill++) {
      const { refresh } = await signIn(victim, person.email, password);
      const key = await victim.ask({ do: "create-key", account: person.id });
      await victim.ask({ do: "revoke-key", account: person.id, id: key["id"] ?? "" });
      const beginning = first[kill];
      const isStepwise = beginning !== undefined || kill % 2 === 0;
      if (beginning !== undefined) await victim.ask({ do: "die-before", statement: 1, beginning });
      else if (isStepwise) await victim.ask({ do: "die-before", statement: step });
      const asking = victim.refresh(refresh).catch(() => failed);
      if (!isStepwise) await wait(randomInt(0, 25));
      const answer = isStepwise ? await asking : undefined;
      await victim.kill();
      const got = answer ?? (await asking);
      // Beyond the last statement it answers: from there the steps begin again.
      if (isStepwise && beginning === undefined) step = got.status === 200 ? 1 : step + 1;
      if (got.status !== 200) unanswered++;
      const anew = start();
      const next = other ?? (await anew);
      const second = got.status === 200 ? got : await next.refresh(refresh);
      const third = second.status === 200 ? await next.refresh(second.refresh) : failed;
      if (third.status !== 200) lost++;
      const again = await next.refresh(refresh);
      const after = await next.refresh(third.refresh);
      if (again.status === 200 || after.status === 200) usableTwice++;
      if ((await next.me({ authorization: `Bearer ${key["key"] ?? ""}` })) === 200) revocationsLost++;
      victim = await anew;
    }
  } finally {
    await Promise.all([victim.kill(), other?.kill()]);
  }
  return { kills: count, unanswered, lost, usableTwice, revocationsLost };
}

const failed: TokenReply = { status: 0, access: "", refresh: "" };

function firstOf(instances: readonly Instance[]): Instance {
  const [first] = instances;
  if (first === undefined) throw new Error("there is no instance");
  return first;
}

async function somebody(at: Instance): Promise<{ readonly id: string; readonly email: string }> {
  const email = `${randomUUID()}@example.com`;
  const { id = "" } = await at.ask({ do: "account", email, password });
  return { id, email };
}
