// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import {
  BUNDLE_MEDIA_TYPES,
  HASH_ALGORITHMS,
  type Bundle,
  type BundleContent,
  type KeyMaterial,
  type MessageDigest,
} from './bundle.ts';
import { MAX_SIGNATURES, type Envelope } from './envelope.ts';
import { readLogEntry } from './log-entry.ts';
import { MessageReader } from './proto-json.ts';
import { parseStrictObject } from './strict-json.ts';

/** bytes of a bundle, unless the caller allows more */
const MAX_BYTES = 4 * 1024 * 1024;
// The caps of sigstore-go, set after GHSA-cq38-jh5f-37mq.
const MAX_LOG_ENTRIES = 32;
const MAX_TIMESTAMPS = 32;
const MAX_CHAIN = 16;

/**
 * Reads a bundle of version 0.1, 0.2 or 0.3, strictly: ProtoJSON as sigstore's own readers take it (both spellings of a field, 64-bit
 * numbers with or without quotes, either alphabet of base64), no unknown field, none twice, exactly one content and one material.
 * What may be left out is left out of the value; whether that is enough is for verification to say.
 *
 * @param what names the bundle in errors
 * @throws TrustError `bundle-malformed`, `bundle-unsupported`; WireError `too-large`, `json-too-deep`, `json-malformed`, `base64-malformed`
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
 * @example
 * const bundle = decodeBundle(await readFile('app.sigstore.json'), 'app.sigstore.json');
 */
export function decodeBundle(bytes: Uint8Array, what: string, options: { readonly maxBytes?: number } = {}): Bundle {
  const fields = parseStrictObject(bytes, what, 'bundle-malformed', options.maxBytes ?? MAX_BYTES);
  const reader = new MessageReader(fields, what);
  const mediaType = reader.string('mediaType');
  const version = BUNDLE_MEDIA_TYPES.get(mediaType);
  if (version === undefined) {
    const found = mediaType === '' ? 'no media type' : `the media type '${printable(mediaType)}'`;
    throw new TrustError(
      'bundle-unsupported',
      `${what} has ${found}, expected a sigstore bundle of version 0.1, 0.2 or 0.3`,
    );
  }
  const verification = reader.message('verificationMaterial');
  if (verification === undefined) throw reader.malformed('verificationMaterial', 'missing');
  const material = readMaterial(verification, version);
  const logEntries = verification.messages('tlogEntries', MAX_LOG_ENTRIES).map((entry) => readLogEntry(entry));
  const timestamps = readTimestamps(verification.message('timestampVerificationData'));
  verification.end();
  const content = readContent(reader);
  reader.end();
  return { mediaType, material, content, logEntries, timestamps };
}

function readMaterial(verification: MessageReader, version: string): KeyMaterial {
  const key = verification.message('publicKey');
  const chain = verification.message('x509CertificateChain');
  const single = verification.message('certificate');
  const given = [key, chain, single].filter((message) => message !== undefined);
  if (given.length !== 1) {
    const what = `${verification.what} has ${given.length} of publicKey, certificate and x509CertificateChain`;
    throw new TrustError('bundle-malformed', `${what}, expected exactly one`);
  }
  if (key !== undefined) {
    const hint = key.string('hint');
    key.end();
    return hint === '' ? { kind: 'public-key' } : { kind: 'public-key', hint };
  }
  if (chain !== undefined && version === '0.3')
    throw verification.malformed('x509CertificateChain', 'not part of version 0.3');
  const certificates = single === undefined ? (chain?.messages('certificates', MAX_CHAIN) ?? []) : [single];
  chain?.end();
  if (certificates.length === 0) throw verification.malformed('x509CertificateChain', 'empty');
  return { kind: 'certificate', chain: certificates.map((certificate) => readRequiredBytes(certificate, 'rawBytes')) };
}

function readTimestamps(data: MessageReader | undefined): readonly Uint8Array[] {
  const timestamps = data?.messages('rfc3161Timestamps', MAX_TIMESTAMPS) ?? [];
  data?.end();
  return timestamps.map((timestamp) => readRequiredBytes(timestamp, 'signedTimestamp'));
}

function readContent(bundle: MessageReader): BundleContent {
  const message = bundle.message('messageSignature');
  const envelope = bundle.message('dsseEnvelope');
  if (envelope !== undefined && message === undefined) return { kind: 'dsse', envelope: readEnvelope(envelope) };
  if (message === undefined || envelope !== undefined) {
    throw new TrustError(
      'bundle-malformed',
      `${bundle.what} has ${message === undefined ? 'neither' : 'both'} of messageSignature and dsseEnvelope, expected exactly one`,
    );
  }
  const digestMessage = message.message('messageDigest');
  const digest = digestMessage === undefined ? undefined : readMessageDigest(digestMessage);
  const signature = message.bytes('signature');
  message.end();
  return { kind: 'message', ...(digest === undefined ? {} : { digest }), signature };
}

// cosign 3.1.1 writes an empty one for keys of type Ed25519.
function readMessageDigest(message: MessageReader): MessageDigest | undefined {
  const named = message.take('algorithm');
  const bytes = message.bytes('digest');
  message.end();
  const unset = named === undefined || named === 0 || named === 'HASH_ALGORITHM_UNSPECIFIED';
  if (unset && bytes.byteLength === 0) return undefined;
  const [, , algorithm] = HASH_ALGORITHMS.find(([name, number]) => named === name || named === number) ?? [];
  if (algorithm !== undefined) return { algorithm, bytes };
  const found = typeof named === 'string' ? printable(named, 40) : JSON.stringify(named ?? null);
  throw new TrustError(
    'bundle-unsupported',
    `${message.what} has the algorithm ${printable(found, 40)}, expected SHA-2 or SHA-3`,
  );
}

function readEnvelope(envelope: MessageReader): Envelope {
  const payload = envelope.bytes('payload');
  const payloadType = envelope.string('payloadType');
  const signatures = envelope.messages('signatures', MAX_SIGNATURES).map((signature) => {
    const sig = signature.bytes('sig');
    const keyid = signature.string('keyid');
    signature.end();
    return keyid === '' ? { sig } : { keyid, sig };
  });
  envelope.end();
  return { payloadType, payload, signatures };
}

function readRequiredBytes(message: MessageReader, name: string): Uint8Array {
  const bytes = message.bytes(name);
  message.end();
  if (bytes.byteLength === 0) throw message.malformed(name, 'empty');
  return bytes;
}
