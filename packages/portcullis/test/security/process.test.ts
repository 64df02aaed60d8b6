import { setTimeout as wait } from "node:timers/promises";
import type { Credential, CredentialVerifier, Listening } from "portcullis";
import { anyCaller, nothing, publicAccess } from "portcullis";
import { Refusal } from "../../src/refusal.ts";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { testApi, token } from "../front-door.ts";
import { raw } from "../node/raw.ts";

let open: Listening | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

const host = "Host: localhost\r\n";

describe("no request ends the process", () => {
  it("answers 500 where a header cannot be sent, at once and later, and goes on serving", async () => {
    // A credential of the application's own whose challenge holds a character that headers do not have.
    const unsendable: Credential = {
      protection: "jwt",
      name: "own",
      carrier: { in: "header", header: "x-own" },
      issuer: undefined,
      mapsSubject: false,
      problems: () => [],
      describe: () => ({}),
      build: () => ({
        recognises: () => true,
        cached: () => undefined,
        verify(value) {
          const refusal = new Refusal("bad-credential", "no", { headers: ["www-authenticate", 'Own realm="10 €"'] });
          return value === "later" ? wait(5).then(() => refusal) : refusal;
        },
      }),
    };
    const test = testApi({ credentials: [unsendable] });
    open = await test.api.listen({ port: 0, handleSignals: false });
    for (const when of ["now", "later"]) {
      const answer = await raw(open.port, `GET /v1/open HTTP/1.1\r\n${host}X-Own: ${when}\r\n\r\n`);
      expect(answer.status, when).toBe(500);
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(JSON.parse(answer.body)).toMatchObject({ code: "internal" });
    }
    expect((await raw(open.port, `GET /v1/open HTTP/1.1\r\n${host}\r\n`)).status).toBe(200);
    expect(test.errors.map(String).join()).toContain("Invalid character in header");
  });

  it("survives an onError that rejects", async () => {
    const test = testApi({
      audit: {
        sinks: [{ name: "nowhere", write: () => undefined }],
        // A language without types, or a compiler without this rule, lets an async function stand here.
        ...Object.assign({}, { onError: () => rejectedWith(new Error("the reporter is down as well")) }),
      },
    });
    test.api.route({ path: "GET /v1/throws", access: publicAccess("throws"), output: nothing }, () => {
      throw new Error("boom");
    });
    open = await test.api.listen({ port: 0, handleSignals: false });
    expect((await raw(open.port, `GET /v1/throws HTTP/1.1\r\n${host}\r\n`)).status).toBe(500);
    await wait(20);
    expect((await raw(open.port, `GET /v1/open HTTP/1.1\r\n${host}\r\n`)).status).toBe(200);
  });

  it("survives whatever a handler returns, throws, resolves or rejects", async () => {
    const test = testApi();
    const outcomes: readonly (readonly [string, () => unknown])[] = [
      ["undefined-thrown", () => rejectedWith(undefined)],
      ["null-thrown", () => rejectedWith(null)],
      ["thrown-proxy", () => rejectedWith(new Proxy({}, { get: () => boom() }))],
      ["getter", () => Object.defineProperty({}, "ok", { enumerable: true, get: boom })],
      ["circular", () => circular()],
      ["bigint", () => ({ ok: 10n })],
      ["symbol", () => Symbol("ok")],
      ["function", () => () => true],
      ["throwing-then", () => Object.defineProperty({}, later, { get: boom })],
      ["rejecting-then", () => ({ [later]: (_: unknown, reject: (error: unknown) => void) => reject("no") })],
      ["revoked", () => revoked()],
    ];
    for (const [name, run] of outcomes) {
      const policy = {
        path: `GET /v1/${name}`,
        access: publicAccess("odd"),
        output: z.strictObject({ ok: z.boolean() }),
      };
      Reflect.apply(test.api.route, test.api, [policy, run]);
    }
    open = await test.api.listen({ port: 0, handleSignals: false });
    for (const [name] of outcomes) {
      const answer = await raw(open.port, `GET /v1/${name} HTTP/1.1\r\n${host}\r\n`);
      expect(answer.status, name).toBe(500);
      expect(answer.body, name).toContain('"code":"');
      expect(answer.body, name).not.toContain("boom");
    }
  });

  it("survives a route declared while it runs that would not have started, and serves nothing until that is mended", async () => {
    const test = testApi();
    open = await test.api.listen({ port: 0, handleSignals: false });
    const ask = async (text = `GET /v1/open HTTP/1.1\r\n${host}\r\n`) => (await raw(open?.port ?? 0, text)).status;
    expect(await ask()).toBe(200);
    Reflect.apply(test.api.route, test.api, [{ path: "GET /v1/late", access: {}, output: nothing }, () => undefined]);
    expect(await ask()).toBe(500);
    expect(await ask("HELLO\r\n\r\n")).toBe(400);
    expect(await ask(`CONNECT a:1 HTTP/1.1\r\n${host}\r\n`)).toBe(501);
    test.api.route({ path: "GET /v1/late", access: anyCaller, output: nothing }, () => undefined);
    expect(await ask()).toBe(200);
  });

  it("survives a rule that answers with a promise, which decides nothing", async () => {
    const test = testApi();
    const late = (): unknown => rejectedWith(new Error("too late"));
    const rules: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
      owner: { owner: late },
      grant: { grant: late },
      tenant: { tenant: late, shared: "for the tests" },
    };
    for (const [name, rule] of Object.entries(rules)) {
      const resource: unknown = Reflect.apply(test.api.resource, test.api, [
        name,
        { load: (id: string) => ({ id }), ...rule },
      ]);
      const objects = { one: { kind: "by", field: "id", resource, within: undefined } };
      const input = { params: z.strictObject({ id: z.string().max(9) }) };
      const policy = { path: `GET /v1/${name}/:id`, access: anyCaller, input, objects, output: nothing };
      Reflect.apply(test.api.route, test.api, [policy, () => undefined]);
    }
    open = await test.api.listen({ port: 0, handleSignals: false });
    const bearer = `Authorization: Bearer ${await token("alice")}\r\n`;
    for (const name of Object.keys(rules)) {
      expect((await raw(open.port, `GET /v1/${name}/a HTTP/1.1\r\n${host}${bearer}\r\n`)).status, name).toBe(
        name === "grant" ? 500 : 404,
      );
    }
    await wait(20);
    expect((await raw(open.port, `GET /v1/open HTTP/1.1\r\n${host}\r\n`)).status).toBe(200);
  });

  it("refuses where a verifier answers nothing, or a caller that is none, or a thenable that does", async () => {
    const verdicts: Readonly<Record<string, unknown>> = {
      undefined: undefined,
      null: null,
      text: "alice",
      nameless: { subject: "" },
      thenable: { subject: "mallory", [later]: (resolve: (value: unknown) => void) => resolve(undefined) },
      later: Promise.resolve(undefined),
    };
    const careless: Credential = {
      protection: "jwt",
      name: "own",
      carrier: { in: "header", header: "x-own" },
      issuer: undefined,
      mapsSubject: false,
      problems: () => [],
      describe: () => ({}),
      build: () => {
        const verifier: CredentialVerifier = {
          recognises: () => true,
          cached: () => undefined,
          verify: () => new Refusal("bad-credential", "no"),
        };
        return Object.assign(verifier, { verify: (value: string): unknown => verdicts[value] });
      },
    };
    const test = testApi({ credentials: [careless] });
    const ran: unknown[] = [];
    test.api.route({ path: "GET /v1/any", access: anyCaller, output: nothing }, ({ caller }) => void ran.push(caller));
    open = await test.api.listen({ port: 0, handleSignals: false });
    for (const verdict of Object.keys(verdicts)) {
      const answer = await raw(open.port, `GET /v1/any HTTP/1.1\r\n${host}X-Own: ${verdict}\r\n\r\n`);
      expect(answer.status, verdict).toBe(503);
    }
    expect(ran).toEqual([]);
  });

  it("answers a token's bearer as ever afterwards", async () => {
    const test = testApi();
    open = await test.api.listen({ port: 0, handleSignals: false });
    const answer = await raw(
      open.port,
      `GET /v1/open HTTP/1.1\r\n${host}Authorization: Bearer ${await token("alice")}\r\n\r\n`,
    );
    expect(answer.status).toBe(200);
  });
});

/** A lint rule keeps objects with a `then` out of the code; here one is meant. */
const later = ["th", "en"].join("");

async function rejectedWith(reason: unknown): Promise<void> {
  await wait(1);
  throw reason;
}

function boom(): never {
  throw new Error("boom");
}

function circular(): unknown {
  const value: { ok: unknown } = { ok: undefined };
  value.ok = value;
  return value;
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
