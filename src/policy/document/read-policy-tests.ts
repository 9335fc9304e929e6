// SPDX-License-Identifier: Apache-2.0
import type { Outcome } from '../decision.ts';
import { FaultList, type DocumentFault, type SourcePlace } from './fault.ts';
import { FieldReader } from './field-reader.ts';
import { readMetadata } from './read-metadata.ts';
import { readYamlStream, type PolicyFile } from './yaml-stream.ts';

/** What policies are expected to decide: a document of kind PolicyTest. All names of files are as they are written. */
export interface PolicyTests {
  readonly name: string;
  readonly policies: readonly string[];
  readonly trustedRoot?: string;
  /** by the name of the TrustRoot */
  readonly trustRoots: ReadonlyMap<string, string>;
  /** when it is decided; now unless told */
  readonly now?: Date;
  readonly cases: readonly PolicyTestCase[];
}

export interface PolicyTestCase {
  readonly name: string;
  readonly place: SourcePlace;
  readonly image: string;
  /** the folder of an OCI layout, `DIR[:TAG][@DIGEST]`, in which the image lies; without it nothing can be found out */
  readonly layout?: string;
  /** layouts of other repositories that policies name, by `registry/repository` */
  readonly sources: ReadonlyMap<string, string>;
  /** manifest of the object that would run the image */
  readonly resource?: string;
  readonly expect: Outcome;
  /** the reason of the decision, or of the nearest miss */
  readonly code?: string;
}

const MAX_CASES = 1000;
const MAX_FILES = 100;
const KIND = 'PolicyTest';

/** Reads files of policy tests. */
export async function decodePolicyTests(
  file: PolicyFile,
): Promise<{ readonly tests: readonly PolicyTests[]; readonly faults: readonly DocumentFault[] }> {
  const faults = new FaultList();
  const tests: PolicyTests[] = [];
  for (const value of await readYamlStream(file, faults)) {
    const place = { file: file.name, line: value.line, column: value.column, path: '' };
    if (value.kind !== 'map') {
      faults.add('error', 'field-type', place, `expected an object of kind ${KIND}`);
      continue;
    }
    const reader = new FieldReader(value, file.name, '', faults);
    const [apiVersion, kind] = [reader.required('apiVersion'), reader.required('kind')];
    if (kind !== KIND || apiVersion !== 'policy.bulla/v1alpha1')
      reader.error('kind-unknown', `expected ${KIND} of policy.bulla/v1alpha1`, 'kind');
    else tests.push(...readTests(reader));
  }
  return { tests, faults: faults.all };
}

function readTests(document: FieldReader): readonly PolicyTests[] {
  const { name } = readMetadata(document);
  const spec = document.object('spec');
  if (spec === undefined) document.error('field-missing', 'missing', 'spec');
  document.end();
  if (spec === undefined) return [];
  const policies = spec.texts('policies', MAX_FILES);
  if (policies.length === 0) spec.error('field-missing', 'missing: which policies are tested?', 'policies');
  const trustedRoot = spec.filled('trustedRoot');
  const trustRoots = spec.pairs('trustRoots', MAX_FILES);
  const now = spec.time('now');
  const cases = spec.objects('cases', MAX_CASES).map(readCase);
  if (cases.length === 0) spec.error('field-missing', 'missing: a test without a case shows nothing', 'cases');
  spec.end();
  return [
    {
      name,
      policies,
      trustRoots,
      cases,
      ...(trustedRoot === undefined ? {} : { trustedRoot }),
      ...(now === undefined ? {} : { now }),
    },
  ];
}

function readCase(reader: FieldReader): PolicyTestCase {
  const name = reader.required('name');
  const image = reader.required('image');
  const layout = reader.filled('layout');
  const sources = reader.pairs('sources', MAX_FILES);
  const resource = reader.filled('resource');
  const expect = reader.choice('expect', ['trusted', 'refused', 'undecided']);
  if (!reader.has('expect'))
    reader.error('field-missing', 'missing, expected one of trusted, refused, undecided', 'expect');
  const code = reader.filled('code');
  reader.end();
  return {
    name,
    place: reader.place(),
    image,
    sources,
    expect: expect ?? 'undecided',
    ...(layout === undefined ? {} : { layout }),
    ...(resource === undefined ? {} : { resource }),
    ...(code === undefined ? {} : { code }),
  };
}
