import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { join } from "node:path";
import { OptionsError } from "../lib/options-error.ts";
import { signCertificate } from "./certificate.ts";

/** Where development certificates are kept, and for which names. */
export interface DevelopmentCertificateOptions {
  /** A folder of its own, made with mode 0700 where it is missing and refused where others can look into it. */
  readonly folder: string;
  /** `localhost` or names below it. Default `["localhost"]`. */
  readonly hosts?: readonly string[];
  /** Loopback addresses: `127.x.y.z` and `::1`. Default `["127.0.0.1", "::1"]`. */
  readonly addresses?: readonly string[];
  /** Unix time in milliseconds. Default `Date.now`. */
  readonly now?: () => number;
  /** How long a new server certificate is valid, 2 .. 365 days. Default 30. */
  readonly validDays?: number;
}

/** A server certificate for this machine, and the authority to trust for it. */
export interface DevelopmentCertificate {
  /** The authority's certificate in PEM: what a client trusts. */
  readonly ca: string;
  /** The server's certificate and the authority's behind it, in PEM. */
  readonly cert: string;
  /** The server's private key in PEM (PKCS #8). */
  readonly key: string;
  /** The same three as files. */
  readonly caPath: string;
  readonly certPath: string;
  readonly keyPath: string;
}

/**
 * A TLS certificate for local development, signed by an authority of our own that lives in `folder`; no openssl, no
 * change to the machine's trust. What is there is used again while it is valid for at least another day and covers the
 * names; otherwise it is made anew. The authority stays for about two years, so that a client which trusts it goes on
 * doing so.
 *
 * The authority can sign for `localhost`, names below it, 127.0.0.0/8 and ::1 alone (critical name constraints), for
 * servers only: whoever steals its key can pretend to be nobody but a loopback server of a machine that trusts it.
 *
 * @returns PEM texts for `listen({ tls })` and `fetch`, and their paths for `curl --cacert`
 * @throws OptionsError for a name that is not this machine's, a number out of range, or a folder others can look into
 * @see RFC 5280 section 4.2.1.10 (name constraints), RFC 6761 section 6.3 (localhost)
 */
export function developmentCertificate(options: DevelopmentCertificateOptions): DevelopmentCertificate {
  const { folder, validDays = 30, now = Date.now } = options;
  const hosts = options.hosts ?? ["localhost"];
  const addresses = options.addresses ?? ["127.0.0.1", "::1"];
  checkOptions(hosts, addresses, validDays);
  openFolder(folder);

  const wanted: Wanted = { hosts, addresses, from: now(), validDays };
  const authority = keptAuthority(folder, wanted) ?? newAuthority(folder, wanted);
  const server = keptServer(folder, authority, wanted) ?? newServer(folder, authority, wanted);
  return { ca: authority.cert, cert: server.cert, key: server.key, ...pathsIn(folder) };
}

const dayMs = 86_400_000;
const authorityDays = 730;
/** A client's clock that is this far behind still finds the certificate valid. */
const backdatedMs = 60_000;

const loopback = {
  hosts: ["localhost"],
  networks: [
    { address: Uint8Array.of(127, 0, 0, 0), mask: Uint8Array.of(255, 0, 0, 0) },
    { address: ipv6Loopback(), mask: new Uint8Array(16).fill(255) },
  ],
};

interface Wanted {
  readonly hosts: readonly string[];
  readonly addresses: readonly string[];
  /** Unix time in milliseconds. */
  readonly from: number;
  readonly validDays: number;
}

interface Authority {
  readonly cert: string;
  readonly certificate: X509Certificate;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

interface Server {
  readonly cert: string;
  readonly key: string;
}

function pathsIn(folder: string): { caPath: string; certPath: string; keyPath: string } {
  return {
    caPath: join(folder, "ca.pem"),
    certPath: join(folder, "server.pem"),
    keyPath: join(folder, "server-key.pem"),
  };
}

/**
 * Key and certificate of the authority stand in one file, so that two processes that start at once cannot leave one's
 * key beside the other's certificate; `ca.pem` is a copy of its public half.
 */
function authorityPath(folder: string): string {
  return join(folder, "ca-key.pem");
}

function keptAuthority(folder: string, wanted: Wanted): Authority | undefined {
  const text = readPrivate(authorityPath(folder));
  const authority = text === undefined ? undefined : readAuthority(text);
  if (authority === undefined) return undefined;
  // It has to outlive the certificate it may be asked to sign.
  if (!isValid(authority.certificate, wanted.from, wanted.validDays * dayMs)) return undefined;
  publish(pathsIn(folder).caPath, authority.cert, 0o644);
  return authority;
}

function readAuthority(text: string): Authority | undefined {
  try {
    const privateKey = createPrivateKey(text);
    const certificate = new X509Certificate(text);
    if (!certificate.ca || !certificate.checkPrivateKey(privateKey)) return undefined;
    const { publicKey } = certificate;
    return certificate.verify(publicKey)
      ? { cert: certificate.toString(), certificate, publicKey, privateKey }
      : undefined;
  } catch {
    // Half a file, or somebody else's: made anew.
    return undefined;
  }
}

function newAuthority(folder: string, wanted: Wanted): Authority {
  const pair = newKeyPair();
  // A name of its own for each, because clients keep authorities apart by name.
  const name = `Portcullis development authority ${randomBytes(4).toString("hex")}`;
  const cert = signCertificate({
    subject: name,
    publicKey: pair.publicKey,
    issuer: name,
    issuerKey: pair,
    ...validity(wanted.from, authorityDays),
    purpose: { authorityFor: loopback },
  });
  const path = authorityPath(folder);
  const text = pkcs8(pair.privateKey) + cert;
  if (!publishFirst(path, text)) {
    // Another process may have been faster; its authority is the one clients will trust.
    const theirs = keptAuthority(folder, wanted);
    if (theirs !== undefined) return theirs;
    publish(path, text, 0o600);
  }
  publish(pathsIn(folder).caPath, cert, 0o644);
  return { cert, certificate: new X509Certificate(cert), ...pair };
}

function keptServer(folder: string, authority: Authority, wanted: Wanted): Server | undefined {
  const { certPath, keyPath } = pathsIn(folder);
  const key = readPrivate(keyPath);
  const cert = readIfThere(certPath);
  if (key === undefined || cert === undefined) return undefined;
  try {
    const certificate = new X509Certificate(cert);
    const isOurs =
      certificate.checkIssued(authority.certificate) &&
      certificate.verify(authority.publicKey) &&
      certificate.checkPrivateKey(createPrivateKey(key)) &&
      cert === certificate.toString() + authority.cert;
    return isOurs && isValid(certificate, wanted.from, dayMs) && covers(certificate, wanted)
      ? { cert, key }
      : undefined;
  } catch {
    return undefined;
  }
}

function newServer(folder: string, authority: Authority, wanted: Wanted): Server {
  const pair = newKeyPair();
  const leaf = signCertificate({
    subject: "Portcullis development server",
    publicKey: pair.publicKey,
    issuer: commonNameOf(authority.certificate),
    issuerKey: authority,
    ...validity(wanted.from, wanted.validDays),
    purpose: { serverOf: { hosts: wanted.hosts, addresses: wanted.addresses.map(addressBytes) } },
  });
  const server = { cert: leaf + authority.cert, key: pkcs8(pair.privateKey) };
  const { certPath, keyPath } = pathsIn(folder);
  publish(keyPath, server.key, 0o600);
  publish(certPath, server.cert, 0o644);
  return server;
}

function newKeyPair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function pkcs8(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

function validity(from: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(from - backdatedMs), notAfter: new Date(from + days * dayMs) };
}

/** Valid now and for `forMs` more, to the second as certificates count. */
function isValid(certificate: X509Certificate, now: number, forMs: number): boolean {
  const until = certificate.validToDate.getTime();
  return certificate.validFromDate.getTime() <= now && now + forMs < until + 1_000;
}

function covers(certificate: X509Certificate, { hosts, addresses }: Wanted): boolean {
  return (
    hosts.every((host) => certificate.checkHost(host, { subject: "never", wildcards: false }) !== undefined) &&
    addresses.every((address) => certificate.checkIP(address) !== undefined)
  );
}

function commonNameOf(certificate: X509Certificate): string {
  return certificate.subject.replace(/^CN=/, "");
}

function addressBytes(address: string): Uint8Array {
  return address === "::1" ? ipv6Loopback() : Uint8Array.from(address.split("."), Number);
}

function ipv6Loopback(): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[15] = 1;
  return bytes;
}

function checkOptions(hosts: readonly string[], addresses: readonly string[], validDays: number): void {
  if (hosts.length + addresses.length === 0) {
    throw new OptionsError("hosts and addresses are both empty.", "Name at least one, such as localhost.");
  }
  for (const host of hosts) {
    if (/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){0,10}localhost$/.test(host)) continue;
    throw new OptionsError(
      `hosts has "${host}", which is not a name of this machine.`,
      "Write localhost or a name below it in small letters; other names need a certificate of a public authority.",
    );
  }
  for (const address of addresses) {
    if (address === "::1" || (isIPv4(address) && address.startsWith("127."))) continue;
    throw new OptionsError(`addresses has "${address}", which is no loopback address.`, "Write 127.x.y.z or ::1.");
  }
  if (!Number.isInteger(validDays) || validDays < 2 || validDays > 365) {
    throw new OptionsError(`validDays is ${validDays}.`, "Write a whole number of days from 2 to 365.");
  }
}

function openFolder(folder: string): void {
  if (folder === "") throw new OptionsError("folder is empty.", "Name one, such as .portcullis/tls.");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Windows has no such modes; a folder in the user's profile is the user's there.
  if (process.platform !== "win32" && (statSync(folder).mode & 0o077) !== 0) {
    throw new OptionsError(
      `others can look into ${folder}.`,
      "Give the certificates a folder of their own, mode 0700.",
    );
  }
}

/** What the file says; undefined where it is missing or others can read it, because then it is no secret any more. */
function readPrivate(path: string): string | undefined {
  const text = readIfThere(path);
  if (text === undefined || process.platform === "win32") return text;
  return (statSync(path).mode & 0o077) === 0 ? text : undefined;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Puts a whole file in its place at once, whatever was there. */
function publish(path: string, text: string, mode: number): void {
  const draft = writeDraft(path, text, mode);
  renameSync(draft, path);
}

/** Puts a whole file in its place if nothing is there, else false. Where a disk knows no links, the last one wins. */
function publishFirst(path: string, text: string): boolean {
  const draft = writeDraft(path, text, 0o600);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    renameSync(draft, path);
    return true;
  } finally {
    rmSync(draft, { force: true });
  }
}

function writeDraft(path: string, text: string, mode: number): string {
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  writeFileSync(draft, text, { mode, flag: "wx" });
  return draft;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
