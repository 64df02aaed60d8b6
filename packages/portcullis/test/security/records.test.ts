import type { Listening } from "portcullis";
import { anyCaller, described, nothing, publicAccess } from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { testApi, token } from "../front-door.ts";
import type { TestApi } from "../front-door.ts";
import { raw } from "../node/raw.ts";

let open: Listening | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** Everything that was written, as a sink would write it. */
async function written(test: TestApi): Promise<string> {
  await open?.close();
  return test.entries.map((entry) => JSON.stringify(entry)).join("\n");
}

const password = "correct-horse-battery";
const email = "alice@example.com";

describe("audit: what a stranger sends stays out of the record", () => {
  it("also where the validator's messages quote it, as some libraries' do", async () => {
    const test = testApi();
    const quoting = described(
      {
        "~standard": {
          version: 1,
          vendor: "quoting",
          validate: (value: unknown) => ({
            issues: [
              { message: `password must be 100 characters long (was ${JSON.stringify(value)})`, path: ["password"] },
            ],
          }),
        },
      },
      {
        type: "object",
        properties: { email: { type: "string", maxLength: 254 }, password: { type: "string", maxLength: 128 } },
        required: ["email", "password"],
        additionalProperties: false,
      },
    );
    test.api.route(
      { path: "POST /v1/sign-up", access: publicAccess("signing up"), input: { body: quoting }, output: nothing },
      () => undefined,
    );
    open = await test.api.listen({ port: 0, handleSignals: false });
    const answer = await fetch(`${open.url}/v1/sign-up`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email, password }),
    });
    expect(answer.status).toBe(400);
    const text = await written(test);
    expect(text).toContain("/body/password");
    expect(text).not.toContain(password);
    expect(text).not.toContain(email);
    expect(await answer.text()).not.toContain(password);
  });

  it("also where it is the name of a field, a query parameter or a header", async () => {
    const test = testApi();
    test.api.route(
      {
        path: "POST /v1/names",
        access: anyCaller,
        input: {
          body: z.strictObject({ tags: z.array(z.strictObject({ tag: z.string().max(9) })).max(5) }),
          query: z.strictObject({ q: z.string().max(9).optional() }),
        },
        output: nothing,
      },
      () => undefined,
    );
    open = await test.api.listen({ port: 0, handleSignals: false });
    const { port } = open;
    const jwt = await token("alice");
    const host = "Host: localhost\r\n";
    for (const target of [
      `/v1/open?${email}`,
      `/v1/open?${jwt}`,
      `/v1/open?${jwt}=1&${jwt}=2`,
      `/v1/open?${email}=%zz`,
    ]) {
      expect((await raw(port, `GET ${target} HTTP/1.1\r\n${host}\r\n`)).status, target).toBe(400);
    }
    const bodies = [{ [email]: 1 }, { tags: [{ tag: "a", [email]: 1 }] }, { tags: [{ [jwt.slice(0, 60)]: 1 }] }];
    for (const body of bodies.map((one) => JSON.stringify(one))) {
      const answer = await raw(
        port,
        `POST /v1/names?${email}=1 HTTP/1.1\r\n${host}Authorization: Bearer ${jwt}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      expect(answer.status).toBe(400);
      const second = await raw(
        port,
        `POST /v1/names HTTP/1.1\r\n${host}Authorization: Bearer ${jwt}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      expect(second.status).toBe(400);
    }
    const text = await written(test);
    expect(text).toContain("/body/tags/*");
    expect(text).not.toContain(email);
    expect(text).not.toContain(jwt.slice(0, 20));
  });

  it("and one call is one line, whatever the user agent is made of", async () => {
    const test = testApi();
    const lines: string[] = [];
    const spied = testApi({ audit: { sinks: [{ name: "lines", write: (batch) => void lines.push(batch.text()) }] } });
    open = await spied.api.listen({ port: 0, handleSignals: false });
    const agents = [
      "\u009b31m",
      "\u0090q",
      '"}\\n{"kind":"call"',
      "\u0085\u2028",
      'a","status":200,"x":"',
      "\\",
      "é\u00ff",
    ];
    for (const agent of agents) {
      await raw(open.port, `GET /v1/open HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ${agent}\r\n\r\n`);
    }
    await open.close();
    const calls = lines
      .join("")
      .split("\n")
      .filter((line) => line !== "")
      .map((line): unknown => JSON.parse(line))
      .filter((entry) => typeof entry === "object" && entry !== null && "kind" in entry && entry.kind === "call");
    expect(calls.length).toBe(agents.length);
    // Terminals obey these, and JSON lets them stand.
    expect(lines.join("")).not.toMatch(/[\u007f-\u009f]/);
    expect(calls[0]).toMatchObject({ userAgent: "\u009b31m" });
    expect(test.entries).toEqual([]);
  });
});
