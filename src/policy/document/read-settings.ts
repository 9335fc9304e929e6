// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import type { FieldReader } from './field-reader.ts';
import { readIdentity } from './read-identity.ts';
import { readKey } from './read-key.ts';
import { readMetadata } from './read-metadata.ts';
import {
  NO_MATCH,
  type MirrorDocument,
  type NoMatch,
  type RevocationDocument,
  type SettingsDocument,
} from './settings.ts';

const MAX_MIRRORS = 200;
const MAX_REVOCATIONS = 1000;
const PLACE = /^[a-z0-9.-]+(?::[0-9]{1,5})?(?:\/[a-z0-9._/-]+)?$/;

/** Reads the settings that are Bulla's own. */
export function readSettings(document: FieldReader): SettingsDocument | undefined {
  readMetadata(document);
  const spec = document.object('spec');
  if (spec === undefined && !document.has('spec')) document.error('field-missing', 'missing', 'spec');
  document.end();
  if (spec === undefined) return undefined;
  const noMatch = spec.choice('noMatchPolicy', NO_MATCH);
  const mirrors = spec.objects('mirrors', MAX_MIRRORS).map(readMirror);
  const revocations = spec.objects('revocations', MAX_REVOCATIONS).flatMap((reader) => readRevocation(reader) ?? []);
  spec.end();
  return {
    kind: 'PolicySettings',
    place: document.place(),
    mirrors,
    revocations,
    ...(noMatch === undefined ? {} : { noMatch }),
  };
}

function readMirror(reader: FieldReader): MirrorDocument {
  const upstream = reader.required('upstream');
  const mirror = reader.required('mirror');
  reader.end();
  for (const [name, text] of Object.entries({ upstream, mirror }))
    if (text !== '' && !PLACE.test(text))
      reader.error(
        'field-value',
        `'${printable(text, 100)}', expected a registry or the beginning of a repository`,
        name,
      );
  // as images of Docker Hub are called in full
  return { upstream: upstream.replace(/^docker\.io(?=\/|$)/, 'index.docker.io'), mirror };
}

function readRevocation(reader: FieldReader): RevocationDocument | undefined {
  const key = reader.object('key');
  const identity = reader.object('identity');
  const since = reader.time('since');
  const reason = reader.filled('reason') ?? '';
  reader.end();
  if (key !== undefined && identity !== undefined)
    reader.error('field-conflict', 'key and identity exclude one another', 'identity');
  const rest = { place: reader.place(), reason, ...(since === undefined ? {} : { since }) };
  if (key !== undefined) {
    const { document } = readKey(key, 'key');
    return document === undefined ? undefined : { ...rest, signer: { kind: 'key', key: document } };
  }
  if (identity === undefined) {
    reader.error('field-missing', 'one of key and identity is missing');
    return undefined;
  }
  const read = readIdentity(identity);
  if (read.issuer === undefined && read.subject === undefined && read.claims.size === 0)
    reader.error('field-missing', 'says nothing: it would revoke everybody', 'identity');
  return { ...rest, signer: { kind: 'identity', identity: read } };
}

/** What the ConfigMap of policy-controller's own settings says. */
export function settingsOfConfigMap(reader: FieldReader, entries: ReadonlyMap<string, string>): SettingsDocument {
  const given = entries.get('no-match-policy');
  const noMatch: NoMatch | undefined = NO_MATCH.find((word) => word === given);
  if (given !== undefined && noMatch === undefined) {
    const found = `no-match-policy is '${printable(given, 40)}'`;
    reader.error('field-value', `${found}, expected one of ${NO_MATCH.join(', ')}`, 'data');
  }
  if (entries.get('fail-on-empty-authorities') === 'false')
    reader.note(
      'warning',
      'discouraged',
      'fail-on-empty-authorities: a policy without authorities is refused here',
      'data',
    );
  const place = reader.place();
  return { kind: 'PolicySettings', place, mirrors: [], revocations: [], ...(noMatch === undefined ? {} : { noMatch }) };
}
