import { hostOf, isLoopbackName } from "./address.ts";
import { headerOf, isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { isLimited, resembles, sameSignature } from "./oracle.ts";
import { broken, held, inconclusive, limitedWhy, type Outcome } from "./probe.ts";
import { converse } from "./raw.ts";

/**
 * The same port without TLS, and where https has its usual port the usual one of http: refused, or redirected and nothing
 * else. On port 80 only what answers like the API is the API; anything may listen there.
 *
 * @see RFC 9110 section 4.3.3; ASVS 5.0 12.2.1
 */
export async function plainHttp(context: ProbeContext): Promise<Outcome> {
  const { url } = context.fetcher;
  const { positive, negatives } = await context.witness();
  const stranger = negatives[1] ?? positive;
  // Beyond this machine, whoever listens on the way would have the credential: a stranger's request has to do.
  const own = await plainly(isLoopbackName(hostOf(url)) ? positive : stranger, url, (text) =>
    context.fetcher.raw({ parts: [text], plain: true }),
  );
  if (own.verdict !== "held" || url.port !== "") return own;
  const usual = new URL(`http://${url.hostname}/`);
  const beside = await plainly(stranger, url, (text) => converse({ url: usual, parts: [text], plain: true }), usual);
  return beside.verdict === "held" ? own : beside;
}

/**
 * @param honest  the request and its answer over https
 * @param beside  where it is sent in place of the target's own port
 */
async function plainly(
  honest: Trial,
  url: URL,
  send: (text: string) => ReturnType<typeof converse>,
  beside?: URL,
): Promise<Outcome> {
  const outgoing: Outgoing = { ...honest.outgoing, label: `${honest.outgoing.label}, plain http` };
  const ask = async (): Promise<Trial | undefined> => {
    const { answers } = await send(textOf(outgoing, beside ?? url));
    return answers[0] === undefined ? undefined : { leg: "attack", outgoing, answer: answers[0] };
  };
  const isApi = ({ answer }: Trial) =>
    isSuccess(honest.answer) ? resembles(answer, honest.answer) : sameSignature(answer, honest.answer);
  const trial = await ask();
  if (trial === undefined) return held("plain http gets no answer", [honest]);
  if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), [honest, trial]);
  const { status } = trial.answer;
  if (status >= 300 && status < 400) {
    const target = headerOf(trial.answer, "location");
    const isSafe = target?.startsWith("https://") === true || beside !== undefined;
    return isSafe
      ? held("plain http is only redirected", [trial])
      : broken(`plain http is redirected to ${target ?? "nowhere"}`, [honest, trial]);
  }
  if (!isApi(trial)) return held(`plain http is not served (${status})`, [trial]);
  const again = await ask();
  if (again === undefined || !isApi(again))
    return inconclusive("plain http was answered once and not again", [honest, trial]);
  return broken(`plain http is answered with ${status}, as https is`, [honest, trial, again]);
}

function textOf({ method, target, headers }: Outgoing, { host }: URL): string {
  const lines = [`Host: ${host}`, ...headers.map(([name, value]) => `${name}: ${value}`), "Connection: close", "", ""];
  return [`${method} ${target} HTTP/1.1`, ...lines].join("\r\n");
}
