import { afterEach, describe, expect, it } from "vitest";
import type { JsonRecord } from "../src/json.ts";
import { isRecord } from "../src/json.ts";
import { type Answered, description, type Reactions, scanThings, startThings } from "./things.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function leftovers(changed: Partial<Reactions>, openapi: JsonRecord = description): Promise<readonly string[]> {
  const { url, close } = await startThings(changed);
  closing.push(close);
  return (await scanThings(url, ["object-access", "input", "mass-assignment"], { openapi })).leftovers;
}

/** The description without the operation that deletes a thing. */
function withoutDelete(): JsonRecord {
  const paths = isRecord(description["paths"]) ? description["paths"] : {};
  const item = isRecord(paths["/things/{id}"]) ? paths["/things/{id}"] : {};
  const { delete: _delete, ...rest } = item;
  return { ...description, paths: { ...paths, "/things/{id}": rest } };
}

describe("what a scan by a plain description leaves behind", () => {
  it("is nothing where everything can be deleted", async () => {
    expect(await leftovers({})).toEqual([]);
  });

  it("is said of each object where the API has no way to delete it", async () => {
    const left = await leftovers({}, withoutDelete());
    expect(left.length).toBeGreaterThan(1);
    for (const line of left) expect(line).toMatch(/^thing \S+ of (?:alice|bob): the API has no way to delete it$/);
  });

  it("is said where a DELETE is refused", async () => {
    const before: Reactions["before"] = ({ method }) => (method === "DELETE" ? [403, { title: "No" }] : undefined);
    expect((await leftovers({ before })).join("\n")).toMatch(/^thing \S+ of alice: answered 403$/m);
  });

  it("is said where a DELETE is answered with success and deletes nothing", async () => {
    const before: Reactions["before"] = ({ method, who }): Answered | undefined =>
      method === "DELETE" && who !== undefined ? [200, { deleted: false }] : undefined;
    expect((await leftovers({ before })).join("\n")).toContain("answered with success, and it is still there");
  });

  it("is said where an object cannot be found any more although nobody deleted it", async () => {
    const before: Reactions["before"] = ({ method, who }) =>
      method === "DELETE" && who !== undefined ? [404, { title: "No" }] : undefined;
    expect((await leftovers({ before })).join("\n")).toContain("gave it away or hid it");
  });
});
