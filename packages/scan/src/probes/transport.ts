import tls from "node:tls";
import { hostOf, isLoopbackName, portOf } from "../address.ts";
import { headerOf } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
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

/** The same port without TLS: refused, or redirected and nothing else. */
async function plainHttp(context: ProbeContext): Promise<Outcome> {
  const witness = await context.witness();
  const { outgoing } = witness.positive;
  const lines = [
    `${outgoing.method} ${outgoing.target} HTTP/1.1`,
    `Host: ${context.fetcher.url.host}`,
    ...outgoing.headers.map(([name, value]) => `${name}: ${value}`),
    "Connection: close",
    "",
    "",
  ];
  const conversation = await context.fetcher.raw({ parts: [lines.join("\r\n")], plain: true });
  const answer = conversation.answers[0];
  const trial: Trial | undefined =
    answer === undefined ? undefined : { leg: "attack", outgoing: { ...outgoing, label: "plain http" }, answer };
  if (trial === undefined) return held("plain http gets no answer", [witness.positive]);
  const target = headerOf(trial.answer, "location");
  if (trial.answer.status >= 300 && trial.answer.status < 400) {
    return target?.startsWith("https://") === true
      ? held("plain http is only redirected", [trial])
      : broken(`plain http is redirected to ${target ?? "nowhere"}`, [trial]);
  }
  if (trial.answer.status >= 400) return held(`plain http is refused (${trial.answer.status})`, [trial]);
  return broken(`plain http is answered with ${trial.answer.status}`, [trial]);
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
      host,
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

/** HSTS on a public name; loopback names must not be pinned to https (RFC 6797 section 8.1 speaks of hosts, not machines). */
async function hsts(context: ProbeContext): Promise<Outcome> {
  const publicName = context.target.policy.hosts.find((name) => !isLoopbackName(name.replace(/:\d+$/, "")));
  const { hostname } = context.fetcher.url;
  if (publicName === undefined && isLoopbackName(hostname))
    return notApplicable("Only loopback names are served, and those are not pinned to https.");
  const witness = await context.witness();
  const trial = await context.send("attack", {
    ...witness.positive.outgoing,
    ...(publicName === undefined ? {} : { host: publicName }),
  });
  const value = headerOf(trial.answer, "strict-transport-security");
  const age = Number(/max-age=(\d+)/i.exec(value ?? "")?.[1] ?? 0);
  if (value === undefined) return broken("answers over https carry no Strict-Transport-Security", [trial]);
  if (age < 31_536_000) return broken(`Strict-Transport-Security lasts ${age} s, less than a year`, [trial]);
  if (!/includeSubDomains/i.test(value)) return broken("Strict-Transport-Security leaves subdomains out", [trial]);
  return held("https is pinned for a year, subdomains too", [trial]);
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
  return value === undefined
    ? held("no Strict-Transport-Security over plain http", [witness.positive])
    : broken("Strict-Transport-Security is sent over plain http (RFC 6797 section 7.2 forbids it)", [witness.positive]);
}
