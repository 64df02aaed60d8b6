import { type Api, by, cursorPages, everyOwner, list, nothing, refuse } from "portcullis";
import { z } from "zod";
import type { Accounts } from "../accounts.ts";
import type { Data } from "../data/data.ts";
import { reading, writing } from "../limits.ts";
import type { Resources } from "../resources.ts";
import { Me } from "./me.ts";

const AccountForAdmin = Me.extend({ disabledAt: z.iso.datetime().nullable() });

/** What administrators of a tenant may do, inside their own tenant. */
export function adminRoutes(api: Api, { account, colleague }: Resources, { users }: Data, accounts: Accounts) {
  api.route(
    {
      path: "GET /v1/admin/users",
      access: { roles: ["admin"] },
      page: cursorPages(),
      output: list(AccountForAdmin, account, {
        owners: everyOwner({ roles: ["admin"], reason: "administrators look after every account of their tenant" }),
      }),
      limit: reading,
    },
    ({ caller, page }) => users.listOfTenant(caller.tenant, page),
  );

  api.route(
    {
      path: "POST /v1/admin/users/:userId/disable",
      access: { roles: ["admin"] },
      input: { params: z.strictObject({ userId: z.uuid() }) },
      objects: { colleague: by("userId", colleague) },
      output: nothing,
      limit: writing,
    },
    ({ caller, colleague }) =>
      colleague.id === caller.subject
        ? refuse("conflict", "nobody locks themselves out")
        : accounts.disable(colleague.id),
  );
}
