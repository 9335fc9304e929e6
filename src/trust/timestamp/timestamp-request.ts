// SPDX-License-Identifier: Apache-2.0
import { DerReader, DerTag } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import {
  ACCEPTED_DIGESTS,
  digestBytes,
  encodeMessageImprint,
  isTimestampDigest,
  readMessageImprint,
  type TimestampDigest,
} from './digest-algorithm.ts';

/**
 * What an authority is asked to put its time to.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3161#section-2.4.1
 */
export interface TimestampRequest {
  readonly digest: { readonly algorithm: TimestampDigest; readonly bytes: Uint8Array };
  /** object identifier of the policy that is asked for */
  readonly policy?: string;
  /** the octets of a number, most significant first and none of them idle, that the answer must repeat */
  readonly nonce?: Uint8Array;
  /** whether the answer is to have the authority's certificate */
  readonly certificates: boolean;
}

/** A request has about a hundred. */
const MAX_BYTES = 4096;
const VERSION_1 = 1;
/** Context tag of the extensions. */
const EXTENSIONS = 0xa0;

/**
 * Reads a request. Each code of refusal is one of RFC 3161's, see `encodeTimestampRefusal`.
 *
 * @throws TrustError `timestamp-malformed`, `der-malformed`, `timestamp-algorithm-unsupported`, `timestamp-extension-unsupported`
 */
export function decodeTimestampRequest(bytes: Uint8Array): TimestampRequest {
  if (bytes.byteLength > MAX_BYTES) throw malformed(`${bytes.byteLength} octets, at most ${MAX_BYTES} are read`);
  const outer = new DerReader(bytes, WHAT);
  const request = outer.sequence();
  outer.end();
  const version = request.integer();
  if (version !== VERSION_1) throw malformed(`version ${version}, expected 1`);
  const digest = readMessageImprint(request);
  const policy = request.peek() === DerTag.oid ? request.oid() : undefined;
  const nonce = request.peek() === DerTag.integer ? significant(request.integerOctets()) : undefined;
  const certificates = request.peek() === DerTag.boolean && request.boolean();
  if (request.peek() === EXTENSIONS)
    throw new TrustError('timestamp-extension-unsupported', `${WHAT} has extensions, and none is known here`);
  request.end();
  const { algorithm } = digest;
  if (!isTimestampDigest(algorithm))
    throw new TrustError(
      'timestamp-algorithm-unsupported',
      `${WHAT} is for a digest by ${algorithm}, expected ${ACCEPTED_DIGESTS}`,
    );
  if (digest.bytes.length !== digestBytes(algorithm))
    throw malformed(`a digest of ${digest.bytes.length} octets, expected ${digestBytes(algorithm)}`);
  return {
    digest: { algorithm, bytes: digest.bytes },
    ...(policy === undefined ? {} : { policy }),
    ...(nonce === undefined ? {} : { nonce }),
    certificates,
  };
}

/**
 * Writes a request.
 *
 * @throws TrustError `der-unencodable` for a policy that is no object identifier
 * @example
 * const digest = { algorithm: 'sha256', bytes: hash('sha256', signature, 'buffer') } as const;
 * const body = encodeTimestampRequest({ digest, nonce: randomBytes(8), certificates: true });
 */
export function encodeTimestampRequest({ digest, policy, nonce, certificates }: TimestampRequest): Uint8Array {
  return der.sequence(
    der.integer(VERSION_1),
    encodeMessageImprint(digest.algorithm, digest.bytes),
    ...(policy === undefined ? [] : [der.oid(policy)]),
    ...(nonce === undefined ? [] : [der.integer(nonce)]),
    ...(certificates ? [der.boolean(true)] : []),
  );
}

/** The octets of a number without the zeros before it. */
export function significant(octets: Uint8Array): Uint8Array {
  const start = octets.findIndex((octet) => octet !== 0);
  return start === -1 ? octets.subarray(0, Math.min(1, octets.length)) : octets.subarray(start);
}

const WHAT = 'the timestamp request';

function malformed(found: string): TrustError {
  return new TrustError('timestamp-malformed', `${WHAT} has ${found}`);
}
