import tls from "node:tls";
import { addressFor, hostOf, isLoopbackName, portOf } from "../address.ts";
import { headerOf } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { isLimited } from "../oracle.ts";
import { plainHttp } from "../plain-http.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  mustRefuse,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
} from "../probe.ts";
import { withHeaders } from "../requests.ts";

/**
 * Plain http on an https target, older TLS than promised, HSTS; on a plain http target, whether it serves public names
 * or believes a stranger who says that he came by https.
 */
export const transport: Probe = { id: "transport", plan: planTransport };

function planTransport(context: ProbeContext): readonly Check[] {
  if (context.fetcher.url.protocol === "https:") {
    return [
      { check: "plain-http", run: () => plainHttp(context) },
      { check: "tls-floor", run: () => tlsFloor(context) },
      { check: "hsts", run: () => hsts(context) },
    ];
  }
  return [
    { check: "plain-public-name", run: () => plainPublicName(context) },
    { check: "hsts-over-http", run: () => hstsOverHttp(context) },
  ];
}

/** Handshakes with older versions than promised; only an accepted one counts. */
async function tlsFloor(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const floor = context.target.policy.transport.tls ?? "1.2";
  const older = (["TLSv1", "TLSv1.1", "TLSv1.2"] as const).filter((version) => version < `TLSv${floor}`);
  const found: NamedOutcome[] = [];
  for (const version of older) {
    const accepted = await handshake(context, version);
    found.push({
      check: `tls-${version.slice(3)}`,
      ...(accepted
        ? broken(`a ${version} handshake is accepted, ${floor} is the oldest promised`, [])
        : held(`a ${version} handshake is refused`)),
    });
  }
  const newest = await handshake(context, "TLSv1.3");
  if (!newest && floor === "1.3")
    found.push({ check: "tls-1.3", ...inconclusive("a TLS 1.3 handshake is refused as well") });
  return found;
}

function handshake(context: ProbeContext, version: tls.SecureVersion): Promise<boolean> {
  const { url } = context.fetcher;
  return new Promise((resolve) => {
    const host = hostOf(url);
    const socket = tls.connect({
      host: addressFor(host),
      port: portOf(url),
      minVersion: version,
      maxVersion: version,
      // Old versions need old signatures, or our own side would refuse first.
      ciphers: version === "TLSv1.3" ? undefined : "ALL:@SECLEVEL=0",
      // portcullis-ignore transport: every other request checks the certificate; only the version is asked for here.
      rejectUnauthorized: false,
      ...(isLoopbackName(host) && /^[\d.:]+$/.test(host) ? {} : { servername: host }),
    });
    const done = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.setTimeout(3000, () => done(false));
    socket.once("secureConnect", () => done(true));
    socket.once("error", () => done(false));
    socket.once("close", () => done(false));
  });
}

/**
 * HSTS, where a browser would note it. Loopback names must not be pinned to https, so a manifest that serves no other
 * name promises none; a plain description promises nothing, and what serves https itself has nobody in front to add it.
 */
async function hsts(context: ProbeContext): Promise<Outcome> {
  const { policy, source, seenOrigins } = context.target;
  const isPublic = (name: string) => !isLoopbackName(name.replace(/:\d+$/, ""));
  const described = seenOrigins.map((origin) => new URL(origin).host);
  const names = (source === "manifest" ? policy.hosts : described).filter(isPublic).slice(0, 2);
  if (source === "manifest" && names.length === 0 && isLoopbackName(hostOf(context.fetcher.url)))
    return notApplicable("Only loopback names are served, and those are not pinned to https.");
  const witness = await context.witness();
  const { as: _as, operation: _operation, ...anonymous } = witness.positive.outgoing;
  const trials: Trial[] = source === "manifest" && names.length > 0 ? [] : [witness.positive];
  for (const host of names) {
    const label = `${witness.identity.name}, Host: ${host}`;
    trials.push(await context.send("attack", { ...anonymous, host, label }));
  }
  const limited = trials.find(({ answer }) => isLimited(answer));
  if (limited !== undefined) return inconclusive(limitedWhy(limited.answer), trials);
  const wrongs = trials.map(({ answer }) => wrongHsts(headerOf(answer, "strict-transport-security")));
  const right = trials[wrongs.indexOf(undefined)];
  if (right !== undefined) return held("https is pinned for a year, subdomains too", [right]);
  return broken(wrongs.find((wrong) => wrong !== absent) ?? absent, trials);
}

const absent = "answers over https carry no Strict-Transport-Security";

/** What is wrong with the header; undefined where nothing is (RFC 6797 section 6.1, ASVS 5.0 3.4.1). */
function wrongHsts(value: string | undefined): string | undefined {
  if (value === undefined) return absent;
  const age = Number(/max-age="?(\d+)/i.exec(value)?.[1] ?? 0);
  if (age < 31_536_000) return `Strict-Transport-Security lasts ${age} s, less than a year`;
  return /includeSubDomains/i.test(value) ? undefined : "Strict-Transport-Security leaves subdomains out";
}

/** On plain http: a public name, or a stranger's word that he came by https, must not be served. */
async function plainPublicName(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const { policy } = context.target;
  if (context.target.source !== "manifest") {
    return [
      {
        check: "plain-public-name",
        ...notApplicable(
          "The target is plain http on this machine, and the description does not say how it is served elsewhere.",
        ),
      },
    ];
  }
  const witness = await context.witness();
  const name = policy.hosts.find((entry) => !isLoopbackName(entry.replace(/:\d+$/, ""))) ?? "api.example.com";
  const { as: _as, operation: _operation, ...rest } = witness.positive.outgoing;
  const outgoing = { ...rest, host: name, label: `${witness.identity.name}, plain http for ${name}` };
  const legs = { positive: witness.positive, negatives: witness.negatives, canary: witness.canary };
  const plain = await mustRefuse({
    ...legs,
    attack: () => context.send("attack", outgoing),
    broken: `plain http is served for ${name}`,
    held: `plain http for ${name} is refused`,
  });
  const found: NamedOutcome[] = [{ check: "plain-public-name", ...plain }];
  if (policy.transport.plainHttp !== "proxy" && policy.proxies.trusted.length === 0) {
    const spoofed = withHeaders(
      outgoing,
      [
        ["x-forwarded-proto", "https"],
        ["forwarded", "proto=https"],
      ],
      `${outgoing.label}, claiming https`,
    );
    const claim = await mustRefuse({
      ...legs,
      attack: () => context.send("attack", spoofed),
      broken: "a stranger who says he came by https (X-Forwarded-Proto) is believed",
      held: "X-Forwarded-Proto from a stranger is not believed",
    });
    found.push({ check: "claimed-https", ...claim });
  }
  return found;
}

async function hstsOverHttp(context: ProbeContext): Promise<Outcome> {
  const witness = await context.witness();
  const value = headerOf(witness.positive.answer, "strict-transport-security");
  if (value !== undefined && context.target.source !== "manifest")
    return notApplicable(
      "Browsers ignore Strict-Transport-Security over plain http, and middleware often sends it always.",
    );
  return value === undefined
    ? held("no Strict-Transport-Security over plain http", [witness.positive])
    : broken("Strict-Transport-Security is sent over plain http (RFC 6797 section 7.2 forbids it)", [witness.positive]);
}
