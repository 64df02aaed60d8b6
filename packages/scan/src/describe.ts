import { createFetcher, type Fetcher } from "./fetcher.ts";
import type { Interrupt } from "./interrupt.ts";
import { discover } from "./discover.ts";
import { type Description, type Fetch, isAddress } from "./documents.ts";
import { headerOf, isSuccess } from "./answer.ts";
import { hostOf } from "./address.ts";
import type { Identity } from "./identities.ts";
import { inferDescription } from "./inferred.ts";
import { readTarget, targetOf } from "./manifest.ts";
import { isMetadata, metadataPlaces } from "./oauth-server.ts";
import { createPacer } from "./pace.ts";
import { readRecording } from "./recorded.ts";
import { ScanError } from "./scan-error.ts";
import { withoutUnsafeReads } from "./suspicious.ts";
import type { Target } from "./target.ts";

/** What may say what an API offers; the first one given counts, and recorded requests add to an OpenAPI document. */
export interface Sources {
  /** Our manifest: a file or the document itself. With it every verdict is exact. */
  readonly manifest?: Description;
  /**
   * An OpenAPI 3.x or Swagger 2.0 document: a file, its address, or the document itself. What it leaves open is assumed,
   * and said. An address has to be the target's own or on this machine.
   */
  readonly openapi?: Description;
  /** File of recorded requests, a HAR or one `METHOD path [json]` a line, for an API nobody described. */
  readonly requests?: string;
  /** Also send reads whose name says that they change or wipe something; default false. */
  readonly allowUnsafe?: boolean;
  /**
   * Browser origins that may read answers, and no others: `https://app.example.com`. A manifest says it itself. Default:
   * nobody says, and only what no API could mean is called broken.
   */
  readonly origins?: readonly string[];
}

/** What is needed to read them. */
export interface Surroundings {
  readonly url: URL;
  readonly ca?: string;
  /** True for a host that may be contacted. */
  readonly mayContact: (host: string) => boolean;
  /** Who may have to ask for a description that strangers do not get. */
  readonly identities: readonly Identity[];
  /** Asked before every request. */
  readonly interrupt: Interrupt;
}

/** A document larger than this, bytes, is none that describes an API. */
const maxDocumentBytes = 32 * 1024 * 1024;

/**
 * Finds out what there is to attack: from what was given, else from the target itself.
 *
 * @throws ScanError that says what is wrong with what was given, or that nothing was given and nothing found
 */
export async function describeTarget(sources: Sources, around: Surroundings): Promise<Target> {
  const allowed = originsOf(sources.origins);
  const target = await wholeTarget(sources, around);
  const whole =
    allowed === undefined || target.source === "manifest"
      ? target
      : { ...target, policy: { ...target.policy, origins: allowed } };
  return withoutUnsafeReads(whole, sources.allowUnsafe === true);
}

function originsOf(given: readonly string[] | undefined): readonly string[] | undefined {
  if (given === undefined || given.length === 0) return undefined;
  return given.map((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || !/^https?:\/\/[^/?#]+\/?$/i.test(text))
      throw new ScanError(`"${text}" is no origin; write it as https://app.example.com`);
    return url.origin;
  });
}

async function wholeTarget(sources: Sources, around: Surroundings): Promise<Target> {
  const fetch: Fetch = (url) => fetchDocument(url, around);
  const below = around.url.pathname.replace(/\/+$/, "");
  const reading = { fetch, ...(below === "" ? {} : { prefix: below }) };
  if (sources.manifest !== undefined) return await readTarget(sources.manifest, "manifest", { fetch });
  const recorded = sources.requests === undefined ? undefined : await recordedTarget(sources.requests, around.url);
  if (sources.openapi !== undefined) {
    // A description served next to the API may stand below the API's own path: its servers say where the API begins.
    const whole = below !== "" && !isDocumentPath(sources.openapi, around.url);
    const described = await readTarget(sources.openapi, "openapi", whole ? reading : { fetch });
    return recorded === undefined ? described : together(described, recorded);
  }
  return recorded ?? (await discoveredTarget(sources, around, fetch));
}

/** True where the address of the scan is that of its description. */
function isDocumentPath(openapi: Description, url: URL): boolean {
  if (typeof openapi !== "string" || !isAddress(openapi) || !URL.canParse(openapi)) return false;
  return new URL(openapi).pathname === url.pathname;
}

async function recordedTarget(path: string, url: URL): Promise<Target> {
  const { requests, notes } = await readRecording(path, url);
  const target = targetOf(inferDescription(requests, url.host), "requests", "");
  const seenOrigins = [...new Set(requests.flatMap(({ origin }) => origin ?? []))];
  return { ...target, seenOrigins, assumptions: [...target.assumptions, ...notes] };
}

async function discoveredTarget(sources: Sources, around: Surroundings, fetch: Fetch): Promise<Target> {
  const fetcher = openFetcher(around.url, around);
  try {
    const found = await discover(fetcher, around.identities, sources.allowUnsafe === true).catch(
      async (error: unknown) => {
        if (!(error instanceof ScanError) || !(await isAuthorizationServer(fetcher))) throw error;
        return undefined;
      },
    );
    // An authorization server is described by its metadata; what it offers besides, nobody says.
    if (found === undefined)
      return {
        ...targetOf({}, "discovered"),
        assumptions: ["The target is an authorization server and nothing else."],
      };
    if (found.kind === "inferred") {
      const target = targetOf(found.document, "discovered", "");
      if (target.operations.length === 0) throw new ScanError(`nothing was found at ${around.url.origin}`);
      return { ...target, assumptions: [...target.assumptions, ...found.notes] };
    }
    const target = await readTarget(found.url, "openapi", { fetch });
    return { ...target, assumptions: [`What it offers was read from ${found.url}.`, ...target.assumptions] };
  } finally {
    fetcher.close();
  }
}

async function isAuthorizationServer(fetcher: Fetcher): Promise<boolean> {
  for (const target of metadataPlaces(fetcher.url)) {
    const answer = await fetcher.send({ method: "GET", target, headers: [], label: "discovery" });
    if (isSuccess(answer) && isMetadata(answer.json)) return true;
  }
  return false;
}

/** A description, and the operations of a recording that it does not have. */
function together(document: Target, recorded: Target): Target {
  const described = { ...document, seenOrigins: [...new Set([...recorded.seenOrigins, ...document.seenOrigins])] };
  const key = (path: string) => path.replace(/\{[^{}]+\}/g, "{}");
  const known = new Set(described.operations.map(({ method, path }) => `${method} ${key(path)}`));
  const more = recorded.operations.filter(({ method, path }) => !known.has(`${method} ${key(path)}`));
  if (more.length === 0) return described;
  return {
    ...described,
    operations: [...described.operations, ...more],
    assumptions: [
      ...described.assumptions,
      `Recorded and not described, so inferred from the recording: ${more.map(({ id }) => id).join(", ")}.`,
    ],
  };
}

/** Gets a document, following redirects of the same host only. */
async function fetchDocument(url: URL, around: Surroundings): Promise<string> {
  if (!around.mayContact(hostOf(url))) {
    throw new ScanError(`${url.href} is on another host, which the scan does not contact: save it and pass the file`);
  }
  const fetcher = openFetcher(url, around);
  const isTarget = url.origin === around.url.origin;
  try {
    let target = `${url.pathname}${url.search}`;
    for (let hops = 0; hops < 4; hops += 1) {
      const answer = await ask(fetcher, target, isTarget ? around.identities : []);
      if (answer.truncated === "too large")
        throw new ScanError(`${url.href} is larger than ${maxDocumentBytes / 1024 / 1024} MiB`);
      if (answer.truncated !== false) throw new ScanError(`${url.href} breaks off before its end`);
      if (isSuccess(answer)) return answer.text;
      const location = headerOf(answer, "location");
      const next =
        location === undefined || !URL.canParse(location, url.href) ? undefined : new URL(location, url.href);
      if (answer.status < 300 || answer.status >= 400 || next === undefined || next.origin !== url.origin) {
        const said = answer.status === 0 ? (answer.failure ?? "no answer") : `answered ${answer.status}`;
        throw new ScanError(`${url.href} could not be read: ${said}`);
      }
      target = `${next.pathname}${next.search}`;
    }
    throw new ScanError(`${url.href} redirects in circles`);
  } finally {
    fetcher.close();
  }
}

async function ask(fetcher: Fetcher, target: string, identities: readonly Identity[]) {
  const headers = [["accept", "application/json, application/yaml;q=0.9, */*;q=0.5"] as const];
  const answer = await fetcher.send({ method: "GET", target, headers, label: "reading the description" });
  const [first] = identities;
  if (first === undefined || (answer.status !== 401 && answer.status !== 403)) return answer;
  const known = [...headers, first.header, ...(first.along ?? [])];
  return await fetcher.send({ method: "GET", target, headers: known, as: first, label: first.name });
}

function openFetcher(url: URL, around: Surroundings): Fetcher {
  return createFetcher({
    url,
    policy: targetOf({}, "discovered").policy,
    pacer: createPacer(() => 15_000),
    maxAnswerBytes: maxDocumentBytes,
    interrupt: around.interrupt,
    ...(around.ca === undefined ? {} : { ca: around.ca }),
  });
}
