import { readFile } from "node:fs/promises";
import {
  type Account,
  type Profile,
  parseIdentity,
  parseOAuthClient,
  parseRoles,
  parseWebhook,
  ScanError,
  type ScanOptions,
} from "@portcullis/scan";
import type { Command } from "commander";
import { parseDuration } from "./duration.ts";

/** The options that say what to attack and as whom; every command that scans has them. */
export function withTarget(command: Command): Command {
  return command
    .option("--manifest <file>", 'what "portcullis manifest" wrote; verdicts are exact')
    .option("--openapi <file|url>", "OpenAPI 3.x or Swagger 2.0 (JSON or YAML), where there is no manifest")
    .option(
      "--requests <file>",
      "recorded requests, a HAR or one METHOD /path [json] a line, where nothing describes it",
    )
    .option(
      "--as <name=credential>",
      'who to be: alice="Bearer …", ci="X-Api-Key: …", web="cookie:name=value"',
      collect,
    )
    .option("--auth <file>", "users that sign in by themselves, in the Web Fuzzing Commons format (YAML or JSON)")
    .option("--roles <name=role,…>", "roles an identity has, such as admin=admin", collect)
    .option(
      "--account <email:password>",
      "account for the sign-in probes; signs in where nobody else is given",
      collect,
    )
    .option(
      "--oauth <client=…,redirect=…>",
      "client of its authorization server (repeat: it tries what is the first one's)",
      collect,
    )
    .option("--no-register", "register no throwaway users where fewer than two callers are given")
    .option(
      "--jwt-key <file>",
      "test signing key (PEM, JWK or secret in a file, or secret:<text>); without it single claims are not tried",
    )
    .option("--origin <url>", "a browser origin that may read answers, and no other may (repeat)", collect)
    .option(
      "--webhook <endpoint=scheme[:secret]>",
      "a webhook and how its sender signs: stripe, github, slack, svix, standard-webhooks or hmac(…) (repeat)",
      collect,
    )
    .option("--supabase <url>", "a Supabase project whose tables are attacked too, as a stranger and as each --as user")
    .option("--anon-key <key>", "its anon or publishable key, which stands in the browser")
    .option("--ca <file>", "certificate authority to trust, such as that of a development certificate")
    .option("--only <id>", "attack only this protection (repeat, or separate by commas)", collect)
    .option("--skip <id>", "leave this protection out", collect)
    .option(
      "--profile <name>",
      "quick: one limit of each kind, short waits, for every push; full, the default: all of it",
    )
    .option("--patience <minutes>", "how long the scan may take to stay below the API's own limits")
    .option("--timeout <duration>", "most time of the whole scan: 90s, 10m, 2h; what is left then is inconclusive")
    .option("--rate <number>", "most requests in any second")
    .option("--budget <number>", "most requests of the whole scan; default: 20000")
    .option("--consent <host>", "attack this host too, whose owner agrees (repeat)", collect)
    .option("--allow-unsafe", "also fetch what its name says is changed by reading, such as GET /reset")
    .option("--seed <number>", "repeat the values of an earlier scan");
}

/** Keeps every value of an option that may be given several times. */
export const collect = (value: string, list: readonly string[] = []): readonly string[] => [...list, value];

/** The options that say what to attack and as whom. */
export interface TargetFlags {
  readonly manifest?: string;
  readonly openapi?: string;
  readonly requests?: string;
  readonly auth?: string;
  readonly register?: boolean;
  readonly profile?: string;
  readonly rate?: string;
  readonly budget?: string;
  readonly consent?: readonly string[];
  readonly allowUnsafe?: true;
  readonly as?: readonly string[];
  readonly roles?: readonly string[];
  readonly account?: readonly string[];
  readonly oauth?: readonly string[];
  readonly jwtKey?: string;
  readonly webhook?: readonly string[];
  readonly supabase?: string;
  readonly anonKey?: string;
  readonly origin?: readonly string[];
  readonly ca?: string;
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  readonly seed?: string;
  readonly patience?: string;
  readonly timeout?: string;
}

/**
 * What to attack and as whom, as the options say it.
 *
 * @throws ScanError when an option is written wrongly or a file cannot be read
 */
export async function optionsOf(url: string, flags: TargetFlags): Promise<ScanOptions> {
  const roles = new Map((flags.roles ?? []).map(parseRoles));
  const identities = (flags.as ?? [])
    .map((text) => parseIdentity(text))
    .map((one) => ({ ...one, roles: roles.get(one.name) ?? [] }));
  for (const name of roles.keys()) {
    // Users of an authentication file are not read yet.
    if (flags.auth === undefined && !identities.some((one) => one.name === name))
      throw new ScanError(`--roles names "${name}", and no --as does`);
  }
  return {
    url,
    identities,
    accounts: (flags.account ?? []).map(accountOf),
    oauth: (flags.oauth ?? []).map(parseOAuthClient),
    only: listed(flags.only),
    skip: listed(flags.skip),
    roles,
    profile: profileOf(flags.profile),
    ...(flags.patience === undefined ? {} : { patienceMs: minutes(flags.patience) * 60_000 }),
    ...(flags.timeout === undefined ? {} : { timeoutMs: parseDuration("--timeout", flags.timeout, 7) }),
    ...(flags.manifest === undefined ? {} : { manifest: flags.manifest }),
    ...(flags.openapi === undefined ? {} : { openapi: flags.openapi }),
    ...(flags.requests === undefined ? {} : { requests: flags.requests }),
    ...(flags.auth === undefined ? {} : { auth: flags.auth }),
    ...(flags.register === false ? { register: false } : {}),
    ...(flags.origin === undefined ? {} : { origins: flags.origin }),
    ...(flags.rate === undefined ? {} : { rate: positive("--rate", flags.rate) }),
    ...(flags.budget === undefined ? {} : { budget: positive("--budget", flags.budget) }),
    ...(flags.consent === undefined ? {} : { consent: flags.consent.map(hostName) }),
    ...(flags.allowUnsafe === true ? { allowUnsafe: true } : {}),
    ...(flags.jwtKey === undefined ? {} : { jwtKey: await keyOf(flags.jwtKey) }),
    ...supabaseOf(flags),
    ...(flags.webhook === undefined ? {} : { webhooks: flags.webhook.map(parseWebhook) }),
    ...(flags.ca === undefined ? {} : { ca: await fileText(flags.ca) }),
    ...(flags.seed === undefined ? {} : { seed: wholeNumber(flags.seed) }),
  };
}

function profileOf(profile = "full"): Profile {
  if (profile === "quick" || profile === "full") return profile;
  throw new ScanError(`--profile ${profile}: there are quick and full`);
}

function supabaseOf({ supabase: url, anonKey }: TargetFlags): Pick<ScanOptions, "supabase"> {
  if (url === undefined && anonKey === undefined) return {};
  if (url === undefined || anonKey === undefined) throw new ScanError("--supabase and --anon-key go together");
  if (!URL.canParse(url)) throw new ScanError(`--supabase ${url}: write it as https://<project>.supabase.co`);
  return { supabase: { url, anonKey } };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new ScanError(`${option} ${text}: it is a whole number from 1 on`);
  return value;
}

function hostName(text: string): string {
  if (!/^[\w.:[\]-]+$/.test(text)) throw new ScanError(`--consent ${text}: name a host, such as staging.example.com`);
  return text.toLowerCase();
}

function accountOf(text: string): Account {
  const cut = text.indexOf(":");
  if (cut < 1 || cut === text.length - 1) throw new ScanError("an account is written email:password");
  return { user: text.slice(0, cut), password: text.slice(cut + 1) };
}

function listed(values: readonly string[] = []): readonly string[] {
  return values.flatMap((value) => value.split(",")).filter((id) => id !== "");
}

/**
 * The key in a file, or what is clearly a key itself: `secret:<text>`, a PEM or a JWK. A name that leads to no file is
 * not taken for a secret, since every forgery would then be refused and prove nothing.
 */
async function keyOf(value: string): Promise<string> {
  if (value.startsWith("secret:")) return keyText(value.slice("secret:".length));
  if (/^\s*(?:-----BEGIN|\{)/.test(value)) return value;
  try {
    return keyText((await readFile(value, "utf8")).trim());
  } catch (cause) {
    if (cause instanceof ScanError) throw cause;
    // The value may be a secret written the wrong way; it is not shown.
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
    throw new ScanError(`--jwt-key names no file that can be read (${code}); write a shared secret as secret:<text>`, {
      cause,
    });
  }
}

function keyText(text: string): string {
  if (text === "") throw new ScanError("--jwt-key is empty");
  return text;
}

async function fileText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ScanError(`cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new ScanError(`--seed ${text}: a seed is a whole number from 0 on`);
  return value;
}

function minutes(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1440))
    throw new ScanError(`--patience ${text}: patience is minutes, 0 to 1440`);
  return value;
}
