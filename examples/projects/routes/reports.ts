import { randomUUID } from "node:crypto";
import { type Api, unowned } from "portcullis";
import { z } from "zod";

const Report = z.object({ id: z.uuid(), createdAt: z.iso.datetime() });

/** The most expensive route of all has the tightest limit. */
export function reportRoutes(api: Api) {
  api.route(
    {
      path: "GET /v1/reports/slow-export",
      access: { scopes: ["projects:read"] },
      output: unowned(Report, "made by this request and kept nowhere"),
      limit: "5/2s",
    },
    ({ request }) => ({ id: randomUUID(), createdAt: new Date(request.timeMs).toISOString() }),
  );
}
