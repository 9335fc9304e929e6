// SPDX-License-Identifier: Apache-2.0
import type { CertificateAuthority } from '../certificate/certificate-authority.ts';
import { decodeCertificate, type Certificate } from '../certificate/certificate.ts';
import { logIdOf } from '../certificate/sct.ts';
import { importSpki } from '../certificate/subject-public-key.ts';
import type { ValidityPeriod } from '../certificate/validity-period.ts';
import type { CertificateLog } from '../certificate/verify-scts.ts';
import { MessageReader } from '../bundle/proto-json.ts';
import { parseStrictObject } from '../bundle/strict-json.ts';
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { decodePublicKey, type PublicKey } from '../key/public-key.ts';
import type { TransparencyLog } from '../log/transparency-log.ts';
import { printable } from '../printable.ts';
import { timestampAuthority, type TimestampAuthority } from '../timestamp/timestamp-authority.ts';
import { readPeriod } from './period.ts';

/**
 * Whom one believes: the authorities that certify identities, the logs that keep what was signed, the clocks.
 *
 * Hold on to it: what was found out about an authority is kept for the object.
 *
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
 */
export interface TrustedRoot {
  /** logs of signatures, Rekor v1 and v2 */
  readonly logs: readonly TransparencyLog[];
  /** logs of certificates (RFC 6962) */
  readonly certificateLogs: readonly CertificateLog[];
  /** who certifies identities */
  readonly certificateAuthorities: readonly CertificateAuthority[];
  /** who gives timestamps */
  readonly timestampAuthorities: readonly TimestampAuthority[];
  /** what it lists and is not used here, and why: so that one such key does not make the others useless */
  readonly skipped: readonly SkippedEntry[];
}

/** Something in a trusted root that is of a kind not used here. */
export interface SkippedEntry {
  /** for example `trusted_root.json.tlogs[2]` */
  readonly what: string;
  readonly reason: string;
}

/** What is read, both with the fields of the newer. */
export const TRUSTED_ROOT_MEDIA_TYPES: readonly string[] = [
  'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
  'application/vnd.dev.sigstore.trustedroot.v0.1+json',
  'application/vnd.dev.sigstore.trustedroot.v0.2+json',
];

const MAX_BYTES = 4 * 1024 * 1024;
/** of each kind; a log that begins a shard a year comes to a hundred in a century */
const MAX_ENTRIES = 256;
const MAX_CHAIN = 10;

/**
 * Reads a trusted root, strictly: as sigstore's own readers it refuses unknown fields, because one of them may be a limit, and a limit that is
 * not understood is not kept. A key of a kind that is not used here is left out and named in `skipped`; a broken one is an error.
 *
 * @param what names the file in errors
 * @throws TrustError `trusted-root-malformed`, `trusted-root-unsupported`, `key-malformed`, `certificate-malformed`, `der-malformed`; WireError
 * `too-large`, `json-too-deep`, `json-malformed`, `base64-malformed`
 * @example
 * const root = decodeTrustedRoot(await readFile('trusted_root.json'), 'trusted_root.json');
 */
export function decodeTrustedRoot(bytes: Uint8Array, what: string): TrustedRoot {
  const fields = parseStrictObject(bytes, what, 'trusted-root-malformed', MAX_BYTES);
  return readTrustedRoot(new MessageReader(fields, what, 'trusted-root-malformed'));
}

/** The same of a message that is part of another. */
export function readTrustedRoot(root: MessageReader): TrustedRoot {
  const mediaType = root.string('mediaType');
  if (!TRUSTED_ROOT_MEDIA_TYPES.includes(mediaType)) {
    const found = mediaType === '' ? 'no media type' : `the media type '${printable(mediaType)}'`;
    throw new TrustError(
      'trusted-root-unsupported',
      `${root.what} has ${found}, expected a trusted root of version 0.1 or 0.2`,
    );
  }
  const skipped: SkippedEntry[] = [];
  const read = <T>(name: string, entry: (message: MessageReader) => T): readonly T[] =>
    root.messages(name, MAX_ENTRIES).flatMap((message) => {
      try {
        return [entry(message)];
      } catch (error) {
        if (!(error instanceof TrustError) || error.code !== 'key-unsupported') throw error;
        skipped.push({ what: message.what, reason: error.message });
        return [];
      }
    });
  const logs = read('tlogs', readTransparencyLog);
  const certificateLogs = read('ctlogs', readCertificateLog);
  const certificateAuthorities = read('certificateAuthorities', readCertificateAuthority);
  const timestampAuthorities = read('timestampAuthorities', readTimestampAuthority);
  root.end();
  return { logs, certificateLogs, certificateAuthorities, timestampAuthorities, skipped };
}

interface Log {
  readonly baseUrl: string;
  readonly publicKey: PublicKey;
  readonly logId: Uint8Array;
  readonly checkpointKeyId: Uint8Array;
  readonly operator: string;
  readonly validFor: ValidityPeriod | undefined;
}

function readTransparencyLog(message: MessageReader): TransparencyLog {
  const { baseUrl, publicKey, logId, checkpointKeyId, operator, validFor } = readLog(message);
  if (logId.byteLength === 0) throw message.malformed('logId', 'missing, so that no entry names this log');
  return {
    baseUrl,
    publicKey,
    logId,
    ...(checkpointKeyId.byteLength === 0 ? {} : { checkpointKeyId }),
    ...(validFor === undefined ? {} : { validFor }),
    ...(operator === '' ? {} : { operator }),
  };
}

function readCertificateLog(message: MessageReader): CertificateLog {
  const { baseUrl, publicKey, logId, operator, validFor } = readLog(message);
  // RFC 6962 section 3.2: the id is the hash of the key, and so it is looked for.
  if (logId.byteLength > 0 && !sameOctets(logId, logIdOf(publicKey)))
    throw message.malformed('logId', `not the SHA-256 of its public key, ${publicKey.hint}`);
  return {
    publicKey,
    ...(baseUrl === '' ? {} : { baseUrl }),
    ...(operator === '' ? {} : { operator }),
    ...(validFor === undefined ? {} : { validFor }),
  };
}

function readLog(message: MessageReader): Log {
  const baseUrl = message.string('baseUrl');
  const algorithm = message.take('hashAlgorithm');
  const key = message.message('publicKey');
  const logId = readLogId(message.message('logId'));
  const checkpointKeyId = readLogId(message.message('checkpointKeyId'));
  const operator = message.string('operator');
  message.end();
  if (key === undefined) throw message.malformed('publicKey', 'missing');
  // Unset in what older tools have made; all logs that there are hash with SHA-256.
  if (algorithm !== undefined && algorithm !== 'SHA2_256' && algorithm !== 1 && algorithm !== 0)
    throw new TrustError('key-unsupported', `${message.what} hashes with another algorithm than SHA-256`);
  const { publicKey, validFor } = readPublicKey(key);
  return { baseUrl, publicKey, logId, checkpointKeyId, operator, validFor };
}

function readLogId(message: MessageReader | undefined): Uint8Array {
  const keyId = message?.bytes('keyId') ?? new Uint8Array();
  message?.end();
  return keyId;
}

function readPublicKey(message: MessageReader): Pick<Log, 'publicKey' | 'validFor'> {
  const bytes = message.bytes('rawBytes');
  const details = message.take('keyDetails');
  // A log key that says nothing of its time would be trusted for ever: who leaves it out has lost something.
  const validFor = readPeriod(message.message('validFor'));
  message.end();
  if (validFor === undefined)
    throw message.malformed('validFor', 'missing, so that the key would be trusted at all times');
  if (bytes.byteLength === 0) throw message.malformed('rawBytes', 'empty');
  // What is written `PKCS1_RSA_PKCS1V5`, number 1, is an RSAPublicKey and not a SubjectPublicKeyInfo.
  const bare = details === 1 || (typeof details === 'string' && details.startsWith('PKCS1_'));
  const publicKey = bare ? decodePublicKey(bytes, message.what) : importSpki(bytes, message.what);
  if (typeof details === 'string' && !agrees(details, publicKey))
    throw message.malformed('keyDetails', `${printable(details, 40)}, of a key of type ${publicKey.algorithm}`);
  return { publicKey, validFor };
}

function agrees(details: string, { algorithm }: PublicKey): boolean {
  const family = FAMILIES.find(([name]) => details.includes(name));
  return family === undefined || algorithm.startsWith(family[1]);
}

/** What the names of `dev.sigstore.common.v1.PublicKeyDetails` say of a key. */
const FAMILIES: readonly (readonly [name: string, algorithm: string])[] = [
  ['_P256_', 'ecdsa-p256'],
  ['_P384_', 'ecdsa-p384'],
  ['_P521_', 'ecdsa-p521'],
  ['ED25519', 'ed25519'],
  ['_RSA_', 'rsa-'],
];

function readCertificateAuthority(message: MessageReader): CertificateAuthority {
  const { chain, uri, operator, validFor } = readAuthority(message);
  return {
    chain,
    ...(uri === '' ? {} : { uri }),
    ...(operator === '' ? {} : { operator }),
    ...(validFor === undefined ? {} : { validFor }),
  };
}

function readTimestampAuthority(message: MessageReader): TimestampAuthority {
  const { chain, uri, operator, validFor } = readAuthority(message);
  return timestampAuthority(chain, {
    ...(uri === '' ? {} : { uri }),
    ...(operator === '' ? {} : { operator }),
    ...(validFor === undefined ? {} : { validFor }),
  });
}

interface Authority {
  readonly chain: readonly [Certificate, ...Certificate[]];
  readonly uri: string;
  readonly operator: string;
  readonly validFor: ValidityPeriod | undefined;
}

// `subject` says who it is, as the certificates do, and only those are believed.
function readAuthority(message: MessageReader): Authority {
  const subject = message.message('subject');
  subject?.string('organization');
  subject?.string('commonName');
  subject?.end();
  const uri = message.string('uri');
  const operator = message.string('operator');
  const chain = message.message('certChain');
  const certificates = chain?.messages('certificates', MAX_CHAIN) ?? [];
  chain?.end();
  const validFor = readPeriod(message.message('validFor'));
  message.end();
  const [first, ...above] = certificates.map(readCertificate);
  if (first === undefined) throw message.malformed('certChain', 'missing or empty');
  return { chain: [first, ...above], uri, operator, validFor };
}

function readCertificate(message: MessageReader): Certificate {
  const bytes = message.bytes('rawBytes');
  message.end();
  return decodeCertificate(bytes, message.what);
}
