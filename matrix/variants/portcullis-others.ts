import { type Api, notAnObject, publicAccess, refuse, stripe, webhook, webhookEvent } from "portcullis";
import { reach } from "../parts/reach.ts";
import { webhookPath } from "../product/people.ts";
import * as schema from "../product/schemas.ts";
import type { Parts } from "./portcullis-api.ts";
import type { Resources } from "./portcullis-resources.ts";

/** A page's preview (a URL from the caller), deliveries of a payment provider, and what is nobody's. */
export function otherRoutes(api: Api, _resources: Resources, { world, reading, writing }: Parts) {
  const { mutant, webhookSecret } = world;

  api.route(
    {
      path: "GET /v1/reports/summary",
      access: mutant("route-without-auth") ? publicAccess("the status page shows it") : { scopes: ["projects:read"] },
      output: schema.SummaryView,
      limit: mutant("route-without-auth") ? { rate: reading, by: "address" } : reading,
    },
    ({ request }) => ({ requestedAt: new Date(request.timeMs).toISOString(), status: "all systems work" }),
  );

  api.route(
    {
      path: "POST /v1/previews",
      access: { scopes: ["projects:read"] },
      input: { body: schema.PreviewRequest },
      output: schema.PreviewView,
      limit: writing,
    },
    async ({ body }) => {
      const { status, body: page } = await reach(body.url, mutant);
      return status === 200 ? schema.PreviewView.parse(page) : refuse("invalid-input", "not a host we look at");
    },
  );

  const output = schema.Received;
  if (mutant("webhook-unsigned")) {
    api.route(
      {
        path: `POST ${webhookPath}`,
        access: publicAccess("the provider has no credential of ours"),
        input: { body: schema.BillingEvent.strict() },
        objects: { "body.id": notAnObject("the provider's own id") },
        output,
        limit: { rate: writing, by: "address" },
      },
      () => ({ received: true }),
    );
    return;
  }
  api.route(
    {
      path: `POST ${webhookPath}`,
      access: webhook(stripe({ secrets: [webhookSecret] })),
      input: { body: webhookEvent(schema.BillingEvent) },
      output,
    },
    () => ({ received: true }),
  );
}
