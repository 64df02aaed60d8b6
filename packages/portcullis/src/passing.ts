import type { Refusal } from "./refusal.ts";

/** A route of the framework behind that no policy guards yet, why, and until when that may be. */
export interface NotYet {
  /** As the framework's own table has it: `GET /admin/users/:id`. */
  readonly route: string;
  /** Why it is not guarded yet, for the reviewer of the manifest. */
  readonly reason: string;
  /** The last day, UTC, `YYYY-MM-DD`; after it the process does not start. */
  readonly until: string;
}

/** Observing instead of refusing, for a while. */
export interface Shadow {
  /** The last day, UTC, `YYYY-MM-DD`; after it the process does not start. */
  readonly until: string;
  /** Why nothing is refused yet, for the reviewer of the manifest. */
  readonly reason: string;
}

/** Which requests go on to the framework an API stands in front of. Everything else is answered by the API. */
export type Passing = NotYetPassing | ShadowPassing;

/** Requests of listed routes go on, once they have been read strictly and counted; nobody knows their callers. */
export interface NotYetPassing {
  readonly kind: "not-yet";
  readonly routes: readonly NotYet[];
  /** The listed route a request belongs to; undefined where it is the API's own or nobody's. */
  find(method: string, path: string, segments: readonly string[]): string | undefined;
}

/** Every request goes on; what would have been refused is recorded. */
export interface ShadowPassing extends Shadow {
  readonly kind: "shadow";
}

/** A request that somebody else answers. */
export class PassedOn {
  /** Pattern of the route, where one is known. */
  readonly route: string | undefined;
  readonly kind: Passing["kind"];
  /** In shadow mode: what would have been said instead. */
  readonly wouldRefuse: Refusal | undefined;

  constructor(kind: Passing["kind"], route: string | undefined, wouldRefuse?: Refusal) {
    this.kind = kind;
    this.route = route;
    this.wouldRefuse = wouldRefuse;
  }
}
