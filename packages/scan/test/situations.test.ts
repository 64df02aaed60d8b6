import { describe, expect, it } from "vitest";
import { identityOf, ScanError, type ScanResult, scan } from "../src/scan.ts";
import { afterwards, listening, things } from "./serving.ts";
import { type Answered, description, type Reactions, scanThings, startThings } from "./things.ts";

/** What a scan calls broken, in short. */
function broken(result: ScanResult): string[] {
  const found = result.verdicts.filter(({ verdict }) => verdict === "broken");
  return found.map(({ protection, check, operation, why }) => `${protection} ${check} ${operation ?? ""}: ${why}`);
}

/** Verdict of each protection that was scanned. */
function verdicts(result: ScanResult): Record<string, string> {
  const scanned = result.protections.filter(({ why }) => !why.startsWith("Left out") && !why.includes("planned"));
  return Object.fromEntries(
    scanned.flatMap(({ protection, verdict }) => (verdict === "not-applicable" ? [] : [[protection, verdict]])),
  );
}

const access = ["authentication", "object-access"];

// Side by side, each with a server of its own: a scan here waits more than it works.
describe.concurrent("refusals of every make", () => {
  const refusals: Record<string, (alike: Answered) => Partial<Reactions>> = {
    "401 and 404": () => ({}),
    "200 with an error text": () => {
      const refuse = (): Answered => [200, { success: false, error: "You may not do that" }];
      return { stranger: refuse, notYours: refuse };
    },
    "204": () => ({ stranger: () => [204], notYours: () => [204] }),
    "a redirect to the sign-in page": () => {
      const refuse = (): Answered => [302, undefined, { location: "https://login.example.com/" }];
      return { stranger: refuse };
    },
    "400": () => ({ stranger: () => [400, { error: "bad" }], notYours: () => [400, { error: "bad" }] }),
    "401 for authorization": () => ({ notYours: () => [401, { error: "no" }] }),
    "403 for authentication": () => ({ stranger: () => [403, { error: "no" }] }),
    "a closed connection": () => ({ stranger: () => "close" }),
  };

  it.each(Object.keys(refusals))("takes %s for a refusal", async (name) => {
    const url = await things(refusals[name]?.([404]));
    expect(verdicts(await scanThings(url, access))).toEqual({ authentication: "held", "object-access": "held" });
  });

  it("does not call a 500 for a bad credential granted", async () => {
    const url = await things({ stranger: () => [500, { error: "Internal error" }] });
    const result = await scanThings(url, ["authentication"]);
    expect(broken(result)).toEqual([]);
  });
});

describe.concurrent("answers that prove nothing", () => {
  it("calls nothing broken on a server that answers 200 to everything", async () => {
    const url = await things({ before: () => [200, { ok: true }] });
    const result = await scanThings(url, []);
    const wrong = [
      "authentication",
      "jwt",
      "object-access",
      "function-access",
      "mass-assignment",
      "injection",
      "exposure",
      "host",
      "versioning",
    ];
    expect(broken(result).filter((entry) => wrong.includes(entry.split(" ")[0] ?? ""))).toEqual([]);
    expect(verdicts(result)["authentication"]).toBe("inconclusive");
  });

  it("says so when every credential is refused everywhere", async () => {
    const url = await things({ before: () => [404, { title: "No" }] });
    await expect(scanThings(url, access)).rejects.toThrow(/alice's credential is refused everywhere/);
  });

  it("judges a write by what the owner reads, not by a 200 that changed nothing of his", async () => {
    const url = await things({
      change(thing, { who, body }) {
        // Somebody else's write is answered with success and kept for himself.
        if (thing.owner === who) thing.name = String(body["name"]);
        return [200, { ...thing, name: String(body["name"]) }];
      },
    });
    const result = await scanThings(url, ["object-access"]);
    expect(broken(result).filter((entry) => !entry.includes("foreign-looks-missing"))).toEqual([]);
  });

  it("finds a write that does change somebody else's", async () => {
    const url = await things({
      change(thing, { body }) {
        thing.name = String(body["name"]);
        return [200, thing];
      },
    });
    const result = await scanThings(url, ["object-access"]);
    const found = result.verdicts.find(({ verdict }) => verdict === "broken");
    expect(found).toMatchObject({ check: "foreign-write", operation: "PATCH /things/:id" });
    const attack = found?.evidence.find(({ leg }) => leg === "attack");
    expect(attack).toMatchObject({ as: "bob", request: { method: "PATCH" } });
  });

  it("calls an attack inconclusive, not broken, when the target limits it", async () => {
    const url = await things({ stranger: () => [429, { title: "Later" }, { "retry-after": "0" }] });
    const result = await scanThings(url, ["authentication"]);
    expect(verdicts(result)).toEqual({ authentication: "inconclusive" });
    expect(result.exitCode).toBe(2);
  });

  it("does not hold what a credential that died on the way was refused", async () => {
    let asked = 0;
    const url = await things({
      before: ({ who }) => {
        if (who === "bob") asked += 1;
        return who === "bob" && asked > 3 ? [401, { title: "Expired" }] : undefined;
      },
    });
    const result = await scanThings(url, ["object-access"]);
    expect(verdicts(result)["object-access"]).toBe("inconclusive");
  });
});

describe.concurrent("targets that behave badly", () => {
  it("waits for a slow one", async () => {
    const url = await things({ before: () => new Promise((resolve) => setTimeout(() => resolve(undefined), 40)) });
    expect(verdicts(await scanThings(url, access))).toEqual({ authentication: "held", "object-access": "held" });
  });

  it("names the request after which a target stopped listening, and keeps what it found before", async () => {
    const { url, server, close } = await startThings({
      before({ path }) {
        if (path.includes("'")) {
          server.close();
          server.closeAllConnections();
        }
        return undefined;
      },
    });
    afterwards(() => close().catch(() => {}));
    const result = await scanThings(url, ["injection", "errors"]);
    expect(result.exitCode).toBe(2);
    expect(broken(result)).toEqual([]);
    expect(result.assumptions.join(" ")).toMatch(
      /stopped listening; the last request was .*GET \/things\/\S*'.*inconclusive/,
    );
    expect(result.verdicts.some(({ why }) => /stopped listening; the last request was /.test(why))).toBe(true);
    expect(result.leftovers).toEqual(["nothing could be deleted: the target is gone"]);
  });

  it("shows no credential where the request at which a target stopped listening carried one", async () => {
    const { url, server, close } = await startThings({
      before({ request }) {
        if (!/[?&]token=token-of/.test(request.url ?? "")) return undefined;
        server.close();
        server.closeAllConnections();
        return "close";
      },
    });
    afterwards(() => close().catch(() => {}));
    const seen: string[] = [];
    const onVerdict = (verdict: unknown) => void seen.push(JSON.stringify(verdict));
    const result = await scanThings(url, ["exposure"], { onVerdict });
    expect(result.assumptions.join(" ")).toMatch(/stopped listening; the last request was .*token=</);
    expect(JSON.stringify([result, seen])).not.toMatch(/token-of-(?:alice|bob)/);
  });

  it("does not follow redirects in circles", async () => {
    const url = await things({ unknownPath: ({ path }) => [302, undefined, { location: path }] });
    expect(verdicts(await scanThings(url, access))).toEqual({ authentication: "held", "object-access": "held" });
  });

  it("survives HTML where JSON was promised", async () => {
    const url = await things({
      before: ({ path }) => (path === "/things" ? [200, "<html><body>Hello</body></html>"] : undefined),
    });
    const result = await scanThings(url, access);
    expect(broken(result)).toEqual([]);
  });

  it("contacts nobody but the address given, whatever the description or an answer names", async () => {
    let contacted = 0;
    const elsewhere = await listening((_request, response) => {
      contacted += 1;
      response.end();
    });
    const url = await things({ unknownPath: () => [302, undefined, { location: elsewhere }] });
    const moved = { ...description, servers: [{ url: elsewhere }], externalDocs: { $ref: `${elsewhere}/docs.json` } };
    const result = await scanThings(url, [], { openapi: moved }).catch((error: unknown) => error);
    expect(result instanceof ScanError || typeof result === "object").toBe(true);
    expect(contacted).toBe(0);
  });
});

describe.concurrent("a scan that cannot be done", () => {
  const alice = identityOf("alice", "Bearer x");
  it.each([
    ["https://example.com", /not this machine/],
    ["http://192.168.0.1:3000", /not this machine/],
    ["ftp://localhost", /cannot be scanned/],
    ["localhost:3000", /cannot be scanned|not a URL/],
    ["http://user:secret@localhost", /credentials do not belong/],
  ])("refuses %s", async (url, message) => {
    await expect(scan({ url, openapi: description, identities: [alice] })).rejects.toThrow(message);
  });

  it("says that nothing listens", async () => {
    await expect(scan({ url: "http://127.0.0.1:1", openapi: description, identities: [alice] })).rejects.toThrow(
      /nothing listens/,
    );
  });

  it("refuses an unknown protection, and names the known ones", async () => {
    const wrong = scan({ url: "http://127.0.0.1:1", openapi: description, identities: [], only: ["bola"] });
    await expect(wrong).rejects.toThrow(/no protection is called "bola"; there are authentication, /);
  });
});
