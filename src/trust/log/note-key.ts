// SPDX-License-Identifier: Apache-2.0
import { createPublicKey, hash, verify, type KeyObject } from 'node:crypto';
import { decodeBase64, encodeBase64 } from '../../wire/index.ts';
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { decodePublicKey, type PublicKey } from '../key/public-key.ts';
import type { Signer } from '../key/signer.ts';
import { printable } from '../printable.ts';
import { encodeNote, KEY_ID_BYTES, requireName, type NoteSignature } from './note.ts';
import { verifyLogSignature } from './verify-log-signature.ts';

/** How a key signs notes: as a log, or as a witness that says at what time it saw one. */
export type NoteKeyType = 'ed25519' | 'ecdsa' | 'rsa' | 'cosignature-ed25519' | 'cosignature-ml-dsa-44';

/** A key under the name that its signatures bear. */
export interface NoteKey {
  readonly name: string;
  readonly type: NoteKeyType;
  /** 4 octets */
  readonly keyId: Uint8Array;
  readonly object: KeyObject;
  /** whether it signed these octets; for a cosignature those that `cosignedMessage` gives */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

/** Something that signs notes. */
export interface NoteSigner {
  readonly name: string;
  readonly keyId: Uint8Array;
  sign(text: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

const ED25519 = 0x01;
const COSIGNATURE = 0x04;
const ML_DSA_44 = 0x06;
const UNASSIGNED = 0xff;
const RSA_NAME = 'PKIX-RSA-PKCS#1v1.5';
// What stands before the key itself. RFC 8410 section 4, RFC 9881 section 4.
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const ML_DSA_44_PREFIX = Buffer.from('30820532300b06096086480165030403110382052100', 'hex');

/**
 * The whole hash that names a key under a note; its first four octets are the key id, all of it is the id of a Rekor v2 log.
 *
 * @see https://github.com/C2SP/C2SP/blob/main/signed-note.md#signature-types
 */
export function noteKeyHash(name: string, { algorithm, spki }: Pick<PublicKey, 'algorithm' | 'spki'>): Uint8Array {
  if (algorithm === 'ed25519') return hashOf(name, ED25519, spki.subarray(-32));
  // ECDSA keys were in use before there was a rule, and are named without the log.
  if (algorithm.startsWith('ecdsa-')) return hash('sha256', spki, 'buffer');
  return hashOf(name, UNASSIGNED, Buffer.concat([Buffer.from(RSA_NAME), spki]));
}

/** A log's key under its name. @throws TrustError `note-malformed` for a name that cannot be one */
export function noteKey(name: string, key: PublicKey): NoteKey {
  requireName(name, 'the key');
  return {
    name,
    type: key.algorithm === 'ed25519' ? 'ed25519' : key.algorithm.startsWith('ecdsa-') ? 'ecdsa' : 'rsa',
    keyId: noteKeyHash(name, key).subarray(0, KEY_ID_BYTES),
    object: key.object,
    verify: (message, signature) => verifyLogSignature(key, message, signature),
  };
}

/** Signs notes as a log. @throws TrustError `note-malformed` for a name that cannot be one */
export function noteSigner(name: string, signer: Signer): NoteSigner {
  const { keyId } = noteKey(name, signer.publicKey);
  return { name, keyId, sign: (text) => signer.sign(text) };
}

/**
 * Signs a text as a note, with each of these.
 *
 * @throws TrustError `note-malformed`; what the signers throw
 * @example
 * const checkpoint = await signNote(encodeCheckpoint({ origin, size, root, extensions: [] }), [noteSigner(origin, signer)]);
 */
export async function signNote(text: string, signers: readonly NoteSigner[]): Promise<string> {
  const octets = Buffer.from(text);
  const signatures = await Promise.all(
    signers.map(async (signer) => ({
      name: signer.name,
      keyId: signer.keyId,
      signature: await signer.sign(octets),
    })),
  );
  return encodeNote({ text, signatures });
}

/**
 * Reads a key as logs and witnesses publish it: `name+hexid+base64`.
 *
 * @throws TrustError `note-key-malformed`, `note-malformed`, `key-unsupported`; WireError `base64-malformed`
 * @see https://github.com/C2SP/C2SP/blob/main/signed-note.md#verifier-keys
 */
export function decodeNoteKey(vkey: string): NoteKey {
  const [, name, id, encoded] = /^([^+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{1,4096})$/.exec(vkey) ?? [];
  if (name === undefined || id === undefined || encoded === undefined)
    throw malformed(vkey, 'expected name+hexadecimal id+base64');
  requireName(name, 'the key');
  const [type, ...key] = decodeBase64(encoded, `the key ${printable(name)}`);
  const decoded = keyOf(name, type, Uint8Array.from(key), vkey);
  if (Buffer.from(decoded.keyId).toString('hex') !== id)
    throw malformed(vkey, `expected the id ${Buffer.from(decoded.keyId).toString('hex')}`);
  return decoded;
}

/** Writes a key as logs and witnesses publish it. @throws TrustError `note-key-malformed` for a type that has no such form */
export function encodeNoteKey({ name, type, keyId, object }: NoteKey): string {
  const octet = { ed25519: ED25519, 'cosignature-ed25519': COSIGNATURE, 'cosignature-ml-dsa-44': ML_DSA_44 };
  if (type === 'ecdsa' || type === 'rsa') throw malformed(`${name}, ${type}`, 'expected Ed25519 or ML-DSA-44');
  const prefix = type === 'cosignature-ml-dsa-44' ? ML_DSA_44_PREFIX : ED25519_PREFIX;
  const key = object.export({ type: 'spki', format: 'der' }).subarray(prefix.length);
  return `${name}+${Buffer.from(keyId).toString('hex')}+${encodeBase64(Buffer.concat([Uint8Array.of(octet[type]), key]))}`;
}

/** Whether a line under a note is by this key, going by what it says of itself. */
export function isNamed({ name, keyId }: NoteSignature, key: Pick<NoteKey, 'name' | 'keyId'>): boolean {
  return name === key.name && sameOctets(keyId, key.keyId);
}

function keyOf(name: string, type: number | undefined, key: Uint8Array, vkey: string): NoteKey {
  if ((type === ED25519 || type === COSIGNATURE) && key.length === 32) {
    const publicKey = decodePublicKey(Buffer.concat([ED25519_PREFIX, key]), `the key ${printable(name)}`);
    if (type === ED25519) return noteKey(name, publicKey);
    const verifies = noteKey(name, publicKey);
    return {
      ...verifies,
      type: 'cosignature-ed25519',
      keyId: hashOf(name, COSIGNATURE, key).subarray(0, KEY_ID_BYTES),
    };
  }
  if (type !== ML_DSA_44 || key.length !== 1312)
    throw malformed(vkey, 'expected Ed25519 (type 1, or 4 for a witness) or ML-DSA-44 (type 6)');
  return {
    name,
    type: 'cosignature-ml-dsa-44',
    keyId: hashOf(name, ML_DSA_44, key).subarray(0, KEY_ID_BYTES),
    ...mlDsaKey(key, name),
  };
}

function mlDsaKey(key: Uint8Array, name: string): Pick<NoteKey, 'object' | 'verify'> {
  let object: KeyObject;
  try {
    object = createPublicKey({ key: Buffer.concat([ML_DSA_44_PREFIX, key]), format: 'der', type: 'spki' });
  } catch (cause) {
    const where = `the key ${printable(name)}, of type ML-DSA-44, cannot be used by this runtime`;
    throw new TrustError('key-unsupported', where, { cause });
  }
  return { object, verify: (message, signature) => verifyMlDsa(object, message, signature) };
}

function verifyMlDsa(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(null, message, key, signature);
  } catch {
    return false; // a library that throws at a signature has not verified it
  }
}

function hashOf(name: string, type: number, key: Uint8Array): Uint8Array {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), Uint8Array.of(type), key]), 'buffer');
}

function malformed(vkey: string, expected: string): TrustError {
  return new TrustError('note-key-malformed', `'${printable(vkey, 60)}' is no key for notes: ${expected}`);
}
