import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { recordAt, textAt } from "../src/json.ts";
import { description, scanThings, startThings } from "./things.ts";

let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

interface Comment {
  readonly id: string;
  readonly thing: string;
  readonly by: string;
  readonly text: string;
}

describe("a list below an object that is empty for whatever is not there", { timeout: 30_000 }, () => {
  it("holds where the owner's own entry is in nobody else's answer", async () => {
    const found = await scanComments((comments, who) => comments.filter(({ by }) => by === who));
    expect(found.get("foreign-read")).toEqual(["held"]);
    expect(found.get("foreign-looks-missing")).toEqual(["held"]);
  });

  it("is found where it shows the owner's entry to somebody else", async () => {
    expect((await scanComments((comments) => comments)).get("foreign-read")).toEqual(["broken"]);
  });

  it("is not decided where nothing of the owner's can be seen in it", async () => {
    expect((await scanComments(() => [])).get("foreign-read")).toEqual(["inconclusive"]);
  });
});

/** The verdicts of `GET /things/:id/comments`, by check. */
async function scanComments(shown: (comments: readonly Comment[], who: string) => readonly Comment[]) {
  const comments: Comment[] = [];
  const api = await startThings({
    before: ({ method, path, who, body }) => {
      const thing = /^\/things\/([^/]+)\/comments$/.exec(path)?.[1];
      if (thing === undefined || who === undefined) return undefined;
      if (method === "GET") {
        const all = comments.filter((comment) => comment.thing === thing);
        return [200, shown(all, who)];
      }
      const made = { id: randomUUID(), thing, by: who, text: textAt(body, "text") ?? "" };
      comments.push(made);
      return [201, made];
    },
  });
  close = api.close;
  const text = { type: "string", maxLength: 80 };
  const comment = { type: "object", properties: { id: text, text } };
  const answered = (schema: object) => ({ description: "It", content: { "application/json": { schema } } });
  const body = { type: "object", required: ["text"], properties: { text } };
  const { verdicts } = await scanThings(api.url, ["object-access"], {
    openapi: {
      ...description,
      paths: {
        ...recordAt(description, "paths"),
        "/things/{id}/comments": {
          parameters: [{ name: "id", in: "path", required: true, schema: { type: "string", format: "uuid" } }],
          get: { responses: { 200: answered({ type: "array", items: comment }) } },
          post: {
            requestBody: { content: { "application/json": { schema: body } } },
            responses: { 201: answered(comment) },
          },
        },
      },
    },
  });
  const own = verdicts.filter(({ operation }) => operation === "GET /things/:id/comments");
  const named = Map.groupBy(own, ({ check }) => check);
  return new Map([...named].map(([check, all]) => [check, [...new Set(all.map(({ verdict }) => verdict))]]));
}
