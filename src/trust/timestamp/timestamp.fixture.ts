// SPDX-License-Identifier: Apache-2.0
import { hash, sign } from 'node:crypto';
import { BEGIN, certify, END, newTestKey, type Change, type TestKey } from '../certificate/authority.fixture.ts';
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeSubjectKeyIdentifier,
  keyIdentifier,
} from '../certificate/build-certificate.ts';
import type { Certificate } from '../certificate/certificate.ts';
import { encodeName } from '../certificate/distinguished-name.ts';
import { PurposeOid } from '../certificate/object-identifier.ts';
import { encodeSignatureAlgorithm } from '../certificate/signature-algorithm.ts';
import { DerTag } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import type { KeyAlgorithm } from '../key/public-key.ts';
import { encodeDigestAlgorithm, encodeMessageImprint } from './digest-algorithm.ts';
import { encodeSigningCertificate } from './signing-certificate.ts';
import { CmsOid } from './timestamp-token.ts';

// A timestamp authority whose every answer can be made wrong in one place.

/** within the life of every certificate that is not told otherwise */
export const STAMPED: Date = new Date('2026-06-01T00:00:05Z');

export interface TestAuthority {
  readonly root: Certificate;
  readonly leaf: Certificate;
  readonly rootKey: TestKey;
  readonly leafKey: TestKey;
}

export async function newTestAuthority(
  algorithm: KeyAlgorithm = 'ecdsa-p256',
  changes: { readonly root?: Change; readonly leaf?: Change } = {},
): Promise<TestAuthority> {
  const [rootKey, leafKey] = await Promise.all([newTestKey(algorithm), newTestKey(algorithm)]);
  const name = encodeName({ organization: 'test', commonName: 'TSA root' });
  const identified = (key: TestKey): Uint8Array =>
    encodeSubjectKeyIdentifier(keyIdentifier(key.private.publicKey.spki));
  const root = await certify(
    { subject: name, issuer: name, key: rootKey, signer: rootKey.signer },
    {
      constraints: encodeBasicConstraints({ ca: true }),
      usage: encodeKeyUsage('keyCertSign'),
      identifier: identified(rootKey),
    },
    changes.root,
  );
  const leaf = await certify(
    {
      subject: encodeName({ organization: 'test', commonName: 'TSA' }),
      issuer: name,
      key: leafKey,
      signer: rootKey.signer,
    },
    {
      usage: encodeKeyUsage('digitalSignature'),
      purpose: encodeExtendedKeyUsage(PurposeOid.timeStamping, true),
      identifier: identified(leafKey),
    },
    { notBefore: BEGIN, notAfter: END, ...changes.leaf },
  );
  return { root, leaf, rootKey, leafKey };
}

/** The parts of an answer, each encoded, that are not as they should be. */
export interface AnswerChange {
  readonly status?: Uint8Array;
  readonly token?: readonly Uint8Array[];
  /** TSTInfo */
  readonly info?: Uint8Array;
  readonly contentType?: Uint8Array;
  readonly content?: Uint8Array;
  readonly version?: Uint8Array;
  readonly certificates?: readonly Uint8Array[];
  readonly signers?: (signer: Uint8Array) => readonly Uint8Array[];
  readonly signerId?: Uint8Array;
  readonly digestAlgorithm?: Uint8Array;
  readonly attributes?: Readonly<Record<string, Uint8Array | undefined>>;
  readonly more?: readonly Uint8Array[];
  readonly signatureAlgorithm?: Uint8Array;
  readonly signature?: (attributes: Uint8Array) => Uint8Array;
  readonly unsigned?: readonly Uint8Array[];
}

/** A TSTInfo for this signature, with some of its fields otherwise. */
export function infoOf(
  signature: Uint8Array,
  change: { readonly imprint?: Uint8Array; readonly time?: Uint8Array; readonly more?: readonly Uint8Array[] } = {},
): Uint8Array {
  return der.sequence(
    der.integer(1),
    der.oid('1.2.3.4'),
    change.imprint ?? encodeMessageImprint('sha256', hash('sha256', signature, 'buffer')),
    der.integer(77),
    change.time ?? der.generalizedTime(STAMPED),
    ...(change.more ?? []),
  );
}

/** One attribute. */
export function attributeOf(oid: string, ...values: readonly Uint8Array[]): Uint8Array {
  return der.sequence(der.oid(oid), der.value(DerTag.set, ...values));
}

/** An answer of the authority for this signature, put together by hand. */
export function answerOf(authority: TestAuthority, signature: Uint8Array, change: AnswerChange = {}): Uint8Array {
  const { leaf, leafKey } = authority;
  const info = change.info ?? infoOf(signature);
  const attributes = Object.values({
    contentType: attributeOf(CmsOid.contentType, der.oid(CmsOid.timestampInfo)),
    messageDigest: attributeOf(CmsOid.messageDigest, der.octetString(hash('sha256', info, 'buffer'))),
    signingCertificate: attributeOf(CmsOid.signingCertificateV2, encodeSigningCertificate(leaf)),
    ...change.attributes,
  }).filter((attribute) => attribute !== undefined);
  const signed = der.setOf(...attributes, ...(change.more ?? []));
  const written = Uint8Array.from(signed).with(0, 0xa0);
  const signer = der.sequence(
    der.integer(1),
    change.signerId ?? der.sequence(leaf.issuer, der.integer(leaf.serialNumber)),
    change.digestAlgorithm ?? encodeDigestAlgorithm('sha256'),
    written,
    change.signatureAlgorithm ?? encodeSignatureAlgorithm('ecdsa-sha256'),
    der.octetString((change.signature ?? ((octets) => sign('sha256', octets, leafKey.private.object)))(signed)),
    ...(change.unsigned ?? []),
  );
  const signers = change.signers?.(signer) ?? [signer];
  const content = change.content ?? der.explicit(0, der.octetString(info));
  const signedData = der.sequence(
    change.version ?? der.integer(3),
    der.value(DerTag.set, encodeDigestAlgorithm('sha256')),
    der.sequence(change.contentType ?? der.oid(CmsOid.timestampInfo), content),
    ...(change.certificates === undefined ? [] : [der.value(0xa0, ...change.certificates)]),
    der.value(DerTag.set, ...signers),
  );
  const token = der.sequence(der.oid(CmsOid.signedData), der.explicit(0, signedData));
  return der.sequence(change.status ?? der.sequence(der.integer(0)), ...(change.token ?? [token]));
}
