import { argon2, type Argon2Parameters, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

/**
 * Hashes a password with argon2id.
 *
 * @returns PHC text: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`
 * @see OWASP Password Storage Cheat Sheet (19 MiB, 2 passes), RFC 9106
 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return phc(salt, await derive(password, salt));
}

/** Whether a password belongs to a hash. Takes the same time whether it does or not. */
export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [, , , parameters, salt, expected] = hash.split("$");
  if (parameters !== PARAMETERS || salt === undefined || expected === undefined) return false;
  const derived = await derive(password, Buffer.from(salt, "base64"));
  return timingSafeEqual(derived, Buffer.from(expected, "base64"));
}

/** The hash of no password at all: checking against it costs what checking a real one does. */
export function hashOfNobody(): string {
  return phc(randomBytes(16), randomBytes(HASH_BYTES));
}

const HASH_BYTES = 32;
const COST = { memory: 19_456, passes: 2, parallelism: 1, tagLength: HASH_BYTES };
const PARAMETERS = `m=${COST.memory},t=${COST.passes},p=${COST.parallelism}`;
const argon2Async = promisify<"argon2id", Argon2Parameters, Buffer>(argon2);

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return argon2Async("argon2id", { ...COST, message: password.normalize("NFC"), nonce: salt });
}

function phc(salt: Buffer, hash: Buffer): string {
  return `$argon2id$v=19$${PARAMETERS}$${unpadded(salt)}$${unpadded(hash)}`;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}
