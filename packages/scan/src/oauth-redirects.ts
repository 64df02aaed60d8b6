import { hostOf, isLoopbackName } from "./address.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { authorize, endsOf, type Flow, gotCode, onlineScope } from "./oauth-flow.ts";
import { flowVerdict, type Try } from "./oauth-verdicts.ts";
import { broken, held, inconclusive, type NamedOutcome } from "./probe.ts";

/**
 * Redirect addresses that look like the registered one and are not: where a server sends its answer to one of them, whoever
 * holds that address gets the code. They are compared as whole texts; the only thing that may differ is the port of a
 * loopback address.
 *
 * @param control  an honest authorization request
 * @see RFC 9700 section 2.1 and 4.1, RFC 8252 section 7.3
 */
export async function redirectChecks(flow: Flow, control: readonly Trial[]): Promise<readonly NamedOutcome[]> {
  const variants = variantsOf(flow.client.redirect, flow.context.random.fork("redirects"));
  const out: NamedOutcome[] = [];
  for (const part of new Set(variants.map((variant) => variant.part))) {
    const tried: (readonly [Variant, NamedOutcome])[] = [];
    for (const variant of variants.filter((one) => one.part === part))
      tried.push([variant, await tryOne(flow, variant, control)]);
    out.push(summary(`redirect-${part}`, tried));
  }
  return out;
}

async function tryOne(flow: Flow, { uri, what }: Variant, control: readonly Trial[]): Promise<NamedOutcome> {
  return await flowVerdict({
    check: what,
    control,
    attack: () => ask(flow, uri, what),
    broken: `${what} (${uri})`,
    held: `${what} is refused`,
  });
}

/** One mistake is one finding, however many addresses show it; the evidence is that of the first. */
function summary(check: string, tried: readonly (readonly [Variant, NamedOutcome])[]): NamedOutcome {
  const of = (kind: NamedOutcome["verdict"]) => tried.filter(([, { verdict }]) => verdict === kind);
  const [shown] = [...of("broken"), ...of("inconclusive"), ...tried];
  const trials = shown?.[1].trials ?? [];
  const taken = of("broken").map(([{ what, uri }]) => `${what} (${uri})`);
  if (taken.length > 0)
    return { check, ...broken(`answers are sent where nobody registered: ${taken.join("; ")}`, trials) };
  if (shown?.[1].verdict === "inconclusive")
    return { check, ...inconclusive(`${shown[0].what}: ${shown[1].why}`, trials) };
  return { check, ...held(`refused: ${tried.map(([{ what }]) => what).join("; ")}`, trials) };
}

async function ask(flow: Flow, uri: string, what: string): Promise<Try> {
  const { arrival } = await authorize(flow, "attack", `client ${flow.client.id}, ${what}`, {
    redirect_uri: uri,
    scope: onlineScope(flow.scope),
  });
  const trials = endsOf(arrival);
  // An error sent there tells its holder less than a code, and makes the server lead wherever somebody wants.
  if (arrival.kind === "response") {
    const isThere = arrival.location !== flow.client.redirect && leadsTo(arrival.location, uri, flow.client.redirect);
    return { got: isThere ? "granted" : "refused", trials };
  }
  const { got, why } = gotCode(flow, arrival);
  return { got, why, trials };
}

/** An address without what the server adds to it. */
function base(address: string): string {
  return address.split(/[?#]/)[0] ?? "";
}

/** True where an answer went to an address and not to the registered one, whether or not the server wrote it anew. */
function leadsTo(location: string, uri: string, registered: string): boolean {
  if (!URL.canParse(location) || !URL.canParse(uri)) return location.startsWith(uri);
  const [there, asked, known] = [new URL(location), new URL(uri), new URL(registered)];
  if (base(location) !== base(uri) && base(there.href) !== base(asked.href)) return false;
  if (base(uri) !== base(registered)) return base(location) !== base(registered);
  // The same address with something added: what was added has to be there.
  const added = [...asked.searchParams].filter(([name, value]) => known.searchParams.get(name) !== value);
  if (added.length > 0) return added.every(([name, value]) => there.searchParams.get(name) === value);
  return asked.hash !== known.hash && there.hash.startsWith(asked.hash);
}

interface Variant {
  /** What of the address differs. */
  readonly part: "host" | "path" | "query" | "scheme";
  readonly uri: string;
  readonly what: string;
}

function variantsOf(registered: string, random: ProbeContext["random"]): readonly Variant[] {
  const stranger = `pc-${random.text(8)}.example`;
  const out: Variant[] = [{ part: "host", uri: `https://${stranger}/`, what: "an address of somebody else" }];
  const url = new URL(registered);
  const add = (part: Variant["part"], what: string, uri: string) => {
    if (uri !== registered) out.push({ part, what, uri });
  };
  const bare = base(registered);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    // The address of an app: what it begins with is all that leads to it.
    add("path", "the address with a longer path", `${bare}${bare.endsWith("/") ? "" : "/"}extra`);
    add("query", "the address with a query of its own", `${registered}${registered.includes("?") ? "&" : "?"}extra=1`);
    return out;
  }
  const { protocol, host, hostname, pathname, search } = url;
  const rest = `${pathname}${search}`;
  add("path", "the address with or without a slash at its end", toggled(url));
  add("path", "the address with a longer path", `${bare}${bare.endsWith("/") ? "" : "/"}extra${search}`);
  add("path", "the address with a path that climbs", `${bare}/../../pc-${random.text(4)}${search}`);
  add("path", "another path of the same host", `${protocol}//${host}/pc-${random.text(6)}`);
  add(
    "query",
    "the address with a query of its own",
    `${registered}${search === "" ? "?" : "&"}next=https://${stranger}/`,
  );
  add("query", "the address with a fragment", `${registered}#fragment`);
  add("host", "the host as a user name before another host", `${protocol}//${host}@${stranger}${rest}`);
  add("host", "a host that begins like the registered one", `${protocol}//${hostname}.${stranger}${rest}`);
  add("host", "a backslash after another host", `${protocol}//${stranger}\\@${host}${rest}`);
  if (pathname.length > 1) {
    add("path", "the path in capitals", `${protocol}//${host}${pathname.toUpperCase()}${search}`);
    const code = pathname.charCodeAt(1).toString(16).padStart(2, "0");
    add(
      "path",
      "a path whose first letter is percent-encoded",
      `${protocol}//${host}/%${code}${pathname.slice(2)}${search}`,
    );
  }
  const name = hostOf(url);
  if (isLoopbackName(name)) {
    // RFC 8252 section 7.3: loopback addresses may have any port; that they go by several names is another matter.
    const alias = name === "localhost" ? "127.0.0.1" : "localhost";
    add(
      "host",
      "the same machine under another name",
      `${protocol}//${alias}${url.port === "" ? "" : `:${url.port}`}${rest}`,
    );
    return out;
  }
  add("host", "another port of the same host", `${protocol}//${hostname}:8443${rest}`);
  if (!/^[\d.]+$|:/.test(name)) add("host", "a host below the registered one", `${protocol}//pc.${host}${rest}`);
  if (protocol === "https:") add("scheme", "the address over plain http", `http://${host}${rest}`);
  return out;
}

function toggled({ protocol, host, pathname, search }: URL): string {
  const path = pathname.endsWith("/") ? pathname.slice(0, -1) : `${pathname}/`;
  return `${protocol}//${host}${path}${search}`;
}
