import { problem, type Reply } from "../parts/exchange.ts";
import { reach } from "../parts/reach.ts";
import { type Operation, textOf } from "./operation.ts";
import { webhookPath } from "./people.ts";
import * as schema from "./schemas.ts";

/** A page's preview (a URL from the caller), deliveries of a payment provider, and what is nobody's. */
export const otherOperations: readonly Operation[] = [
  {
    method: "GET",
    path: "/v1/reports/summary",
    access: "caller",
    scope: "projects:read",
    status: 200,
    output: schema.SummaryView,
    rate: "read",
    run: () => ({ status: 200, body: { requestedAt: new Date().toISOString(), status: "all systems work" } }),
  },
  {
    method: "POST",
    path: "/v1/previews",
    access: "caller",
    scope: "projects:read",
    body: schema.PreviewRequest,
    status: 200,
    output: schema.PreviewView,
    rate: "write",
    run: async ({ body }, { mutant }) => await reach(textOf(body, "url"), mutant),
  },
  {
    method: "POST",
    path: webhookPath,
    access: "webhook",
    body: schema.BillingEvent,
    headers: ["stripe-signature"],
    status: 200,
    output: schema.Received,
    rate: "write",
    run: ({ body }, { deliveries, mutant }): Reply => {
      const id = textOf(body, "id");
      if (deliveries.has(id) && !mutant("webhook-replay")) return problem(409);
      deliveries.add(id);
      return { status: 200, body: { received: true } };
    },
  },
];
