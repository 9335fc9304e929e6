// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { compileGlob, globFault, type ImageGlob } from '../match/image-glob.ts';
import { LABEL_OPERATORS, type LabelExpression, type LabelSelector } from '../match/label-selector.ts';
import { KNOWN_RESOURCES, type ResourceMatch } from '../match/resource-match.ts';
import type { FieldReader } from './field-reader.ts';
import type { ClusterImagePolicy } from './policy.ts';
import { readAuthority } from './read-authority.ts';
import { readMetadata } from './read-metadata.ts';
import { readProgram } from './read-program.ts';

const MAX_IMAGES = 1000;
const MAX_AUTHORITIES = 100;
const MAX_MATCHES = 200;
const MAX_LABELS = 100;

/**
 * Reads a ClusterImagePolicy, v1alpha1 or v1beta1, which have the same fields. Where it returns a value in spite of faults, that value must
 * not be used: whoever asks looks at the faults first.
 *
 * @see https://github.com/sigstore/policy-controller/blob/main/docs/api-types/index.md
 */
export function readPolicy(document: FieldReader): ClusterImagePolicy | undefined {
  const { name } = readMetadata(document);
  const spec = document.object('spec');
  if (spec === undefined && !document.has('spec')) document.error('field-missing', 'missing', 'spec');
  document.end();
  if (spec === undefined) return undefined;
  const images = readImages(spec);
  const match = spec.objects('match', MAX_MATCHES).map(readMatch);
  const mode = spec.choice('mode', ['enforce', 'warn', 'audit']) ?? 'enforce';
  const readers = spec.objects('authorities', MAX_AUTHORITIES);
  const authorities = readers.flatMap((reader, index) => readAuthority(reader, index) ?? []);
  if (readers.length === 0 && !isFilled(spec, 'authorities'))
    spec.error('field-missing', 'missing: nothing could satisfy the policy', 'authorities');
  const names = authorities.map((authority) => authority.name);
  const twice = names.find((one, at) => names.indexOf(one) < at);
  if (twice !== undefined)
    spec.note('warning', 'name-duplicate', `two are named '${printable(twice, 60)}'`, 'authorities');
  const program = spec.object('policy');
  const policy = program === undefined ? undefined : readProgram(program, 'authorities');
  spec.end();
  return {
    kind: 'ClusterImagePolicy',
    name,
    place: document.place(),
    mode,
    images,
    match,
    authorities,
    ...(policy === undefined ? {} : { policy }),
    spec: spec.all(),
  };
}

function isFilled(reader: FieldReader, name: string): boolean {
  const value = reader.json(name);
  return value !== undefined && (!Array.isArray(value) || value.length > 0);
}

function readImages(spec: FieldReader): readonly ImageGlob[] {
  const readers = spec.objects('images', MAX_IMAGES);
  if (readers.length === 0 && !isFilled(spec, 'images'))
    spec.error('field-missing', 'missing: the policy would be about no image', 'images');
  return readers.flatMap((reader) => {
    const glob = reader.required('glob');
    reader.end();
    if (glob === '') return [];
    const fault = globFault(glob);
    if (fault !== undefined) {
      reader.error('field-value', `'${printable(glob, 100)}' is ${fault}`, 'glob');
      return [];
    }
    if (glob === '*' || glob === '*/*')
      reader.note('warning', 'discouraged', `stands for index.docker.io/${glob === '*' ? 'library/*' : '*/*'}`, 'glob');
    return [compileGlob(glob)];
  });
}

function readMatch(reader: FieldReader): ResourceMatch {
  const group = reader.filled('group') ?? '';
  const version = reader.filled('version') ?? '';
  const resource = reader.filled('resource') ?? '';
  const selector = reader.object('selector');
  reader.end();
  if (resource !== '' && !KNOWN_RESOURCES.includes(resource))
    reader.error(
      'field-value',
      `'${printable(resource, 60)}', expected one of ${KNOWN_RESOURCES.join(', ')}`,
      'resource',
    );
  if (selector !== undefined && group === '' && version === '' && resource === '')
    reader.error('field-conflict', 'needs a group, version or resource beside it', 'selector');
  return { group, version, resource, ...(selector === undefined ? {} : { selector: readSelector(selector) }) };
}

function readSelector(reader: FieldReader): LabelSelector {
  const labels = reader.pairs('matchLabels', MAX_LABELS);
  const expressions = reader.objects('matchExpressions', MAX_LABELS).map((expression): LabelExpression => {
    const key = expression.required('key');
    const operator = expression.choice('operator', LABEL_OPERATORS);
    if (!expression.has('operator'))
      expression.error('field-missing', `missing, expected one of ${LABEL_OPERATORS.join(', ')}`, 'operator');
    const values = expression.texts('values', MAX_LABELS);
    expression.end();
    const compares = operator === 'In' || operator === 'NotIn';
    if (operator !== undefined && compares !== values.length > 0)
      expression.error(
        'field-value',
        compares ? `needs values for ${operator}` : `has values for ${operator}`,
        'values',
      );
    return { key, operator: operator ?? 'DoesNotExist', values };
  });
  reader.end();
  return { labels, expressions };
}
