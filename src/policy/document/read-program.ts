// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import type { FieldReader } from './field-reader.ts';
import type { PolicyProgram, ProgramText } from './policy.ts';

const LANGUAGES = ['cue', 'rego', 'cel'] as const;
/** characters, or bytes where it is fetched */
export const MAX_PROGRAM: number = 256 * 1024;

/** Reads a policy over attestations, or over all that authorities have found (`spec.policy`), which may ask for more. */
export function readProgram(reader: FieldReader, over: 'attestation' | 'authorities'): PolicyProgram | undefined {
  const language = reader.choice('type', LANGUAGES);
  if (language === undefined && reader.filled('type') === undefined && reader.text('type') === undefined)
    reader.error('field-missing', `missing, expected one of ${LANGUAGES.join(', ')}`, 'type');
  const text = readText(reader);
  const asked = ['fetchConfigFile', 'includeSpec', 'includeObjectMeta', 'includeTypeMeta'] as const;
  const [fetchConfigFile, includeSpec, includeObjectMeta, includeTypeMeta] = asked.map((name) => {
    const flag = reader.flag(name);
    if (flag !== undefined && over === 'attestation')
      reader.error('field-conflict', 'is for spec.policy only: an attestation is judged by itself', name);
    return flag ?? false;
  });
  reader.end();
  if (language === undefined || text === undefined) return undefined;
  return {
    place: reader.place(),
    language,
    text,
    fetchConfigFile: fetchConfigFile ?? false,
    includeSpec: includeSpec ?? false,
    includeObjectMeta: includeObjectMeta ?? false,
    includeTypeMeta: includeTypeMeta ?? false,
  };
}

function readText(reader: FieldReader): ProgramText | undefined {
  const text = reader.filled('data');
  const configMap = reader.object('configMapRef');
  const remote = reader.object('remote');
  const given = [text, configMap, remote].filter((one) => one !== undefined);
  if (given.length === 0) reader.error('field-missing', 'one of data, configMapRef and remote is missing');
  if (given.length > 1) reader.error('field-conflict', 'data, configMapRef and remote exclude one another');
  if (configMap !== undefined) {
    const read = {
      kind: 'config-map',
      name: configMap.required('name'),
      namespace: configMap.filled('namespace') ?? '',
      key: configMap.filled('key') ?? '',
    } as const;
    configMap.end();
    return read;
  }
  if (remote !== undefined) return readRemote(remote);
  if (text === undefined) return undefined;
  if (text.length > MAX_PROGRAM)
    reader.error('document-too-large', `${text.length} characters, at most ${MAX_PROGRAM} are read`, 'data');
  return { kind: 'text', text };
}

function readRemote(remote: FieldReader): ProgramText {
  const url = remote.required('url');
  const sha256 = remote.required('sha256sum');
  remote.end();
  if (url !== '' && !/^https:\/\/\S{1,2048}$/.test(url))
    remote.error('field-value', `'${printable(url, 100)}', expected an address that begins with https://`, 'url');
  if (sha256 !== '' && !/^[0-9a-f]{64}$/i.test(sha256))
    remote.error('field-value', 'not a SHA-256, expected 64 hexadecimal digits', 'sha256sum');
  return { kind: 'remote', url, sha256: sha256.toLowerCase() };
}
