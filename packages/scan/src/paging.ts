import type { Answer } from "./answer.ts";
import { walk } from "./json.ts";
import type { Operation } from "./target.ts";

/** How a list is asked for in parts; names of query parameters, undefined where it has no such thing. */
export interface Paging {
  readonly limit: string | undefined;
  /** The most items to ask for. */
  readonly max: number;
  readonly cursor: string | undefined;
  readonly page: string | undefined;
}

/** Reads it from the manifest where there is one, else from the names of the query parameters. */
export function pagingOf(operation: Operation): Paging {
  const { page } = operation;
  if (page !== undefined) {
    const isCursor = page.kind === "cursor";
    return {
      limit: "limit",
      max: page.max,
      cursor: isCursor ? "cursor" : undefined,
      page: isCursor ? undefined : "page",
    };
  }
  const named = (pattern: RegExp) =>
    operation.parameters.find(({ in: place, name }) => place === "query" && pattern.test(name));
  const limit = named(/^(?:limit|per_?page|page_?size|size|count|take|first|max_?results)$/i);
  const most = limit?.schema["maximum"];
  return {
    limit: limit?.name,
    max: typeof most === "number" ? Math.min(most, 100) : 100,
    cursor: named(/^(?:cursor|after|starting_?after|page_?token|next(?:_?token)?|continuation(?:_?token)?)$/i)?.name,
    page: named(/^(?:page|page_?(?:number|no))$/i)?.name,
  };
}

/** What an answer says comes next: a cursor, or the one in a link; undefined at the end of the list. */
export function nextCursor({ json }: Answer, { cursor }: Paging): string | undefined {
  let found: string | undefined;
  walk(json, (path, name, value) => {
    if (found !== undefined || path.includes("[]") || typeof value !== "string" || value === "") return;
    if (!/^(?:next|(?:next|end)_?(?:cursor|token|page_?token)|cursor|continuation(?:_?token)?)$/i.test(name)) return;
    const link = /^(?:https?:\/|\/|\?)/.test(value) && URL.canParse(value, "http://localhost");
    const inLink = link ? new URL(value, "http://localhost").searchParams.get(cursor ?? "cursor") : value;
    found = inLink ?? undefined;
  });
  return found;
}
