import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { type Cost, usual } from "./password-cost.ts";
import { createWorkQueue } from "./work-queue.ts";

const derive = promisify(argon2);

/** Nobody's password: checked where there is no account, so that both take the same time. */
const nobody = phcOf(usual, "A".repeat(22), "A".repeat(43));

/**
 * Every hash takes a core for some 35 ms and a thread of the four that also read files and look up names. So one core and
 * one thread are left to everything else, and strangers who send passwords by the thousand wait for each other.
 */
const queue = createWorkQueue(Math.max(1, Math.min(3, availableParallelism() - 1)), 100);

/** Characters of a password. @see OWASP ASVS 5.0 6.2.1 and 6.2.9 */
export const passwordLength = { least: 12, most: 128 } as const;

/**
 * Hashes a password with argon2id.
 *
 * @returns PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`
 * @throws TooBusy (the promise rejects) where too many wait already
 * @see OWASP Password Storage Cheat Sheet, RFC 9106
 */
export async function hashPassword(password: string, cost: Cost = usual): Promise<string> {
  const salt = randomBytes(16);
  const tag = await tagOf(password, salt, cost, 32);
  return phcOf(cost, unpadded(salt), unpadded(tag));
}

/**
 * Whether a password is the stored one, in the same time whatever the answer is and whether there is an account.
 *
 * @param stored  PHC string; undefined or null where there is no account or it has no password, and then never true
 * @throws TooBusy (the promise rejects) where too many wait already
 */
export async function checkPassword(password: string, stored: string | null | undefined): Promise<boolean> {
  const phc = readPhc(stored ?? nobody);
  const tag = await tagOf(password, phc.salt, phc, phc.tag.length);
  return timingSafeEqual(tag, phc.tag) && stored !== undefined && stored !== null;
}

/** Whether a stored password was hashed at less cost than new ones are, so that its owner's next sign-in should mend it. */
export function isCheap(stored: string): boolean {
  const { memory, passes } = readPhc(stored);
  return memory < usual.memory || passes < usual.passes;
}

function tagOf(password: string, salt: Uint8Array, { memory, passes, parallelism }: Cost, tagLength: number) {
  // One form of each text: the same password typed on another keyboard. @see RFC 8265 section 4.2
  const message = password.normalize("NFC");
  return queue.run(() => derive("argon2id", { message, nonce: salt, parallelism, tagLength, memory, passes }));
}

function phcOf({ memory, passes, parallelism }: Cost, salt: string, tag: string): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${salt}$${tag}`;
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
