// SPDX-License-Identifier: Apache-2.0
import { createPublicKey, hash, type KeyObject } from 'node:crypto';
import { TrustError } from '../error.ts';
import { ecdsaKey } from './ecdsa-key.ts';
import { readKeyFile, type KeyFile } from './key-file.ts';
import { importJwk, isPrivateJwk } from './json-web-key.ts';
import type { KeyStructure } from './key-structure.ts';
import { encodePem } from './pem.ts';

/** The kinds of key that can be generated; ECDSA on P-256 is cosign's default. */
export const KEY_ALGORITHMS = [
  'ecdsa-p256',
  'ecdsa-p384',
  'ecdsa-p521',
  'ed25519',
  'rsa-2048',
  'rsa-3072',
  'rsa-4096',
] as const;

/** A kind of key that can be generated. */
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number];

/** The kinds of key that are read: RSA may have any size from 2048 to 4096 bits. */
export type PublicKeyAlgorithm = Exclude<KeyAlgorithm, `rsa-${string}`> | `rsa-${number}`;

/** A public key that may be trusted to verify. */
export interface PublicKey {
  readonly algorithm: PublicKeyAlgorithm;
  /** DER SubjectPublicKeyInfo. @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1 */
  readonly spki: Uint8Array;
  /** base64 of the SHA-256 of `spki`: what cosign writes into a bundle to say which key to try */
  readonly hint: string;
  readonly object: KeyObject;
}

/** What of a key verifies a signature, and can be handed to another thread. */
export type KeyOctets = Pick<PublicKey, 'algorithm' | 'spki'>;

const SUPPORTED = 'ECDSA on P-256, P-384 or P-521, Ed25519, or RSA with 2048 to 4096 bits';
const SUPPORTED_TYPES: ReadonlySet<string> = new Set(['P-256', 'P-384', 'P-521', 'Ed25519', 'RSA']);
/** by OpenSSL's names */
const CURVES: ReadonlyMap<string | undefined, PublicKeyAlgorithm> = new Map([
  ['prime256v1', 'ecdsa-p256'],
  ['secp384r1', 'ecdsa-p384'],
  ['secp521r1', 'ecdsa-p521'],
]);

/**
 * The points of Ed25519 whose order divides 8, in every spelling, without the sign. Under such a key anybody can make a signature that
 * OpenSSL verifies, over any message. @see https://eprint.iacr.org/2020/1244 table 6
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/**
 * Reads a public key: PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`), the same as DER, or a JWK. A certificate is not taken for a key.
 *
 * @param what names the source in errors, for example `cosign.pub`
 * @throws TrustError `key-is-private` for a private key, `key-unsupported`, `key-malformed`, `pem-malformed`; WireError `base64-malformed`
 * @example
 * const key = decodePublicKey(await readFile('cosign.pub'), 'cosign.pub');
 */
export function decodePublicKey(bytes: Uint8Array, what: string): PublicKey {
  const file = readKeyFile(bytes, what);
  if (file.kind === 'sigstore' || isPrivate(file)) {
    throw new TrustError(
      'key-is-private',
      `${what} holds a private key, expected a public one. Are you passing the correct public key?`,
    );
  }
  if (file.kind === 'jwk') return publicKeyOf(importJwk(file.jwk, 'public', what), what);
  requireSupported(file.structure, what);
  const usual = ecdsaKey(new Uint8Array(file.der), what);
  if (usual !== undefined) return usual;
  const type = file.structure.form === 'spki' ? 'spki' : 'pkcs1';
  let object: KeyObject;
  try {
    object = createPublicKey({ key: Buffer.from(file.der), format: 'der', type });
  } catch (cause) {
    throw new TrustError('key-malformed', `${what} holds a broken ${file.structure.type ?? 'public'} key`, { cause });
  }
  return publicKeyOf(object, what);
}

/** PEM of the SubjectPublicKeyInfo, byte for byte what cosign writes into `cosign.pub`. */
export function encodePublicKey(key: PublicKey): string {
  return encodePem('PUBLIC KEY', key.spki);
}

/** Wraps an imported key. @throws TrustError `key-unsupported` if it is of a kind that is not used here */
export function publicKeyOf(imported: KeyObject, what: string): PublicKey {
  const algorithm = algorithmOf(imported, what);
  // A point may have come compressed. Written out, as Go does, one key has one hint.
  const object = imported.asymmetricKeyType === 'ec' ? uncompressed(imported) : imported;
  const spki = new Uint8Array(object.export({ type: 'spki', format: 'der' }));
  return { algorithm, spki, hint: hash('sha256', spki, 'base64'), object };
}

/** @throws TrustError `key-unsupported`, naming what was found */
export function requireSupported(structure: KeyStructure, what: string): void {
  if (structure.type !== undefined && !SUPPORTED_TYPES.has(structure.type)) throw unsupported(what, structure.type);
}

function isPrivate(file: Exclude<KeyFile, { kind: 'sigstore' }>): boolean {
  if (file.kind === 'jwk') return isPrivateJwk(file.jwk);
  return file.structure.form !== 'spki' && file.structure.form !== 'pkcs1-public';
}

function uncompressed(key: KeyObject): KeyObject {
  return createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' });
}

function algorithmOf(object: KeyObject, what: string): PublicKeyAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = object;
  if (type === 'ed25519') return ed25519Algorithm(object, what);
  if (type === 'rsa') return rsaAlgorithm(details.modulusLength ?? 0, details.publicExponent ?? 0n, what);
  const algorithm = CURVES.get(type === 'ec' ? details.namedCurve : undefined);
  if (algorithm === undefined) throw unsupported(what, details.namedCurve ?? type ?? 'unknown');
  return algorithm;
}

function ed25519Algorithm(object: KeyObject, what: string): 'ed25519' {
  const point = new Uint8Array(object.export({ type: 'spki', format: 'der' }).subarray(-32));
  point[31] = (point[31] ?? 0) & 0x7f;
  if (SMALL_ORDER.has(Buffer.from(point).toString('hex')))
    throw unsupported(what, 'Ed25519 with a point of small order');
  return 'ed25519';
}

// FIPS 186-5 section A.1.1: an odd exponent of 17 to 256 bits. A smaller one makes padding mistakes exploitable, 1 signs nothing.
function rsaAlgorithm(bits: number, exponent: bigint, what: string): PublicKeyAlgorithm {
  if (bits < 2048 || bits > 4096) throw unsupported(what, `RSA with ${bits} bits`);
  if (exponent < 65537n || exponent >= 1n << 256n || exponent % 2n === 0n) {
    throw unsupported(
      what,
      exponent < 65537n ? `RSA with the exponent ${exponent}` : 'RSA with an oversized or even exponent',
    );
  }
  return `rsa-${bits}`;
}

function unsupported(what: string, found: string): TrustError {
  return new TrustError('key-unsupported', `${what} holds a key of type ${found}, expected ${SUPPORTED}`);
}
