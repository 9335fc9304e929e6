// SPDX-License-Identifier: Apache-2.0
import {
  decodeCertificates,
  decodePem,
  decodePublicKey,
  encodePem,
  printable,
  type PublicKey,
} from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { FieldReader } from './field-reader.ts';
import { HASH_ALGORITHMS, type HashAlgorithm, type KeyDocument } from './policy.ts';

/** The public keys of a PEM text, of which each may have sealed. @throws CodedError for what cannot be read */
export function decodePublicKeys(text: string, what: string): readonly [PublicKey, ...PublicKey[]] {
  const bytes = (part: string): Uint8Array => new TextEncoder().encode(part);
  const blocks = decodePem(text, what);
  const [first = text, ...others] =
    blocks.length < 2 ? [text] : blocks.map((block) => encodePem(block.label, block.bytes));
  return [decodePublicKey(bytes(first), what), ...others.map((part) => decodePublicKey(bytes(part), what))];
}

/** What a key must be. */
export interface ReadKey {
  readonly document?: KeyDocument;
  readonly hashAlgorithm?: HashAlgorithm;
}

/** An address of a key in the key management service of AWS. @see https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id */
const AWS_KMS = /^awskms:\/\/(?<endpoint>[^/]*)\/arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]*:(?:key\/.+|alias\/.+)$/;
const KMS = /^(?:awskms|azurekms|gcpkms|hashivault):\/\/\S+$/;
const MAX_ADDRESS = 2048;

/** Reads a KeyRef: exactly one of `data`, `secretRef` and `kms`. @param holds what the data is */
export function readKey(reader: FieldReader, holds: 'key' | 'certificates'): ReadKey {
  const data = reader.filled('data');
  const kms = reader.filled('kms');
  const secret = reader.object('secretRef');
  const hashAlgorithm = reader.choice('hashAlgorithm', HASH_ALGORITHMS);
  reader.end();
  const given = [data, secret, kms].filter((one) => one !== undefined);
  if (given.length === 0) reader.error('field-missing', 'one of data, secretRef and kms is missing');
  if (given.length > 1) reader.error('field-conflict', 'data, secretRef and kms exclude one another');
  const place = reader.place();
  const algorithm = hashAlgorithm === undefined ? {} : { hashAlgorithm };
  if (data !== undefined) return { ...readMaterial(reader, data, holds), ...algorithm };
  if (secret !== undefined) {
    const name = secret.required('name');
    const namespace = secret.filled('namespace') ?? '';
    secret.end();
    return { document: { kind: 'secret', name, namespace, place: secret.place() }, ...algorithm };
  }
  if (kms === undefined) return algorithm;
  checkAddress(reader, kms);
  return { document: { kind: 'elsewhere', address: kms, place: reader.place('kms') ?? place }, ...algorithm };
}

function readMaterial(reader: FieldReader, data: string, holds: 'key' | 'certificates'): ReadKey {
  const what = holds === 'key' ? 'the public key' : 'the certificate';
  try {
    if (holds === 'key') return { document: { kind: 'keys', keys: decodePublicKeys(data, what) } };
    decodeCertificates(new TextEncoder().encode(data), what);
    return { document: { kind: 'pem', pem: data, place: reader.place('data') } };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    reader.error('material-malformed', printable(error.message, 300), 'data');
    return {};
  }
}

function checkAddress(reader: FieldReader, address: string): void {
  if (address.length > MAX_ADDRESS || !KMS.test(address)) {
    const expected = 'awskms://…, azurekms://…, gcpkms://… or hashivault://…';
    reader.error('field-value', `'${printable(address, 100)}', expected ${expected}`, 'kms');
    return;
  }
  if (!address.startsWith('awskms://')) return;
  const endpoint = AWS_KMS.exec(address)?.groups?.['endpoint'];
  const hostAndPort =
    endpoint === '' || (endpoint !== undefined && /^[^:]+:[0-9]+$|^\[[0-9a-f:]+\]:[0-9]+$/i.test(endpoint));
  if (hostAndPort) return;
  const expected = 'awskms://[HOST:PORT]/ARN, where ARN names a key or an alias';
  reader.error('field-value', `'${printable(address, 100)}', expected ${expected}`, 'kms');
}
