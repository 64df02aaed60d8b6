import { createHmac } from "node:crypto";
import type { Asked, Call } from "../product/operation.ts";
import { problem, type Reply } from "./exchange.ts";
import type { World } from "./world.ts";

/** A page that goes on with a sealed cursor, good for its caller and path only. */
export function cursorList(
  { asked, caller, incoming }: Call,
  { mutant, cursorKey }: World,
  list: (owner: string) => readonly object[],
): Reply {
  const seal = (offset: number) => {
    if (mutant("cursor-forged")) return encode(JSON.stringify({ owner: caller.subject, offset }));
    const text = encode(String(offset));
    return `${text}.${createHmac("sha256", cursorKey).update(`${caller.subject} ${incoming.path} ${text}`).digest("base64url")}`;
  };
  let offset = 0;
  let owner = caller.subject;
  if (asked.cursor !== undefined) {
    const [text = ""] = asked.cursor.split(".");
    if (mutant("cursor-forged")) {
      const read = readForgeable(text);
      if (read === undefined) return problem(400);
      ({ owner, offset } = read);
    } else {
      offset = Number(Buffer.from(text, "base64url").toString("utf8"));
      if (asked.cursor !== seal(offset)) return problem(400);
    }
  }
  const all = list(owner);
  const items = cut(all, offset, asked, mutant("limit-ignored"));
  const end = offset + asked.limit;
  return { status: 200, body: { items, next: end < all.length && asked.limit > 0 ? seal(end) : null } };
}

/** A page by its number, of which there are a thousand at most. */
export function numberedList({ asked: { limit, page } }: Call, all: readonly object[]): Reply {
  const total = all.length;
  const items = cut(all, (page - 1) * limit, { limit }, false);
  return { status: 200, body: { items, page, limit, total, pages: Math.ceil(total / Math.max(1, limit)) } };
}

/** A negative limit gets here only by mistake, and then means what `slice` makes of it. */
function cut(
  all: readonly object[],
  offset: number,
  { limit }: Pick<Asked, "limit">,
  ignored: boolean,
): readonly object[] {
  if (ignored) return all;
  return limit < 0 ? all.slice(0, limit) : all.slice(offset, offset + limit);
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}

function readForgeable(text: string): { owner: string; offset: number } | undefined {
  try {
    const { owner, offset }: { owner?: unknown; offset?: unknown } = JSON.parse(
      Buffer.from(text, "base64url").toString(),
    );
    return typeof owner === "string" && typeof offset === "number" ? { owner, offset } : undefined;
  } catch {
    return undefined;
  }
}
