// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson, WireError, type Json } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { readKeyStructure, type KeyStructure } from './key-structure.ts';
import { decodePem, type PemBlock } from './pem.ts';

/** What a key file holds, told apart and not yet opened. */
export type KeyFile =
  | { readonly kind: 'der'; readonly der: Uint8Array; readonly structure: KeyStructure }
  /** the JSON inside cosign's own PEM block */
  | { readonly kind: 'sigstore'; readonly json: Uint8Array }
  | { readonly kind: 'jwk'; readonly jwk: { readonly [member: string]: Json } };

/** An RSA 4096 key by cosign has 4.7 KB. */
const MAX_BYTES = 64 * 1024;
const SIGSTORE_LABELS: ReadonlySet<string> = new Set([
  'ENCRYPTED SIGSTORE PRIVATE KEY',
  'ENCRYPTED COSIGN PRIVATE KEY',
]);

/**
 * Finds the one key in a file: PEM, DER or JWK.
 *
 * Messages never quote the file: whatever it is, it may be a secret.
 *
 * @throws TrustError `key-malformed`, `key-unsupported`, `pem-malformed`; WireError `base64-malformed`
 */
export function readKeyFile(bytes: Uint8Array, what: string): KeyFile {
  if (bytes.byteLength > MAX_BYTES) throw malformed(what, `${bytes.byteLength} bytes, a key has at most ${MAX_BYTES}`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  if (text.includes('-----BEGIN ')) return fromPem(onlyKey(decodePem(text, what), what), what);
  if (bytes[0] === 0x30) return fromDer(bytes, what);
  if (text.trimStart().startsWith('{')) return { kind: 'jwk', jwk: parseJwk(bytes, what) };
  throw malformed(
    what,
    bytes.byteLength === 0 ? 'nothing' : `${bytes.byteLength} bytes that are neither PEM, DER nor JWK`,
  );
}

function fromDer(der: Uint8Array, what: string): KeyFile {
  const structure = readKeyStructure(der);
  if (structure === undefined) throw malformed(what, 'DER that is no key');
  if (structure.form === 'certificate') throw unsupported(what, 'a certificate', 'a key');
  return { kind: 'der', der, structure };
}

function fromPem(block: PemBlock, what: string): KeyFile {
  if (SIGSTORE_LABELS.has(block.label)) return { kind: 'sigstore', json: block.bytes };
  if (block.label === 'OPENSSH PRIVATE KEY') {
    throw unsupported(what, 'an OpenSSH private key', 'PEM (ssh-keygen -p -m PKCS8 -f FILE converts it)');
  }
  if (block.headers.some((header) => /^Proc-Type:.*ENCRYPTED/.test(header))) {
    throw unsupported(what, "encrypted in OpenSSL's old way", 'encrypted PKCS#8 (openssl pkcs8 -topk8 converts it)');
  }
  const structure = readKeyStructure(block.bytes);
  if (structure?.form === 'certificate') return fromDer(block.bytes, what);
  if (structure === undefined) throw malformed(what, `a PEM block '${block.label}' that holds no key`);
  return { kind: 'der', der: block.bytes, structure };
}

// OpenSSL puts EC PARAMETERS before the key, and some people a certificate behind it; two keys would leave open which is meant.
function onlyKey(blocks: readonly PemBlock[], what: string): PemBlock {
  const keys = blocks.filter((block) => block.label.endsWith('KEY'));
  const [key] = keys.length === 0 ? blocks.filter((block) => block.label !== 'EC PARAMETERS') : keys;
  if (key === undefined) throw malformed(what, 'PEM without a key');
  if (keys.length > 1)
    throw malformed(what, `${keys.length} keys (${keys.map(({ label }) => label).join(', ')})`, 'one key a file');
  return key;
}

function parseJwk(bytes: Uint8Array, what: string): { readonly [member: string]: Json } {
  let value: Json;
  try {
    value = parseJson(bytes, { what, maxBytes: MAX_BYTES, maxDepth: 8 });
  } catch (error) {
    // The parser's message quotes what it read: not repeated, it may be a private key.
    if (error instanceof WireError) throw malformed(what, 'text that begins like a JWK and is not JSON');
    throw error;
  }
  if (!isJsonObject(value)) throw malformed(what, 'JSON that is no object');
  return value;
}

function malformed(what: string, found: string, expected = 'a key'): TrustError {
  return new TrustError('key-malformed', `${what} holds ${printable(found, 200)}, expected ${expected}`);
}

function unsupported(what: string, found: string, expected: string): TrustError {
  return new TrustError('key-unsupported', `${what} is ${found}, expected ${expected}`);
}
