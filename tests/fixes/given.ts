/**
 * What the smallest fixes of plain frameworks take for granted: a guard, a database, a counter and some configuration of
 * the application. Only the compiler looks at it; nothing here ever runs.
 */
export interface Caller {
  readonly id: string;
  readonly roles: readonly string[];
}

/** Who sent a request, proved; undefined for strangers. */
export declare function callerOf(request: unknown): Caller | undefined;
/** The same, behind a guard that lets no stranger pass. */
export declare function requireCaller(request: unknown): Caller;

interface Project {
  readonly id: string;
  readonly ownerId: string;
  readonly name: string;
  readonly url: string;
  readonly secret: string;
}

interface Claimed {
  readonly state: "new" | "running" | "done" | "other payload";
  readonly answer: Readonly<Record<string, string>>;
  keep(answer: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>>;
}

export declare const db: {
  readonly projects: {
    find(where: Partial<Project>): Promise<Project | undefined>;
    list(where: Partial<Project>, limit: number): Promise<readonly Project[]>;
    insert(row: Partial<Project>): Promise<Project>;
    update(where: Partial<Project>, fields: Partial<Project>): Promise<Project | undefined>;
  };
  readonly users: { proved(email: string, password: string): Promise<{ readonly id: string } | undefined> };
  readonly sessions: { begin(id: string, userId: string): Promise<void> };
  readonly keys: {
    byId(
      id: string,
    ): Promise<{ readonly ownerId: string; readonly sha256: Buffer; readonly revokedAt: Date | null } | undefined>;
  };
  readonly deliveries: { claim(id: string): Promise<boolean> };
  readonly answers: { claim(callerId: string, key: string, payload: string): Promise<Claimed> };
  query(
    text: string,
    values: readonly (string | number)[],
  ): Promise<readonly { readonly id: string; readonly name: string }[]>;
};

export declare const counter: {
  take(
    key: string,
    limit: { readonly limit: number; readonly windowMs: number },
  ): Promise<{ readonly allowed: boolean; readonly retryAfterSeconds: number }>;
};

export declare const log: { error(entry: { readonly requestId: string; readonly error: unknown }): void };
export declare const publicPaths: ReadonlySet<string>;
export declare const registeredRedirects: ReadonlySet<string>;
export declare const ourOrigin: string;
export declare const webhookSecret: string;
export declare const cert: string;
export declare const key: string;
/** A `fetch` that checks the address it connects to. */
export declare const vettedFetch: typeof fetch;
export declare function work(payload: unknown): Promise<Readonly<Record<string, string>>>;
