import type { ApiConfig, WebhookScheme } from "portcullis";
import { memoryClaimStore, nothing, webhook, webhookEvent } from "portcullis";
import { z } from "zod";
import { type Asked, type FrontDoor, type Reply, type TestApi, testApi } from "../front-door.ts";

/** An API with one webhook route, and the deliveries its handler ran for. */
export interface Receiver extends TestApi {
  /** What ran, in order: id of the delivery and body. */
  readonly ran: { readonly id: string; readonly body: unknown }[];
}

/** Any event: what senders have in common is that it is an object. */
export const AnyEvent = webhookEvent(
  z.object({
    id: z.string().max(100).optional(),
    type: z.string().max(100),
    data: z.object({ n: z.int() }).optional(),
  }),
);

/** An API that receives at `POST /v1/hook`. */
export function receiver(scheme: WebhookScheme, config: Partial<ApiConfig> = {}): Receiver {
  const test = testApi(config);
  const ran: Receiver["ran"] = [];
  test.api.route(
    {
      path: "POST /v1/hook",
      access: webhook(scheme, { claims: memoryClaimStore() }),
      input: { body: AnyEvent },
      output: nothing,
      limit: "100000/s",
    },
    ({ body, delivery }) => {
      ran.push({ id: delivery.id, body });
    },
  );
  return { ...test, ran };
}

/** One delivery as it goes over the wire. */
export interface Sent {
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
}

/** Delivers it. */
export function deliver(door: FrontDoor, { headers, body }: Sent): Promise<Reply> {
  const asked: Asked = { headers: { "content-type": "application/json", ...headers }, body };
  return door.ask("POST /v1/hook", asked);
}
