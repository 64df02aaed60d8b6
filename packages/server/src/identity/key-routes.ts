import { type Api, by, type Caller, cursorPages, list, nothing, refuse, view } from "portcullis";
import { z } from "zod";
import { type Key, type Keys, keysDefaults, type KeySettings } from "./api-keys.ts";

/** What the routes need. */
export interface KeyRoutesOptions {
  readonly keys: Keys;
  readonly settings: KeySettings;
  /** All that a key may be for. */
  readonly scopes: ReadonlySet<string>;
  /** Whose tokens name the application that asks. */
  readonly issuer: string;
}

const Id = z.strictObject({ keyId: z.string().regex(/^[0-9A-Za-z]{16}$/) });
const Time = z.iso.datetime();

const KeyView = z.object({
  id: z.string().max(20),
  name: z.string().max(100),
  prefix: z.string().max(20),
  scopes: z.array(z.string().max(100)).max(100),
  rate: z.string().max(40).nullable(),
  createdAt: Time,
  expiresAt: Time.nullable(),
  lastUsedAt: Time.nullable(),
  replacedBy: z.string().max(20).nullable(),
  /** Application whose token asked for it. */
  client: z.string().max(100).nullable(),
});

/** The one answer that ever holds the key itself. */
const NewKeyView = KeyView.extend({ key: z.string().max(200) });

/** Where a list goes on. */
const Position = z.strictObject({ createdAt: z.number(), id: z.string() }).optional();

const day = 86_400_000;
const paths = { all: "/keys", one: "/keys/:keyId" } as const;

/**
 * The caller's own API keys. The owner is whoever calls, and a key may do no more than he; a key makes, rotates and
 * revokes no keys, so that who finds one cannot keep what he found.
 *
 * @see OWASP API1:2023, API5:2023; CVE-2025-61928 (an owner that came from the body)
 */
export function mountKeys(api: Api, { keys, settings, scopes, issuer }: KeyRoutesOptions): void {
  const { read, write } = settings.scopes ?? keysDefaults.scopes;
  const rates = settings.rates ?? [];
  const ownKey = api.resource("apiKey", {
    load: async (id) => {
      const key = await keys.find(id);
      return key === undefined ? undefined : shown(key);
    },
    // The tokens of this server name no tenant; who owns a key in one tenant is the same person in another.
    owner: ({ owner }) => owner,
    serverSet: ["id", "owner", "tenant", "prefix", "createdAt", "lastUsedAt", "replacedBy"],
  });
  const [usual, ...further] = rates;
  const offered = usual === undefined ? {} : { rate: z.enum([usual, ...further]).optional() };

  api.route(
    {
      path: `GET ${paths.all}`,
      access: { scopes: [read] },
      page: cursorPages({ size: 20, max: 100 }),
      output: list(KeyView, ownKey),
      limit: "60/min",
    },
    async ({ caller, page }) => {
      const after = Position.parse(page.after);
      const rest = (await keys.list(caller.subject)).filter(
        ({ createdAt, id }) =>
          after === undefined || createdAt < after.createdAt || (createdAt === after.createdAt && id > after.id),
      );
      const items = rest.slice(0, page.limit);
      const last = items.at(-1);
      const rows = items.map(shown);
      return rest.length > items.length && last !== undefined
        ? { items: rows, next: { createdAt: last.createdAt, id: last.id } }
        : { items: rows };
    },
  );

  api.route(
    {
      path: `POST ${paths.all}`,
      access: { scopes: [write] },
      input: {
        body: z.strictObject({
          name: z.string().min(1).max(100),
          scopes: z.array(z.string().min(1).max(100)).min(1).max(100),
          ...offered,
          expiresInDays: z.int().min(1).max(365).default(90),
        }),
      },
      output: { 201: view(NewKeyView, ownKey) },
      limit: "10/min",
    },
    async ({ caller, body, request }) => {
      if (caller.proof.kind === "api-keys") return refuse("forbidden", "a key makes no keys");
      // Tokens of another issuer may have scopes that no resource of this server has.
      if (!body.scopes.every((scope) => caller.scopes.includes(scope) && scopes.has(scope))) {
        return refuse("forbidden", "a key may do no more than whoever makes it");
      }
      const made = await keys.create(
        {
          owner: caller.subject,
          tenant: caller.tenant,
          name: body.name,
          scopes: [...new Set(body.scopes)],
          rate: "rate" in body ? rates.find((one) => one === body.rate) : undefined,
          expiresAt: request.timeMs + body.expiresInDays * day,
        },
        { request, ...applicationOf(caller) },
      );
      if (made === undefined) return refuse("conflict", "too many keys");
      return { ...shown(made), key: made.key };
    },
  );

  api.route(
    {
      path: `POST ${paths.one}/rotate`,
      access: { scopes: [write] },
      input: {
        params: Id,
        body: z.strictObject({ overlapSeconds: z.int().min(0).max(2_592_000).default(86_400) }),
      },
      objects: { key: by("keyId", ownKey) },
      output: { 201: view(NewKeyView, ownKey) },
      limit: "10/min",
    },
    async ({ caller, key, body, request }) => {
      if (caller.proof.kind === "api-keys") return refuse("forbidden", "a key rotates no keys");
      if (!key.scopes.every((scope) => caller.scopes.includes(scope))) {
        return refuse("forbidden", "a key may do no more than whoever rotates it");
      }
      const made = await keys.rotate(key.id, caller.subject, body.overlapSeconds, {
        request,
        ...applicationOf(caller),
      });
      if (made === undefined) return refuse("conflict", "it was rotated before, has ended, or too many were rotated");
      return { ...shown(made), key: made.key };
    },
  );

  api.route(
    {
      path: `DELETE ${paths.one}`,
      access: { scopes: [write] },
      input: { params: Id },
      objects: { key: by("keyId", ownKey) },
      output: nothing,
      limit: "60/min",
    },
    async ({ caller, key, request }) => {
      if (caller.proof.kind === "api-keys") return refuse("forbidden", "a key revokes no keys");
      await keys.revoke(key.id, caller.subject, { request, ...applicationOf(caller) });
      return undefined;
    },
  );

  /** Of a token of this server; a session is a browser's, and a key makes no keys. */
  function applicationOf({ proof: { kind, issuer: by, claims } }: Caller) {
    if (kind !== "jwt" || by !== issuer) return {};
    const { client_id: client, grant, epoch } = claims;
    return {
      ...(typeof client === "string" ? { client } : {}),
      ...(typeof grant === "string" ? { grant } : {}),
      ...(typeof epoch === "number" ? { epoch } : {}),
    };
  }
}

function shown(key: Key) {
  const time = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    id: key.id,
    owner: key.owner,
    tenant: key.tenant,
    name: key.name,
    prefix: key.prefix,
    scopes: key.scopes,
    rate: key.rate ?? null,
    createdAt: new Date(key.createdAt).toISOString(),
    expiresAt: time(key.expiresAt),
    lastUsedAt: time(key.lastUsedAt),
    replacedBy: key.replacedBy ?? null,
    client: key.client ?? null,
  };
}
