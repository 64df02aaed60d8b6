import { hostOf, isLoopbackName } from "./address.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { authorize, endsOf, type Flow, gotCode, onlineScope } from "./oauth-flow.ts";
import { flowVerdict, type Try } from "./oauth-verdicts.ts";
import type { NamedOutcome } from "./probe.ts";

/**
 * Redirect addresses that look like the registered one and are not: where a server sends its answer to one of them, whoever
 * holds that address gets the code. They are compared as whole texts; the only thing that may differ is the port of a
 * loopback address.
 *
 * @param control  an honest authorization request
 * @see RFC 9700 section 2.1 and 4.1, RFC 8252 section 7.3
 */
export async function redirectChecks(flow: Flow, control: readonly Trial[]): Promise<readonly NamedOutcome[]> {
  const out: NamedOutcome[] = [];
  for (const { check, uri, what } of variantsOf(flow.client.redirect, flow.context.random.fork("redirects"))) {
    out.push(
      await flowVerdict({
        check: `redirect-${check}`,
        control,
        attack: () => ask(flow, uri, what),
        broken: `an answer is sent to ${what}: ${uri}`,
        held: `${what} is refused`,
      }),
    );
  }
  return out;
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
  readonly check: string;
  readonly uri: string;
  readonly what: string;
}

function variantsOf(registered: string, random: ProbeContext["random"]): readonly Variant[] {
  const stranger = `pc-${random.text(8)}.example`;
  const out: Variant[] = [{ check: "foreign", uri: `https://${stranger}/`, what: "an address of somebody else" }];
  const url = new URL(registered);
  const add = (check: string, what: string, uri: string) => {
    if (uri !== registered) out.push({ check, what, uri });
  };
  const bare = base(registered);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    // The address of an app: what it begins with is all that leads to it.
    add("extra-path", "the address with a longer path", `${bare}${bare.endsWith("/") ? "" : "/"}extra`);
    add("query", "the address with a query of its own", `${registered}${registered.includes("?") ? "&" : "?"}extra=1`);
    return out;
  }
  const { protocol, host, hostname, pathname, search } = url;
  const rest = `${pathname}${search}`;
  add("trailing-slash", "the address with or without a slash at its end", toggled(url));
  add("extra-path", "the address with a longer path", `${bare}${bare.endsWith("/") ? "" : "/"}extra${search}`);
  add("dot-segments", "the address with a path that climbs", `${bare}/../../pc-${random.text(4)}${search}`);
  add("other-path", "another path of the same host", `${protocol}//${host}/pc-${random.text(6)}`);
  add(
    "query",
    "the address with a query of its own",
    `${registered}${search === "" ? "?" : "&"}next=https://${stranger}/`,
  );
  add("fragment", "the address with a fragment", `${registered}#fragment`);
  add("userinfo", "the host as a user name before another host", `${protocol}//${host}@${stranger}${rest}`);
  add("suffix", "a host that begins like the registered one", `${protocol}//${hostname}.${stranger}${rest}`);
  add("backslash", "a backslash after another host", `${protocol}//${stranger}\\@${host}${rest}`);
  if (pathname.length > 1) {
    add("case", "the path in capitals", `${protocol}//${host}${pathname.toUpperCase()}${search}`);
    const code = pathname.charCodeAt(1).toString(16).padStart(2, "0");
    add(
      "encoded",
      "a path whose first letter is percent-encoded",
      `${protocol}//${host}/%${code}${pathname.slice(2)}${search}`,
    );
  }
  const name = hostOf(url);
  if (isLoopbackName(name)) {
    // RFC 8252 section 7.3: loopback addresses may have any port; that they go by several names is another matter.
    const alias = name === "localhost" ? "127.0.0.1" : "localhost";
    add(
      "loopback-alias",
      "the same machine under another name",
      `${protocol}//${alias}${url.port === "" ? "" : `:${url.port}`}${rest}`,
    );
    return out;
  }
  add("port", "another port of the same host", `${protocol}//${hostname}:8443${rest}`);
  if (!/^[\d.]+$|:/.test(name)) add("sub-domain", "a host below the registered one", `${protocol}//pc.${host}${rest}`);
  if (protocol === "https:") add("plain-http", "the address over plain http", `http://${host}${rest}`);
  return out;
}

function toggled({ protocol, host, pathname, search }: URL): string {
  const path = pathname.endsWith("/") ? pathname.slice(0, -1) : `${pathname}/`;
  return `${protocol}//${host}${path}${search}`;
}
