import { ScanError } from "./scan-error.ts";
import type { HmacScheme, WebhookSecret } from "./sign-delivery.ts";
import type { Operation, Target } from "./target.ts";

/**
 * Reads what `--webhook` says: `<endpoint>=<scheme>[:secret]`, such as `POST /hooks/stripe=stripe:whsec_…` or
 * `/hooks/github=github`. Schemes are `stripe`, `github`, `slack`, `svix`, `standard-webhooks`, and `hmac` for every other
 * sender, whose form stands in brackets: `hmac(header=x-signature,encoding=base64,signed={timestamp}.{body},timestamp=x-time)`.
 *
 * @throws ScanError that says how it is written; it never shows the secret
 */
export function parseWebhook(text: string): WebhookSecret {
  const [, endpoint = "", rest = ""] = /^((?:[A-Z]+ )?\/[^\s=]*)=(.*)$/s.exec(text) ?? [];
  const [, name = "", form, secret] = /^([A-Za-z-]+)(?:\(([^)]*)\))?(?::(.*))?$/s.exec(rest) ?? [];
  if (endpoint === "" || name === "") throw new ScanError(`a webhook is written ${written}`);
  if (secret === "")
    throw new ScanError(`--webhook ${endpoint}: its secret is empty; leave the colon out to give none`);
  const given = { endpoint, ...(secret === undefined ? {} : { secret }) };
  if (name === "hmac") return { ...given, scheme: hmacOf(endpoint, form ?? "") };
  const known = name.replace(/[A-Z]/g, (unit) => `-${unit.toLowerCase()}`);
  if (!schemes.includes(known) || form !== undefined)
    throw new ScanError(
      `--webhook ${endpoint}: no scheme is called "${name}"; there are ${schemes.join(", ")} and hmac`,
    );
  return { ...given, scheme: known };
}

const written = "<endpoint>=<scheme>[:secret], such as /hooks/stripe=stripe:whsec_…";

const schemes: readonly string[] = ["stripe", "github", "slack", "svix", "standard-webhooks"];

function hmacOf(endpoint: string, form: string): HmacScheme {
  const fields = new Map<string, string>();
  for (const entry of form.split(",").filter((one) => one !== "")) {
    const cut = entry.indexOf("=");
    const name = entry.slice(0, Math.max(0, cut));
    if (!names.includes(name))
      throw new ScanError(`--webhook ${endpoint}: hmac takes ${names.join(", ")}, each with = and a value`);
    fields.set(name, entry.slice(cut + 1));
  }
  const one = <Word extends string>(name: string, words: readonly [Word, ...Word[]]): Word => {
    const value = fields.get(name) ?? words[0];
    const found = words.find((word) => word === value);
    if (found === undefined) throw new ScanError(`--webhook ${endpoint}: ${name} is ${words.join(" or ")}`);
    return found;
  };
  const signed = fields.get("signed") ?? "{body}";
  if (!signed.endsWith("{body}")) throw new ScanError(`--webhook ${endpoint}: what is signed ends with {body}`);
  const timestamp = fields.get("timestamp");
  const id = fields.get("id");
  return {
    header: fields.get("header") ?? "x-signature",
    encoding: one("encoding", ["hex", "base64"]),
    algorithm: one("algorithm", ["sha256", "sha512"]),
    unit: one("unit", ["seconds", "milliseconds"]),
    prefix: fields.get("prefix") ?? "",
    signed,
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(id === undefined ? {} : { id }),
  };
}

const names: readonly string[] = ["header", "encoding", "prefix", "algorithm", "signed", "timestamp", "unit", "id"];

/** The target with the webhooks that were given and nothing describes. */
export function withWebhooks(target: Target, given: readonly WebhookSecret[]): Target {
  const known = [...target.operations, ...target.webhooks].flatMap(({ id, path }) => [id, path]);
  const missing = given.filter(({ endpoint }) => !known.includes(endpoint));
  if (missing.length === 0) return target;
  const names = missing.map(({ endpoint }) => endpoint).join(", ");
  return {
    ...target,
    webhooks: [...target.webhooks, ...missing.map(undescribed)],
    assumptions: [...target.assumptions, `Nothing describes ${names}: a usual event was sent there.`],
  };
}

/** What senders have in common: an id, a type, a time and an object. */
function undescribed({ endpoint }: WebhookSecret): Operation {
  const cut = endpoint.indexOf(" ");
  const text = { type: "string", minLength: 1, maxLength: 100 };
  const schema = {
    type: "object",
    required: ["id", "type", "created", "data"],
    properties: {
      id: text,
      type: text,
      created: { type: "integer", minimum: 1_700_000_000, maximum: 1_800_000_000 },
      data: { type: "object", required: ["object"], properties: { object: { type: "object", properties: {} } } },
    },
  };
  return {
    id: cut < 0 ? `POST ${endpoint}` : endpoint,
    method: cut < 0 ? "POST" : endpoint.slice(0, cut),
    path: endpoint.slice(cut + 1),
    parameters: [],
    headers: [],
    body: { required: true, mediaType: "application/json", schema },
    responses: new Map(),
    access: { kind: "unknown" },
    credentials: [],
    objects: [],
    notObjects: [],
    outputs: [],
    limits: [],
    page: undefined,
    bodyMaxBytes: undefined,
    startsSession: false,
    begunBy: [],
    deprecated: false,
    sunsetAt: undefined,
  };
}
