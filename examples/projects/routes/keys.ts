import { type Api, by, cursorPages, list, nothing, refuse, view } from "portcullis";
import { z } from "zod";
import { type Keys, keysPerUser } from "../keys.ts";
import { reading, writing } from "../limits.ts";
import type { Resources } from "../resources.ts";
import { scopes } from "../tokens.ts";

const NewKey = z.strictObject({
  name: z.string().min(1).max(100),
  scopes: z.array(z.enum(scopes)).min(1).max(scopes.length),
  expiresInDays: z.int().min(1).max(365).default(90),
});

const KeyView = z.object({
  id: z.string(),
  name: z.string(),
  prefix: z.string(),
  scopes: z.array(z.string()).max(scopes.length),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
});

/** The one answer that ever holds the key itself. */
const IssuedKey = KeyView.extend({ key: z.string() });

/** The caller's own API keys. */
export function keyRoutes(api: Api, { key }: Resources, keys: Keys) {
  api.route(
    {
      path: "GET /v1/keys",
      access: { scopes: ["keys:read"] },
      page: cursorPages({ size: keysPerUser, max: keysPerUser }),
      output: list(KeyView, key),
      limit: reading,
    },
    ({ caller, page }) => keys.list(caller.subject, page),
  );

  api.route(
    {
      path: "POST /v1/keys",
      access: { scopes: ["keys:write"] },
      input: { body: NewKey },
      output: { 201: view(IssuedKey, key) },
      limit: writing,
    },
    async ({ caller, body, request }) => {
      if (!body.scopes.every((scope) => caller.scopes.includes(scope))) {
        return refuse("forbidden", "a key may do no more than the caller who creates it");
      }
      if ((await keys.countOf(caller.subject)) >= keysPerUser) return refuse("conflict", "too many keys");
      return keys.issue({
        subject: caller.subject,
        tenant: caller.tenant,
        name: body.name,
        scopes: body.scopes,
        expiresAt: request.timeMs + body.expiresInDays * 86_400_000,
      });
    },
  );

  api.route(
    {
      path: "DELETE /v1/keys/:keyId",
      access: { scopes: ["keys:write"] },
      input: { params: z.strictObject({ keyId: z.string().regex(/^[0-9A-Za-z]{16}$/) }) },
      objects: { key: by("keyId", key) },
      output: nothing,
      limit: writing,
    },
    ({ key }) => keys.revoke(key.id),
  );
}
