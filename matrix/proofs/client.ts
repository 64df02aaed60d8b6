import { createHmac, randomUUID } from "node:crypto";
import { type IncomingHttpHeaders, request as plainRequest } from "node:http";
import { Agent, request } from "node:https";
import { type Person, userIds, webhookPath } from "../product/people.ts";
import type { Running } from "../variants/running.ts";

/** What came back. */
export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

/** What is sent. */
export interface Sent {
  /** Whose bearer token, or any other text for Authorization. */
  readonly as?: Person | { readonly authorization: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string | Buffer;
  /** Over one of a few connections that stay open. */
  readonly isKept?: boolean;
  /** Without Content-Length. */
  readonly isChunked?: boolean;
}

/** Somebody in front of a running API, honest or not. */
export interface Client {
  readonly api: Running;
  call(method: string, path: string, sent?: Sent): Promise<Got>;
  close(): void;
  /** Over plain http, at the same port; 0 where nobody answers. */
  plainly(path: string): Promise<number>;
  /** A new project's path. */
  project(of: Person): Promise<string>;
  /** A delivery of the payment provider. */
  deliver(options?: {
    secret?: string;
    seconds?: number;
    id?: string;
    signature?: string | null;
    sentBody?: string;
  }): Promise<Got>;
}

/** Opens a connection per request, so that nothing is left of the one before. */
export function clientOf(api: Running): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const client: Client = {
    api,
    call: (method, path, { as, headers = {}, json, body, isKept = false, isChunked = false } = {}) =>
      new Promise((resolve, reject) => {
        const payload = json === undefined ? body : JSON.stringify(json);
        const authorization = typeof as === "string" ? `Bearer ${api.tokens[as]}` : as?.authorization;
        const req = request(`${api.url}${path}`, {
          method,
          ca: api.ca,
          servername: "localhost",
          agent: isKept ? agent : false,
          headers: {
            ...(authorization === undefined ? {} : { authorization }),
            ...(payload === undefined ? {} : { "content-type": "application/json" }),
            ...(payload === undefined || isChunked ? {} : { "content-length": String(Buffer.byteLength(payload)) }),
            ...headers,
          },
        });
        req.on("error", reject);
        req.on("response", (res) => {
          const chunks: Buffer[] = [];
          res.on("data", (chunk: Buffer) => chunks.push(chunk));
          res.on("error", reject);
          res.on("end", () => {
            const text = Buffer.concat(chunks).toString("utf8");
            resolve({ status: res.statusCode ?? 0, headers: res.headers, text, json: parsed(text) });
          });
        });
        if (payload !== undefined && isChunked) req.write(payload);
        req.end(isChunked ? undefined : payload);
      }),
    close: () => agent.destroy(),
    plainly: (path) =>
      new Promise((resolve) => {
        const req = plainRequest(
          `${api.url.replace("https", "http")}${path}`,
          { agent: false, timeout: 2000 },
          (res) => {
            res.resume();
            resolve(res.statusCode ?? 0);
          },
        );
        req.on("error", () => resolve(0));
        req.on("timeout", () => req.destroy());
        req.end();
      }),
    async project(of) {
      const made = await client.call("POST", "/v1/projects", {
        as: of,
        json: { name: `of ${of}`, url: "https://p.example/" },
      });
      if (made.status !== 201) throw new Error(`no project for ${of}: ${made.status} ${made.text}`);
      return `/v1/projects/${textAt(made.json, "id")}`;
    },
    deliver({
      secret = api.webhookSecret,
      seconds = Math.floor(Date.now() / 1000),
      id = randomUUID(),
      signature,
      sentBody,
    } = {}) {
      const body = JSON.stringify({ id, type: "charge.paid" });
      const hex = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
      const header = signature === null ? {} : { "stripe-signature": `t=${seconds},v1=${signature ?? hex}` };
      return client.call("POST", webhookPath, { headers: header, body: sentBody ?? body });
    },
  };
  return client;
}

/** A member that is text; "" where there is none. */
export function textAt(value: unknown, name: string): string {
  const found = memberOf(value, name);
  return typeof found === "string" ? found : "";
}

/** The items of a page. */
export function itemsOf({ json }: Got): readonly unknown[] {
  const items = memberOf(json, "items");
  return Array.isArray(items) ? items : [];
}

/** The first cookie of an answer, as it is sent back. */
export function cookieOf({ headers }: Got): string {
  return headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
}

export const missingId = "00000000-0000-4000-8000-000000000000";
export const { alice: aliceId, bob: bobId } = userIds;

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
