import { get } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { recordAt, textAt } from "../src/json.ts";
import { type Answered, description, scanThings, startThings } from "./things.ts";

let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

describe("ssrf", { timeout: 30_000 }, () => {
  it("finds an address of a caller that is fetched, in a query and in a body", async () => {
    expect(await scanFetching((url) => fetched(url))).toEqual(["broken fetch-url", "broken fetch-avatar"]);
  });

  it("finds one that is fetched although localhost and 127.0.0.1 are forbidden", async () => {
    const found = await scanFetching((url) =>
      /^http:\/\/(?:localhost|127\.0\.0\.1)[:/]/.test(url) ? Promise.resolve() : fetched(url),
    );
    expect(found).toEqual(["broken fetch-url", "broken fetch-avatar"]);
  });

  it("finds one that is fetched over IPv6 although every spelling of 127.0.0.1 is forbidden", async () => {
    const found = await scanFetching((url) => (url.startsWith("http://[::1]") ? fetched(url) : Promise.resolve()));
    expect(found).toEqual(["broken fetch-url", "broken fetch-avatar"]);
  });

  it("leaves in peace what is stored or refused and never fetched", async () => {
    expect(await scanFetching(() => Promise.resolve())).toEqual(["held fetch-url", "held fetch-avatar"]);
  });

  it("says nothing of a target on another machine, from which no call could arrive, but what does arrive", async () => {
    // A name that is no loopback address and leads here all the same.
    const elsewhere = "0.0.0.0";
    expect(await scanFetching(() => Promise.resolve(), elsewhere)).toEqual([
      "not-applicable fetch-url",
      "not-applicable fetch-avatar",
    ]);
    await close?.();
    expect(await scanFetching((url) => fetched(url), elsewhere)).toEqual(["broken fetch-url", "broken fetch-avatar"]);
  });

  it("finds one that is fetched when something is changed, and puts a caller's own record back", async () => {
    let avatar = "https://cdn.example.com/me.png";
    const api = await startThings({
      async before({ method, path, who, body }): Promise<Answered | undefined> {
        if (path !== "/me" || who === undefined) return undefined;
        if (method === "PATCH") avatar = textAt(body, "avatarUrl") ?? avatar;
        if (method === "PATCH") await fetched(avatar);
        return [200, { id: who, avatarUrl: avatar }];
      },
      change(thing, { body }) {
        void fetched(textAt(body, "iconUrl") ?? "");
        return [200, thing];
      },
    });
    close = api.close;
    const changes = (name: string) => ({
      requestBody: {
        content: { "application/json": { schema: { type: "object", properties: { [name]: { type: "string" } } } } },
      },
      responses: { 200: { description: "It" } },
    });
    const paths = recordAt(description, "paths") ?? {};
    const { verdicts } = await scanThings(api.url, ["ssrf"], {
      openapi: {
        ...description,
        paths: {
          ...paths,
          "/me": { ...recordAt(paths, "/me"), patch: changes("avatarUrl") },
          "/things/{id}": { ...recordAt(paths, "/things/{id}"), patch: changes("iconUrl") },
        },
      },
    });
    const found = verdicts.map(({ verdict, check, operation }) => `${verdict} ${check} ${operation}`);
    expect(found).toEqual(["broken fetch-iconUrl PATCH /things/:id", "broken fetch-avatarUrl PATCH /me"]);
    expect(avatar).toBe("https://cdn.example.com/me.png");
  });
});

async function scanFetching(take: (url: string) => Promise<void>, host = "127.0.0.1"): Promise<readonly string[]> {
  const api = await startThings({
    async before({ path, who, request, body }): Promise<Answered | undefined> {
      if (path !== "/preview" || who === undefined) return undefined;
      const { searchParams } = new URL(request.url ?? "/", "http://127.0.0.1");
      await take(textAt(body, "avatar") ?? searchParams.get("url") ?? "");
      return [200, { ok: true }];
    },
  });
  close = api.close;
  const responses = { 200: { description: "It" } };
  const url = { type: "string", format: "uri" };
  const schema = { type: "object", required: ["avatar"], properties: { avatar: { type: "string" } } };
  const { verdicts } = await scanThings(api.url.replace("127.0.0.1", host), ["ssrf"], {
    consent: [host],
    openapi: {
      ...description,
      paths: {
        ...recordAt(description, "paths"),
        "/preview": {
          get: { parameters: [{ name: "url", in: "query", required: true, schema: url }], responses },
          post: { requestBody: { content: { "application/json": { schema } } }, responses },
        },
      },
    },
  });
  return verdicts.filter(({ protection }) => protection === "ssrf").map(({ verdict, check }) => `${verdict} ${check}`);
}

/** Asks for it and waits for the answer, whatever comes. */
function fetched(address: string): Promise<void> {
  return new Promise((resolve) => {
    if (!URL.canParse(address)) return resolve();
    get(address, (response) => response.resume().on("end", () => resolve())).on("error", () => resolve());
  });
}
