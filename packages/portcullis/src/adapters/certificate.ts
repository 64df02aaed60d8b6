import { createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import { der } from "./der.ts";

/** What stands in one certificate. */
export interface CertificateContent {
  /** Common name of its holder; 1 .. 64 characters. */
  readonly subject: string;
  /** P-256 key of its holder. */
  readonly publicKey: KeyObject;
  /** Common name of who signs it; its own subject where it signs itself. */
  readonly issuer: string;
  /** The issuer's P-256 key pair. */
  readonly issuerKey: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  /** First and last moment it is valid; cut to whole seconds. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** What it is for: signing servers' certificates below these names only, or being a server of these names. */
  readonly purpose: { readonly authorityFor: Subtrees } | { readonly serverOf: Names };
}

/** Names a server answers to. */
export interface Names {
  readonly hosts: readonly string[];
  /** As bytes, 4 or 16 each. */
  readonly addresses: readonly Uint8Array[];
}

/** Names below which an authority may sign; for everything else it is worthless. */
export interface Subtrees {
  /** A name and all below it. */
  readonly hosts: readonly string[];
  /** Network and mask, 4 or 16 bytes each. */
  readonly networks: readonly { readonly address: Uint8Array; readonly mask: Uint8Array }[];
}

/**
 * An X.509 v3 certificate, signed with ECDSA on P-256 and SHA-256, with a random serial number of 127 bits.
 *
 * An authority's is for exactly one level of server certificates (path length 0), and its permitted names are critical,
 * so that a verifier which does not know name constraints refuses it.
 *
 * @returns PEM, one certificate
 * @see RFC 5280 section 4 (profile, 4.2.1.10 name constraints), RFC 5758 section 3.2 (ecdsa-with-SHA256), RFC 7093
 *      section 2 (key identifiers without SHA-1)
 */
export function signCertificate(content: CertificateContent): string {
  const { purpose, issuerKey } = content;
  const body = der.sequence(
    der.tagged(0, der.unsigned(Uint8Array.of(2))), // version 3
    der.unsigned(serialNumber()),
    ecdsaWithSha256,
    commonName(content.issuer),
    der.sequence(der.time(content.notBefore), der.time(content.notAfter)),
    commonName(content.subject),
    spki(content.publicKey),
    der.tagged(
      3,
      der.sequence(
        ...("serverOf" in purpose ? serverExtensions(purpose.serverOf) : authorityExtensions(purpose.authorityFor)),
        extension("2.5.29.37", false, der.sequence(der.oid("1.3.6.1.5.5.7.3.1"))), // extKeyUsage: serverAuth
        extension("2.5.29.14", false, der.octetString(keyIdentifier(content.publicKey))),
        extension("2.5.29.35", false, der.sequence(der.taggedContent(0, keyIdentifier(issuerKey.publicKey)))),
      ),
    ),
  );
  const signature = sign("sha256", body, issuerKey.privateKey);
  return pem(der.sequence(body, ecdsaWithSha256, der.bitString(signature)));
}

const ecdsaWithSha256 = der.sequence(der.oid("1.2.840.10045.4.3.2"));

/** keyUsage bits, counted from the left. @see RFC 5280 section 4.2.1.3 */
const digitalSignature = der.bitString(Uint8Array.of(0b1000_0000), 7);
const keyCertSign = der.bitString(Uint8Array.of(0b0000_0100), 2);

function serverExtensions({ hosts, addresses }: Names): readonly Uint8Array[] {
  const names = [...hosts.map(dnsName), ...addresses.map(ipAddress)];
  return [
    extension("2.5.29.19", true, der.sequence()), // basicConstraints: no authority
    extension("2.5.29.15", true, digitalSignature),
    extension("2.5.29.17", false, der.sequence(...names)),
  ];
}

function authorityExtensions({ hosts, networks }: Subtrees): readonly Uint8Array[] {
  const bases = [
    ...hosts.map(dnsName),
    ...networks.map(({ address, mask }) => ipAddress(Uint8Array.of(...address, ...mask))),
  ];
  const permitted = bases.map((base) => der.sequence(base));
  return [
    extension("2.5.29.19", true, der.sequence(der.boolean(true), der.unsigned(Uint8Array.of(0)))),
    extension("2.5.29.15", true, keyCertSign),
    extension("2.5.29.30", true, der.sequence(der.tagged(0, ...permitted))),
  ];
}

function extension(oid: string, isCritical: boolean, value: Uint8Array): Uint8Array {
  // DER leaves a default out, and not being critical is one.
  const critical = isCritical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(oid), ...critical, der.octetString(value));
}

/** GeneralName choices. @see RFC 5280 section 4.2.1.6 */
function dnsName(name: string): Uint8Array {
  return der.taggedContent(2, new TextEncoder().encode(name));
}

function ipAddress(bytes: Uint8Array): Uint8Array {
  return der.taggedContent(7, bytes);
}

function commonName(name: string): Uint8Array {
  return der.sequence(der.setOf(der.sequence(der.oid("2.5.4.3"), der.utf8String(name))));
}

/** Positive, never zero, always of the same length. @see RFC 5280 section 4.1.2.2 */
function serialNumber(): Uint8Array {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

/** The leftmost 160 bits of SHA-256 over the key's bits. @see RFC 7093 section 2, method 1 */
function keyIdentifier(key: KeyObject): Uint8Array {
  // An uncompressed P-256 point, the last thing in its SubjectPublicKeyInfo, has 65 bytes.
  return createHash("sha256").update(spki(key).subarray(-65)).digest().subarray(0, 20);
}

function spki(key: KeyObject): Uint8Array {
  return key.export({ type: "spki", format: "der" });
}

function pem(bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString("base64")
    .replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
