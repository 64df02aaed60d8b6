import { createHmac, type KeyObject } from "node:crypto";
import { base64url } from "jose";
import type { ProbeContext } from "./context.ts";
import type { Token } from "./identities.ts";
import { type PublishedKey, publishedKeys } from "./key-sets.ts";
import { type JsonRecord, textAt } from "./json.ts";
import { notApplicable, type NamedOutcome } from "./probe.ts";
import { type Forgery, noToken, tokenWitness, tryForgeries } from "./token-trials.ts";

/**
 * Algorithm confusion: a verifier that takes `alg` from the token uses its public key, which everybody can have, as an
 * HMAC secret. Tried with each spelling in which libraries and people keep such a key.
 *
 * @throws what sending rejects with, such as `BudgetSpent`
 * @see RFC 8725 section 2.1
 */
export async function algorithmConfusion(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const check = "algorithm-confusion";
  const witness = await tokenWitness(context);
  if (witness === undefined) return [{ check, ...noToken }];
  const { token } = witness;
  if (textAt(token.header, "alg")?.startsWith("HS") === true)
    return [{ check, ...notApplicable("Its tokens are signed with a shared secret.") }];
  const [key] = await publishedKeys(context, textAt(token.header, "kid"));
  if (key === undefined)
    return [
      {
        check,
        ...notApplicable("its public key as an HMAC secret, since it publishes no key set (--jwt-key <public key>)"),
        untried: true,
      },
    ];
  const found = await tryForgeries(context, witness, confusions(token, key));
  const first = found.find(({ verdict }) => verdict === "broken");
  // The spellings are one question; asked and refused many times, it is one answer.
  return first === undefined ? found.slice(0, 1).map((one) => ({ ...one, check })) : [{ ...first, check }];
}

function confusions(token: Token, published: PublishedKey): readonly Forgery[] {
  const what = `signed with HMAC and the public key (${published.from})`;
  const spelled = spellings(published);
  const list: Forgery[] = [];
  for (const [index, secret] of spelled.entries()) {
    // The first two spellings are what files and libraries hold; the others are tried with the usual algorithm only.
    for (const algorithm of index < 2 ? (["HS256", "HS384", "HS512"] as const) : (["HS256"] as const)) {
      list.push([`confusion-${index}-${algorithm}`, hmacToken(token, algorithm, secret), what]);
    }
  }
  return list;
}

/** The key as it may stand in a file, a variable or a key set. */
function spellings({ key, jwk }: PublishedKey): readonly (string | Buffer)[] {
  const spki = String(key.export({ type: "spki", format: "pem" }));
  const list: (string | Buffer)[] = [spki, spki.trimEnd(), spki.replaceAll("\n", "\r\n"), derOf(key)];
  if (key.asymmetricKeyType === "rsa") {
    const pkcs1 = String(key.export({ type: "pkcs1", format: "pem" }));
    list.push(pkcs1, pkcs1.trimEnd());
  }
  if (jwk !== undefined) list.push(JSON.stringify(jwk));
  return list;
}

function derOf(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

/** Signed by hand: no library signs with a public key. */
function hmacToken(token: Token, algorithm: "HS256" | "HS384" | "HS512", secret: string | Buffer): string {
  const header: JsonRecord = { ...token.header, alg: algorithm };
  const text = `${base64url.encode(JSON.stringify(header))}.${token.parts[1]}`;
  return `${text}.${createHmac(`sha${algorithm.slice(2)}`, secret)
    .update(text)
    .digest("base64url")}`;
}
