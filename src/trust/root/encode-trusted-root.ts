// SPDX-License-Identifier: Apache-2.0
import { encodeBase64, type Json } from '../../wire/index.ts';
import type { CertificateAuthority } from '../certificate/certificate-authority.ts';
import type { Certificate } from '../certificate/certificate.ts';
import { readName } from '../certificate/distinguished-name.ts';
import { logIdOf } from '../certificate/sct.ts';
import type { ValidityPeriod } from '../certificate/validity-period.ts';
import type { CertificateLog } from '../certificate/verify-scts.ts';
import { TrustError } from '../error.ts';
import type { PublicKey, PublicKeyAlgorithm } from '../key/public-key.ts';
import type { TransparencyLog } from '../log/transparency-log.ts';
import type { TimestampAuthority } from '../timestamp/timestamp-authority.ts';
import { periodJson } from './period.ts';
import type { TrustedRoot } from './trusted-root.ts';

const V01 = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';
const V02 = 'application/vnd.dev.sigstore.trustedroot.v0.2+json';

/** `dev.sigstore.common.v1.PublicKeyDetails` of the keys that logs have. They sign messages, so that Ed25519 is not prehashed. */
const DETAILS: ReadonlyMap<PublicKeyAlgorithm, string> = new Map([
  ['ecdsa-p256', 'PKIX_ECDSA_P256_SHA_256'],
  ['ecdsa-p384', 'PKIX_ECDSA_P384_SHA_384'],
  ['ecdsa-p521', 'PKIX_ECDSA_P521_SHA_512'],
  ['ed25519', 'PKIX_ED25519'],
  ['rsa-2048', 'PKIX_RSA_PKCS1V15_2048_SHA256'],
  ['rsa-3072', 'PKIX_RSA_PKCS1V15_3072_SHA256'],
  ['rsa-4096', 'PKIX_RSA_PKCS1V15_4096_SHA256'],
]);

/**
 * Writes a trusted root: the inverse of `decodeTrustedRoot`, in the order of the schema and each kind with the oldest first. What was
 * skipped when it was read is not written.
 *
 * @param options.version `0.1` unless told: what every client reads. It has no room for who operates a service; `0.2` has
 * @throws TrustError `trusted-root-malformed` for a log that does not say when its key is trusted, `key-unsupported` for a key that has no
 * name in the schema
 * @example
 * await writeFile('trusted_root.json', encodeTrustedRoot(trustedRoot));
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
 */
export function encodeTrustedRoot(root: TrustedRoot, options: { readonly version?: '0.1' | '0.2' } = {}): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(trustedRootJson(root, options.version), undefined, 2)}\n`);
}

/** The same as part of another message. */
export function trustedRootJson(root: TrustedRoot, version: '0.1' | '0.2' = '0.1'): { readonly [key: string]: Json } {
  const operated = (operator: string | undefined): { readonly [key: string]: Json } =>
    version === '0.1' || operator === undefined ? {} : { operator };
  const { logs, certificateAuthorities, certificateLogs, timestampAuthorities } = root;
  return {
    mediaType: version === '0.1' ? V01 : V02,
    tlogs: oldestFirst(logs, startOf).map((log, index) => ({
      ...transparencyLogJson(log, `logs[${index}]`),
      ...operated(log.operator),
    })),
    certificateAuthorities: oldestFirst(certificateAuthorities, startOf).map((authority) => ({
      ...authorityJson(authority.chain, authority),
      ...operated(authority.operator),
    })),
    ctlogs: oldestFirst(certificateLogs, startOf).map((log, index) => ({
      ...certificateLogJson(log, `certificateLogs[${index}]`),
      ...operated(log.operator),
    })),
    timestampAuthorities: oldestFirst(timestampAuthorities, ({ issuer }) => startOf(issuer)).map((authority) => ({
      ...timestampAuthorityJson(authority),
      ...operated(authority.operator),
    })),
  };
}

function startOf({ validFor }: { readonly validFor?: ValidityPeriod }): number {
  return validFor?.start.getTime() ?? Number.NEGATIVE_INFINITY;
}

// Clients take the first that fits, and people read the last as the newest.
function oldestFirst<T>(entries: readonly T[], start: (entry: T) => number): readonly T[] {
  return entries.toSorted((a, b) => (start(a) === start(b) ? 0 : start(a) < start(b) ? -1 : 1));
}

function transparencyLogJson(log: TransparencyLog, what: string): { readonly [key: string]: Json } {
  const { baseUrl, publicKey, logId, checkpointKeyId, validFor } = log;
  return {
    ...logJson(baseUrl, publicKey, validFor, what),
    logId: { keyId: encodeBase64(logId) },
    ...(checkpointKeyId === undefined ? {} : { checkpointKeyId: { keyId: encodeBase64(checkpointKeyId) } }),
  };
}

function certificateLogJson(log: CertificateLog, what: string): { readonly [key: string]: Json } {
  const { baseUrl = '', publicKey, validFor } = log;
  return { ...logJson(baseUrl, publicKey, validFor, what), logId: { keyId: encodeBase64(logIdOf(publicKey)) } };
}

function logJson(
  baseUrl: string,
  publicKey: PublicKey,
  validFor: ValidityPeriod | undefined,
  what: string,
): { readonly [key: string]: Json } {
  const keyDetails = DETAILS.get(publicKey.algorithm);
  if (keyDetails === undefined)
    throw new TrustError(
      'key-unsupported',
      `${what} has a key of type ${publicKey.algorithm}, which has no name there`,
    );
  if (validFor === undefined)
    throw new TrustError(
      'trusted-root-malformed',
      `${what} does not say when its key is trusted, expected at least a beginning`,
    );
  return {
    ...(baseUrl === '' ? {} : { baseUrl }),
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: encodeBase64(publicKey.spki), keyDetails, ...periodJson(validFor) },
  };
}

function timestampAuthorityJson({ uri, leaf, issuer }: TimestampAuthority): { readonly [key: string]: Json } {
  const chain = leaf === undefined ? issuer.chain : [leaf, ...issuer.chain];
  return authorityJson(chain, { ...issuer, ...(uri === undefined ? {} : { uri }) });
}

function authorityJson(
  chain: readonly Certificate[],
  { uri = '', validFor }: Pick<CertificateAuthority, 'uri' | 'validFor'>,
): { readonly [key: string]: Json } {
  // An authority is known by the name of its root.
  const root = chain.at(-1);
  const { organization, commonName } = root === undefined ? {} : readName(root.subject);
  return {
    subject: {
      ...(organization === undefined ? {} : { organization }),
      ...(commonName === undefined ? {} : { commonName }),
    },
    ...(uri === '' ? {} : { uri }),
    certChain: { certificates: chain.map(({ der }) => ({ rawBytes: encodeBase64(der) })) },
    ...periodJson(validFor),
  };
}
