import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterAll, describe, expect, it } from "vitest";
import { isRecord, parseJson, textAt } from "../src/json.ts";
import { identityOf, scan } from "../src/scan.ts";

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** Where a limit has to stand used up while something else is tried, a busy machine needs more than a second for both. */
const roomyMs = 2000;

// Side by side, each with a server of its own: most of a scan of limits is waiting for windows to end.
describe.concurrent("rate-limit", { timeout: 60_000 }, () => {
  it("finds nothing in a limiter that counts whatever comes, and says what it saw of it", async ({ expect }) => {
    const found = await scanLimits({ windowMs: roomyMs });
    expect(found.broken).toEqual([]);
    // Twelve on a machine that has time; how many is a matter of when windows begin.
    expect(found.why("caller")).toMatch(/after \d+ requests, Retry-After [12], counted by address/);
    expect(found.held).toEqual(expect.arrayContaining(["sign-in", "sign-in-bypass", "caller", "caller-parallel"]));
  });

  it("finds a sign-in without any limit", async ({ expect }) => {
    expect((await scanLimits({ signIn: false })).broken).toEqual(["sign-in"]);
  });

  it.for(["x-forwarded-for", "x-real-ip", "x-originating-ip", "fastly-client-ip"])(
    "finds a limiter that believes %s",
    async (header, { expect }) => {
      const key = (request: IncomingMessage) => String(request.headers[header] ?? "socket");
      const found = await scanLimits({ key, windowMs: roomyMs });
      expect(found.broken).toEqual(["sign-in-bypass", "caller-bypass"]);
    },
  );

  it("finds a limiter that counts every spelling of a path apart", async ({ expect }) => {
    const found = await scanLimits({ key: (request) => request.url ?? "", windowMs: roomyMs });
    expect(found.broken).toEqual(["sign-in-bypass", "caller-bypass"]);
    expect(found.why("caller-bypass")).toContain("another spelling");
  });

  it("takes no unknown path for another spelling, where an unknown user is answered with the same 404", async ({
    expect,
  }) => {
    expect((await scanLimits({ exact: true })).broken).toEqual([]);
  });

  it("takes a limit that comes back bit by bit for none that a header or a spelling lifts", async ({ expect }) => {
    expect((await scanLimits({ leaks: true, windowMs: 60_000 })).broken).toEqual([]);
  });

  it("finds a count of wrong passwords that a sign-in of one's own sets back", async ({ expect }) => {
    expect((await scanLimits({ successResets: true, windowMs: 2500, reads: false })).broken).toEqual(["sign-in-reset"]);
  });

  it("calls nothing cut off that was limited before its first guess, and guesses once that is over", async ({
    expect,
  }) => {
    const found = await scanLimits({ windowMs: roomyMs, window: "sliding", elsewhere: { all: 8 } });
    expect(found.why("sign-in")).toMatch(/cut off after [1-8] tries/);
    const shut = await scanLimits({ windowMs: 60_000, window: "sliding", elsewhere: { all: 8 } });
    expect(shut.why("sign-in")).toBe("It was limited before the first guess.");
  });

  it("finds that nobody counts what a caller asks for, where the description speaks of 429", async ({ expect }) => {
    const found = await scanLimits({ reads: false, told: true });
    expect(found.broken).toEqual(["caller"]);
    expect(found.why("caller")).toContain("the description of GET /me speaks of 429");
  });

  it("leaves it open where the description promises no limit, since a proxy may do it", async ({ expect }) => {
    const found = await scanLimits({ reads: false });
    expect(found.broken).toEqual([]);
    expect(found.why("caller")).toContain("the description promises none");
  });

  it("finds a counter that takes another value of a parameter for another request", async ({ expect }) => {
    const found = await scanLimits({ key: ({ url }) => String(url), strictQuery: true });
    expect(found.broken).toContain("caller-bypass");
    expect(found.why("caller-bypass")).toContain("another value of a parameter");
  });

  it("finds requests with HEAD that nobody counts, and not those with a count of their own", async ({ expect }) => {
    const [uncounted, apart] = await Promise.all([
      scanLimits({ uncounted: ({ method }) => method === "HEAD" }),
      scanLimits({ key: ({ method }) => String(method) }),
    ]);
    expect(uncounted.broken).toEqual(["caller-bypass"]);
    expect(uncounted.why("caller-bypass")).toContain("HEAD");
    expect(apart.broken).toEqual([]);
  });

  it("finds refusals that do not say when to come again", async ({ expect }) => {
    expect((await scanLimits({ silent: true })).broken).toEqual(["caller-retry-after"]);
  });
});

// Apart from all the others, since their bursts have to be there in time.
describe("rate-limit, where it is about moments", { timeout: 60_000 }, () => {
  it("finds a limiter that counts only one of all who come at the same time", async () => {
    const found = await scanLimits({ slowCount: true, windowMs: roomyMs });
    expect(found.broken).toEqual(["sign-in", "caller-parallel"]);
  });

  it("finds a window that begins anew by the clock, and none where every interval counts", async () => {
    const key = ({ headers }: IncomingMessage) => String(headers.authorization);
    const [byClock, sliding] = await Promise.all([
      scanLimits({ key, windowMs: 5000, window: "clock" }),
      scanLimits({ key, windowMs: 5000, window: "sliding" }),
    ]);
    expect(byClock.broken, byClock.why("caller-window")).toEqual(["caller-window"]);
    expect(byClock.why("caller-window")).toMatch(/2\d requests got through inside \d s/);
    expect(sliding.broken).toEqual([]);
  });

  it("takes what somebody else of the same account used up before for no window that begins anew", async () => {
    const key = ({ headers }: IncomingMessage) => String(headers.authorization);
    const elsewhere = { "Bearer token-of-alice": 170 };
    const found = await scanLimits({ key, windowMs: 5000, window: "sliding", limit: 300, elsewhere });
    expect(found.why("caller")).toMatch(/after 1[23]\d requests/);
    expect(found.broken).toEqual([]);
  });
});

interface Behaviour {
  readonly signIn?: false;
  readonly key?: (request: IncomingMessage) => string;
  /** Those who come while one is being counted, which takes 40 ms, are not counted; more than eleven of them it does notice. */
  readonly slowCount?: true;
  readonly successResets?: true;
  /** Default a second. */
  readonly windowMs?: number;
  /** Default: it begins with the first request. */
  readonly window?: "clock" | "sliding";
  /** For reads; default 12. */
  readonly limit?: number;
  /** How many reads another client of a caller has made when the scan makes its first. */
  readonly elsewhere?: Readonly<Record<string, number>>;
  /** Reads are not counted. */
  readonly reads?: false;
  readonly uncounted?: (request: IncomingMessage) => boolean;
  /** The description names 429. */
  readonly told?: true;
  /** A query nobody declared is refused, after it was counted. */
  readonly strictQuery?: true;
  /** Once it is reached, two of five are let through. */
  readonly leaks?: true;
  /** No Retry-After. */
  readonly silent?: true;
  /** Only the one spelling of a path is known, and an unknown user is answered as an unknown path is. */
  readonly exact?: true;
}

async function scanLimits(behaviour: Behaviour) {
  const url = await serve(behaviour);
  const { verdicts } = await scan({
    url,
    openapi: behaviour.told === undefined ? description : speaksOf429,
    only: ["rate-limit"],
    identities: [identityOf("alice", "Bearer token-of-alice"), identityOf("bob", "Bearer token-of-bob")],
    accounts: [{ user: "alice@example.com", password: "correct horse" }],
    seed: 1,
  });
  const named = (kind: string) => verdicts.filter(({ verdict }) => verdict === kind).map(({ check }) => check);
  return {
    broken: named("broken"),
    held: named("held"),
    why: (name: string) => verdicts.find(({ check }) => check === name)?.why,
  };
}

const body = {
  content: {
    "application/json": {
      schema: {
        type: "object",
        required: ["email", "password"],
        properties: { email: { type: "string", format: "email" }, password: { type: "string" } },
      },
    },
  },
};
const responses = { 200: { description: "Fine" } };
const description = {
  openapi: "3.1.0",
  info: { title: "limits", version: "1" },
  security: [{ bearer: [] }],
  components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  paths: {
    "/me": {
      get: { responses, parameters: [{ name: "limit", in: "query", schema: { type: "integer", maximum: 40 } }] },
    },
    "/login": { post: { security: [], requestBody: body, responses } },
  },
};
const speaksOf429 = {
  ...description,
  paths: { ...description.paths, "/me": { get: { responses: { ...responses, 429: { description: "Too many" } } } } },
};

interface Gathering {
  /** Resolves for all at once: when the twelfth joins, or after 40 ms. */
  join(): Promise<void>;
}

function gather(atEnd: () => void): Gathering {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, 40);
  void over.promise.then(() => clearTimeout(timer)).then(atEnd);
  let count = 0;
  return {
    join: () => {
      count += 1;
      if (count === 12) over.resolve();
      return over.promise;
    },
  };
}

/** Twelve a second for reads and eight for sign-ins, counted in a window that begins with the first request. */
async function serve({
  signIn,
  key = () => "all",
  slowCount,
  successResets,
  windowMs = 1000,
  window: kind,
  limit: mostReads = 12,
  elsewhere = {},
  reads,
  uncounted = () => false,
  strictQuery,
  leaks,
  silent,
  exact,
}: Behaviour): Promise<string> {
  const windows = new Map<string, { count: number; until: number }>();

  const logs = new Map<string, number[]>();
  const gatherings = new Map<string, Gathering>();

  /** Comes back when the counting is over. True for the one who is counted. */
  async function isCounted(name: string): Promise<boolean> {
    const underWay = gatherings.get(name);
    const gathering = underWay ?? gather(() => gatherings.delete(name));
    gatherings.set(name, gathering);
    await gathering.join();
    return underWay === undefined;
  }

  async function refusedFor(name: string, limit: number): Promise<number> {
    if (kind === "sliding") {
      const before = Array.from({ length: elsewhere[name.replace(/^\S+ /, "")] ?? 0 }, () => Date.now());
      const log = (logs.get(name) ?? before).filter((time) => time > Date.now() - windowMs);
      logs.set(name, log);
      if (log.length >= limit) return Math.ceil(((log[0] ?? 0) + windowMs - Date.now()) / 1000);
      log.push(Date.now());
      return 0;
    }
    const ends = () => (kind === "clock" ? Date.now() - (Date.now() % windowMs) : Date.now()) + windowMs;
    const found = windows.get(name);
    const window = found === undefined || found.until <= Date.now() ? { count: 0, until: ends() } : found;
    windows.set(name, window);
    if (slowCount === undefined || (await isCounted(name))) window.count += 1;
    if (leaks === true && (window.count - limit) % 5 > 2) return 0;
    return window.count > limit ? Math.ceil((window.until - Date.now()) / 1000) : 0;
  }

  const listening = createServer(
    (request, response) =>
      void answer(request).then(([status, json, headers]) => {
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(json));
      }),
  );
  async function answer(request: IncomingMessage): Promise<[number, unknown, Record<string, string>?]> {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    if (exact === true && !/^\/(?:me|login)(?:\?|$)/.test(request.url ?? "")) return [404, { error: "Not found" }];
    const path = decodeURIComponent((request.url ?? "/").split("?")[0] ?? "")
      .toLowerCase()
      .replace(/(.)\/+$/, "$1");
    const guesses = path === "/login";
    if (path !== "/me" && !guesses) return [404, { error: "Not found" }];
    const name = `${path} ${key(request)}`;
    const free = (guesses ? signIn : reads) === false || uncounted(request);
    const wait = free ? 0 : await refusedFor(name, guesses ? 8 : mostReads);
    if (wait > 0) return [429, { error: "Slow down" }, silent === true ? {} : { "retry-after": String(wait) }];
    if (strictQuery === true && !/^[^?]*(?:\?limit=\d+)?$/.test(request.url ?? ""))
      return [400, { error: "No such query" }];
    if (!guesses) {
      const known = /^Bearer token-of-(?:alice|bob)$/.test(request.headers.authorization ?? "");
      return known ? [200, { id: "you" }] : [401, { error: "Who is it?" }];
    }
    const json = parseJson(text);
    const right = isRecord(json) && textAt(json, "password") === "correct horse";
    if (exact === true && !(isRecord(json) && textAt(json, "email") === "alice@example.com"))
      return [404, { error: "Not found" }];
    if (right && successResets === true) windows.delete(name);
    return right ? [200, { ok: true }] : [401, { error: "Wrong name or password" }];
  }
  servers.push(listening);
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  return `http://127.0.0.1:${address.port}`;
}
