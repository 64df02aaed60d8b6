import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Header } from "./identities.ts";
import { isLimited, sameSignature } from "./oracle.ts";
import { type Outcome, threeLegs } from "./probe.ts";
import { withHeaders, withQuery } from "./requests.ts";

/** What a request may claim in one place, such as its headers: all at once, each alone, and as many names of nonsense. */
export interface Claims {
  readonly together: Outgoing;
  readonly nonsense: Outgoing;
  readonly each: readonly { readonly what: string; readonly outgoing: Outgoing }[];
}

/** What claims are judged by. */
export interface ClaimLegs {
  /** The answer that a claim must not open; it has succeeded. */
  readonly positive: Trial;
  readonly negatives: readonly Trial[];
  readonly canary?: string | undefined;
  /** What it means that a claim is believed. */
  readonly broken: (what: string) => string;
}

/**
 * Sends all claims of a place at once, beside as many of nonsense names, and each alone only where that makes a difference.
 *
 * @returns the finding, where a claim is believed, and everything that was sent
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function tryClaims(
  context: ProbeContext,
  { together, nonsense, each }: Claims,
  legs: ClaimLegs,
): Promise<{ believed?: Outcome; trials: readonly Trial[] }> {
  const control = await context.send("negative", nonsense);
  const all = await context.send("attack", together);
  const trials: Trial[] = [control, all];
  if (isLimited(all.answer) || sameSignature(control.answer, all.answer)) return { trials };
  for (const { what, outgoing } of each) {
    const found = await threeLegs({
      positive: legs.positive,
      negatives: [...legs.negatives, control],
      canary: legs.canary,
      attack: () => context.send("attack", outgoing),
      broken: legs.broken(what),
      held: `${what} is not believed`,
    });
    if (found.verdict === "broken") return { believed: { ...found, trials: [...found.trials, control] }, trials };
    // A name that the API knows and does not believe may be refused in a way of its own.
    trials.push(...found.trials.slice(-1));
  }
  return { trials };
}

/** Claims in headers. */
export function headerClaims(plain: Outgoing, headers: readonly Header[]): Claims {
  const nonsense = headers.map(([, value], index): Header => [`x-pc-nonsense-${index}`, value]);
  return {
    together: withHeaders(plain, headers, `${plain.label}, claims in headers`),
    nonsense: withHeaders(plain, nonsense, `${plain.label}, nonsense headers`),
    each: headers.map(([name, value]) => ({
      what: `${name}: ${value}`,
      outgoing: withHeaders(plain, [[name, value]], `${plain.label}, ${name}`),
    })),
  };
}

/** Claims in the query. The same name twice is only sent alone, since the strict refuse that. */
export function queryClaims(plain: Outgoing, pairs: readonly Header[]): Claims {
  const once = pairs.filter(([name], index) => pairs.findIndex(([other]) => other === name) === index);
  const labelled = (outgoing: Outgoing, label: string) => ({ ...outgoing, label: `${plain.label}, ${label}` });
  return {
    together: labelled(
      once.reduce((outgoing, [name, value]) => withQuery(outgoing, name, value), plain),
      "claims in the query",
    ),
    nonsense: labelled(
      once.reduce((outgoing, [, value], index) => withQuery(outgoing, `pcNonsense${index}`, value), plain),
      "a nonsense query",
    ),
    each: pairs.map(([name, value]) => ({
      what: `?${name}=${value}`,
      outgoing: labelled(withQuery(plain, name, value), `?${name}=${value}`),
    })),
  };
}

/** Claims in cookies, beside those the request has. */
export function cookieClaims(plain: Outgoing, pairs: readonly Header[]): Claims {
  const own = plain.headers.find(([name]) => name === "cookie")?.[1];
  const written = (some: readonly Header[], label: string) => {
    const cookies = [...(own === undefined ? [] : [own]), ...some.map(([name, value]) => `${name}=${value}`)];
    return withHeaders(plain, [["cookie", cookies.join("; ")]], `${plain.label}, ${label}`);
  };
  const nonsense = pairs.map(([, value], index): Header => [`pcNonsense${index}`, value]);
  return {
    together: written(pairs, "claims in cookies"),
    nonsense: written(nonsense, "nonsense cookies"),
    each: pairs.map(([name, value]) => ({
      what: `the cookie ${name}=${value}`,
      outgoing: written([[name, value]], `cookie ${name}=${value}`),
    })),
  };
}
