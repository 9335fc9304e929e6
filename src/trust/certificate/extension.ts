// SPDX-License-Identifier: Apache-2.0
import { DerReader, DerTag } from '../der/der-reader.ts';
import { readGeneralNames, type GeneralName } from './general-name.ts';
import { ExtensionOid } from './object-identifier.ts';
import { malformed } from './malformed.ts';

/** One extension of a certificate. */
export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** what is in its OCTET STRING */
  readonly value: Uint8Array;
  /** the whole extension as it stands in the certificate */
  readonly der: Uint8Array;
}

/** What a key may be used for, in the order of the bits. @see https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.3 */
export const KEY_USAGES = [
  'digitalSignature',
  'contentCommitment',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;

export type KeyUsage = (typeof KEY_USAGES)[number];

/** Whether a key may sign certificates, and how many authorities may stand below it. */
export interface BasicConstraints {
  readonly ca: boolean;
  readonly pathLength?: number;
}

/** The extensions that verification reads, decoded. */
export interface StandardExtensions {
  readonly basicConstraints?: BasicConstraints;
  readonly keyUsage?: ReadonlySet<KeyUsage>;
  /** object identifiers, see `PurposeOid` */
  readonly extendedKeyUsage?: readonly string[];
  readonly subjectAltNames: readonly GeneralName[];
  readonly subjectKeyIdentifier?: Uint8Array;
  readonly authorityKeyIdentifier?: Uint8Array;
}

/** Fulcio writes about thirty at most. */
const MAX_EXTENSIONS = 64;
const MAX_PURPOSES = 32;
// Context tags of RFC 5280 section 4.2.1.1.
const KEY_IDENTIFIER = 0x80;

/**
 * Reads Extensions: none twice.
 *
 * @throws TrustError `der-malformed`, `certificate-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1
 */
export function readExtensions(parent: DerReader, what: string): ReadonlyMap<string, Extension> {
  const extensions = new Map<string, Extension>();
  for (const list = parent.sequence(); list.peek() !== undefined;) {
    if (extensions.size === MAX_EXTENSIONS) throw malformed(what, `more than ${MAX_EXTENSIONS} extensions`);
    const der = list.element(DerTag.sequence);
    const extension = new DerReader(der, what).sequence();
    const oid = extension.oid();
    // FALSE is the default, which DER leaves out. Some authorities write it all the same, and nobody has been misled by that.
    const critical = extension.peek() === DerTag.boolean && extension.boolean();
    const value = extension.read(DerTag.octetString);
    extension.end();
    if (extensions.has(oid)) throw malformed(what, `the extension ${oid} twice`);
    extensions.set(oid, { oid, critical, value, der });
  }
  if (extensions.size === 0) throw malformed(what, 'an empty list of extensions');
  return extensions;
}

/** Decodes the extensions that verification reads. @throws TrustError `der-malformed`, `certificate-malformed` */
export function decodeStandardExtensions(extensions: ReadonlyMap<string, Extension>, what: string): StandardExtensions {
  const decode = <T>(oid: string, read: (reader: DerReader, what: string) => T): T | undefined => {
    const extension = extensions.get(oid);
    return extension === undefined ? undefined : read(new DerReader(extension.value, what), what);
  };
  const basicConstraints = decode(ExtensionOid.basicConstraints, readBasicConstraints);
  const keyUsage = decode(ExtensionOid.keyUsage, readKeyUsage);
  const extendedKeyUsage = decode(ExtensionOid.extendedKeyUsage, readExtendedKeyUsage);
  const subjectAltNames = decode(ExtensionOid.subjectAltName, readGeneralNames) ?? [];
  const subjectKeyIdentifier = decode(ExtensionOid.subjectKeyIdentifier, readSubjectKeyIdentifier);
  const authorityKeyIdentifier = decode(ExtensionOid.authorityKeyIdentifier, readAuthorityKeyIdentifier);
  return {
    ...(basicConstraints === undefined ? {} : { basicConstraints }),
    ...(keyUsage === undefined ? {} : { keyUsage }),
    ...(extendedKeyUsage === undefined ? {} : { extendedKeyUsage }),
    subjectAltNames,
    ...(subjectKeyIdentifier === undefined ? {} : { subjectKeyIdentifier }),
    ...(authorityKeyIdentifier === undefined ? {} : { authorityKeyIdentifier }),
  };
}

function readBasicConstraints(value: DerReader, what: string): BasicConstraints {
  const constraints = value.sequence();
  const ca = constraints.peek() === DerTag.boolean && constraints.boolean();
  const pathLength = constraints.peek() === DerTag.integer ? constraints.integer() : undefined;
  constraints.end();
  value.end();
  if (pathLength === undefined) return { ca };
  if (!ca) throw malformed(what, 'a path length although it is no authority');
  return { ca, pathLength };
}

function readKeyUsage(value: DerReader): ReadonlySet<KeyUsage> {
  const bits = value.namedBits();
  value.end();
  return new Set(KEY_USAGES.filter((_, bit) => ((bits >> bit) & 1) === 1));
}

function readExtendedKeyUsage(value: DerReader, what: string): readonly string[] {
  const purposes: string[] = [];
  for (const list = value.sequence(); list.peek() !== undefined;) {
    if (purposes.length === MAX_PURPOSES) throw malformed(what, `more than ${MAX_PURPOSES} extended key usages`);
    purposes.push(list.oid());
  }
  value.end();
  if (purposes.length === 0) throw malformed(what, 'an empty list of extended key usages');
  return purposes;
}

function readSubjectKeyIdentifier(value: DerReader): Uint8Array {
  const identifier = value.read(DerTag.octetString);
  value.end();
  return identifier;
}

// The name and number of the issuer, which may follow, say nothing that its key identifier and name do not.
function readAuthorityKeyIdentifier(value: DerReader): Uint8Array | undefined {
  const fields = value.sequence();
  const identifier = fields.peek() === KEY_IDENTIFIER ? fields.read(KEY_IDENTIFIER) : undefined;
  while (fields.peek() !== undefined) fields.element();
  value.end();
  return identifier;
}
