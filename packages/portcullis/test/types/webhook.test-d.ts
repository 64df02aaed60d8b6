import {
  anyCaller,
  createApi,
  github,
  hmac,
  memoryClaimStore,
  nothing,
  stripe,
  webhook,
  webhookEvent,
} from "portcullis";
import type { Delivery } from "portcullis";
import { z } from "zod";

// Types are API: what must compile compiles here, what must not is marked. `./test` type-checks this file.

const api = createApi({ name: "types", hosts: ["localhost"], credentials: [] });
const secrets = ["32 characters that say nothing.."];
const Paid = webhookEvent(z.object({ id: z.string().max(9), data: z.object({ customerId: z.string().max(9) }) }));

// The event is inferred, its ids need no rule, the sender is the caller, and the delivery is there.
api.route(
  {
    path: "POST /v1/hooks/paid",
    access: webhook(stripe({ secrets }), { claims: memoryClaimStore() }),
    input: { body: Paid },
    output: nothing,
  },
  ({ body, caller, delivery }) => {
    const id: string = body.id + body.data.customerId + caller.subject;
    const which: Delivery = delivery;
    // @ts-expect-error what is not declared never arrives
    const more: unknown = body.type;
    return void [id, which, more];
  },
);

// Anywhere else there is no delivery.
api.route(
  {
    path: "POST /v1/notes",
    access: anyCaller,
    input: { body: z.strictObject({ text: z.string().max(9) }) },
    output: nothing,
  },
  ({ delivery }) => {
    const none: undefined = delivery;
    return none;
  },
);

// A parsed body is not what a scheme takes, and a scheme alone is no access.
api.route(
  {
    path: "POST /v1/hooks/alone",
    // @ts-expect-error say webhook(scheme)
    access: github({ secrets }),
    input: { body: Paid },
    output: nothing,
  },
  () => undefined,
);

// The signed text ends with the body.
hmac({
  name: "x",
  secrets,
  signature: { header: "x-sig", encoding: "hex" },
  // @ts-expect-error it has to hold {body} at its end
  signed: "{timestamp}",
});
