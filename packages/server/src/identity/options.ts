import type { Problem } from "portcullis";
import type { Storage } from "../storage/storage.ts";
import { keyProblems, type KeySettings } from "./api-keys.ts";
import type { IsBreached } from "./breached.ts";
import { type BrowserSessionSettings, settingsProblems } from "./browser-sessions/browser-sessions.ts";
import { browserClientId } from "./browser-sessions/own-issuer.ts";
import type { IdentityEvent } from "./events.ts";
import { wordsIn } from "./guessable-words.ts";
import type { SendMail } from "./mail.ts";
import { type ClientOptions, clientProblems, isOrigin } from "./oauth/clients.ts";
import type { Push } from "./push.ts";

/** What the identity server is made of. */
export interface IdentityOptions {
  /** Its own address, an https origin: `https://api.example.com`. */
  readonly issuer: string;
  /** Shown to people. */
  readonly serviceName: string;
  readonly storage: Storage;
  /** At least 32 random bytes, the same at every start and on every instance; encrypts private keys at rest. */
  readonly secret: string | Uint8Array;
  readonly clients: readonly ClientOptions[];
  /** APIs that tokens are for, by their address, with the scopes each has. */
  readonly resources: Readonly<Record<string, readonly string[]>>;
  /** Sessions of browsers, for apps that hold no token; they are for the first resource. Default: none. */
  readonly browserSessions?: BrowserSessionSettings;
  /** API keys for programs of the people and clients that call. Default: none. */
  readonly keys?: KeySettings;
  /** Has instances on PostgreSQL tell each other of what was taken back, besides LISTEN and NOTIFY; `redisPush`. Default: none. */
  readonly push?: Push;
  /**
   * What tokens are signed with: Ed25519, or ECDSA on P-256 for verifiers that know no other. Where it changes, the new key
   * is announced for an hour and signs then, and what the old one signed stays good as long as it lives. Default `EdDSA`.
   */
  readonly tokenAlgorithm?: "EdDSA" | "ES256";
  /** Default: printed, for development. */
  readonly sendMail?: SendMail;
  /** Whether a password is known from a breach. Default: the 49,000 commonest; `breachedByRange` asks a service besides. */
  readonly isBreached?: IsBreached;
  /**
   * Names that say something here, such as products, projects and the company, each of three letters or more: a password
   * that is little more is refused, as with the words of `serviceName` and of the issuer's host. Default: none.
   */
  readonly guessableWords?: readonly string[];
  readonly now?: () => number;
  readonly onError?: (error: unknown) => void;
  /** Told of whatever changes who may do what; the records of the API it is mounted on have it too. */
  readonly onEvent?: (event: IdentityEvent) => void;
}

/** Everything that is wrong with the options, each with what to write instead; any of it stops the start. */
export function optionProblems(options: IdentityOptions): readonly Problem[] {
  const { issuer, serviceName, storage, secret, resources, clients } = options;
  const problems: Problem[] = [];
  const add = (field: string, problem: string, fix: string) =>
    problems.push({ where: "openIdentity", field, problem, fix });

  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(known, key)) add(key, "is no option", `The options are ${Object.keys(known).join(", ")}.`);
  }
  for (const [field, fix] of Object.entries(needed)) {
    // A program without types, or whose types nobody checked, leaves out what it likes.
    const value: unknown = Reflect.get(options, field);
    if (value === undefined || value === null) add(field, "is missing", fix);
  }
  if (problems.length > 0) return problems;
  if (!("db" in storage)) add("storage", "it is no open storage", needed.storage);

  if (!isOrigin(issuer)) {
    add(
      "issuer",
      `${JSON.stringify(issuer)} is no origin over https`,
      "Write scheme and host without a path or a slash at the end: https://api.example.com; http counts on this machine alone.",
    );
  }
  if (serviceName.trim() === "") add("serviceName", "it is blank", "People read it when they sign in.");
  if (/[\p{Cc}\u2028\u2029]/u.test(serviceName)) {
    add("serviceName", "it has a line break or another control character in it", "It stands in the subject of mails.");
  }
  for (const word of options.guessableWords ?? []) {
    if (wordsIn(word).length === 0)
      add("guessableWords", `${JSON.stringify(word)} is no word`, "Write three letters or more.");
  }
  const weak = secretProblem(secret);
  if (weak !== undefined) {
    add("secret", weak, needed.secret);
  }

  const { tokenAlgorithm = "EdDSA" } = options;
  if (tokenAlgorithm !== "EdDSA" && tokenAlgorithm !== "ES256")
    add("tokenAlgorithm", `${String(tokenAlgorithm)} is none we sign with`, "Write EdDSA or ES256, or leave it out.");

  const named = Object.entries(resources);
  if (named.length === 0) {
    add("resources", "no API is named that tokens are for", 'Name one: { "https://api.example.com": ["notes:read"] }.');
  }
  for (const [resource, scopes] of named) {
    const isAddress = URL.canParse(resource) && !resource.includes("#") && /^[\x21-\x7e]+$/.test(resource);
    if (!isAddress) add("resources", `${resource} is no address`, "Write the address of the API, without a fragment.");
    for (const scope of scopes) {
      const problem = scopeProblem(scope);
      if (problem !== undefined) add("resources", `${JSON.stringify(scope)} ${problem}`, "Write scopes as notes:read.");
    }
  }
  if (options.browserSessions !== undefined) {
    problems.push(...settingsProblems(options.browserSessions));
    if (options.clients.some(({ id }) => id === browserClientId))
      add("clients", `${browserClientId} is what the routes for browsers are called`, "Name the client otherwise.");
  }
  if (options.push !== undefined && options.storage.kind === "embedded") {
    add("push", "the embedded store has one instance alone, which tells itself", "Leave it out, or use PostgreSQL.");
  }
  if (options.keys !== undefined) {
    problems.push(...keyProblems(options.keys, new Set(named.flatMap(([, scopes]) => scopes))));
  }
  return [...problems, ...clientProblems(clients, new Set(named.flatMap(([, scopes]) => scopes)))];
}

/** Without a default, with what to write. */
const needed = {
  issuer:
    "Write the origin this API has in browsers: https://api.example.com, or http://localhost:8787 on this machine.",
  serviceName: "Write what people know the service by.",
  storage: 'Open it first: await openStorage({ folder: ".data/store" }).',
  secret: "Make one and keep it, the same at every start: export SECRET=$(openssl rand -base64 48)",
  clients: "Write [] where there are no other applications.",
  resources: 'Name the API that tokens are for: { "https://api.example.com": ["notes:read"] }.',
} as const satisfies Partial<Record<keyof IdentityOptions, string>>;

const known: Readonly<Record<keyof IdentityOptions, true>> = {
  issuer: true,
  serviceName: true,
  storage: true,
  push: true,
  secret: true,
  clients: true,
  resources: true,
  browserSessions: true,
  keys: true,
  sendMail: true,
  tokenAlgorithm: true,
  isBreached: true,
  guessableWords: true,
  now: true,
  onError: true,
  onEvent: true,
};

/** @see RFC 6749 section 3.3 and appendix A.4 */
function scopeProblem(scope: string): string | undefined {
  if (!/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(scope)) return "is no scope";
  return ["openid", "email", "profile", "offline_access"].includes(scope) ? "means something else already" : undefined;
}

function secretProblem(secret: string | Uint8Array): string | undefined {
  const bytes = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
  if (typeof secret === "string" && /^[0-9a-f]+$/i.test(secret) && secret.length < 64) {
    return `${secret.length} hexadecimal digits are ${secret.length * 4} bits`;
  }
  if (bytes.length === 0) return "it is empty: is the variable set that it comes from?";
  if (bytes.length < 32) return `${bytes.length} bytes are too few`;
  return new Set(bytes).size < 8 ? "it repeats a few characters" : undefined;
}
