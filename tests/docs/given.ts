/**
 * What the short examples on the pages take for granted: an API, some resources and the application's own functions.
 * Only the compiler looks at it; nothing here ever runs.
 */
import type { Api, ApiKeyStore, Caller, Credential, Resource, SessionCaller } from "portcullis";
import type { AuthJsDatabaseOptions, BetterAuthOptions, BetterAuthSession } from "portcullis/issuers";
import type { PgPool } from "portcullis/postgres";
import { z } from "zod";

export declare const api: Api;
export declare const caller: Caller;
export declare const tokens: Credential;
export declare const browsers: Credential;
export declare const store: ApiKeyStore;
export declare const auth: BetterAuthOptions<BetterAuthSession>["auth"];
export declare const adapter: AuthJsDatabaseOptions["adapter"];
export declare const pool: PgPool;
export declare const cert: string;
export declare const key: string;
export declare const body: { readonly name: string };

interface Project {
  readonly id: string;
  readonly tenantId: string;
  readonly ownerId: string;
  readonly name: string;
}

interface Note {
  readonly id: string;
  readonly tenantId: string;
  readonly ownerId: string;
  readonly text: string;
  readonly members: readonly { readonly userId: string; readonly role: string }[];
}

interface User {
  readonly id: string;
  readonly name: string;
}

export const ProjectView = z.object({ id: z.uuid(), name: z.string() });
export const NoteRow = z.object({ id: z.uuid(), owner_id: z.string(), text: z.string() });
export const NoteView = z.object({ id: z.uuid(), text: z.string() });

export declare const project: Resource<Project>;
export declare const note: Resource<Note>;
export declare const user: Resource<User>;
export declare const comment: Resource<Note>;

export declare const projects: {
  list(caller: Caller, page: unknown): Promise<{ readonly items: readonly Project[]; readonly next: unknown }>;
  create(caller: Caller, fields: unknown): Promise<Project>;
  isTaken(name: string): Promise<boolean>;
};
export declare const notes: {
  byId(id: string): Promise<Note | undefined>;
  create(caller: Caller, text: string): Promise<Note>;
  edit(note: Note, text: string): Promise<Note>;
};
export declare const users: {
  byId(id: string): Promise<User | undefined>;
  disable(id: string): Promise<void>;
  signIn(email: string, password: string): Promise<User | undefined>;
  tokenFor(credentials: unknown): Promise<{ readonly token: string } | undefined>;
};
export declare const sessions: {
  find(id: string): Promise<SessionCaller | undefined>;
  start(userId: string): Promise<string>;
};
export declare function ship(lines: string): Promise<void>;
export declare function report(error: unknown, context: unknown): void;
