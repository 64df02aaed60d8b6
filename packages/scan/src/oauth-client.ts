import { ScanError } from "./scan-error.ts";

/** A client the authorization server of a target knows, whose part the scan plays. Nothing is sent to its redirect address. */
export interface OAuthClient {
  readonly id: string;
  /** Of a confidential client; undefined for a public one. */
  readonly secret?: string;
  /** One of the addresses it registered, as it registered it. */
  readonly redirect: string;
  /** What it asks for, separated by spaces; default: `openid offline_access`, as far as the server says it knows them. */
  readonly scope?: string;
  /** Path or address of the authorization endpoint, where no metadata document names it. */
  readonly authorize?: string;
  /** Path or address of the token endpoint, where no metadata document names it. */
  readonly token?: string;
}

const form = 'client=<id>[:<secret>],redirect=<uri>[,scope="…"][,authorize=/path,token=/path]';

/**
 * Reads `client=web:secret,redirect=https://app.example.com/callback,scope=openid offline_access`.
 *
 * @param text  as {@link OAuthClient} is written on a command line; `authorize` and `token` for servers without metadata
 * @throws ScanError when it is not written so; the message shows no secret
 */
export function parseOAuthClient(text: string): OAuthClient {
  const given = new Map<string, string>();
  // A comma belongs to a value unless the name of a member follows it.
  for (const part of text.split(/,(?=\s*(?:client|redirect|scope|authorize|token)=)/)) {
    const cut = part.indexOf("=");
    given.set(part.slice(0, Math.max(cut, 0)).trim(), part.slice(cut + 1).trim());
  }
  const known = new Set(["client", "redirect", "scope", "authorize", "token"]);
  if ([...given.keys()].some((name) => !known.has(name))) throw new ScanError(`--oauth is written ${form}`);
  const [id = "", ...rest] = (given.get("client") ?? "").split(":");
  const redirect = given.get("redirect") ?? "";
  if (id === "") throw new ScanError(`--oauth names no client; it is written ${form}`);
  if (!URL.canParse(redirect))
    throw new ScanError(`--oauth, client ${id}: redirect is an address the client registered`);
  const secret = rest.join(":");
  const optional = (name: "scope" | "authorize" | "token") => {
    const value = given.get(name) ?? "";
    return value === "" ? {} : { [name]: value };
  };
  return {
    id,
    redirect,
    ...(secret === "" ? {} : { secret }),
    ...optional("scope"),
    ...optional("authorize"),
    ...optional("token"),
  };
}
