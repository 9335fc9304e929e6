// SPDX-License-Identifier: Apache-2.0
import { parseReference } from '../../oci/index.ts';
import { printable } from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { JsonPath } from '../workload/json-path.ts';
import type { FileFindings } from './findings.ts';
import { joinParts, readParts, type PartNames } from './image-parts.ts';
import { memberOf, textAt, type LocatedMap, type LocatedValue } from './located-yaml.ts';

/** Names of fields that hold an image: `image`, `sidecarImage`, `sidecar_image`. */
const IMAGE = /^image$|[a-z0-9_-]Image$|_image$/;
/** Names that hold one where it is whole: a tag or a digest says that it is no part of one. */
const WHOLE_IMAGE = /^image(?:Ref|Name|URI|Uri|Url)$/;
/** A registry, a repository, and a tag or a digest: hardly anything else looks so. */
const LOOKS_LIKE = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?\/[a-z0-9._/-]+(?::[\w.-]{1,128})?(?:@sha256:[0-9a-f]{64})?$/;

/**
 * Finds images in values of a Helm chart, by their shape: `image: {registry, repository, tag, digest}`, `image` as a text with or without a
 * tag beside it, in any object. What a chart makes of its values only its output shows: where a part is left to the chart, that is a fault.
 *
 * @see https://helm.sh/docs/chart_best_practices/values/
 */
export function readHelmValues(values: LocatedValue | undefined, path: JsonPath, into: FileFindings): void {
  if (values === undefined) return;
  const global = memberOf(memberOf(values, 'global'), 'imageRegistry');
  if (textAt(global) !== undefined && textAt(global) !== '') {
    const message = 'a registry for all images, if the chart heeds it: check the output of helm template';
    into.error('image-incomplete', global?.start ?? 0, [...path, 'global', 'imageRegistry'], message);
  }
  walk(values, path, into);
}

function walk(value: LocatedValue, path: JsonPath, into: FileFindings): void {
  if (value.kind === 'list') {
    for (const [at, item] of value.items.entries()) walk(item, [...path, at], into);
    return;
  }
  if (value.kind === 'scalar') {
    if (typeof value.value === 'string' && hasTarget(value.value) && isReference(value.value)) {
      if (isAmongImages(path)) into.scalar(value, path);
      else if (LOOKS_LIKE.test(value.value)) {
        const message = `'${printable(value.value)}' looks like an image, in a field that is not known: it is not judged`;
        into.fault('warning', 'image-unjudged', value.start, path, message);
      }
    }
    if (typeof value.value === 'string' && /\n/.test(value.value) && /^\s*-?\s*"?image"?\s*:/m.test(value.value)) {
      const message = 'a text in which images seem to stand: check the output of helm template';
      into.error('image-incomplete', value.start, path, message);
    }
    return;
  }
  const names = namesOfParts(value, path);
  if (names !== undefined) composed(value, names, path, into);
  for (const [name, field] of value.fields) {
    const place = [...path, name];
    const text = textAt(field.value);
    const isPart = names !== undefined && Object.values(names).includes(name);
    if (isPart || text === undefined || text === '' || !IMAGE.test(name)) walk(field.value, place, into);
    else if (isReference(text)) plain(value, name, text, place, into);
    else {
      const message = `'${printable(text)}' is no image: it is not judged`;
      into.fault('warning', 'image-unjudged', field.value.start, place, message);
    }
  }
}

/** `images: {app: name:1}`, `images: [name:1]`, `imageRef: name:1` */
function isAmongImages(path: JsonPath): boolean {
  const last = path.at(-1);
  return path.slice(-3, -1).includes('images') || (typeof last === 'string' && WHOLE_IMAGE.test(last));
}

/** The names of fields in which an object has the parts of an image, if it looks like one. */
function namesOfParts(map: LocatedMap, path: JsonPath): PartNames | undefined {
  const called = path.findLast((step) => typeof step === 'string') ?? '';
  const isImage = /image$/i.test(called);
  const has = (name: string): boolean =>
    textAt(memberOf(map, name)) !== undefined && textAt(memberOf(map, name)) !== '';
  const parts = { registry: 'registry', tag: 'tag', digest: map.fields.has('digest') ? 'digest' : 'sha' };
  // a chart's repository, a repository of code and the like have no tag beside them, or are an address
  if (has('repository') && !textAt(memberOf(map, 'repository'))?.includes('://'))
    return isImage || ['tag', 'digest', 'registry', 'pullPolicy'].some((name) => map.fields.has(name))
      ? { ...parts, repository: 'repository' }
      : undefined;
  if (isImage && has('repo') && map.fields.has('tag')) return { ...parts, repository: 'repo' };
  if (isImage && has('name') && ['tag', 'digest', 'registry'].some((name) => map.fields.has(name)))
    return { ...parts, repository: 'name' };
  return undefined;
}

function composed(map: LocatedMap, names: PartNames, path: JsonPath, into: FileFindings): void {
  const read = readParts(map, names, path, into);
  if (read === undefined) return;
  const { parts, span } = read;
  const image = joinParts(parts);
  const isWhole = parts.tag !== undefined || parts.digest !== undefined || hasTarget(parts.repository?.text ?? '');
  if (isWhole) into.image(image, span, [...path, names.repository ?? 'repository'], { parts });
  else {
    const message = 'neither tag nor digest: the chart chooses, check the output of helm template';
    into.error('image-incomplete', span.start, path, message);
  }
}

function plain(map: LocatedMap, name: string, text: string, path: JsonPath, into: FileFindings): void {
  const tag = `${name}Tag`;
  const beside = name === 'image' && map.fields.has('tag') ? 'tag' : tag;
  if (map.fields.has(beside) && !hasTarget(text))
    composed(map, { repository: name, tag: beside }, path.slice(0, -1), into);
  else into.scalar(map.fields.get(name)?.value, path);
}

function hasTarget(image: string): boolean {
  return /[:@][^/]*$/.test(image);
}

function isReference(text: string): boolean {
  if (/\{\{|\$/.test(text)) return true; // which is told of as not rendered
  try {
    parseReference(text);
    return true;
  } catch (error) {
    if (error instanceof CodedError) return false;
    throw error;
  }
}
