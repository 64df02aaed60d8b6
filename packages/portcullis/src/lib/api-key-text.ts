import { encodeBase62, encodeBase62Number, randomBase62 } from "./base62.ts";
import { crc32 } from "./crc32.ts";

/** The parts of a key, as its text has them. */
export interface ApiKeyText {
  readonly environment: string;
  readonly id: string;
}

const ID_LENGTH = 16;
/** 43 base 62 characters hold 256 bits and little more. */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;

/** What a prefix or an environment may look like: no `_`, which separates the parts. */
export const keyPartPattern = /^[a-z][a-z0-9]{0,15}$/;

/**
 * A new key: `prefix_environment_id_secret` and six characters of checksum. The id is public and 16 characters long, the
 * secret has 256 random bits, everything is a letter, a digit or `_`, so that scanners find a leaked key by its shape and
 * a pasting mistake is noticed without asking the store.
 */
export function makeApiKey(
  prefix: string,
  environment: string,
  randomBytes: (count: number) => Uint8Array,
): { readonly key: string; readonly id: string } {
  const id = randomBase62(ID_LENGTH, randomBytes);
  const body = `${prefix}_${environment}_${id}_${encodeBase62(randomBytes(32), SECRET_LENGTH)}`;
  return { key: body + checksum(body), id };
}

/**
 * Takes a key of this prefix apart.
 *
 * @returns undefined where the text is no such key or its checksum is wrong; says nothing about whether it exists
 */
export function readApiKey(text: string, prefix: string): ApiKeyText | undefined {
  if (!text.startsWith(`${prefix}_`) || text.length > LENGTH_MAX) return undefined;
  const match = SHAPE.exec(text);
  if (match === null) return undefined;
  const [, ownPrefix, environment, id] = match;
  if (ownPrefix !== prefix || environment === undefined || id === undefined) return undefined;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  return checksum(body) === text.slice(-CHECKSUM_LENGTH) ? { environment, id } : undefined;
}

const SHAPE = new RegExp(
  `^([a-z][a-z0-9]{0,15})_([a-z][a-z0-9]{0,15})_([0-9A-Za-z]{${ID_LENGTH}})_[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`,
);
const LENGTH_MAX = 128;
const encoder = new TextEncoder();

function checksum(body: string): string {
  return encodeBase62Number(crc32(encoder.encode(body)));
}
