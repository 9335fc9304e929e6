// SPDX-License-Identifier: Apache-2.0
import * as der from '../der/der-writer.ts';
import type { PublicKey } from '../key/public-key.ts';
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeExtension,
  encodeFields,
  encodeKeyUsage,
  encodeTbs,
  signTbs,
  unissuable,
} from './build-certificate.ts';
import { decodeCertificate, type Certificate } from './certificate.ts';
import { encodeName, type DistinguishedName } from './distinguished-name.ts';
import { encodeGeneralName } from './general-name.ts';
import { identifiers, requireWithin, type Issuer } from './issue-authority.ts';
import { ExtensionOid, PurposeOid } from './object-identifier.ts';

/** Which server, and how long. */
export interface ServerRequest {
  /** for people: what counts are `hosts` */
  readonly name: DistinguishedName;
  /** DNS names and IPv4 or IPv6 addresses that clients connect to; at least one */
  readonly hosts: readonly string[];
  readonly publicKey: PublicKey;
  /** at most 20 octets; see `randomSerialNumber` */
  readonly serialNumber: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** context tag of `iPAddress` */
const IP_ADDRESS = 0x87;
const MAX_HOSTS = 32;
const DNS_NAME =
  /^(?=.{1,253}$)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/**
 * Certifies a TLS server.
 *
 * @throws TrustError `certificate-unissuable`, `der-unencodable`; what the signer throws
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.6
 */
export async function issueServerCertificate(request: ServerRequest, issuer: Issuer): Promise<Certificate> {
  requireWithin(request, issuer.certificate);
  const { hosts, serialNumber, notBefore, notAfter, publicKey, name } = request;
  if (hosts.length === 0 || hosts.length > MAX_HOSTS)
    throw unissuable(`${hosts.length} hosts, expected from 1 to ${MAX_HOSTS}`);
  const fields = encodeFields(
    {
      serialNumber,
      issuer: issuer.certificate.subject,
      subject: encodeName(name),
      notBefore,
      notAfter,
      spki: publicKey.spki,
    },
    issuer.signer.algorithm,
  );
  const extensions = [
    encodeBasicConstraints({ ca: false }),
    encodeKeyUsage('digitalSignature'),
    encodeExtendedKeyUsage(PurposeOid.serverAuth),
    ...identifiers(publicKey, issuer.certificate),
    encodeExtension(ExtensionOid.subjectAltName, der.sequence(...hosts.map(encodeHost))),
  ];
  return decodeCertificate(await signTbs(encodeTbs(fields, extensions), issuer.signer), 'the new certificate');
}

function encodeHost(host: string): Uint8Array {
  const address = addressOctets(host);
  if (address !== undefined) return der.value(IP_ADDRESS, address);
  if (!DNS_NAME.test(host)) throw unissuable(`the host '${host.slice(0, 80)}', expected a DNS name or an address`);
  return encodeGeneralName({ kind: 'dns', value: host });
}

function addressOctets(host: string): Uint8Array | undefined {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(host)) {
    const octets = host.split('.').map(Number);
    if (octets.some((octet) => octet > 255)) throw unissuable(`the address '${host}'`);
    return Uint8Array.from(octets);
  }
  if (!host.includes(':')) return undefined;
  if (!URL.canParse(`http://[${host}]/`)) throw unissuable(`the address '${host.slice(0, 80)}'`);
  // the URL parser gives the shortest form, without embedded IPv4
  const [head = '', tail] = new URL(`http://[${host}]/`).hostname.slice(1, -1).split('::');
  const groups = (part: string): readonly number[] =>
    part === '' ? [] : part.split(':').map((one) => Number.parseInt(one, 16));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const all =
    tail === undefined ? before : [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
