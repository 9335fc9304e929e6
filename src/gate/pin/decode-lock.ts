// SPDX-License-Identifier: Apache-2.0
import { formatReference, isDigest, parseReference, ReferenceFault, type Digest } from '../../oci/index.ts';
import { printable } from '../../trust/index.ts';
import { isJsonObject, parseJson, WireError, type Json } from '../../wire/index.ts';
import { duplicateField } from './duplicate-field.ts';
import { LOCK_REASONS, LOCK_VERSION, type Lock, type LockedImage, type LockedSigner, type LockReason } from './lock.ts';
import { PinError } from './pin-error.ts';

/** Caps on a lock. */
export const LOCK_LIMITS: {
  readonly maxBytes: number;
  readonly maxImages: number;
  readonly maxPaths: number;
  readonly maxPerImage: number;
} = { maxBytes: 32 * 1024 * 1024, maxImages: 20_000, maxPaths: 1000, maxPerImage: 1000 };

const MAX_TEXT = 2048;

/**
 * Reads a lock strictly: no field that is not known, none twice, none missing, and no path that leads out of its folder.
 *
 * @throws PinError `lock-malformed`, `lock-version`, `lock-too-large`
 */
export function decodeLock(bytes: Uint8Array): Lock {
  const document = parse(bytes);
  if (!isJsonObject(document)) throw malformed('', document, 'an object');
  // first of all: what another version calls its fields is not for this one to complain about
  const version = document['version'];
  if (version !== LOCK_VERSION) {
    if (typeof version !== 'number') throw malformed('version', version, `the number ${LOCK_VERSION}`);
    throw new PinError('lock-version', `the lock has version ${version}, this bulla reads version ${LOCK_VERSION}`);
  }
  const fields = fieldsOf(document, '', ['version', 'paths', 'images']);
  const paths = listOf(fields['paths'], 'paths', LOCK_LIMITS.maxPaths).map((path, at) => pathOf(path, `paths[${at}]`));
  if (paths.length === 0) throw new PinError('lock-malformed', 'the lock has no paths, expected at least one');
  requireDistinct(paths, 'paths');
  const images = listOf(fields['images'], 'images', LOCK_LIMITS.maxImages).map((image, at) =>
    imageOf(image, `images[${at}]`),
  );
  requireDistinct(
    images.map(({ image, digest }) => `${image}@${digest}`),
    'images',
  );
  return { paths, images };
}

/** True for a path as a lock has it: relative, with `/`, straight down from the lock's own folder. */
export function isLockPath(path: string): boolean {
  if (path === '.') return true;
  // a backslash is a separator to some, and a drive's colon may begin an absolute path
  if (path.length > MAX_TEXT || /[\\\p{Cc}]/u.test(path) || /^[A-Za-z]:/.test(path) || !path.isWellFormed())
    return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function parse(bytes: Uint8Array): Json {
  let document: Json;
  try {
    document = parseJson(bytes, {
      what: 'the lock',
      maxBytes: LOCK_LIMITS.maxBytes,
      maxDepth: 8,
      maxValues: 2_000_000,
    });
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new PinError(error.code === 'too-large' ? 'lock-too-large' : 'lock-malformed', error.message, {
      cause: error,
    });
  }
  const twice = duplicateField(new TextDecoder().decode(bytes));
  if (twice === undefined) return document;
  throw new PinError('lock-malformed', `the lock has the field '${printable(twice, 60)}' twice in one object`);
}

function imageOf(value: Json, path: string): LockedImage {
  const fields = fieldsOf(value, path, ['image', 'digest', 'reasons', 'sealedBy', 'policyHashes', 'evidence']);
  return {
    image: nameOf(fields['image'], `${path}.image`),
    digest: digestAt(fields['digest'], `${path}.digest`),
    reasons: listOf(fields['reasons'], `${path}.reasons`, LOCK_REASONS.length).map((reason, at) =>
      reasonOf(reason, `${path}.reasons[${at}]`),
    ),
    sealedBy: listOf(fields['sealedBy'], `${path}.sealedBy`, LOCK_LIMITS.maxPerImage).map((signer, at) =>
      signerOf(signer, `${path}.sealedBy[${at}]`),
    ),
    policyHashes: digestsOf(fields['policyHashes'], `${path}.policyHashes`),
    evidence: digestsOf(fields['evidence'], `${path}.evidence`),
  };
}

function nameOf(value: Json | undefined, path: string): string {
  const name = textOf(value, path);
  try {
    const reference = parseReference(name);
    if (reference.digest === undefined && formatReference(reference) === name) return name;
  } catch (error) {
    if (!(error instanceof ReferenceFault)) throw error;
  }
  throw malformed(path, value, "an image's full name without a digest, such as index.docker.io/library/nginx:1");
}

function signerOf(value: Json, path: string): LockedSigner {
  const kind = isJsonObject(value) ? value['kind'] : undefined;
  if (kind === 'key') {
    const fields = fieldsOf(value, path, ['kind', 'key']);
    return { kind, key: textOf(fields['key'], `${path}.key`) };
  }
  if (kind !== 'identity') throw malformed(`${path}.kind`, kind, "'key' or 'identity'");
  const fields = fieldsOf(value, path, ['kind', 'issuer', 'subject']);
  return {
    kind,
    issuer: fields['issuer'] === null ? null : textOf(fields['issuer'], `${path}.issuer`),
    subject: textOf(fields['subject'], `${path}.subject`),
  };
}

function reasonOf(value: Json, path: string): LockReason {
  const reason = LOCK_REASONS.find((known) => known === value);
  if (reason === undefined) throw malformed(path, value, `one of ${LOCK_REASONS.join(', ')}`);
  return reason;
}

function digestsOf(value: Json | undefined, path: string): readonly Digest[] {
  const digests = listOf(value, path, LOCK_LIMITS.maxPerImage).map((digest, at) => digestAt(digest, `${path}[${at}]`));
  requireDistinct(digests, path);
  return digests;
}

function digestAt(value: Json | undefined, path: string): Digest {
  const text = textOf(value, path);
  if (isDigest(text)) return text;
  throw malformed(path, value, 'a digest, sha256:<64 hex>');
}

function pathOf(value: Json, path: string): string {
  const text = textOf(value, path);
  if (isLockPath(text)) return text;
  throw malformed(path, value, "a relative path without '..'");
}

function textOf(value: Json | undefined, path: string): string {
  if (typeof value !== 'string') throw malformed(path, value, 'a text');
  if (value !== '' && value.length <= MAX_TEXT) return value;
  throw new PinError('lock-malformed', `${path} of the lock has ${value.length} characters, expected 1 to ${MAX_TEXT}`);
}

function listOf(value: Json | undefined, path: string, max: number): readonly Json[] {
  if (!Array.isArray(value)) throw malformed(path, value, 'a list');
  const list: readonly Json[] = value;
  if (list.length <= max) return list;
  throw new PinError('lock-too-large', `${path} of the lock has ${list.length} entries, at most ${max} are read`);
}

function fieldsOf(value: Json, path: string, known: readonly string[]): Readonly<Record<string, Json>> {
  if (!isJsonObject(value)) throw malformed(path, value, 'an object');
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown === undefined) return value;
  const at = path === '' ? 'the lock' : `${path} of the lock`;
  const expected = `expected ${known.join(', ')}`;
  throw new PinError('lock-malformed', `${at} has the unknown field '${printable(unknown, 60)}', ${expected}`);
}

function requireDistinct(values: readonly string[], path: string): void {
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(value))
      throw new PinError('lock-malformed', `${path} of the lock names ${printable(value, 200)} twice`);
    seen.add(value);
  }
}

function malformed(path: string, found: Json | undefined, expected: string): PinError {
  const what = path === '' ? 'the lock' : `${path} of the lock`;
  const shown = found === undefined ? 'missing' : printable(JSON.stringify(found), 100);
  return new PinError('lock-malformed', `${what} is ${shown}, expected ${expected}`);
}
