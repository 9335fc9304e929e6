// SPDX-License-Identifier: Apache-2.0
import { createPublicKey, type KeyObject } from 'node:crypto';
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { ecdsaKey } from '../key/ecdsa-key.ts';
import { readKeyStructure } from '../key/key-structure.ts';
import { publicKeyOf, requireSupported, type PublicKey } from '../key/public-key.ts';

/**
 * Imports a DER SubjectPublicKeyInfo in its one usual encoding.
 *
 * @param what names its place in errors
 * @throws TrustError `key-unsupported`, `key-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.7
 */
export function importSpki(spki: Uint8Array, what: string): PublicKey {
  const usual = ecdsaKey(spki, what);
  if (usual !== undefined) return usual;
  const type = requireKey(spki, what);
  const key = publicKeyOf(importKey(spki, what, type), what);
  // The hash of these octets names the key in logs: one key must not have two such names.
  if (!sameOctets(key.spki, spki))
    throw new TrustError('key-unsupported', `${what} holds a key of type ${type} in an unusual encoding`);
  return key;
}

function importKey(spki: Uint8Array, what: string, type: string): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new TrustError('key-malformed', `${what} holds a broken ${type} key`, { cause });
  }
}

function requireKey(spki: Uint8Array, what: string): string {
  const structure = readKeyStructure(spki);
  if (structure?.form !== 'spki') throw new TrustError('key-malformed', `${what} holds no public key`);
  requireSupported(structure, what);
  return structure.type ?? 'public';
}
