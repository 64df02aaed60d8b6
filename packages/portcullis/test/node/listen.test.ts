import { once } from "node:events";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { describe, expect, it } from "vitest";
import { testApi } from "../front-door.ts";

/** A port of loopback that somebody holds. */
async function hold(): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return { server, port: typeof address === "object" && address !== null ? address.port : 0 };
}

describe("transport: listening that fails", () => {
  it("serves nothing where the port for health is taken", async () => {
    const taken = await hold();
    const free = await hold();
    free.server.close();
    await once(free.server, "close");
    const listening = testApi().api.listen({ port: free.port, healthPort: taken.port, handleSignals: false });
    await expect(listening).rejects.toThrow(/EADDRINUSE/);
    await expect(fetch(`http://127.0.0.1:${free.port}/v1/open`)).rejects.toThrow(/fetch failed/);
    taken.server.close();
  });

  it("speaks no TLS older than there is an option for", async () => {
    const { api } = testApi();
    const listening: unknown = Reflect.apply(api.listen, undefined, [{ port: 0, minTls: "1.1", handleSignals: false }]);
    await expect(listening).rejects.toThrow(/minTls/);
  });
});
