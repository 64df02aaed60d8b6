/**
 * Writes `packages/server/src/identity/common-passwords.ts` from the list of `@zxcvbn-ts/language-common`:
 *
 *     npm pack @zxcvbn-ts/language-common@4.1.3 && tar xzf zxcvbn-ts-language-common-4.1.3.tgz
 *     node scripts/common-passwords.ts package/src/passwords.json
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

const [, , source] = process.argv;
if (source === undefined) throw new Error("name the list: node scripts/common-passwords.ts package/src/passwords.json");
const words: unknown = JSON.parse(readFileSync(source, "utf8"));
if (!isTexts(words)) throw new Error("the list is no JSON list of texts");

// Sorted, each says how much it shares with the one before: a digit, then the rest of it.
let last = "";
let text = "";
for (const word of [...new Set(words.map((one) => one.toLowerCase()))].sort()) {
  if (!/^[\x21-\x7e]+$/.test(word)) continue;
  let shared = 0;
  while (shared < 9 && shared < last.length && word[shared] === last[shared]) shared++;
  text += `${shared}${word.slice(shared)}\n`;
  last = word;
}
const packed = brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).toString("base64");
const target = join(import.meta.dirname, "../packages/server/src/identity/common-passwords.ts");
writeFileSync(
  target,
  `// Written by scripts/common-passwords.ts; not by hand.
import { brotliDecompressSync } from "node:zlib";

/**
 * The ${words.length} commonest passwords, lower case, from @zxcvbn-ts/language-common 4.1.3 (passwords.json), MIT license,
 * Copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc., Copyright (c) 2021 @zxcvbn-ts. Permission is hereby granted, free
 * of charge, to any person obtaining a copy of this software and associated documentation files, to deal in it without
 * restriction, provided that the above copyright notice and this permission notice are included in all copies or
 * substantial portions of it; it is provided "as is", without warranty of any kind.
 */
export function commonPasswords(): ReadonlySet<string> {
  known ??= unpacked();
  return known;
}

let known: ReadonlySet<string> | undefined;

function unpacked(): ReadonlySet<string> {
  const words = new Set<string>();
  let last = "";
  for (const line of brotliDecompressSync(Buffer.from(packed, "base64")).toString("latin1").split("\\n")) {
    if (line === "") continue;
    last = last.slice(0, Number(line[0])) + line.slice(1);
    words.add(last);
  }
  return words;
}

const packed =
  "${packed}";
`,
);
console.log(`${target}: ${words.length} passwords, ${packed.length} characters`);

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
