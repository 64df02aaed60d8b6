import { createHmac, timingSafeEqual } from "node:crypto";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { signerOf } from "./forge.ts";
import { type Identity, readToken, type Token } from "./identities.ts";
import { textAt } from "./json.ts";
import { broken, held, inconclusive, notApplicable, type Outcome } from "./probe.ts";
import { sendForged, tokenWitnessIfAny } from "./token-trials.ts";

/**
 * Tries the secrets everybody tries first on the tokens the scan was given, without sending any: one that matches the
 * signature is the secret, with certainty. A token signed with it is sent as the evidence. The report does not show it.
 *
 * @param context  its identities' tokens are tried; the target's name, host, issuer and audience make more words
 * @throws what asking for the witness rejects with, where a secret was found and is to be shown
 * @see RFC 7518 section 3.2 (a key as long as the hash), OWASP ASVS 5.0 11.2.3
 */
export async function weakSecret(context: ProbeContext): Promise<Outcome> {
  const holders = context.identities.flatMap((identity) => {
    const token = readToken(identity.secret);
    return token === undefined || hashOf(token) === undefined ? [] : [{ identity, token }];
  });
  if (holders.length === 0) return notApplicable("No token is signed with a shared secret.");
  const words = wordsFor(context, holders[0]?.token);
  for (const { identity, token } of holders) {
    const secret = words.find((word) => signs(token, word));
    if (secret === undefined) continue;
    context.redactor.add(secret, "signing secret");
    const proof = await exampleOf(context, identity);
    if (proof === undefined) return inconclusive(`${identity.name}'s token is signed with a secret from a word list`);
    const forged = await forgedWith(context, secret);
    return broken(
      `the secret that signs ${identity.name}'s token stands in a list of ${words.length} common words (${secret.length} characters)`,
      forged.length === 0 ? [proof] : forged,
    );
  }
  return held(`none of ${words.length} common secrets signs the tokens`);
}

/** A read that needs its caller, and the same with a token the secret signed; empty where nothing is judged by a token. */
async function forgedWith(context: ProbeContext, secret: string): Promise<readonly Trial[]> {
  const witness = await tokenWitnessIfAny(context);
  if (witness === undefined || !signs(witness.token, secret) || secret === "") return [];
  const { header, claims } = witness.token;
  const signer = await signerOf(secret, textAt(header, "alg") ?? "HS256");
  const forged = await signer.sign(header, { ...claims, pc: "forged" });
  return [witness.positive, await sendForged(context, witness, forged, "signed with the secret that was found")];
}

async function exampleOf(context: ProbeContext, identity: Identity) {
  const read = context.target.operations.find(
    (operation) => operation.method === "GET" && context.permitted(operation) === identity,
  );
  return read === undefined ? undefined : await context.baseline(read);
}

function hashOf(token: Token): string | undefined {
  const bits = /^HS(256|384|512)$/.exec(textAt(token.header, "alg") ?? "")?.[1];
  return bits === undefined ? undefined : `sha${bits}`;
}

function signs(token: Token, secret: string): boolean {
  const [head, body, signature] = token.parts;
  const is = Buffer.from(signature, "base64url");
  const would = createHmac(hashOf(token) ?? "sha256", secret)
    .update(`${head}.${body}`)
    .digest();
  return is.length === would.length && timingSafeEqual(is, would);
}

/** The list, and the names of this very API in the spellings people make secrets of. */
function wordsFor(context: ProbeContext, token: Token | undefined): readonly string[] {
  const names = new Set<string>();
  for (const text of [
    context.target.name,
    context.fetcher.url.hostname,
    textAt(token?.claims, "iss"),
    textAt(token?.claims, "aud"),
  ]) {
    if (text === undefined || text === "") continue;
    names.add(text);
    for (const part of text.split(/[^A-Za-z0-9]+/)) if (part.length > 2) names.add(part);
  }
  const made = [...names].flatMap((name) =>
    [name, name.toLowerCase()].flatMap((one) => [one, ...tails.map((tail) => `${one}${tail}`)]),
  );
  return [...new Set([...common, ...made])];
}

const tails = ["-secret", "_secret", "secret", "-jwt-secret", "-key", "_key", "-dev", "123", "1234", "-jwt", "2024"];

/** What examples, tutorials and frameworks put there, and what people type. */
const common: readonly string[] = `
secret Secret SECRET mysecret my-secret my_secret mysecretkey my-secret-key my_secret_key secretkey secret-key secret_key
secretKey SECRET_KEY supersecret super-secret super_secret supersecretkey super-secret-key superSecretKey topsecret
top-secret verysecret very-secret verysecretkey notsosecret not-so-secret s3cr3t s3cret sekret secret1 secret12 secret123
secret1234 secret12345 secret123456 secret! secret@123 Secret123 shhhhh shhhhhh shhh shhhhhhared-secret ssshhhh
jwt jwtsecret jwt-secret jwt_secret jwtSecret JWT_SECRET JWTSECRET jwtsecretkey jwt-secret-key jwt_secret_key
jwtSecretKey jwtkey jwt-key jwt_key jwttoken your-256-bit-secret your-384-bit-secret your-512-bit-secret
your-secret-key your_secret_key your-secret your_secret yoursecret yoursecretkey your_jwt_secret your-jwt-secret
your_jwt_secret_key your-jwt-secret-key your-super-secret-jwt-key your-super-secret-key
your-super-secret-jwt-token-with-at-least-32-characters-long super-secret-jwt-token-with-at-least-32-characters-long
a-string-secret-at-least-256-bits-long change-me changeme change_me changethis change-this changeit replace-me
replaceme please-change-me please_change_me CHANGE_ME CHANGEME this-is-a-secret thisisasecret this_is_a_secret
thisismysecret this-is-my-secret thisisaverysecretkey dev development dev-secret dev_secret devsecret dev-secret-key
development-secret test testing test-secret test_secret testsecret test-key testkey test123 test1234 local localhost
staging production prod default default-secret defaultsecret example example-secret example_key sample demo demo-secret
password Password password1 password123 Password123 passw0rd p@ssw0rd P@ssw0rd pass pass123 admin admin123 root toor
qwerty qwerty123 letmein welcome welcome1 abc abc123 abcd1234 abcdef abcdefg 123 1234 12345 123456 1234567 12345678
123456789 1234567890 0123456789 00000000 111111 11111111 aaaaaaaa xxxx xxx asdf asdf1234 iloveyou monkey dragon
token tokensecret token-secret token_secret access-token-secret access_token_secret accesstokensecret ACCESS_TOKEN_SECRET
refresh-token-secret auth authsecret auth-secret auth_secret AUTH_SECRET nextauth nextauth_secret next-auth-secret
session sessionsecret session-secret session_secret cookie keyboard-cat keyboardcat key private privatekey private-key
private_key publickey apikey api-key api_key apisecret api-secret api_secret app appsecret app-secret app_secret
application signature signing-key signing_key signingkey hmac hmac-secret sha256 hs256 HS256 node nodejs express
fastify hono nestjs nextjs supabase firebase django flask laravel spring rails random randomsecret foo bar foobar baz
hello hello-world helloworld none null undefined true false gundamnow
`
  .split(/\s+/)
  .filter((word) => word !== "")
  // Secrets with spaces in them stand apart: the list above is separated by them.
  .concat(["keyboard cat", "my secret", "super secret", "your secret key", "this is a secret", "secret key", " ", ""]);
