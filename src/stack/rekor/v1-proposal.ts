// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { decodeEnvelope, decodePem, printable, TrustError } from '../../trust/index.ts';
import type { Envelope, LogDigest, LogDigestAlgorithm, LogVerifier } from '../../trust/index.ts';
import { decodeBase64, isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { RekorError } from './rekor-error.ts';

/** What a client of Rekor v1 proposes to enter. */
export type V1Proposal = V1HashedRekord | V1Dsse | V1Intoto;

export interface V1HashedRekord {
  readonly kind: 'hashedrekord';
  readonly digest: LogDigest;
  readonly signature: Uint8Array;
  readonly by: LogVerifier;
}

export interface V1Dsse {
  readonly kind: 'dsse';
  readonly envelope: Envelope;
  /** of the envelope as it was sent */
  readonly envelopeHash: LogDigest;
  readonly by: readonly LogVerifier[];
}

export interface V1Intoto {
  readonly kind: 'intoto';
  readonly envelope: Envelope;
  /** as the client says; it is kept and not checked */
  readonly envelopeHash: LogDigest;
  /** one for each signature */
  readonly by: readonly LogVerifier[];
}

const WHAT = 'the entry';
const MAX_CERTIFICATES = 10;
/** of an envelope, and of keys for them: each may have to be tried with each */
const MAX_SIGNATURES = 10;
/** by how many octets they have */
const DIGESTS: ReadonlyMap<number, LogDigestAlgorithm> = new Map([
  [32, 'sha256'],
  [48, 'sha384'],
  [64, 'sha512'],
]);
const TAKEN = 'hashedrekord 0.0.1, dsse 0.0.1, intoto 0.0.2';

/**
 * Reads a proposed entry of Rekor v1. Members that it does not need are skipped, as Rekor does: clients write all of a Go structure.
 *
 * @throws RekorError `entry-malformed`, `entry-unsupported`; WireError `json-malformed`, `json-too-deep`, `too-large`, `base64-malformed`
 * @see https://github.com/sigstore/rekor/tree/main/pkg/types
 */
export function decodeV1Proposal(bytes: Uint8Array): V1Proposal {
  return readV1Proposal(parseJson(bytes, { what: WHAT, maxDepth: 16 }));
}

/** The same, where it stands in another document. */
export function readV1Proposal(value: Json): V1Proposal {
  const entry = objectOf(value, WHAT);
  const name = `${printable(textOf(entry, 'kind', WHAT), 40)} ${printable(textOf(entry, 'apiVersion', WHAT), 20)}`;
  const read = READERS.get(name);
  if (read === undefined)
    throw new RekorError('entry-unsupported', `${WHAT} is of the kind ${name}, this log takes ${TAKEN}`);
  const what = `${WHAT}.spec`;
  return read(objectOf(entry['spec'], what), what);
}

type Members = { readonly [member: string]: Json };

const READERS: ReadonlyMap<string, (spec: Members, what: string) => V1Proposal> = new Map<
  string,
  (spec: Members, what: string) => V1Proposal
>([
  ['hashedrekord 0.0.1', readHashedRekord],
  ['dsse 0.0.1', readDsse],
  ['intoto 0.0.2', readIntoto],
]);

function readHashedRekord(spec: Members, what: string): V1Proposal {
  const data = objectOf(spec['data'], `${what}.data`);
  const digest = digestOf(data['hash'], `${what}.data.hash`);
  const signed = objectOf(spec['signature'], `${what}.signature`);
  const key = objectOf(signed['publicKey'], `${what}.signature.publicKey`);
  return {
    kind: 'hashedrekord',
    digest,
    signature: octetsOf(signed, 'content', `${what}.signature`),
    by: verifierOf(octetsOf(key, 'content', `${what}.signature.publicKey`), `${what}.signature.publicKey.content`),
  };
}

function readDsse(spec: Members, what: string): V1Proposal {
  const proposed = objectOf(spec['proposedContent'], `${what}.proposedContent`);
  const text = Buffer.from(textOf(proposed, 'envelope', `${what}.proposedContent`));
  const verifiers = listOf(proposed, 'verifiers', `${what}.proposedContent`);
  const by = verifiers.map((item, index) => {
    const name = `${what}.proposedContent.verifiers[${index}]`;
    if (typeof item !== 'string') throw malformed(name, 'no text');
    return verifierOf(decodeBase64(item, name), name);
  });
  const envelopeHash = { algorithm: 'sha256', bytes: hash('sha256', text, 'buffer') } as const;
  return { kind: 'dsse', envelope: envelopeOf(text, `${what}.proposedContent.envelope`), envelopeHash, by };
}

function readIntoto(spec: Members, what: string): V1Proposal {
  const content = objectOf(spec['content'], `${what}.content`);
  const where = `${what}.content.envelope`;
  const written = objectOf(content['envelope'], where);
  const by: LogVerifier[] = [];
  const signatures = listOf(written, 'signatures', where).map((item, index) => {
    const name = `${where}.signatures[${index}]`;
    const signature = objectOf(item, name);
    by.push(verifierOf(octetsOf(signature, 'publicKey', name), `${name}.publicKey`));
    const keyid = signature['keyid'] ?? '';
    if (typeof keyid !== 'string') throw malformed(`${name}.keyid`, 'no text');
    return { sig: twiceEncoded(signature, 'sig', name), ...(keyid === '' ? {} : { keyid }) };
  });
  const payloadType = textOf(written, 'payloadType', where);
  const payload = twiceEncoded(written, 'payload', where);
  const envelopeHash = digestOf(content['hash'], `${what}.content.hash`);
  return { kind: 'intoto', envelope: { payloadType, payload, signatures }, envelopeHash, by };
}

function envelopeOf(text: Uint8Array, what: string): Envelope {
  let envelope: Envelope;
  try {
    envelope = decodeEnvelope(text, what);
  } catch (error) {
    if (error instanceof TrustError) throw new RekorError('entry-malformed', error.message, { cause: error });
    throw error;
  }
  const { signatures } = envelope;
  if (signatures.length === 0 || signatures.length > MAX_SIGNATURES)
    throw malformed(`${what}.signatures`, `a list of ${signatures.length}, expected 1 to ${MAX_SIGNATURES}`);
  return envelope;
}

/** PEM: a public key, or a certificate and those above it. */
function verifierOf(file: Uint8Array, what: string): LogVerifier {
  let blocks;
  try {
    blocks = decodePem(Buffer.from(file).toString('latin1'), what);
  } catch (error) {
    if (error instanceof TrustError) throw new RekorError('entry-malformed', error.message, { cause: error });
    throw error;
  }
  const [first, ...others] = blocks;
  if (first === undefined) throw malformed(what, 'no PEM');
  // Which of the two it says it is does not matter: whoever imports the key sees what it is.
  if (/^(?:RSA )?PUBLIC KEY$/.test(first.label) && others.length === 0) return { kind: 'public-key', der: first.bytes };
  const certificates = blocks.every(({ label }) => label === 'CERTIFICATE');
  if (!certificates || blocks.length > MAX_CERTIFICATES) {
    const found = blocks.slice(0, 3).map(({ label }) => label);
    throw malformed(
      what,
      `${blocks.length} PEM blocks (${found.join(', ')}), expected one PUBLIC KEY or 1 to ${MAX_CERTIFICATES} CERTIFICATE`,
    );
  }
  return { kind: 'certificate', der: first.bytes, chain: others.map(({ bytes }) => bytes) };
}

function digestOf(value: Json | undefined, what: string): LogDigest {
  const members = objectOf(value, what);
  const named = textOf(members, 'algorithm', what);
  const text = textOf(members, 'value', what);
  const bytes = new Uint8Array(Buffer.from(text, 'hex'));
  const algorithm = DIGESTS.get(bytes.length);
  if (algorithm === undefined || algorithm !== named || text.length !== 2 * bytes.length)
    throw malformed(
      what,
      `'${printable(named, 20)}:${printable(text, 140)}', expected sha256, sha384 or sha512 in hexadecimal`,
    );
  return { algorithm, bytes };
}

/** What was base64 before, and was written as octets: in kind intoto everything is. */
function twiceEncoded(members: Members, name: string, what: string): Uint8Array {
  const text = Buffer.from(octetsOf(members, name, what)).toString('latin1');
  return decodeBase64(text, `the text of ${what}.${name}`);
}

function objectOf(value: Json | undefined, what: string): Members {
  if (!isJsonObject(value)) throw malformed(what, value === undefined ? 'not there' : 'no object');
  return value;
}

function textOf(members: Members, name: string, what: string): string {
  const value = members[name];
  if (typeof value !== 'string' || value === '')
    throw malformed(`${what}.${name}`, value === undefined ? 'not there' : 'no text');
  return value;
}

function octetsOf(members: Members, name: string, what: string): Uint8Array {
  return decodeBase64(textOf(members, name, what), `${what}.${name}`);
}

function listOf(members: Members, name: string, what: string): readonly Json[] {
  const value = members[name];
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_SIGNATURES)
    throw malformed(`${what}.${name}`, `no list of 1 to ${MAX_SIGNATURES}`);
  return value;
}

function malformed(what: string, found: string): RekorError {
  return new RekorError('entry-malformed', `${what} is ${found}`);
}
