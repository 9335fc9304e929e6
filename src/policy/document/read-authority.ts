// SPDX-License-Identifier: Apache-2.0
import { parseReference, ReferenceFault, repositoryName } from '../../oci/index.ts';
import { parsePredicateType, printable, TrustError } from '../../trust/index.ts';
import { parseAge } from './duration.ts';
import type { FieldReader } from './field-reader.ts';
import type {
  AttestationDocument,
  Authority,
  EvidenceSource,
  LogDocument,
  SealAuthority,
  SignerDocument,
} from './policy.ts';
import { readIdentities } from './read-identity.ts';
import { readKey } from './read-key.ts';
import { readProgram } from './read-program.ts';

const MAX_ATTESTATIONS = 64;
const MAX_PULL_SECRETS = 64;
/** cosign's names of old, which policy-controller warns of */
const SHORT_PREDICATES: ReadonlySet<string> = new Set([
  'custom',
  'slsaprovenance',
  'spdx',
  'spdxjson',
  'cyclonedx',
  'link',
  'vuln',
]);

/** Reads one authority; `undefined` where it is none, which is a fault already. */
export function readAuthority(reader: FieldReader, index: number): Authority | undefined {
  const name = reader.filled('name') ?? `authority-${index}`;
  const place = reader.place();
  const key = reader.object('key');
  const keyless = reader.object('keyless');
  const fixed = reader.object('static');
  const given = [key, keyless, fixed].filter((one) => one !== undefined);
  if (given.length === 0) reader.error('field-missing', 'one of key, keyless and static is missing');
  if (given.length > 1) reader.error('field-conflict', 'key, keyless and static exclude one another');
  const rest = readRest(reader);
  reader.end();
  if (given.length !== 1) return undefined;
  if (fixed !== undefined) {
    for (const field of STATIC_EXCLUDES)
      if (reader.has(field)) reader.error('field-conflict', 'has no meaning beside static', field);
    const action = fixed.choice('action', ['pass', 'fail']);
    if (!fixed.has('action')) fixed.error('field-missing', 'missing, expected one of pass, fail', 'action');
    const message = fixed.filled('message');
    fixed.end();
    return {
      kind: 'static',
      name,
      place,
      action: action ?? 'fail',
      ...(message === undefined ? {} : { message }),
    };
  }
  const signers = key === undefined ? readKeyless(keyless) : readKeyed(key);
  return signers === undefined ? undefined : { ...rest, kind: signers.kind, name, place, signers };
}

const STATIC_EXCLUDES = ['attestations', 'source', 'ctlog', 'rfc3161timestamp', 'threshold', 'maxAge'] as const;

function readRest(reader: FieldReader): Omit<SealAuthority, 'kind' | 'name' | 'place' | 'signers'> {
  const [source, ...others] = reader.objects('source', 16);
  if (others.length > 0) reader.error('field-value', `${others.length + 1} sources, expected at most one`, 'source');
  const readSources = [source, ...others].map((one) => (one === undefined ? undefined : readSource(one)));
  const ctlog = reader.object('ctlog');
  const log = ctlog === undefined ? undefined : readLog(ctlog);
  const rfc3161 = reader.object('rfc3161timestamp');
  const timestamps = rfc3161 === undefined ? undefined : (rfc3161.filled('trustRootRef') ?? '');
  rfc3161?.end();
  if (timestamps !== undefined && ctlog !== undefined)
    reader.note('warning', 'discouraged', 'has no effect beside rfc3161timestamp: no log is asked then', 'ctlog');
  const attestations = reader.objects('attestations', MAX_ATTESTATIONS).map(readAttestation);
  const names = attestations.map(({ name }) => name);
  const twice = attestations.find((one, at) => one.name !== '' && names.indexOf(one.name) < at);
  if (twice !== undefined)
    reader.error('name-duplicate', `two are named '${printable(twice.name, 60)}'`, 'attestations');
  const format = reader.choice('signatureFormat', ['legacy', 'bundle']);
  const threshold = reader.count('threshold', 1, 100) ?? 1;
  const maxAge = readAge(reader);
  const [firstSource] = readSources;
  return {
    attestations,
    threshold,
    ...(firstSource === undefined ? {} : { source: firstSource }),
    ...(log === undefined ? {} : { log }),
    ...(timestamps === undefined ? {} : { timestamps }),
    ...(format === undefined ? {} : { format }),
    ...(maxAge === undefined ? {} : { maxAge }),
  };
}

function readAge(reader: FieldReader): number | undefined {
  const text = reader.filled('maxAge');
  if (text === undefined) return undefined;
  const age = parseAge(text);
  if (age === undefined || age === 0) {
    reader.error('field-value', `'${printable(text, 40)}', expected a duration such as 168h or 7d`, 'maxAge');
    return undefined;
  }
  return age;
}

function readKeyed(key: FieldReader): SignerDocument | undefined {
  const { document, hashAlgorithm } = readKey(key, 'key');
  if (document === undefined) return undefined;
  return { kind: 'key', key: document, ...(hashAlgorithm === undefined ? {} : { hashAlgorithm }) };
}

function readKeyless(keyless: FieldReader | undefined): SignerDocument | undefined {
  if (keyless === undefined) return undefined;
  const url = keyless.filled('url');
  const caCert = keyless.object('ca-cert');
  if (url !== undefined) checkUrl(keyless, 'url', url);
  if (url !== undefined && caCert !== undefined)
    keyless.error('field-conflict', 'url and ca-cert exclude one another', 'ca-cert');
  const authority = caCert === undefined ? undefined : readKey(caCert, 'certificates').document;
  const trustRoot = keyless.filled('trustRootRef');
  const ignoreScts = keyless.flag('insecureIgnoreSCT') ?? false;
  if (ignoreScts)
    keyless.note('warning', 'discouraged', 'certificates count that no log has recorded', 'insecureIgnoreSCT');
  const identities = readIdentities(keyless);
  keyless.end();
  if (caCert !== undefined && authority === undefined) return undefined;
  return {
    kind: 'keyless',
    identities,
    ignoreScts,
    ...(authority === undefined ? {} : { authority }),
    ...(trustRoot === undefined ? {} : { trustRoot }),
  };
}

function readSource(reader: FieldReader): EvidenceSource {
  const oci = reader.required('oci');
  const tagPrefix = reader.filled('tagPrefix');
  const pullSecrets = reader.objects('signaturePullSecrets', MAX_PULL_SECRETS).map((secret) => {
    const name = secret.required('name');
    secret.end();
    return name;
  });
  reader.end();
  if (tagPrefix !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9._-]{0,40}$/.test(tagPrefix))
    reader.error('field-value', `'${printable(tagPrefix, 60)}', expected what a tag may begin with`, 'tagPrefix');
  const repository = oci === '' ? undefined : readRepository(reader, oci);
  return {
    place: reader.place(),
    pullSecrets,
    ...(repository === undefined ? {} : { repository }),
    ...(tagPrefix === undefined ? {} : { tagPrefix }),
  };
}

function readRepository(reader: FieldReader, oci: string): string | undefined {
  try {
    const reference = parseReference(oci);
    if (reference.tag === undefined && reference.digest === undefined) return repositoryName(reference);
    reader.error('field-value', `'${printable(oci, 100)}', expected a repository without tag or digest`, 'oci');
  } catch (error) {
    if (!(error instanceof ReferenceFault)) throw error;
    reader.error('field-value', printable(error.message, 300), 'oci');
  }
  return undefined;
}

function readLog(reader: FieldReader): LogDocument {
  const url = reader.filled('url');
  const trustRoot = reader.filled('trustRootRef');
  reader.end();
  if (url !== undefined) checkUrl(reader, 'url', url);
  return {
    place: reader.place(),
    ...(url === undefined ? {} : { url }),
    ...(trustRoot === undefined ? {} : { trustRoot }),
  };
}

function checkUrl(reader: FieldReader, field: string, url: string): void {
  if (url.length <= 2048 && /^https?:\/\/[^\s/]/.test(url) && URL.canParse(url)) return;
  reader.error('field-value', `'${printable(url, 100)}', expected an http or https URL`, field);
}

function readAttestation(reader: FieldReader): AttestationDocument {
  const name = reader.required('name');
  const given = reader.required('predicateType');
  const program = reader.object('policy');
  const policy = program === undefined ? undefined : readProgram(program, 'attestation');
  reader.end();
  return {
    name,
    place: reader.place(),
    predicateType: given === '' ? '' : readPredicateType(reader, given),
    ...(policy === undefined ? {} : { policy }),
  };
}

function readPredicateType(reader: FieldReader, given: string): string {
  try {
    const { name, uri } = parsePredicateType(given);
    if (name !== undefined && SHORT_PREDICATES.has(name))
      reader.note('warning', 'discouraged', `write ${uri} instead of '${name}'`, 'predicateType');
    return uri;
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    reader.error('field-value', printable(error.message, 300), 'predicateType');
    return '';
  }
}
