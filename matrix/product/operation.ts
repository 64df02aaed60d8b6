import type { z } from "zod";
import type { Incoming, Reply } from "../parts/exchange.ts";
import type { World } from "../parts/world.ts";

/** Who calls, and what proved it. */
export interface Caller {
  readonly subject: string;
  readonly tenant: string;
  readonly scopes: readonly string[];
  readonly via: "token" | "key" | "cookie";
  readonly sessionId?: string;
}

/** The part of a list that was asked for. */
export interface Asked {
  readonly limit: number;
  /** Text of the cursor, unread. */
  readonly cursor: string | undefined;
  readonly page: number;
}

/** A request whose parts were proved. */
export interface Call {
  readonly incoming: Incoming;
  /** Of public operations and webhooks: a caller who is nobody. */
  readonly caller: Caller;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly asked: Asked;
  /** The body as its schema lets it through. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The body as it was sent; for mistakes only. */
  readonly sent: Readonly<Record<string, unknown>>;
}

/** One method on one path, and what stands for its policy. */
export interface Operation {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `/v1/projects/:id` */
  readonly path: string;
  readonly access: "public" | "caller" | "webhook";
  readonly scope?: string;
  readonly role?: "admin";
  readonly params?: Shape;
  readonly query?: Shape;
  readonly body?: Shape;
  readonly page?: "cursor" | "pages";
  /** Status and schema of the answer; without a schema it has no body. */
  readonly status: number;
  readonly output?: z.ZodType;
  readonly rate: "read" | "write" | "signIn";
  readonly startsSession?: true;
  /** Header parameters that the document names. */
  readonly headers?: readonly string[];
  readonly sunset?: true;
  run(call: Call, world: World): Reply | Promise<Reply>;
}

/** An object schema, whose members can be listed. */
export type Shape = z.ZodObject;

/** A member that is text, as its schema has made sure. */
export function textOf(source: Readonly<Record<string, unknown>>, name: string): string {
  const value = source[name];
  return typeof value === "string" ? value : "";
}
