import { isSuccess } from "./answer.ts";
import { namesPerson } from "./bodies.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Filled } from "./filling.ts";
import type { Identity } from "./identities.ts";
import { isRecord } from "./json.ts";
import { kindAt } from "./kinds.ts";
import { requestFor } from "./requests.ts";
import { propertiesOf } from "./schema.ts";
import { isGone, type Operation, pathParameters, tightLimit } from "./target.ts";

/**
 * Puts something marked into a list below an object of the owner, where nothing of the scan stands in it yet: comments
 * that no path names one by one. An empty list looks like that of an object which is not there; a marked one does not. It
 * goes with the object at the end.
 *
 * @param positive  the owner's read of it
 * @returns the read again with the marker in it; undefined where nothing could be put there
 */
export async function markedList(
  context: ProbeContext,
  operation: Operation,
  owner: Identity,
  filled: Filled,
  positive: Trial,
): Promise<{ readonly positive: Trial; readonly canary: string } | undefined> {
  const adds = additionTo(context, operation);
  if (adds === undefined || !isSuccess(positive.answer) || !isList(positive.answer.json)) return undefined;
  const canary = context.objects.canary();
  await context.objects.learnBody(adds, owner);
  const body = context.objects.body(adds, owner, canary);
  const added = await context.send("positive", requestFor(adds, { as: owner, params: filled.params, body }));
  if (!isSuccess(added.answer)) return undefined;
  const again = await context.send("positive", requestFor(operation, { as: owner, ...filled }));
  return again.answer.text.includes(canary) ? { positive: again, canary } : undefined;
}

/** What adds to a list: POST on the same path, below objects the scan makes. What names people might let them in. */
function additionTo(context: ProbeContext, { path }: Operation): Operation | undefined {
  if (!pathParameters(path).every((name) => kindAt(context.objects.kinds, path, name) !== undefined)) return undefined;
  if (/\/(?:members?|shares?|users?|people|invit\w*|collaborators?|grants?|permissions?|access)$/i.test(path))
    return undefined;
  const found = context.target.operations.find((one) => one.method === "POST" && one.path === path);
  if (found?.body === undefined || isGone(found, context.now())) return undefined;
  const names = [...propertiesOf(found.body.schema).keys()];
  if (names.some((name) => namesPerson(name) || /e-?mail|user|role|public|visib|share/i.test(name))) return undefined;
  return tightLimit(found, 12, context.patienceMs) === undefined ? found : undefined;
}

/** True for a list, or an envelope around one. */
function isList(json: unknown): boolean {
  return Array.isArray(json) || (isRecord(json) && Object.values(json).some((member) => Array.isArray(member)));
}
