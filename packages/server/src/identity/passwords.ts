import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

const derive = promisify(argon2);

/** 19 MiB, two passes, one lane: OWASP's smallest recommended setting for argon2id. */
const cost = { memory: 19_456, passes: 2, parallelism: 1 } as const;

/** Nobody's password: checked where there is no account, so that both take the same time. */
const nobody = `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${"A".repeat(22)}$${"A".repeat(43)}`;

/**
 * Hashes a password with argon2id.
 *
 * @returns PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`
 * @see OWASP Password Storage Cheat Sheet, RFC 9106
 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const tag = await tagOf(password, salt, cost, 32);
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
}

/**
 * Whether a password is the stored one, in the same time whatever the answer is and whether there is an account.
 *
 * @param stored  PHC string; undefined or null where there is no account or it has no password, and then never true
 */
export async function checkPassword(password: string, stored: string | null | undefined): Promise<boolean> {
  const phc = readPhc(stored ?? nobody);
  const tag = await tagOf(password, phc.salt, phc, phc.tag.length);
  return timingSafeEqual(tag, phc.tag) && stored !== undefined && stored !== null;
}

function tagOf(password: string, salt: Uint8Array, { memory, passes, parallelism }: Cost, tagLength: number) {
  // One form of each text: the same password typed on another keyboard. @see RFC 8265 section 4.2
  const message = password.normalize("NFC");
  return derive("argon2id", { message, nonce: salt, parallelism, tagLength, memory, passes });
}

interface Cost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

function readPhc(text: string): Cost & { readonly salt: Buffer; readonly tag: Buffer } {
  const found = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text);
  if (found === null) throw new Error("a stored password is no argon2id hash");
  const [, memory, passes, parallelism, salt = "", tag = ""] = found;
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, "base64"),
    tag: Buffer.from(tag, "base64"),
  };
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("=", "");
}
