import { isSuccess } from "./answer.ts";
import { hostOf } from "./address.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { type JsonRecord, isRecord, textAt } from "./json.ts";
import type { OAuthClient } from "./oauth-client.ts";

/** A metadata document of an authorization server and where it stood. */
export interface Metadata {
  readonly path: string;
  readonly document: JsonRecord;
  readonly trial: Trial;
}

/** An authorization server as the target describes it. */
export interface OAuthServer {
  /** Every document found; the first counts. Empty where only the client names the endpoints. */
  readonly documents: readonly Metadata[];
  readonly metadata: JsonRecord;
  readonly issuer: string | undefined;
  /**
   * The path of an endpoint, to be asked for at the target: the member of the metadata, as in `token_endpoint`.
   *
   * @returns undefined where there is none; `elsewhere` names an origin that is not the target's
   */
  endpoint(member: string): string | undefined;
  /** Origins of endpoints that are not the target's own: they are not contacted. */
  readonly elsewhere: readonly string[];
  /** True where an address leads to the target, under its own name or the issuer's. */
  isHere(url: URL): boolean;
}

/**
 * Looks for the metadata of an authorization server at the target.
 *
 * @param client  whose `authorize` and `token` stand in where the metadata names none
 * @returns undefined where the target is no authorization server
 * @throws what sending rejects with, such as `BudgetSpent`
 * @see RFC 8414 section 3, OpenID Connect Discovery 1.0 section 4
 */
export async function findServer(
  context: ProbeContext,
  client: OAuthClient | undefined,
): Promise<OAuthServer | undefined> {
  const documents: Metadata[] = [];
  for (const path of metadataPlaces(context.fetcher.url)) {
    const trial = await context.send("positive", { method: "GET", target: path, headers: [], label: "nobody" });
    const { json } = trial.answer;
    if (!isSuccess(trial.answer) || !isMetadata(json)) continue;
    documents.push({ path, document: json, trial });
  }
  const named = client?.authorize !== undefined && client.token !== undefined;
  if (documents.length === 0 && !named) return undefined;
  return serverOf(context.fetcher.url, documents, client);
}

/** True for a document that describes an authorization server. */
export function isMetadata(json: unknown): json is JsonRecord {
  if (!isRecord(json) || textAt(json, "issuer") === undefined) return false;
  return textAt(json, "token_endpoint") !== undefined || textAt(json, "authorization_endpoint") !== undefined;
}

/** Where metadata stands, for a server that stands at a path too. */
export function metadataPlaces(url: URL): readonly string[] {
  const below = url.pathname.replace(/\/+$/, "");
  const root = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
  if (below === "") return root;
  return [`${below}/.well-known/openid-configuration`, `/.well-known/oauth-authorization-server${below}`, ...root];
}

function serverOf(url: URL, documents: readonly Metadata[], client: OAuthClient | undefined): OAuthServer {
  const metadata: JsonRecord = documents[0]?.document ?? {};
  const issuer = textAt(metadata, "issuer");
  const home = issuer !== undefined && URL.canParse(issuer) ? new URL(issuer).origin : undefined;
  // A server often calls itself by another name or port than the one it is scanned at.
  const isHere = (to: URL) => to.origin === url.origin || to.origin === home || isSameMachine(to, url);
  const addressOf = (member: string) => {
    const given =
      member === "authorization_endpoint" ? client?.authorize : member === "token_endpoint" ? client?.token : undefined;
    const address = given ?? textAt(metadata, member);
    return address === undefined || !URL.canParse(address, url.href) ? undefined : new URL(address, url.href);
  };
  const needed = ["authorization_endpoint", "token_endpoint"].flatMap((member) => addressOf(member) ?? []);
  return {
    documents,
    metadata,
    issuer,
    endpoint(member) {
      const to = addressOf(member);
      return to === undefined || !isHere(to) ? undefined : `${to.pathname}${to.search}`;
    },
    elsewhere: needed.filter((to) => !isHere(to)).map((to) => to.origin),
    isHere,
  };
}

/** `localhost` and `127.0.0.1` with the same port and scheme: the same server, called by two names. */
function isSameMachine(left: URL, right: URL): boolean {
  const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|::1)$/;
  return (
    left.protocol === right.protocol &&
    left.port === right.port &&
    loopback.test(hostOf(left)) &&
    loopback.test(hostOf(right))
  );
}
