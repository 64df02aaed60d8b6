import type { Credential } from "portcullis";
import { anyCaller } from "portcullis";
import { z } from "zod";
import { testApi, type Asked, type FrontDoor, type Reply, type TestApi } from "../front-door.ts";

const Who = z.strictObject({
  subject: z.string().max(300),
  tenant: z.string().max(100),
  scopes: z.array(z.string().max(100)).max(20),
  roles: z.array(z.string().max(100)).max(20),
  kind: z.string().max(20),
  issuer: z.string().max(200),
  ambient: z.boolean(),
});

/** An API that says who its caller is: on `GET /v1/who`, and on `POST /v1/who`, which the csrf gate stands before. */
export function whoApi(credentials: readonly Credential[]): TestApi {
  const test = testApi({ credentials, origins: ["https://app.example.com"] });
  for (const method of ["GET", "POST"] as const) {
    test.api.route(
      { path: `${method} /v1/who`, access: anyCaller, output: { 200: Who }, limit: "100000/s" },
      ({ caller: { subject, tenant = "", scopes, roles, proof } }) => ({
        subject,
        tenant,
        scopes: [...scopes],
        roles: [...roles],
        kind: proof.kind,
        issuer: proof.issuer ?? "",
        ambient: proof.ambient,
      }),
    );
  }
  return test;
}

/** Who the API says the caller is, or the code it refused with and its private reason. */
export async function ask(
  door: FrontDoor,
  headers: NonNullable<Asked["headers"]>,
  line = "GET /v1/who",
): Promise<unknown> {
  const reply = await door.ask(line, { headers });
  return reply.status === 200 ? reply.json : { code: reply.code, reason: await reasonOf(door, reply) };
}

async function reasonOf(door: FrontDoor, reply: Reply): Promise<string | undefined> {
  for (const entry of await door.recorded(reply)) {
    if (entry.kind === "event" && "reason" in entry && typeof entry.reason === "string") return entry.reason;
  }
  return undefined;
}

/** The header that carries a token. */
export function bearing(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` };
}

/** A Cookie header as a browser would send it from the API's own site. */
export function cookies(all: Readonly<Record<string, string>>): { readonly cookie: string } {
  return {
    cookie: Object.entries(all)
      .map(([name, value]) => `${name}=${value}`)
      .join("; "),
  };
}
