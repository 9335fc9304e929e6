// SPDX-License-Identifier: Apache-2.0
import { hash, randomBytes, sign } from 'node:crypto';
import { DerReader } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import type { PrivateKey } from '../key/private-key.ts';
import { describeTime } from './validity-period.ts';
import { KEY_USAGES, type BasicConstraints, type KeyUsage } from './extension.ts';
import { encodeGeneralName, type GeneralName } from './general-name.ts';
import { ExtensionOid } from './object-identifier.ts';
import { encodeSignatureAlgorithm, type SignatureAlgorithm } from './signature-algorithm.ts';

/** The key of an authority: in memory, in a KMS, in another process. */
export interface CertificateSigner {
  readonly algorithm: SignatureAlgorithm;
  /** Signs the message itself, not a digest of it. ECDSA signatures are DER. */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Signs certificates with a key in memory, with the digest that fits it. */
export function certificateSigner({ publicKey, object }: PrivateKey): CertificateSigner {
  const algorithm = algorithmFor(publicKey.algorithm);
  const digest = algorithm === 'ed25519' ? null : algorithm.slice(algorithm.indexOf('-') + 1);
  // Beside the event loop, also the 20 µs that P-256 takes: an authority has other requests to read meanwhile.
  return {
    algorithm,
    sign: (message) =>
      new Promise((resolve, reject) => {
        sign(digest, message, object, (error, signature) =>
          error instanceof Error ? reject(error) : resolve(signature),
        );
      }),
  };
}

/** What every certificate has beside its extensions. */
export interface CertificateFields {
  /** at most 20 octets, most significant first; see `randomSerialNumber` */
  readonly serialNumber: Uint8Array;
  /** DER Name */
  readonly issuer: Uint8Array;
  /** DER Name */
  readonly subject: Uint8Array;
  /** to the second; what is below is cut off */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** DER SubjectPublicKeyInfo */
  readonly spki: Uint8Array;
}

const VERSION_3 = 2;
const MAX_SERIAL = 20;

/** A number that nobody can foresee: 159 random bits. @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.2 */
export function randomSerialNumber(): Uint8Array {
  const octets = randomBytes(MAX_SERIAL);
  octets[0] = (octets[0] ?? 0) & 0x7f;
  return octets;
}

/**
 * The fields of a TBSCertificate before its extensions.
 *
 * @throws TrustError `certificate-unissuable`, `der-unencodable`
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1
 */
export function encodeFields(fields: CertificateFields, algorithm: SignatureAlgorithm): Uint8Array {
  const { serialNumber, notBefore, notAfter } = fields;
  const positive = serialNumber.some((octet) => octet !== 0);
  if (
    !positive ||
    serialNumber.length > MAX_SERIAL ||
    (serialNumber.length === MAX_SERIAL && (serialNumber[0] ?? 0) > 0x7f)
  )
    throw unissuable(`a serial number of ${serialNumber.length} octets, expected a positive one of at most 159 bits`);
  if (!(notBefore <= notAfter))
    throw unissuable(
      `a life from ${describeTime(notBefore)} to ${describeTime(notAfter)}, expected an end after the beginning`,
    );
  return Buffer.concat([
    der.explicit(0, der.integer(VERSION_3)),
    der.integer(serialNumber),
    encodeSignatureAlgorithm(algorithm),
    fields.issuer,
    der.sequence(der.time(notBefore), der.time(notAfter)),
    fields.subject,
    fields.spki,
  ]);
}

/** A TBSCertificate of its fields and extensions, each of which is encoded already. */
export function encodeTbs(fields: Uint8Array, extensions: readonly Uint8Array[]): Uint8Array {
  return der.sequence(fields, der.explicit(3, der.sequence(...extensions)));
}

/** Signs a TBSCertificate. @throws what the signer throws */
export async function signTbs(tbs: Uint8Array, signer: CertificateSigner): Promise<Uint8Array> {
  const signature = await signer.sign(tbs);
  return der.sequence(tbs, encodeSignatureAlgorithm(signer.algorithm), der.bitString(signature));
}

/**
 * The short name of a key. SHA-1 because every authority computes it so; no signature rests on it.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.2
 */
export function keyIdentifier(spki: Uint8Array): Uint8Array {
  const info = new DerReader(spki, 'the key').sequence();
  info.element();
  return hash('sha1', info.bitString(), 'buffer');
}

/** One extension. */
export function encodeExtension(oid: string, value: Uint8Array, critical = false): Uint8Array {
  return der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octetString(value));
}

export function encodeKeyUsage(...usages: readonly KeyUsage[]): Uint8Array {
  const bits = usages.reduce((mask, usage) => mask | (1 << KEY_USAGES.indexOf(usage)), 0);
  return encodeExtension(ExtensionOid.keyUsage, der.namedBits(bits), true);
}

export function encodeExtendedKeyUsage(purpose: string, critical = false): Uint8Array {
  return encodeExtension(ExtensionOid.extendedKeyUsage, der.sequence(der.oid(purpose)), critical);
}

export function encodeBasicConstraints({ ca, pathLength }: BasicConstraints): Uint8Array {
  const length = pathLength === undefined ? [] : [der.integer(pathLength)];
  const value = der.sequence(...(ca ? [der.boolean(true)] : []), ...length);
  return encodeExtension(ExtensionOid.basicConstraints, value, true);
}

export function encodeSubjectKeyIdentifier(identifier: Uint8Array): Uint8Array {
  return encodeExtension(ExtensionOid.subjectKeyIdentifier, der.octetString(identifier));
}

export function encodeAuthorityKeyIdentifier(identifier: Uint8Array): Uint8Array {
  return encodeExtension(ExtensionOid.authorityKeyIdentifier, der.sequence(der.implicit(0, identifier)));
}

/** Critical, because Fulcio's leaves have no other name. */
export function encodeSubjectAltName(name: Exclude<GeneralName, { kind: 'other' }>): Uint8Array {
  return encodeExtension(ExtensionOid.subjectAltName, der.sequence(encodeGeneralName(name)), true);
}

/** @returns a `certificate-unissuable` */
export function unissuable(found: string): TrustError {
  return new TrustError('certificate-unissuable', `a certificate cannot be issued with ${found}`);
}

function algorithmFor(algorithm: PrivateKey['publicKey']['algorithm']): SignatureAlgorithm {
  switch (algorithm) {
    case 'ecdsa-p256':
      return 'ecdsa-sha256';
    case 'ecdsa-p384':
      return 'ecdsa-sha384';
    case 'ecdsa-p521':
      return 'ecdsa-sha512';
    case 'ed25519':
      return 'ed25519';
    default:
      return 'rsa-sha256';
  }
}
