import { computed, type Import, packageOf } from "./import-graph.ts";

/**
 * One sentence of "who may import whom". A rule judges single imports; `breach` and `fine` are a source that breaks it
 * and one that does not, so that each rule is known to be able to fail.
 */
export type LayeringRule = {
  readonly sentence: string;
  readonly forbids: (candidate: Import) => boolean;
  readonly breach: Sample;
  readonly fine: Sample;
};

/** A file's place and text. */
export type Sample = { readonly file: string; readonly source: string };

const library = "packages/portcullis/src/";
const adapters = `${library}adapters/`;
const gates = `${library}gates/`;

const server = "packages/server/src/";

/** What speaks SQL. */
const databases = new Set(["kysely", "pg", "node:sqlite"]);

/** The only packages whose presence the library may take for granted. */
const libraryPackages = new Set(["jose"]);

/** The credential verifiers: gates of their own row, and what a user builds `credentials: […]` from. */
const verifiers = new Set(["jwt", "api-keys", "sessions"].map((id) => `${gates}${id}.ts`));

/** Beside the interface, gates may use what is pure: rates, keys, presets, and the headers that tell the caller. */
const limitsForGates = new Set(
  ["limiter", "headers", "key", "presets", "rate", "tariffs", "ticks"].map((name) => `${library}limits/${name}.ts`),
);

/** What an event and a record are, and the interface they are handed to. */
const eventsForGates = new Set(["event", "record", "sink"].map((name) => `${library}events/${name}.ts`));

export const layeringRules: readonly LayeringRule[] = [
  {
    sentence: "checklist.ts imports nothing",
    forbids: ({ from }) => from === `${library}checklist.ts`,
    breach: { file: `${library}checklist.ts`, source: 'import type { Gate } from "./gate.ts";' },
    fine: { file: `${library}gate.ts`, source: 'import type { ProtectionId } from "./checklist.ts";' },
  },
  {
    sentence: "the prover and the lint rules read nothing of the library but portcullis/checklist",
    forbids: ({ from, specifier, to }) =>
      /^packages\/(scan|eslint-plugin)\//.test(from) &&
      ((isOf("portcullis", specifier) && specifier !== "portcullis/checklist") || to.some(isInLibrary)),
    breach: { file: "packages/scan/src/plan.ts", source: 'import type { Api } from "portcullis";' },
    fine: { file: "packages/scan/src/plan.ts", source: 'import { checklist } from "portcullis/checklist";' },
  },
  {
    sentence: "the lint rules load nothing else, of Node neither: they run wherever a linter does",
    forbids: ({ from, specifier, to, isType }) =>
      from.startsWith("packages/eslint-plugin/src/") &&
      !isType &&
      to.length === 0 &&
      specifier !== "portcullis/checklist",
    breach: { file: "packages/eslint-plugin/src/rules/jwt.ts", source: 'import { readFileSync } from "node:fs";' },
    fine: { file: "packages/eslint-plugin/src/ast.ts", source: 'import type { Node } from "@oxc-project/types";' },
  },
  {
    sentence: "the library outside adapters/ imports no package but jose, and nothing of Node",
    forbids: ({ from, specifier, to }) =>
      isWebLibrary(from) && to.length === 0 && !libraryPackages.has(packageNameOf(specifier)),
    breach: { file: `${library}lib/hash.ts`, source: 'import { createHash } from "node:crypto";' },
    fine: { file: `${gates}jwt.ts`, source: 'import { importJWK } from "jose";' },
  },
  {
    sentence:
      "the library outside adapters/ reaches an adapter only through the switch #runtime; fetch, all Web, excepted",
    forbids: ({ from, specifier, to }) =>
      isWebLibrary(from) &&
      specifier.startsWith(".") &&
      to.some((file) => !isWebLibrary(file) && file.startsWith(adapters)),
    breach: { file: `${library}index.ts`, source: 'export { listen } from "./adapters/node.ts";' },
    fine: { file: `${library}index.ts`, source: 'import { sha256 } from "#runtime";' },
  },
  {
    sentence: "adapters import frameworks as types only",
    forbids: ({ from, specifier, to, isType }) =>
      from.startsWith(adapters) &&
      !isType &&
      to.length === 0 &&
      !specifier.startsWith("node:") &&
      !libraryPackages.has(packageNameOf(specifier)),
    breach: { file: `${adapters}express.ts`, source: 'import { type Request } from "express";' },
    fine: { file: `${adapters}express.ts`, source: 'import type { Request } from "express";' },
  },
  {
    sentence: "a gate imports no other gate",
    forbids: ({ from, to }) => from.startsWith(gates) && to.some((file) => file.startsWith(gates)),
    breach: { file: `${gates}csrf.ts`, source: 'import type { Origin } from "./cors.ts";' },
    fine: { file: `${gates}csrf.ts`, source: 'import type { HeaderGate } from "../gate.ts";' },
  },
  {
    sentence:
      "the order of gates lives in pipeline.ts alone; index.ts hands out the credential verifiers, issuers/ are made of them",
    forbids: ({ from, to }) =>
      from !== `${library}pipeline.ts` &&
      to.some((file) => file.startsWith(gates) && !(usesVerifiers(from) && verifiers.has(file))),
    breach: { file: `${library}index.ts`, source: 'export { cors } from "./gates/cors.ts";' },
    fine: { file: `${library}index.ts`, source: 'export { jwt } from "./gates/jwt.ts";' },
  },
  {
    sentence: "gates reach limiters through limits/limiter.ts and pure helpers",
    forbids: ({ from, to }) =>
      from.startsWith(gates) && to.some((file) => file.startsWith(`${library}limits/`) && !limitsForGates.has(file)),
    breach: { file: `${gates}rate-limit.ts`, source: 'import { memoryLimiter } from "../limits/memory.ts";' },
    fine: { file: `${gates}rate-limit.ts`, source: 'import type { Limiter } from "../limits/limiter.ts";' },
  },
  {
    sentence: "gates reach sinks through events/sink.ts and say only events and records",
    forbids: ({ from, to }) =>
      from.startsWith(gates) && to.some((file) => file.startsWith(`${library}events/`) && !eventsForGates.has(file)),
    breach: { file: `${gates}audit.ts`, source: 'import { memorySink } from "../events/memory-sink.ts";' },
    fine: { file: `${gates}audit.ts`, source: 'import type { AuditSink } from "../events/sink.ts";' },
  },
  {
    sentence: "gates reach stores through their interface, never through one implementation",
    forbids: ({ from, to }) => from.startsWith(gates) && to.some((file) => /\/(memory|sqlite|redis)[^/]*$/.test(file)),
    breach: { file: `${gates}api-keys.ts`, source: 'import { memoryKeys } from "../lib/memory-key-store.ts";' },
    fine: { file: `${gates}api-keys.ts`, source: 'import type { KeyStore } from "../lib/key-store.ts";' },
  },
  {
    // The bench times single gates, and they are in no export.
    sentence:
      "packages and examples reach each other by package name, never by a relative path; the bench may look into library and server",
    forbids: ({ from, to }) =>
      to.some(
        (file) =>
          packageOf(file) !== packageOf(from) &&
          !(from.startsWith("bench/") && (file.startsWith(library) || file.startsWith("packages/server/"))),
      ),
    breach: {
      file: "examples/projects/api.ts",
      source: 'import { createApi } from "../../packages/portcullis/src/index.ts";',
    },
    fine: { file: "examples/projects/api.ts", source: 'import { createApi } from "portcullis";' },
  },
  {
    sentence: "only storage/ speaks SQL: the rest of the server knows neither Kysely, nor pg, nor a database of Node",
    forbids: ({ from, specifier, isType }) =>
      from.startsWith(server) &&
      !from.startsWith(`${server}storage/`) &&
      !isType &&
      databases.has(packageNameOf(specifier)),
    breach: { file: `${server}identity/accounts.ts`, source: 'import { sql } from "kysely";' },
    fine: { file: `${server}storage/accounts.ts`, source: 'import { sql } from "kysely";' },
  },
  {
    sentence: "parts of the server do not import each other; all may import storage/, which imports none of them",
    forbids: ({ from, to }) => {
      const part = partOf(from);
      return part !== undefined && to.some((file) => ![part, "storage", undefined].includes(partOf(file)));
    },
    breach: { file: `${server}storage/accounts.ts`, source: 'import { hashOf } from "../identity/secrets.ts";' },
    fine: {
      file: `${server}identity/accounts.ts`,
      source: 'import type { AccountStore } from "../storage/accounts.ts";',
    },
  },
  {
    sentence: "only the command line loads a module whose name is not written in the source",
    forbids: ({ from, specifier }) => specifier === computed && !from.startsWith("packages/cli/"),
    breach: { file: `${library}pipeline.ts`, source: "await import(`./gates/${id}.ts`);" },
    fine: { file: "packages/cli/src/load-api.ts", source: "await import(url);" },
  },
];

/** The package an import names: `jose` for `jose/jwt`, `@scope/name` for `@scope/name/part`. */
export function packageNameOf(specifier: string): string {
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}

function isOf(name: string, specifier: string): boolean {
  return packageNameOf(specifier) === name;
}

function usesVerifiers(file: string): boolean {
  return file === `${library}index.ts` || file.startsWith(`${library}issuers/`);
}

function isInLibrary(file: string): boolean {
  return file.startsWith("packages/portcullis/");
}

function isWebLibrary(file: string): boolean {
  return file.startsWith(library) && (!file.startsWith(adapters) || file === `${adapters}fetch.ts`);
}

/** The part of the server a file belongs to. */
function partOf(file: string): string | undefined {
  return file.startsWith(server) ? file.slice(server.length).split("/", 1)[0] : undefined;
}
