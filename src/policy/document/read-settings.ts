// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { parseAge } from './duration.ts';
import type { FieldReader } from './field-reader.ts';
import type { SealAuthority } from './policy.ts';
import { readAuthority } from './read-authority.ts';
import { readIdentity } from './read-identity.ts';
import { readKey } from './read-key.ts';
import { readMetadata } from './read-metadata.ts';
import {
  NO_MATCH,
  type ExceptionSettings,
  type MirrorDocument,
  type NoMatch,
  type RevocationDocument,
  type SettingsDocument,
  type SummarySettings,
} from './settings.ts';

const MAX_MIRRORS = 200;
const MAX_REVOCATIONS = 1000;
const MAX_SIGNERS = 64;
/** a registry as names of images have it, and what a repository may begin with */
const PLACE = /^(?=localhost(?:[:/]|$)|[^/]*[.:])[a-z0-9.-]+(?::[0-9]{1,5})?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;

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
  const gates = readSigners(spec, 'gates');
  const summaries = readSummaries(spec.object('vsa'));
  const exceptions = readExceptions(spec.object('exceptions'));
  spec.end();
  return {
    kind: 'PolicySettings',
    place: document.place(),
    mirrors,
    revocations,
    gates,
    ...(summaries === undefined ? {} : { summaries }),
    ...(exceptions === undefined ? {} : { exceptions }),
    ...(noMatch === undefined ? {} : { noMatch }),
  };
}

/** Fields of an authority that say nothing of who signs. */
const NOT_OF_SIGNERS = ['static', 'attestations', 'source', 'threshold', 'maxAge', 'signatureFormat'] as const;

function readSigners(reader: FieldReader, field: string): readonly SealAuthority[] {
  return reader.objects(field, MAX_SIGNERS).flatMap((one, index) => {
    const authority = readAuthority(one, index);
    for (const name of NOT_OF_SIGNERS)
      if (one.has(name)) one.error('field-conflict', 'has no meaning here: only who signs is named', name);
    if (authority?.kind === 'key' && authority.signers.kind === 'key' && authority.signers.hashAlgorithm !== undefined)
      one.error('field-conflict', 'has no meaning here: only who signs is named', 'key.hashAlgorithm');
    return authority === undefined || authority.kind === 'static' ? [] : [authority];
  });
}

function readSummaries(reader: FieldReader | undefined): SummarySettings | undefined {
  if (reader === undefined) return undefined;
  const demand = reader.flag('demand') ?? false;
  const maxAge = readDuration(reader, 'maxAge');
  reader.end();
  return { place: reader.place(), demand, ...(maxAge === undefined ? {} : { maxAge }) };
}

function readExceptions(reader: FieldReader | undefined): ExceptionSettings | undefined {
  if (reader === undefined) return undefined;
  const signers = readSigners(reader, 'signers');
  if (signers.length === 0 && !reader.has('signers'))
    reader.error('field-missing', 'missing: who may except?', 'signers');
  const maxLifetime = readDuration(reader, 'maxLifetime');
  reader.end();
  return { signers, ...(maxLifetime === undefined ? {} : { maxLifetime }) };
}

function readDuration(reader: FieldReader, field: string): number | undefined {
  const text = reader.filled(field);
  if (text === undefined) return undefined;
  const age = parseAge(text);
  if (age !== undefined && age > 0) return age;
  reader.error('field-value', `'${printable(text, 40)}', expected a duration such as 24h or 7d`, field);
  return undefined;
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
  return { upstream: inFull(upstream), mirror: inFull(mirror) };
}

/** As images of Docker Hub are called in full. */
function inFull(place: string): string {
  return place.replace(/^(?:registry-1\.)?docker\.io(?=\/|$)/, 'index.docker.io');
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
  return {
    kind: 'PolicySettings',
    place,
    mirrors: [],
    revocations: [],
    gates: [],
    ...(noMatch === undefined ? {} : { noMatch }),
  };
}
