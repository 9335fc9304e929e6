// SPDX-License-Identifier: Apache-2.0
import { KEY_DETAILS, MessageReader, printable, TrustError } from '../../trust/index.ts';
import type { Envelope, KeyDetails, LogVerifier } from '../../trust/index.ts';
import { isJsonObject, parseJson } from '../../wire/index.ts';
import { RekorError } from './rekor-error.ts';

/** What a client of Rekor v2 proposes to enter. */
export type V2Request = V2HashedRekord | V2Dsse;

export interface V2HashedRekord {
  readonly kind: 'hashedrekord';
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
  readonly by: V2Verifier;
}

export interface V2Dsse {
  readonly kind: 'dsse';
  readonly envelope: Envelope;
  readonly by: readonly V2Verifier[];
}

export interface V2Verifier {
  readonly verifier: LogVerifier;
  readonly keyDetails: KeyDetails;
}

const WHAT = 'the request';
/** of an envelope, and of keys for them: each may have to be tried with each */
const MAX_SIGNATURES = 10;

/**
 * Reads a request to Rekor v2: ProtoJSON in either spelling, and no field that is not known.
 *
 * @throws RekorError `entry-malformed`, `entry-unsupported`, `key-unsupported`; WireError `json-malformed`, `json-too-deep`, `too-large`
 * @see https://github.com/sigstore/rekor-tiles/blob/main/api/proto/rekor/v2/rekor_service.proto
 */
export function decodeV2Request(bytes: Uint8Array): V2Request {
  const value = parseJson(bytes, { what: WHAT, maxDepth: 16 });
  if (!isJsonObject(value)) throw new RekorError('entry-malformed', `${WHAT} is JSON, expected an object`);
  try {
    return readRequest(new MessageReader(value, WHAT, 'log-entry-malformed'));
  } catch (error) {
    if (error instanceof TrustError) throw new RekorError('entry-malformed', error.message, { cause: error });
    throw error;
  }
}

function readRequest(request: MessageReader): V2Request {
  const hashedRekord = request.message('hashedRekordRequestV002');
  const dsse = request.message('dsseRequestV002');
  request.end();
  if (hashedRekord !== undefined && dsse === undefined) return readHashedRekord(hashedRekord);
  if (dsse !== undefined && hashedRekord === undefined) return readDsse(dsse);
  throw new RekorError(
    'entry-unsupported',
    `${WHAT} has ${dsse === undefined ? 'no entry' : 'two entries'}, expected a hashedRekordRequestV002 or a dsseRequestV002`,
  );
}

function readHashedRekord(request: MessageReader): V2HashedRekord {
  const signed = request.message('signature');
  if (signed === undefined) throw request.malformed('signature', 'not there');
  const digest = requireOctets(request, 'digest');
  request.end();
  const signature = requireOctets(signed, 'content');
  const by = readVerifier(signed.message('verifier'), signed);
  signed.end();
  return { kind: 'hashedrekord', digest, signature, by };
}

function readDsse(request: MessageReader): V2Dsse {
  const envelope = request.message('envelope');
  if (envelope === undefined) throw request.malformed('envelope', 'not there');
  const verifiers = request.messages('verifiers', MAX_SIGNATURES);
  if (verifiers.length === 0) throw request.malformed('verifiers', 'empty');
  request.end();
  const payload = envelope.bytes('payload');
  const payloadType = envelope.string('payloadType');
  const signatures = envelope.messages('signatures', MAX_SIGNATURES).map((item) => {
    const sig = requireOctets(item, 'sig');
    const keyid = item.string('keyid');
    item.end();
    return keyid === '' ? { sig } : { sig, keyid };
  });
  if (signatures.length === 0) throw envelope.malformed('signatures', 'empty');
  envelope.end();
  return {
    kind: 'dsse',
    envelope: { payloadType, payload, signatures },
    by: verifiers.map((item) => readVerifier(item, request)),
  };
}

function readVerifier(reader: MessageReader | undefined, parent: MessageReader): V2Verifier {
  if (reader === undefined) throw parent.malformed('verifier', 'not there');
  const publicKey = reader.message('publicKey');
  const certificate = reader.message('x509Certificate');
  const named = reader.take('keyDetails');
  reader.end();
  const raw = publicKey ?? certificate;
  if (raw === undefined || (publicKey !== undefined && certificate !== undefined))
    throw reader.malformed('publicKey', 'not there or there beside an x509Certificate, expected one of the two');
  const der = requireOctets(raw, 'rawBytes');
  raw.end();
  const keyDetails = KEY_DETAILS.find((known) => known === named);
  if (keyDetails === undefined) {
    const found = typeof named === 'string' ? `'${printable(named, 60)}'` : 'no text';
    throw new RekorError(
      'key-unsupported',
      `${reader.what}.keyDetails is ${found}, expected ${KEY_DETAILS.join(', ')}`,
    );
  }
  const verifier: LogVerifier =
    publicKey === undefined ? { kind: 'certificate', der, chain: [] } : { kind: 'public-key', der };
  return { verifier, keyDetails };
}

function requireOctets(message: MessageReader, name: string): Uint8Array {
  const octets = message.bytes(name);
  if (octets.length === 0) throw message.malformed(name, 'empty');
  return octets;
}
