import { type JsonRecord, listAt, recordAt, textAt } from "./json.ts";

/** A route that goes past the API to the framework behind it: no policy says anything, so nothing is proved of it. */
export interface Unguarded {
  readonly route: string;
  readonly reason: string;
  /** The last day, as the manifest has it. */
  readonly until: string;
}

/** What a manifest says is not guarded yet. */
export function readUnguarded(extension: JsonRecord | undefined): readonly Unguarded[] {
  return listAt(extension, "notYet").flatMap((entry) => {
    const route = textAt(entry, "route");
    if (route === undefined) return [];
    return [{ route, reason: textAt(entry, "reason") ?? "", until: textAt(entry, "until") ?? "" }];
  });
}

/** Why nothing is proved of a route that is not guarded yet. */
export function whyUnproved({ reason, until }: Unguarded): string {
  return `Not proved: no policy guards it yet (${reason}), until ${until}.`;
}

/** What a reader of the result has to know besides, one sentence each. */
export function unguardedNotes(extension: JsonRecord | undefined): readonly string[] {
  const shadow = recordAt(extension, "shadow");
  const notes = readUnguarded(extension).map(
    ({ route, reason, until }) => `${route} was not attacked: no policy guards it until ${until} (${reason}).`,
  );
  if (shadow === undefined) return notes;
  const { until, reason } = { until: textAt(shadow, "until") ?? "?", reason: textAt(shadow, "reason") ?? "?" };
  return [...notes, `The API runs in shadow mode until ${until} (${reason}): it records refusals and refuses nothing.`];
}
