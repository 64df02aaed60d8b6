import tls from "node:tls";
import { addressFor, hostOf, portOf } from "./address.ts";
import { type Answer, headerOf } from "./answer.ts";
import type { Fetcher, Outgoing } from "./fetcher.ts";
import type { Identity } from "./identities.ts";
import { converse, wireText } from "./raw.ts";
import { requestFor } from "./requests.ts";
import { ScanError } from "./scan-error.ts";
import { isGone, isSafe, pathParameters, type Target } from "./target.ts";

/**
 * Makes sure that the address speaks HTTP in the way the URL says, before anything is judged: a connection that is closed
 * at once would else look like an API that refuses everything.
 *
 * An API may close connections to refuse, so three requests are tried, the last as somebody it knows; one answer is enough.
 *
 * @param now  Unix milliseconds; decides which operations are gone
 * @throws ScanError that says in one sentence what listens there and what to change
 */
export async function preflight(
  fetcher: Fetcher,
  target: Target,
  identities: readonly Identity[],
  now: number,
): Promise<void> {
  const { url } = fetcher;
  const secure = url.protocol === "https:";
  if (secure) await assertSpeaksTls(url);
  let last: Answer | undefined;
  for (const outgoing of greetings(url, target, identities, now)) {
    last = await fetcher.send(outgoing);
    if (last.status !== 0 && (secure || !isSentElsewhere(last))) return;
  }
  if (!secure && (await shakeHands(url)) === "done") throw new ScanError(speaksHttps(url));
  if (last === undefined || last.status !== 0) return;
  throw new ScanError(noHttp(url, last.failure ?? "the connection was closed"));
}

function noHttp(url: URL, failure: string): string {
  if (/\bE(?:NOTFOUND|AI_AGAIN|HOSTUNREACH|ADDRNOTAVAIL|ACCES)\b/.test(failure))
    return `${url.origin} cannot be reached: ${failure}`;
  if (failure.startsWith("Parse Error"))
    return `what listens on ${url.host} speaks something other than HTTP: is it the API's port?`;
  return `what listens on ${url.host} gives no HTTP answer (${failure}): is it the API's port?`;
}

/** Requests that change nothing, the likeliest to be answered last. */
function* greetings(url: URL, target: Target, identities: readonly Identity[], now: number): Iterable<Outgoing> {
  yield { method: "GET", target: url.pathname, headers: [], label: "anybody there?" };
  const read = target.operations.find(
    (operation) => isSafe(operation) && !isGone(operation, now) && pathParameters(operation.path).length === 0,
  );
  if (read === undefined) return;
  yield requestFor(read, { label: "anybody there?" });
  const identity = identities[0];
  if (identity !== undefined) yield requestFor(read, { as: identity });
}

/** True for what a server says to plain HTTP on a port for https: some answer 400, 421 or 426, some redirect. */
function isSentElsewhere(answer: Answer): boolean {
  if (answer.status >= 300 && answer.status < 400) return headerOf(answer, "location")?.startsWith("https:") === true;
  return answer.status === 400 || answer.status === 421 || answer.status === 426;
}

async function assertSpeaksTls(url: URL): Promise<void> {
  const found = await shakeHands(url);
  // Nothing listens: the fetcher says so, after some patience with a server that is just starting.
  if (found === "done" || found === "ECONNREFUSED") return;
  const plain = await converse({
    url,
    plain: true,
    parts: [wireText(`GET ${url.pathname} HTTP/1.1`, [`Host: ${url.host}`, "Connection: close"])],
  });
  if (plain.answers.length > 0 && !plain.answers.every(isSentElsewhere)) {
    throw new ScanError(
      `${url.host} speaks plain HTTP, not https: scan http://${url.host}, or start the API with its certificate`,
    );
  }
  if (found.includes("ALERT"))
    throw new ScanError(`${url.origin} ended the TLS handshake (${found}); does it ask for a client certificate?`);
  throw new ScanError(`what listens on ${url.host} does not speak TLS (${found}): is it the API's port?`);
}

function speaksHttps(url: URL): string {
  return `${url.host} speaks https, not plain HTTP: scan https://${url.host} (with --ca <file> for a certificate of your own)`;
}

/** `done`, or the code of what went wrong. Certificates are not looked at; whoever sends a request looks. */
function shakeHands(url: URL): Promise<string> {
  return new Promise((resolve) => {
    const host = hostOf(url);
    const socket = tls.connect({
      host: addressFor(host),
      port: portOf(url),
      // portcullis-ignore transport: nothing is sent; how the handshake ends is all that is asked.
      rejectUnauthorized: false,
      // A server name is never an address (RFC 6066 section 3).
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    });
    const finish = (found: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(found);
    };
    const timer = setTimeout(() => finish("no answer in time"), 5000);
    socket.once("secureConnect", () => finish("done"));
    socket.once("error", (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
    socket.once("close", () => finish("the connection was closed"));
  });
}
