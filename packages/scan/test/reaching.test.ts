import { afterAll, describe, expect, it } from "vitest";
import { isRecord } from "../src/json.ts";
import { identityOf, type ScanResult } from "../src/scan.ts";
import { type Oddity, scanLibrary, startLibrary } from "./library.ts";
import { description, scanThings, startThings } from "./things.ts";

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

async function library(oddity?: Oddity) {
  const started = await startLibrary(oddity);
  closing.push(() => started.close());
  return started;
}

/** What a scan of it calls broken: `foreign-read GET /things/:id`. */
async function broken(oddity: Oddity | undefined, only = "object-access"): Promise<readonly string[]> {
  const { url } = await library(oddity);
  const { verdicts } = await scanLibrary(url, [only]);
  const found = verdicts.filter(({ verdict }) => verdict === "broken");
  return [...new Set(found.map(({ check, operation }) => `${check} ${operation ?? ""}`))];
}

function undecided(result: ScanResult): readonly string[] {
  const found = result.verdicts.filter(({ verdict }) => verdict === "inconclusive");
  return found.map(({ protection, check, operation, why }) => `${protection} ${check} ${operation ?? ""}: ${why}`);
}

// Side by side, each with a server of its own: a scan here waits more than it works.
describe.concurrent("a library without a hole", () => {
  it("is decided everywhere, although the first identity may create nothing, and nothing is called broken", async () => {
    const { url, log } = await library();
    const result = await scanLibrary(url, ["object-access", "mass-assignment", "output", "authentication"]);
    expect(undecided(result)).toEqual([]);
    expect(result.counts.broken).toBe(0);
    expect(result.leftovers).toEqual([]);
    // What is refused once for who it is, is not asked again and again.
    expect(log.filter((line) => line.startsWith("ci POST /shelves ")).length).toBeLessThan(12);
  });

  it("takes callers whose role is that of everybody for plain ones", async () => {
    const { url } = await library("recent of everybody");
    const identities = ["alice", "bob"].map((name) => identityOf(name, `Bearer token-of-${name}`, ["user"]));
    const { verdicts } = await scanLibrary(url, ["object-access"], { identities });
    expect(verdicts.some(({ verdict, check }) => verdict === "broken" && check === "foreign-list")).toBe(true);
  });

  it("shows what nobody can create by the id that stands in its list", async () => {
    const { url, log } = await library();
    await scanLibrary(url, ["output"]);
    expect(log.some((line) => /^\w+ GET \/genres\/[0-9a-f-]{36}/.test(line))).toBe(true);
    const result = await scanLibrary(url, ["output"]);
    const genre = result.ledger.find(
      (cell) => cell.operation === "GET /genres/:genreId" && cell.protection === "output",
    );
    expect(genre).toMatchObject({ verdict: "held" });
  });

  it("lets alice review a book that only the administrator could add", async () => {
    const { url, log } = await library();
    const result = await scanLibrary(url, ["object-access"]);
    expect(log.some((line) => line.startsWith("admin POST /books"))).toBe(true);
    const read = result.ledger.find(
      (cell) => cell.operation === "GET /reviews/:reviewId" && cell.protection === "object-access",
    );
    expect(read).toMatchObject({ verdict: "held" });
  });
});

describe.concurrent("accounts that stand by their id", () => {
  it("are read as oneself, however the parameter is called", async () => {
    const { url, close } = await startThings({
      before: ({ method, path, who }) => {
        const id = /^\/users\/([^/]+)$/.exec(path)?.[1];
        if (method !== "GET" || id === undefined || who === undefined) return undefined;
        return id === who ? [200, { id }] : [404, { title: "No" }];
      },
      unknownPath: ({ path, who }) => [path.startsWith("/users/") && who === undefined ? 401 : 404, { title: "No" }],
    });
    closing.push(close);
    const id = { name: "id", in: "path", required: true, schema: { type: "string" } };
    const paths = isRecord(description["paths"]) ? description["paths"] : {};
    const users = { parameters: [id], get: { responses: { 200: { description: "Somebody" } } } };
    const openapi = { ...description, paths: { ...paths, "/users/{id}": users } };
    const { ledger } = await scanThings(url, ["authentication"], { openapi });
    expect(ledger.find(({ operation }) => operation === "GET /users/:id")).toMatchObject({ verdict: "held" });
  });
});

describe.concurrent("another's id is found to open", () => {
  it.each<[Oddity, string]>([
    ["notes by any shelf", "foreign-shelfId GET /notes"],
    ["exports of any shelf", "foreign-shelfId POST /exports"],
    ["any shelf by header", "foreign-X-Shelf-Id GET /stats"],
    ["loans name any shelf", "foreign-shelfId POST /loans"],
    ["activity of any account", "foreign-userId GET /activity"],
    ["covers are linked", "foreign-link GET /shelves/:id"],
    ["recent of everybody", "foreign-list GET /recent"],
    ["search everywhere", "foreign-list GET /search"],
    ["cursors name their owner", "foreign-cursor GET /shelves"],
    ["viewers delete", "beyond-role-viewer DELETE /shelves/:id"],
    ["readers delete books", "foreign-delete DELETE /books/:bookId"],
  ])("%s", async (oddity, expected) => {
    expect(await broken(oddity)).toEqual([expected]);
  });

  it("where it can be told from a missing one, wherever it stands", async () => {
    const found = await broken("forbidden in place of missing");
    expect(found).toEqual(expect.arrayContaining(["foreign-looks-missing GET /shelves/:id"]));
    expect(found.every((one) => one.includes("looks-missing"))).toBe(true);
  });
});

describe.concurrent("no finding is", () => {
  it.each<Oddity>([
    "notes of a foreign shelf are none",
    "exports say the same of everything",
    "activity of oneself whoever is named",
    "covers are linked and guarded",
    // Whoever has such an address was given it.
    "covers are linked with a secret",
    // A name that says nothing forbids nothing.
    "editors delete",
  ])("%s", async (oddity) => {
    expect(await broken(oddity)).toEqual([]);
  });

  it("roles are echoed, and not stored", async () => {
    expect(await broken("roles are echoed", "mass-assignment")).toEqual([]);
  });
});

describe.concurrent("one's own record", () => {
  it("is found to take a role the description allows, and is put back", async () => {
    const { url, people } = await library("roles are merged");
    const { verdicts } = await scanLibrary(url, ["mass-assignment"]);
    const found = verdicts.filter(({ verdict }) => verdict === "broken").map(({ check }) => check);
    expect(found).toContain("own-record-power");
    expect([...people.values()].map(({ role }) => role)).toEqual(["member", "member", "admin", "member"]);
  });
});
