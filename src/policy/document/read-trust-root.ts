// SPDX-License-Identifier: Apache-2.0
import {
  decodeCertificates,
  decodePublicKey,
  decodeTrustedRoot,
  hostOfLog,
  logIdOf,
  noteKeyHash,
  printable,
  timestampAuthority,
  type Certificate,
  type PublicKey,
  type TransparencyLog,
  type TrustedRoot,
} from '../../trust/index.ts';
import { CodedError, decodeBase64, isJsonObject, parseJson } from '../../wire/index.ts';
import type { FieldReader } from './field-reader.ts';
import { readMetadata } from './read-metadata.ts';
import type { TrustRootDocument, TrustRootForm } from './trust-root.ts';

const FORMS = ['remote', 'repository', 'sigstoreKeys', 'trustedRootJSON'] as const;
const MAX_ENTRIES = 256;
const MAX_ROOT_BYTES = 1024 * 1024;

/**
 * Reads a TrustRoot. Each of its entries is checked, not only the last one.
 *
 * @see https://github.com/sigstore/policy-controller/blob/main/docs/api-types/index-v1alpha1.md
 */
export function readTrustRoot(document: FieldReader): TrustRootDocument | undefined {
  const { name } = readMetadata(document);
  const spec = document.object('spec');
  if (spec === undefined && !document.has('spec')) document.error('field-missing', 'missing', 'spec');
  document.end();
  if (spec === undefined) return undefined;
  const given = FORMS.filter((form) => spec.has(form));
  if (given.length === 0) spec.error('field-missing', `one of ${FORMS.join(', ')} is missing`);
  if (given.length > 1) spec.error('field-conflict', `${FORMS.join(', ')} exclude one another`);
  const root = readForm(spec);
  spec.end();
  return root === undefined ? undefined : { kind: 'TrustRoot', name, place: document.place(), root };
}

function readForm(spec: FieldReader): TrustRootForm | undefined {
  const remote = spec.object('remote');
  if (remote !== undefined) {
    const mirror = remote.required('mirror');
    const rest = readTuf(remote);
    remote.end();
    if (mirror !== '' && !(/^https?:\/\/[^\s/]/.test(mirror) && URL.canParse(mirror)))
      remote.error('field-value', `'${printable(mirror, 100)}', expected an http or https URL`, 'mirror');
    return { kind: 'remote', mirror, ...rest };
  }
  const repository = spec.object('repository');
  if (repository !== undefined) {
    const mirror = bytesOf(repository, 'mirrorFS');
    if (!repository.has('targets')) repository.error('field-missing', 'missing', 'targets');
    const rest = readTuf(repository);
    repository.end();
    return { kind: 'repository', mirror, ...rest };
  }
  const keys = spec.object('sigstoreKeys');
  if (keys !== undefined) return { kind: 'keys', trustedRoot: readKeys(keys) };
  return readJson(spec);
}

function readTuf(reader: FieldReader): { root: Uint8Array; targets: string; target: string } {
  const root = bytesOf(reader, 'root');
  const targets = reader.filled('targets') ?? 'targets';
  const target = reader.filled('trustedRootTarget') ?? 'trusted_root.json';
  if (root.byteLength > 0) {
    try {
      const value = parseJson(root, { what: 'the first root', maxBytes: MAX_ROOT_BYTES });
      if (!isJsonObject(value) || value['signatures'] === undefined)
        reader.error('material-malformed', 'not the root of a TUF repository: it has no signatures', 'root');
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      reader.error('material-malformed', printable(error.message, 200), 'root');
    }
  }
  return { root, targets, target };
}

function readJson(spec: FieldReader): TrustRootForm | undefined {
  const value = spec.json('trustedRootJSON');
  if (value === undefined) return undefined;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return attempt(spec, 'trustedRootJSON', () => {
    const bytes = text.trimStart().startsWith('{')
      ? new TextEncoder().encode(text)
      : decodeBase64(text.replaceAll(/\s/g, ''), 'trustedRootJSON');
    return { kind: 'keys', trustedRoot: decodeTrustedRoot(bytes, 'trustedRootJSON') };
  });
}

function readKeys(keys: FieldReader): TrustedRoot {
  const certificateAuthorities = keys.objects('certificateAuthorities', MAX_ENTRIES).flatMap((reader) => {
    const { chain, uri } = readAuthority(reader);
    return chain === undefined ? [] : [{ chain, uri }];
  });
  const timestampAuthorities = keys.objects('timestampAuthorities', MAX_ENTRIES).flatMap((reader) => {
    const { chain, uri } = readAuthority(reader);
    if (chain === undefined) return [];
    if (chain.filter((certificate) => certificate.basicConstraints?.ca !== true).length > 1) {
      reader.error('material-malformed', 'more than one certificate that is of no authority', 'certChain');
      return [];
    }
    return attempt(reader, 'certChain', () => timestampAuthority(chain, { uri })) ?? [];
  });
  const logs = keys.objects('tLogs', MAX_ENTRIES).flatMap((reader) => {
    const { publicKey, baseUrl } = readLog(reader);
    return publicKey === undefined ? [] : logsOf(baseUrl, publicKey);
  });
  const certificateLogs = keys.objects('ctLogs', MAX_ENTRIES).flatMap((reader) => {
    const { publicKey, baseUrl } = readLog(reader);
    return publicKey === undefined ? [] : [{ publicKey, baseUrl }];
  });
  if (!keys.has('certificateAuthorities') && !keys.has('timestampAuthorities'))
    keys.error('field-missing', 'one of certificateAuthorities and timestampAuthorities is missing');
  keys.end();
  return { logs, certificateLogs, certificateAuthorities, timestampAuthorities, skipped: [] };
}

/**
 * A log under the names that its entries may have for it. A TrustRoot does not say which version of Rekor it is: the first names a log by its
 * key alone, the second by its key under its host, which is the same for an ECDSA key.
 */
function logsOf(baseUrl: string, publicKey: PublicKey): readonly TransparencyLog[] {
  const log = { baseUrl, publicKey, logId: logIdOf(publicKey) };
  const host = hostOfLog(baseUrl);
  if (host === undefined) return [log];
  const logId = noteKeyHash(host, publicKey);
  if (Buffer.compare(logId, log.logId) === 0) return [log];
  return [
    { ...log, majorVersion: 1 },
    { ...log, logId, majorVersion: 2 },
  ];
}

function readAuthority(reader: FieldReader): {
  readonly chain: readonly [Certificate, ...Certificate[]] | undefined;
  readonly uri: string;
} {
  const subject = reader.object('subject');
  if (subject === undefined) reader.error('field-missing', 'missing', 'subject');
  subject?.required('organization');
  subject?.required('commonName');
  subject?.end();
  const uri = reader.required('uri');
  const bytes = bytesOf(reader, 'certChain');
  reader.end();
  const chain =
    bytes.byteLength === 0 ? undefined : attempt(reader, 'certChain', () => decodeCertificates(bytes, 'it'));
  return { chain, uri };
}

function readLog(reader: FieldReader): { readonly publicKey: PublicKey | undefined; readonly baseUrl: string } {
  const baseUrl = reader.required('baseURL');
  const algorithm = reader.required('hashAlgorithm');
  const bytes = bytesOf(reader, 'publicKey');
  reader.end();
  if (algorithm !== '' && !/^sha-?256$|^SHA2_256$/i.test(algorithm))
    reader.error(
      'field-value',
      `'${printable(algorithm, 40)}', expected sha-256: all logs hash with it`,
      'hashAlgorithm',
    );
  const publicKey =
    bytes.byteLength === 0 ? undefined : attempt(reader, 'publicKey', () => decodePublicKey(bytes, 'it'));
  return { publicKey, baseUrl };
}

/** Bytes in base64, which must be there. */
function bytesOf(reader: FieldReader, name: string): Uint8Array {
  const text = reader.required(name);
  return attempt(reader, name, () => decodeBase64(text.replaceAll(/\s/g, ''), 'it')) ?? new Uint8Array();
}

function attempt<T>(reader: FieldReader, name: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    reader.error('material-malformed', printable(error.message, 300), name);
    return undefined;
  }
}
