import type { IncomingMessage } from "node:http";
import { type Data, users } from "./data.ts";
import { readToken } from "./tokens.ts";

/** Who calls. */
export interface NotesCaller {
  readonly id: string;
  readonly role: string;
  readonly scopes: readonly string[];
  readonly byCookie: boolean;
}

/** Whoever the request proves; undefined where it proves nobody. */
export function callerOf(request: IncomingMessage, data: Data, has: ReadonlySet<string>): NotesCaller | undefined {
  const query = new URLSearchParams((request.url ?? "").split("?")[1] ?? "");
  const inUrl = has.has("exposure: token in the URL") ? query.get("token") : null;
  const keyInUrl = has.has("api-keys: taken from the URL") ? query.get("api_key") : null;
  const header = request.headers.authorization;
  const cookie = /(?:^|; )__Host-notes=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
  if (header === undefined && inUrl === null && keyInUrl === null) {
    return cookie === undefined ? undefined : knownUser(data.sessions.get(cookie), ["notes"], true);
  }
  const scheme = has.has("authentication: any scheme will do") ? /^(?:\w+ )?(\S+)$/ : /^Bearer (\S+)$/;
  const value = inUrl ?? keyInUrl ?? scheme.exec(header ?? "")?.[1] ?? "";
  if (value.startsWith("nts_")) return byKey(value, data, has);
  const token = readToken(value, has);
  return token === undefined ? undefined : knownUser(token.subject, token.scopes, false);
}

function byKey(value: string, data: Data, has: ReadonlySet<string>): NotesCaller | undefined {
  for (const row of data.keys.values()) {
    const known = has.has("api-keys: only the id is looked at")
      ? value.split("_")[1] === row.secret.split("_")[1]
      : value === row.secret;
    if (!known) continue;
    if (row["revoked"] === true && !has.has("api-keys: a revoked key goes on")) return undefined;
    return knownUser(row.ownerId, ["notes"], false);
  }
  return undefined;
}

function knownUser(id: string | undefined, scopes: readonly string[], byCookie: boolean): NotesCaller | undefined {
  const user = users.find((entry) => entry.id === id);
  return user === undefined ? undefined : { id: user.id, role: user.role, scopes, byCookie };
}
