// SPDX-License-Identifier: Apache-2.0
import * as der from '../der/der-writer.ts';
import { generatePrivateKey, type PrivateKey } from '../key/private-key.ts';
import type { KeyAlgorithm } from '../key/public-key.ts';
import {
  certificateSigner,
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeFields,
  encodeKeyUsage,
  encodeSubjectAltName,
  encodeSubjectKeyIdentifier,
  encodeTbs,
  keyIdentifier,
  type CertificateSigner,
} from './build-certificate.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { decodeCertificate, type Certificate } from './certificate.ts';
import { encodeName } from './distinguished-name.ts';
import { encodeFulcioClaims } from './fulcio-claims.ts';
import { PurposeOid } from './object-identifier.ts';
import { encodeSignatureAlgorithm } from './signature-algorithm.ts';

// An authority whose every certificate can be made wrong in one place: what the operations of this folder would refuse to issue.

export const BEGIN: Date = new Date('2026-01-01T00:00:00Z');
export const END: Date = new Date('2036-01-01T00:00:00Z');
/** within the life of every certificate that is not told otherwise */
export const NOW: Date = new Date('2026-06-01T00:05:00Z');

/** The key of one certificate, and how it signs others. */
export interface TestKey {
  readonly private: PrivateKey;
  readonly signer: CertificateSigner;
}

/** What differs from a good certificate; an extension that is `undefined` is left out. */
export interface Change {
  readonly subject?: Uint8Array;
  readonly issuer?: Uint8Array;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly key?: TestKey;
  readonly spki?: Uint8Array;
  readonly signer?: CertificateSigner;
  /** an AlgorithmIdentifier that nothing here would sign with, in place of the signer's */
  readonly algorithm?: Uint8Array;
  readonly extensions?: Readonly<Record<string, Uint8Array | undefined>>;
}

export interface TestStack {
  readonly root: Certificate;
  readonly intermediate: Certificate;
  readonly leaf: Certificate;
  readonly authority: CertificateAuthority;
}

export async function newTestKey(algorithm: KeyAlgorithm = 'ecdsa-p256'): Promise<TestKey> {
  const key = await generatePrivateKey(algorithm);
  return { private: key, signer: certificateSigner(key) };
}

/** Keys are dear, so tests make them once and pass them on. */
export interface TestKeys {
  readonly root: TestKey;
  readonly intermediate: TestKey;
  readonly leaf: TestKey;
}

export async function newTestKeys(): Promise<TestKeys> {
  const [root, intermediate, leaf] = await Promise.all([newTestKey(), newTestKey(), newTestKey()]);
  return { root, intermediate, leaf };
}

/** Root, intermediate and leaf by Fulcio's profile, but for the changes. */
export async function newTestStack(
  keys: TestKeys,
  changes: { readonly root?: Change; readonly intermediate?: Change; readonly leaf?: Change } = {},
): Promise<TestStack> {
  const rootName = encodeName({ organization: 'test', commonName: 'root' });
  const intermediateName = encodeName({ organization: 'test', commonName: 'intermediate' });
  const rootKey = changes.root?.key ?? keys.root;
  const intermediateKey = changes.intermediate?.key ?? keys.intermediate;
  const usage = encodeKeyUsage('keyCertSign', 'cRLSign');
  const root = await certify(
    { subject: rootName, issuer: rootName, key: rootKey, signer: rootKey.signer },
    { constraints: encodeBasicConstraints({ ca: true, pathLength: 1 }), usage, ...identifiersOf(rootKey) },
    changes.root,
  );
  const intermediate = await certify(
    { subject: intermediateName, issuer: rootName, key: intermediateKey, signer: rootKey.signer },
    {
      constraints: encodeBasicConstraints({ ca: true, pathLength: 0 }),
      usage,
      purpose: encodeExtendedKeyUsage(PurposeOid.codeSigning),
      ...identifiersOf(intermediateKey, rootKey),
    },
    changes.intermediate,
  );
  const leafKey = changes.leaf?.key ?? keys.leaf;
  const leaf = await certify(
    { subject: encodeName({}), issuer: intermediateName, key: leafKey, signer: intermediateKey.signer },
    {
      usage: encodeKeyUsage('digitalSignature'),
      purpose: encodeExtendedKeyUsage(PurposeOid.codeSigning),
      ...identifiersOf(leafKey, intermediateKey),
      name: encodeSubjectAltName({ kind: 'email', value: 'dev@example.com' }),
      ...Object.fromEntries(
        encodeFulcioClaims({ issuer: 'https://issuer.example' }).map((claim, at) => [`claim${at}`, claim]),
      ),
    },
    {
      notBefore: new Date('2026-06-01T00:00:00Z'),
      notAfter: new Date('2026-06-01T00:10:00Z'),
      ...changes.leaf,
    },
  );
  return { root, intermediate, leaf, authority: { chain: [intermediate, root] } };
}

/** One certificate; what it is by default, with what differs. */
export async function certify(
  base: {
    readonly subject: Uint8Array;
    readonly issuer: Uint8Array;
    readonly key: TestKey;
    readonly signer: CertificateSigner;
  },
  extensions: Readonly<Record<string, Uint8Array | undefined>>,
  change: Change = {},
): Promise<Certificate> {
  const { subject, issuer, key, signer, notBefore = BEGIN, notAfter = END } = { ...base, ...change };
  const spki = change.spki ?? key.private.publicKey.spki;
  const fields = encodeFields(
    { serialNumber: Uint8Array.of(1, 2, 3), issuer, subject, notBefore, notAfter, spki },
    signer.algorithm,
  );
  const all = Object.values({ ...extensions, ...change.extensions }).filter((extension) => extension !== undefined);
  const usual = encodeSignatureAlgorithm(signer.algorithm);
  const algorithm = change.algorithm ?? usual;
  const at = Buffer.from(fields).indexOf(usual);
  const tbs = encodeTbs(Buffer.concat([fields.subarray(0, at), algorithm, fields.subarray(at + usual.length)]), all);
  const signature = der.bitString(await signer.sign(tbs));
  return decodeCertificate(der.sequence(tbs, algorithm, signature), 'the certificate');
}

function identifiersOf(key: TestKey, issuer?: TestKey): Readonly<Record<string, Uint8Array>> {
  const of = (one: TestKey): Uint8Array => keyIdentifier(one.private.publicKey.spki);
  return {
    subjectKey: encodeSubjectKeyIdentifier(of(key)),
    ...(issuer === undefined ? {} : { authorityKey: encodeAuthorityKeyIdentifier(of(issuer)) }),
  };
}
