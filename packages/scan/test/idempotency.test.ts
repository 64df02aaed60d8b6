import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { recordAt } from "../src/json.ts";
import { type Answered, type Asked, description, scanThings, startThings } from "./things.ts";

let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

describe("idempotency", { timeout: 30_000 }, () => {
  it("finds nothing where a key belongs to its caller and its payload", async () => {
    expect(await scanKeys({})).toEqual([]);
  });

  it("finds a key nobody reads", async () => {
    expect(await scanKeys({ reads: false })).toEqual(["key-again"]);
  });

  it("finds a key that is shared by all callers", async () => {
    expect(await scanKeys({ scope: () => "" })).toEqual(["key-others"]);
  });

  it("finds a key under which another payload goes through", async () => {
    expect(await scanKeys({ print: () => "" })).toEqual(["key-payload"]);
  });

  it("finds a key that is written down only after the work", async () => {
    expect(await scanKeys({ late: true })).toEqual(["key-race"]);
  });
});

interface Behaviour {
  readonly reads?: false;
  readonly scope?: (asked: Asked) => string;
  readonly print?: (asked: Asked) => string;
  readonly late?: true;
}

async function scanKeys({ reads, scope, print, late }: Behaviour): Promise<readonly string[]> {
  const kept = new Map<string, { readonly print: string; readonly answer: Answered }>();
  const api = await startThings({
    async before(asked): Promise<Answered | undefined> {
      if (asked.path !== "/things" || asked.method !== "POST" || asked.who === undefined) return undefined;
      const key = asked.request.headers["idempotency-key"];
      if (reads === false || typeof key !== "string") return undefined;
      const name = `${scope?.(asked) ?? asked.who} ${key}`;
      const fingerprint = print?.(asked) ?? JSON.stringify(asked.body);
      const found = kept.get(name);
      if (found !== undefined) return found.print === fingerprint ? found.answer : [422, { title: "Another payload" }];
      const answer: Answered = [201, { id: randomUUID(), owner: asked.who, name: "kept" }];
      if (late === true) await new Promise((resolve) => setTimeout(resolve, 50));
      kept.set(name, { print: fingerprint, answer });
      return answer;
    },
  });
  close = api.close;
  const paths = recordAt(description, "paths");
  const things = recordAt(paths, "/things");
  const header = { name: "Idempotency-Key", in: "header", schema: { type: "string", maxLength: 100 } };
  const { verdicts } = await scanThings(api.url, ["idempotency"], {
    openapi: {
      ...description,
      paths: { ...paths, "/things": { ...things, post: { ...recordAt(things, "post"), parameters: [header] } } },
    },
  });
  return verdicts.filter(({ verdict }) => verdict === "broken").map(({ check }) => check);
}
