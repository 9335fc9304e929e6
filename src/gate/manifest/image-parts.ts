// SPDX-License-Identifier: Apache-2.0
import type { JsonPath } from '../workload/json-path.ts';
import type { FileFindings } from './findings.ts';
import type { ImagePart, ImageParts, TextSpan } from './found-image.ts';
import { kindOf, type LocatedField, type LocatedMap } from './located-yaml.ts';
import type { SourceText } from './source-text.ts';

/** The fields that the parts of an image are read from. */
export interface PartNames {
  readonly registry?: string;
  readonly repository?: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** Parts of an image in fields of one object, or of several that were merged. */
export interface ReadParts {
  readonly parts: ImageParts;
  /** of the part that names the image best: the repository, the tag, the digest */
  readonly span: TextSpan;
}

/**
 * Reads an image that is written in several fields. A number is taken as it is written where every reader shows it so (`8`), and is a fault
 * where not (`1.10`, which is 1.1).
 *
 * @returns `undefined` where there is none of them, or one cannot be read, which is a fault then
 */
export function readParts(
  map: LocatedMap,
  names: PartNames,
  path: JsonPath,
  into: FileFindings,
): ReadParts | undefined {
  const found: [keyof PartNames, ImagePart, LocatedField][] = [];
  for (const key of ['registry', 'repository', 'tag', 'digest'] as const) {
    const name = names[key];
    const field = name === undefined ? undefined : map.fields.get(name);
    if (name === undefined || field === undefined) continue;
    const part = partOf(field, [...path, name], into);
    if (part === 'malformed') return undefined;
    if (part !== undefined) found.push([key, part, field]);
  }
  const main = found.find(([key]) => key !== 'registry') ?? found[0];
  if (main === undefined) return undefined;
  const last = found.reduce((a, b) => (a[1].span.end > b[1].span.end ? a : b));
  const parts = Object.fromEntries(found.map(([key, part]) => [key, part]));
  const empty = names.digest === 'digest' ? emptyDigest(map.fields.get('digest')) : undefined;
  return {
    parts: {
      ...parts,
      ...(empty === undefined ? {} : { emptyDigest: empty }),
      newField: newFieldAfter(into.source, last[1], last[2]),
    },
    span: main[1].span,
  };
}

function emptyDigest(field: LocatedField | undefined): ImagePart | undefined {
  if (field?.value.kind !== 'scalar') return undefined;
  const { value, span, quoted } = field.value;
  return value === null || value === '' ? { text: '', span, quoted } : undefined;
}

function partOf({ value }: LocatedField, path: JsonPath, into: FileFindings): ImagePart | 'malformed' | undefined {
  if (value.kind === 'scalar') {
    const { value: held, source, span, quoted } = value;
    if (held === null || held === '') return undefined;
    if (typeof held === 'string') return { text: held, span, quoted };
    if (typeof held === 'number' && String(held) === source) return { text: source, span, quoted };
    into.error(
      'image-malformed',
      value.start,
      path,
      `${source} is ${kindOf(value)}, which loses what is written: quote it`,
    );
    return 'malformed';
  }
  into.error('image-malformed', value.start, path, `${kindOf(value)}, expected a text`);
  return 'malformed';
}

function newFieldAfter(source: SourceText, { span }: ImagePart, field: LocatedField): ImageParts['newField'] {
  const { column } = source.place(field.start, '');
  const before = source.text.slice(field.start - column + 1, field.start);
  // in a block the names of an object stand in one column, behind `- ` in a list; behind anything else it is `{…}`
  const isBlock = /^\uFEFF?(?: |- )*$/.test(before);
  return {
    offset: source.endOfLine(span.end),
    ...(isBlock ? { indent: ' '.repeat(before.replace('\uFEFF', '').length) } : {}),
  };
}

/** The image that parts make up; without a tag and a digest, its name alone. */
export function joinParts({ registry, repository, tag, digest }: Omit<ImageParts, 'newField'>, name = ''): string {
  const base = repository?.text ?? name;
  const host = registry === undefined ? '' : `${registry.text.replace(/\/+$/, '')}/`;
  const hash = digest?.text ?? '';
  const pinned = /^[0-9a-f]{64}$/.test(hash) ? `@sha256:${hash}` : `@${hash}`;
  return `${host}${base}${tag === undefined ? '' : `:${tag.text}`}${hash === '' ? '' : pinned}`;
}
