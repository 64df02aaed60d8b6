import { readdirSync, readFileSync } from "node:fs";
import { checklist } from "portcullis/checklist";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { variants } from "../matrix/mutant.ts";
import { mutants, subjects } from "../matrix/mutants.ts";
import { callerProofs, type Proof, signIn } from "../matrix/proofs/callers.ts";
import { type Client, clientOf, textAt } from "../matrix/proofs/client.ts";
import { surfaceProofs } from "../matrix/proofs/surface.ts";
import { outcomeOf, scoreOf } from "../matrix/score.ts";
import { start } from "../matrix/start.ts";

/** `npm run proofs` tries every mistake in every API that makes it; here each is tried in one of them. */
const isWhole = process.env["PORTCULLIS_PROOFS"] === "all";
const tried = Object.keys(mutants).map((name, place) => {
  const own = subjects.filter((subject) => subject.name === name);
  return own[place % own.length];
});

const proofs: Readonly<Record<keyof typeof mutants, Proof>> = { ...callerProofs, ...surfaceProofs };

test("there are at least 120 mutants, each expects rows of the checklist that have a probe or will have one", () => {
  expect(subjects.length).toBeGreaterThanOrEqual(120);
  const ids = checklist.map(({ id }) => id);
  for (const { expects, also } of Object.values(mutants)) {
    for (const id of [...expects, ...Object.keys(also)]) expect(ids).toContain(id);
  }
});

test("every mutant's switch stands in a source", () => {
  const sources = ["parts", "product", "variants"].flatMap((name) => {
    const folder = new URL(`../matrix/${name}/`, import.meta.url);
    return readdirSync(folder).map((file) => readFileSync(new URL(file, folder), "utf8"));
  });
  const text = sources.join("\n");
  const missing = Object.keys(mutants).filter((name) => !text.includes(`"${name}"`));
  expect(missing).toEqual([]);
});

describe.each(variants)("%s", (variant) => {
  let twin: Client;
  beforeAll(async () => {
    twin = clientOf(await start(variant, undefined));
  });
  afterAll(async () => {
    twin.close();
    await twin.api.close();
  });

  test("the clean twin serves its callers", () => honestUse(twin));

  test.each(
    subjects.filter(
      (subject) => subject.variant === variant && subject.name !== undefined && (isWhole || tried.includes(subject)),
    ),
  )("$name: an honest caller is served, the attack works, and on the clean twin it does not", async ({ name }) => {
    if (name === undefined) return;
    const client = clientOf(await start(variant, name));
    try {
      await honestUse(client);
      expect(await proofs[name](client), "on the mutant").toBe(true);
      expect(await proofs[name](twin), "on the clean twin").toBe(false);
    } finally {
      client.close();
      await client.api.close();
    }
  });
});

test("a finding with another protection than the expected one is false, and a necessary consequence is neither", () => {
  const jwtExp = subjects.find(({ name }) => name === "jwt-not-verified");
  const other = subjects.find(({ name }) => name === "jwt-exp");
  if (jwtExp === undefined || other === undefined) throw new Error("the table has changed");
  const said = (...ids: string[]) => ({
    broken: Object.fromEntries(ids.map((id) => [id, "why"])),
    inconclusive: {},
    requests: 1,
    durationMs: 1,
  });
  const right = outcomeOf(jwtExp, said("jwt", "authentication"));
  expect(right).toMatchObject({ isDetected: true, falseIds: [] });
  const wrong = outcomeOf(other, said("cors"));
  expect(wrong).toMatchObject({ isDetected: false, falseIds: ["cors"] });
  expect(scoreOf([right, wrong]).all).toEqual({
    mutants: 2,
    detected: 1,
    falseFindings: 1,
    recall: 0.5,
    precision: 0.5,
  });
});

/** What every caller does all day. */
async function honestUse(client: Client): Promise<void> {
  const call: Client["call"] = (method, path, sent = {}) => client.call(method, path, { ...sent, isKept: true });
  const path = await client.project("alice");
  expect(await call("GET", path, { as: "alice" })).toMatchObject({ status: 200, json: { name: "of alice" } });
  expect(await call("PATCH", path, { as: "alice", json: { name: "new" } })).toMatchObject({
    status: 200,
    json: { name: "new" },
  });
  expect(await call("GET", "/v1/projects?limit=3", { as: "alice" })).toMatchObject({ status: 200 });
  expect(await call("GET", "/v1/search?q=seeded", { as: "bob" })).toMatchObject({ status: 200 });
  const comment = await call("POST", `${path}/comments`, { as: "alice", json: { body: "hello" } });
  expect(comment).toMatchObject({ status: 201 });
  expect(await call("GET", `${path}/comments/${textAt(comment.json, "id")}`, { as: "alice" })).toMatchObject({
    status: 200,
  });
  expect(await call("GET", "/v1/admin/users", { as: "admin" })).toMatchObject({ status: 200 });
  expect(await call("GET", "/v1/reports/summary", { headers: { "x-api-key": client.api.key } })).toMatchObject({
    status: 200,
  });
  expect(await signIn(client)).toMatchObject({ status: 201 });
  expect(await client.deliver()).toMatchObject({ status: 200 });
  expect(await call("DELETE", path, { as: "alice" })).toMatchObject({ status: 204 });
}
