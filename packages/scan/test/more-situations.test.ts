import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { recordAt } from "../src/json.ts";
import { identityOf, type ScanResult, scan } from "../src/scan.ts";
import { listening, things } from "./serving.ts";
import { description, scanThings } from "./things.ts";

function broken(result: ScanResult): string[] {
  const found = result.verdicts.filter(({ verdict }) => verdict === "broken");
  return found.map(({ protection, check, operation, why }) => `${protection} ${check} ${operation ?? ""}: ${why}`);
}

function verdictOf(result: ScanResult, protection: string): string | undefined {
  return result.protections.find((entry) => entry.protection === protection)?.verdict;
}

const credentials = {
  type: "object",
  required: ["email", "password"],
  properties: { email: { type: "string", format: "email" }, password: { type: "string" } },
};

/** Things with a sign-in beside them. */
const withSignIn = {
  ...description,
  paths: {
    ...recordAt(description, "paths"),
    "/login": {
      post: {
        security: [],
        requestBody: { content: { "application/json": { schema: credentials } } },
        responses: { 200: { description: "It" } },
      },
    },
  },
};

const account = { user: "alice@example.com", password: "right-horse-1" };

// Side by side, each with a server of its own: a scan here waits more than it works.
describe.concurrent("a sign-in", () => {
  it("that answers a wrong password with 404 is no finding", async () => {
    const url = await things({
      before: ({ path, body }) => {
        if (path !== "/login") return undefined;
        return body["password"] === account.password ? [200, { token: "token-of-alice" }] : [404, { error: "no" }];
      },
    });
    const only = ["sessions", "authentication", "errors", "output"];
    expect(broken(await scanThings(url, only, { openapi: withSignIn, accounts: [account] }))).toEqual([]);
  });

  it("that locks an account instead of slowing down does not lock the account that was given", async () => {
    const wrong = new Map<string, number>();
    const url = await things({
      before: ({ path, body }) => {
        if (path !== "/login") return undefined;
        const email = String(body["email"]);
        const count = wrong.get(email) ?? 0;
        if (count >= 5) return [423, { error: "locked" }];
        if (email === account.user && body["password"] === account.password) {
          wrong.delete(email);
          return [200, { token: "token-of-alice" }];
        }
        wrong.set(email, count + 1);
        return [401, { error: "no" }];
      },
    });
    const result = await scanThings(url, [], { openapi: withSignIn, accounts: [account] });
    expect(wrong.get(account.user) ?? 0).toBeLessThan(5);
    expect(broken(result).filter((entry) => entry.includes("rate-limit"))).toEqual([]);
  });
});

describe.concurrent("a limiter", () => {
  it("that an earlier probe used up makes what follows inconclusive or waits, never broken", async () => {
    let from = performance.now();
    let count = 0;
    const url = await things({
      before: () => {
        if (performance.now() - from > 1000) [from, count] = [performance.now(), 0];
        count += 1;
        return count > 40 ? [429, { title: "Later" }, { "retry-after": "1" }] : undefined;
      },
    });
    const result = await scanThings(url, ["authentication", "object-access", "mass-assignment"]);
    expect(broken(result)).toEqual([]);
    for (const id of ["authentication", "object-access"])
      expect(["held", "inconclusive"]).toContain(verdictOf(result, id));
  });
});

describe.concurrent("somebody in front of the API", () => {
  const page = "<html><head><title>Attention Required! | Cloudflare</title></head><body>Sorry</body></html>";
  it.each([
    ["that is out of order", [503, { title: "Later" }, { "retry-after": "0" }], /answered 503 and kept doing so/],
    [
      "that blocks with a page of its own",
      [403, page],
      /A firewall in front \(Cloudflare\) answered in place of the API/,
    ],
    ["that asks for a proof of being human", [403, "<p>Wait</p>", { "cf-mitigated": "challenge" }], /\(Cloudflare\)/],
  ] as const)("%s makes attacks inconclusive, neither broken nor held", async (_name, answer, why) => {
    const result = await scanThings(await things({ stranger: () => answer }), ["authentication"]);
    expect(verdictOf(result, "authentication")).toBe("inconclusive");
    expect(result.protections.find(({ protection }) => protection === "authentication")?.why).toMatch(why);
  });

  it("is not seen where a refusal merely speaks of a firewall in JSON", async () => {
    const url = await things({ stranger: () => [403, { error: "Attention Required! | Cloudflare" }] });
    expect(verdictOf(await scanThings(url, ["authentication"]), "authentication")).toBe("held");
  });
});

describe.concurrent("what is public or shared on purpose", () => {
  it("is no finding where the description says so", async () => {
    const paths = recordAt(description, "paths");
    const list = recordAt(recordAt(paths, "/things"), "get");
    const openapi = {
      ...description,
      paths: { ...paths, "/things": { ...recordAt(paths, "/things"), get: { ...list, security: [] } } },
    };
    const url = await things({
      before: ({ path, method }) => (path === "/things" && method === "GET" ? [200, { items: [] }] : undefined),
    });
    expect(broken(await scanThings(url, ["authentication", "object-access", "function-access"], { openapi }))).toEqual(
      [],
    );
  });

  it("is no finding where nothing says who may call, and strangers may", async () => {
    const { security: _security, ...openapi } = description;
    const url = await things({
      before: ({ path, method }) => (path === "/things" && method === "GET" ? [200, { items: [] }] : undefined),
    });
    const result = await scanThings(url, ["authentication"], { openapi });
    expect(broken(result)).toEqual([]);
    expect(result.assumptions.join(" ")).toMatch(
      /they refuse strangers, so they are taken to need a caller: .*GET \/me/,
    );
  });
});

describe.concurrent("CORS that reflects only when a cookie is sent", () => {
  it("is found, since a cookie is what a foreign page would bring along", async () => {
    const url = await listening((request, response) => {
      const who = /sid=(\w+)/.exec(request.headers.cookie ?? "")?.[1];
      const origin = request.headers.origin;
      if (who !== undefined && origin !== undefined) {
        response.setHeader("access-control-allow-origin", origin);
        response.setHeader("access-control-allow-credentials", "true");
      }
      response.writeHead(who === undefined ? 401 : 200, { "content-type": "application/json" });
      response.end(JSON.stringify(who === undefined ? { error: "who?" } : { id: who, mail: `${who}@example.com` }));
    });
    const openapi = {
      openapi: "3.1.0",
      info: { title: "me", version: "1" },
      security: [{ cookie: [] }],
      components: { securitySchemes: { cookie: { type: "apiKey", in: "cookie", name: "sid" } } },
      paths: { "/me": { get: { responses: { 200: { description: "It" } } } } },
    };
    const identities = [identityOf("alice", "cookie:sid=alice"), identityOf("bob", "cookie:sid=bob")];
    const result = await scan({ url, openapi, identities, only: ["cors"], seed: 3 });
    expect(broken(result).join("\n")).toMatch(/^cors /);
  });
});

describe.concurrent("a target that is broken itself", () => {
  const only = ["authentication", "object-access", "output", "injection", "errors"];

  it("by resetting every other connection is not called broken, and the scan ends", async () => {
    let count = 0;
    const url = await things({
      before: () => {
        count += 1;
        return count % 2 === 0 ? "close" : undefined;
      },
    });
    const result = await scanThings(url, only).catch((error: unknown) => error);
    if (result instanceof Error) expect(result.message).toMatch(/refused everywhere|gives no HTTP answer/);
    else expect(result).toMatchObject({ counts: { broken: 0 } });
  });

  it("by answers that never end is not waited for again and again", { timeout: 120_000 }, async () => {
    const url = await things({
      before: ({ path, method }) =>
        path.startsWith("/things/") && method === "GET" ? new Promise(() => {}) : undefined,
    });
    const result = await scanThings(url, ["authentication", "injection"]);
    expect(broken(result)).toEqual([]);
    expect(result.verdicts.some(({ why }) => /gave no whole answer within 10 s, 3 times in a row/.test(why))).toBe(
      true,
    );
    expect(result.durationMs).toBeLessThan(100_000);
  });

  it("by answers that break off for whoever asks is not called broken", async () => {
    const url = await things({
      before: ({ request, path }) => {
        if (path !== "/things") return undefined;
        request.socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        return "close";
      },
    });
    const result = await scanThings(url, ["authentication"]);
    expect(broken(result)).toEqual([]);
    expect(result.verdicts.map(({ why }) => why).join(" ")).toMatch(/breaks off before its end/);
  });

  it("by nonsense in its headers and bodies ends in verdicts", async () => {
    const answers = [
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{"a":',
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    ];
    let count = 0;
    const url = await things({
      before: ({ request, path }) => {
        if (path === "/me") return undefined;
        count += 1;
        request.socket.end(answers[count % answers.length] ?? "");
        return "close";
      },
    });
    expect(broken(await scanThings(url, ["authentication", "output"]))).toEqual([]);
  });
});

// Alone, since it measures the memory.
describe("a target whose answers have 100 MB", () => {
  it("is read in part only, in bounded memory", async () => {
    const huge = Buffer.alloc(1024 * 1024, 120);
    let sent = 0;
    const url = await listening((request, response) => {
      const authorized = /^Bearer token-of-(?:alice|bob)$/.test(request.headers.authorization ?? "");
      response.writeHead(authorized ? 200 : 401, { "content-type": "application/json" });
      if (authorized) response.write('{"items":["');
      if (authorized) pour(response, 100);
      else response.end("{}");
    });
    const pour = (response: ServerResponse, left: number): void => {
      if (response.destroyed) return;
      if (left === 0) return void response.end();
      sent += huge.length;
      response.write(huge, () => pour(response, left - 1));
    };
    const before = process.memoryUsage().rss;
    const result = await scanThings(url, ["authentication", "output"], { budget: 150 });
    expect(broken(result)).toEqual([]);
    expect(sent).toBeGreaterThan(10 * huge.length);
    expect(process.memoryUsage().rss - before).toBeLessThan(600 * 1024 * 1024);
  });
});
