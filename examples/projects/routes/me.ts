import { anyCaller, type Api, refuse, view } from "portcullis";
import { z } from "zod";
import type { Data } from "../data/data.ts";
import { reading, writing } from "../limits.ts";
import type { Resources } from "../resources.ts";

/** What users see of their own account. The row has more; only this leaves. */
export const Me = z.object({
  id: z.uuid(),
  email: z.email(),
  name: z.string(),
  tenantId: z.string(),
  role: z.enum(["member", "admin"]),
});

/** The caller's own account. */
export function meRoutes(api: Api, { account }: Resources, { users }: Data) {
  api.route(
    { path: "GET /v1/me", access: anyCaller, output: view(Me, account), limit: reading },
    async ({ caller }) => (await users.byId(caller.subject)) ?? refuse("not-found", "the account is gone"),
  );

  api.route(
    {
      path: "PATCH /v1/me",
      access: { scopes: ["account:write"] },
      input: { body: z.strictObject({ name: z.string().min(1).max(100) }) },
      output: view(Me, account),
      limit: writing,
    },
    ({ caller, body }) => users.rename(caller.subject, body.name),
  );
}
