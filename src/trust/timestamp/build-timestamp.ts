// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import type { CertificateSigner } from '../certificate/build-certificate.ts';
import { certificateKey, type Certificate } from '../certificate/certificate.ts';
import { encodeSignatureAlgorithm, verifyWith } from '../certificate/signature-algorithm.ts';
import { describePeriod, describeTime, isWithin } from '../certificate/validity-period.ts';
import { verifyChain } from '../certificate/verify-chain.ts';
import { DerTag } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import {
  encodeDigestAlgorithm,
  encodeMessageImprint,
  isTimestampDigest,
  type TimestampDigest,
} from './digest-algorithm.ts';
import { encodeSigningCertificate } from './signing-certificate.ts';
import { encodeTimestampInfo } from './timestamp-info.ts';
import type { TimestampRequest } from './timestamp-request.ts';
import { encodeTimestampResponse } from './timestamp-response.ts';
import { CmsOid } from './timestamp-token.ts';

/** Sigstore's policy, which says nothing more than that it is a timestamp. */
export const SIGSTORE_TIMESTAMP_POLICY = '1.3.6.1.4.1.57264.2';

/** An authority that can give timestamps. All that is the same in each is encoded once. */
export interface TimestampIssuer {
  readonly chain: readonly [Certificate, ...Certificate[]];
  /** object identifier */
  readonly policy: string;
  readonly signer: CertificateSigner;
  readonly encoded: EncodedIssuer;
}

interface EncodedIssuer {
  readonly digest: TimestampDigest;
  readonly digestAlgorithm: Uint8Array;
  readonly signatureAlgorithm: Uint8Array;
  /** IssuerAndSerialNumber */
  readonly id: Uint8Array;
  readonly policy: Uint8Array;
  readonly contentType: Uint8Array;
  readonly signingCertificate: Uint8Array;
  readonly leaf: Uint8Array;
  readonly all: Uint8Array;
}

const CMS_VERSION_1 = 1;
const CMS_VERSION_3 = 3;
const CERTIFICATES = 0xa0;
const SIGNED_ATTRIBUTES = 0xa0;

/**
 * Makes an authority ready: checks that its certificate may sign timestamps and that the signer has its key.
 *
 * @param chain from the certificate that signs to the root
 * @param policy object identifier of the policy under which the time is given; Sigstore's unless told
 * @throws TrustError `timestamp-unissuable`; what the signer throws
 */
export async function createTimestampIssuer(
  signer: CertificateSigner,
  chain: readonly [Certificate, ...Certificate[]],
  policy: string = SIGSTORE_TIMESTAMP_POLICY,
): Promise<TimestampIssuer> {
  const [leaf, issuer, ...above] = chain;
  if (issuer === undefined) throw unissuable('one certificate, expected a chain up to its root');
  const check = verifyChain(leaf, [{ chain: [issuer, ...above] }], [leaf.notBefore], 'time-stamping');
  if (check.kind === 'rejected') throw unissuable(`${check.rejection.found}, expected ${check.rejection.expected}`);
  const signature = await signer.sign(PROBE);
  if (!verifyWith(signer.algorithm, certificateKey(leaf, 'the certificate'), PROBE, signature))
    throw unissuable('a signer with another key than its certificate has');
  const digest = digestOf(signer);
  return {
    chain,
    policy,
    signer,
    encoded: {
      digest,
      digestAlgorithm: encodeDigestAlgorithm(digest),
      signatureAlgorithm: encodeSignatureAlgorithm(signer.algorithm),
      id: der.sequence(leaf.issuer, der.integer(leaf.serialNumber)),
      policy: der.oid(policy),
      contentType: attribute(CmsOid.contentType, der.oid(CmsOid.timestampInfo)),
      signingCertificate: attribute(CmsOid.signingCertificateV2, encodeSigningCertificate(leaf)),
      leaf: der.value(CERTIFICATES, leaf.der),
      all: der.value(CERTIFICATES, ...chain.map((certificate) => certificate.der)),
    },
  };
}

/** What the authority puts to a request. */
export interface TimestampGrant {
  /** unique for the authority, at most 20 octets; see `randomSerialNumber` */
  readonly serialNumber: Uint8Array;
  /** now, to the second; what is below is cut off */
  readonly time: Date;
  /** whether who asks for certificates gets the whole chain, and not only the one that signs */
  readonly includeChain?: boolean;
}

/**
 * Gives a timestamp: the DER TimeStampResp to answer with.
 *
 * @throws TrustError `timestamp-policy-unsupported` for a policy that the authority does not have, `timestamp-unissuable` at a time at
 * which its certificate is not valid; what the signer throws
 * @example
 * const grant = { serialNumber: randomSerialNumber(), time: clock.now() };
 * const response = await buildTimestampResponse(decodeTimestampRequest(body), issuer, grant);
 */
export async function buildTimestampResponse(
  request: TimestampRequest,
  issuer: TimestampIssuer,
  grant: TimestampGrant,
): Promise<Uint8Array> {
  const { encoded, chain, signer } = issuer;
  if (request.policy !== undefined && request.policy !== issuer.policy)
    throw new TrustError(
      'timestamp-policy-unsupported',
      `the policy ${request.policy} is asked for, expected ${issuer.policy}`,
    );
  const period = { start: chain[0].notBefore, end: chain[0].notAfter };
  if (!isWithin(period, grant.time))
    throw unissuable(`a certificate valid ${describePeriod(period)}, at ${describeTime(grant.time)}`);
  const imprint = encodeMessageImprint(request.digest.algorithm, request.digest.bytes);
  const { nonce } = request;
  const info = encodeTimestampInfo(
    { policy: encoded.policy, imprint },
    { serialNumber: grant.serialNumber, time: grant.time, ...(nonce === undefined ? {} : { nonce }) },
  );
  const attributes = der.setOf(
    encoded.contentType,
    attribute(CmsOid.signingTime, der.time(grant.time)),
    attribute(CmsOid.messageDigest, der.octetString(hash(encoded.digest, info, 'buffer'))),
    encoded.signingCertificate,
  );
  const signature = await signer.sign(attributes);
  // RFC 5652 section 5.4: signed as a SET, written under another tag.
  const written = Uint8Array.from(attributes);
  written[0] = SIGNED_ATTRIBUTES;
  const signerInfo = der.sequence(
    der.integer(CMS_VERSION_1),
    encoded.id,
    encoded.digestAlgorithm,
    written,
    encoded.signatureAlgorithm,
    der.octetString(signature),
  );
  const certificates = request.certificates ? [grant.includeChain === true ? encoded.all : encoded.leaf] : [];
  return encodeTimestampResponse(encodeSignedData(encoded, info, certificates, signerInfo));
}

function encodeSignedData(
  { digestAlgorithm }: EncodedIssuer,
  info: Uint8Array,
  certificates: readonly Uint8Array[],
  signerInfo: Uint8Array,
): Uint8Array {
  const content = der.sequence(der.oid(CmsOid.timestampInfo), der.explicit(0, der.octetString(info)));
  const signedData = der.sequence(
    der.integer(CMS_VERSION_3),
    der.value(DerTag.set, digestAlgorithm),
    content,
    ...certificates,
    der.value(DerTag.set, signerInfo),
  );
  return der.sequence(der.oid(CmsOid.signedData), der.explicit(0, signedData));
}

function attribute(oid: string, value: Uint8Array): Uint8Array {
  return der.sequence(der.oid(oid), der.value(DerTag.set, value));
}

// No timestamp can be made of it: those are DER, which begins with another octet.
const PROBE: Uint8Array = Buffer.from('Does this key belong to the certificate of the timestamp authority?');

// The digest of the content is the one of the signature; RFC 8419 section 3.1 for Ed25519.
function digestOf({ algorithm }: CertificateSigner): TimestampDigest {
  const digest = algorithm === 'ed25519' ? 'sha512' : algorithm.slice(algorithm.indexOf('-') + 1);
  if (!isTimestampDigest(digest)) throw unissuable(`the algorithm ${algorithm}`);
  return digest;
}

function unissuable(found: string): TrustError {
  return new TrustError('timestamp-unissuable', `timestamps cannot be given with ${found}`);
}
