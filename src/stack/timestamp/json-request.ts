// SPDX-License-Identifier: Apache-2.0
import { TrustError, type TimestampDigest, type TimestampRequest } from '../../trust/index.ts';
import { decodeBase64, isJsonObject, parseJson } from '../../wire/index.ts';

const WHAT = 'the timestamp request';
const MEMBERS = ['artifactHash', 'hashAlgorithm', 'certificates', 'nonce', 'tsaPolicyOID'] as const;
const DIGEST_BYTES: Readonly<Record<TimestampDigest, number>> = { sha256: 32, sha384: 48, sha512: 64 };
/** What an int64 holds, as the API has it. */
const MAX_NONCE = 2n ** 63n - 1n;

/**
 * Reads a request in JSON, the second form that Sigstore's authority takes: `artifactHash` (base64 of the digest), `hashAlgorithm`, and
 * where they are wanted `certificates`, `nonce` (a whole number below 2^63, exact to the last digit) and `tsaPolicyOID`.
 *
 * @throws TrustError `timestamp-malformed`, `timestamp-algorithm-unsupported`; WireError `json-malformed`, `json-too-deep`, `base64-malformed`
 * @see https://github.com/sigstore/timestamp-authority/blob/main/openapi.yaml
 */
export function decodeJsonRequest(bytes: Uint8Array): TimestampRequest {
  const json = parseJson(bytes, { what: WHAT, maxDepth: 4 });
  if (!isJsonObject(json)) throw malformed('no members');
  const unknown = Object.keys(json).find((name) => !MEMBERS.some((member) => member === name));
  if (unknown !== undefined) throw malformed(`the member ${shown(unknown)}, expected only ${MEMBERS.join(', ')}`);
  const { artifactHash, hashAlgorithm, certificates = false, nonce, tsaPolicyOID: policy } = json;
  if (typeof artifactHash !== 'string') throw malformed('no artifactHash, expected a digest in base64');
  if (typeof hashAlgorithm !== 'string') throw malformed('no hashAlgorithm, expected the name of one');
  if (typeof certificates !== 'boolean') throw malformed('certificates that is neither true nor false');
  if (policy !== undefined && (typeof policy !== 'string' || !/^\d+(\.\d+)+$/.test(policy)))
    throw malformed('a tsaPolicyOID that is no object identifier');
  return {
    digest: readDigest(hashAlgorithm.toLowerCase(), artifactHash),
    certificates,
    ...(policy === undefined ? {} : { policy }),
    ...(nonce === undefined ? {} : { nonce: exactNonce(bytes) }),
  };
}

function readDigest(algorithm: string, text: string): TimestampRequest['digest'] {
  if (!isDigest(algorithm))
    throw new TrustError(
      'timestamp-algorithm-unsupported',
      `${WHAT} is for a digest by ${shown(algorithm)}, expected sha256, sha384 or sha512`,
    );
  const bytes = decodeBase64(text, 'artifactHash');
  const expected = DIGEST_BYTES[algorithm];
  if (bytes.length !== expected) throw malformed(`a digest of ${bytes.length} octets, expected ${expected}`);
  return { algorithm, bytes };
}

function isDigest(name: string): name is TimestampDigest {
  return Object.hasOwn(DIGEST_BYTES, name);
}

/** The nonce as it was written: a double holds 53 bits of the 63, and the answer must repeat every one of them. */
function exactNonce(bytes: Uint8Array): Uint8Array {
  let source = '';
  const read = (key: string, value: unknown, { source: text }: { readonly source?: string }): unknown => {
    if (key === 'nonce') source = text ?? '';
    return value;
  };
  JSON.parse(new TextDecoder().decode(bytes), read as (key: string, value: unknown) => unknown);
  if (!/^(?:0|[1-9]\d{0,18})$/.test(source) || BigInt(source) > MAX_NONCE)
    throw malformed('a nonce that is no whole number from 0 to 2^63 - 1');
  const hex = BigInt(source).toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}

function malformed(found: string): TrustError {
  return new TrustError('timestamp-malformed', `${WHAT} has ${found}`);
}
