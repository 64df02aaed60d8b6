import { argon2, type Argon2Parameters, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

/** A password as it is stored: argon2id with a salt of its own. @see OWASP Password Storage Cheat Sheet (19 MiB, 2 passes) */
export interface PasswordHash {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** Hashes a password. */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = randomBytes(16);
  return { salt, hash: await derive(password, salt) };
}

/** Whether a password belongs to a hash, in the same time whether it does or not. */
export async function isPassword(password: string, { salt, hash }: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, salt), hash);
}

const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
const argon2Async = promisify<"argon2id", Argon2Parameters, Buffer>(argon2);

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return argon2Async("argon2id", { ...cost, message: password.normalize("NFC"), nonce: salt });
}
