import { createServer, request } from "node:http";
import { describe, expect, it } from "vitest";
import { openDoor, sharedDoor, testApi } from "../front-door.ts";

describe("transport: a proxy on this machine that nobody declared", () => {
  const door = sharedDoor(() => testApi());

  const shown: readonly (readonly [string, string])[] = [
    ["X-Forwarded-For", "203.0.113.7"],
    ["X-Forwarded-For", "127.0.0.1, 203.0.113.7"],
    ["X-Forwarded-For", "203.0.113.7, 127.0.0.1"],
    ["X-Forwarded-For", "unknown"],
    ["X-Forwarded-For", ""],
    ["X-Forwarded-Host", "api.example.com"],
    ["X-Forwarded-Proto", "https"],
    ["X-Forwarded-Proto", "http"],
    ["X-Forwarded-Port", "443"],
    ["X-Forwarded-Server", "edge"],
    ["X-Forwarded-Ssl", "on"],
    ["Forwarded", "for=203.0.113.7;proto=https"],
    ["Via", "1.1 caddy"],
    ["X-Real-IP", "203.0.113.7"],
    ["CF-Connecting-IP", "203.0.113.7"],
    ["True-Client-IP", "203.0.113.7"],
  ];
  it.each(shown)("whose users look like this machine is refused by %s: %s", async (name, value) => {
    const reply = await door.ask("GET /v1/open", { headers: { [name]: value } });
    expect([reply.status, reply.code]).toEqual([421, "plain-http"]);
    expect(await door.recorded(reply)).toContainEqual(
      expect.objectContaining({
        type: "refused",
        protection: "transport",
        reason: expect.stringMatching(new RegExp(`${name.toLowerCase()}.*declare it.*proxies`)),
      }),
    );
    expect(reply.said).not.toContain("proxies");
  });

  it("whoever proves himself, too: his credential has crossed somebody's wire", async () => {
    const reply = await door.ask("GET /v1/open", { as: "alice", headers: { "X-Forwarded-For": "203.0.113.7" } });
    expect(reply.code).toBe("plain-http");
  });

  it("a real one, which rewrites Host and tells of its client, lets no stranger in", async () => {
    const proxy = createServer((req, res) => {
      const { host: _own, ...rest } = req.headers;
      const headers = { ...rest, host: `localhost:${door.port}`, "x-forwarded-for": "203.0.113.7" };
      const onward = request({ host: "127.0.0.1", port: door.port, path: req.url, headers }, (answer) => {
        res.writeHead(answer.statusCode ?? 500);
        answer.pipe(res);
      });
      req.pipe(onward);
    });
    await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
    const bound = proxy.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    try {
      expect((await fetch(`http://127.0.0.1:${port}/v1/open`)).status).toBe(421);
    } finally {
      proxy.closeAllConnections();
      await new Promise((resolve) => void proxy.close(resolve));
    }
  });

  const local: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ["itself", {}],
    ["a development server", { "X-Forwarded-For": "127.0.0.1" }],
    [
      "one that says all it knows",
      {
        "X-Forwarded-For": "::1",
        "X-Forwarded-Host": "localhost:5173",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Port": "5173",
      },
    ],
    ["two in a row", { "X-Forwarded-For": "::ffff:127.0.0.1, 127.0.0.1" }],
  ];
  it.each(local)("and this machine goes on talking to itself: %s", async (_who, headers) => {
    expect((await door.ask("GET /v1/open", { headers })).status).toBe(200);
  });

  it("the first event of such a start says what a proxy needs", async () => {
    const own = await openDoor(testApi());
    await own.close();
    const started = own.events().find((event) => event.type === "started");
    expect(started?.reason).toMatch(/this machine.*proxies/);
    const declared = await openDoor(testApi({ proxies: { trusted: ["127.0.0.1"], header: "x-forwarded-for" } }));
    await declared.close();
    expect(declared.events().find((event) => event.type === "started")?.reason).toBeUndefined();
  });
});
