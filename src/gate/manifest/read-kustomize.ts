// SPDX-License-Identifier: Apache-2.0
import type { JsonPath } from '../workload/json-path.ts';
import type { FileFindings } from './findings.ts';
import type { ImageParts } from './found-image.ts';
import { joinParts, readParts } from './image-parts.ts';
import { kindOf, memberOf, textAt, type LocatedValue } from './located-yaml.ts';
import { readHelmValues } from './read-helm-values.ts';

/**
 * Finds what a kustomization makes of images: `images` with newName, newTag and digest. Where a base still has a say, that is a fault: the
 * output of `kustomize build` has none.
 *
 * @see https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/
 */
export function readKustomize(document: LocatedValue, into: FileFindings): void {
  readKustomizeImages(memberOf(document, 'images'), ['images'], into);
  for (const name of ['patches', 'patchesStrategicMerge', 'patchesJson6902']) {
    const patches = memberOf(document, name);
    if (patches?.kind !== 'list') continue;
    for (const [at, patch] of patches.items.entries()) inlinePatch(patch, [name, at], into);
  }
  const charts = memberOf(document, 'helmCharts');
  if (charts?.kind !== 'list') return;
  for (const [at, chart] of charts.items.entries())
    readHelmValues(memberOf(chart, 'valuesInline'), ['helmCharts', at, 'valuesInline'], into);
}

/** Reads a list of image transformers, which Flux has in its own Kustomization too. */
export function readKustomizeImages(images: LocatedValue | undefined, path: JsonPath, into: FileFindings): void {
  if (images === undefined) return;
  if (images.kind !== 'list') {
    into.error('image-malformed', images.start, path, `${kindOf(images)}, expected a list`);
    return;
  }
  for (const [at, entry] of images.items.entries()) readKustomizeImage(entry, [...path, at], into);
}

/** Reads one image transformer, which may be an object of its own: `kind: ImageTagTransformer`. */
export function readKustomizeImage(entry: LocatedValue, path: JsonPath, into: FileFindings): void {
  const name = textAt(memberOf(entry, 'name'));
  if (entry.kind !== 'map' || name === undefined || name === '') {
    into.error('image-malformed', entry.start, path, 'no name, expected an object that names an image');
    return;
  }
  if (memberOf(entry, 'tagSuffix') !== undefined) {
    const message = 'tagSuffix adds to a tag of the base: check the output of kustomize build';
    into.error('image-incomplete', entry.start, path, message);
    return;
  }
  const read = readParts(entry, { repository: 'newName', tag: 'newTag', digest: 'digest' }, path, into);
  if (read === undefined) {
    if (['newName', 'newTag', 'digest'].every((field) => memberOf(entry, field) === undefined))
      into.fault('warning', 'image-incomplete', entry.start, path, 'changes nothing: no newName, newTag or digest');
    return;
  }
  const { parts, span } = read;
  if (parts.tag === undefined && parts.digest === undefined) {
    const message = 'neither newTag nor digest: the tag is that of the base, check the output of kustomize build';
    into.error('image-incomplete', span.start, path, message);
    return;
  }
  into.image(joinParts(parts, name), span, [...path, shownField(parts)], { parts });
}

function inlinePatch(patch: LocatedValue, path: JsonPath, into: FileFindings): void {
  const text = textAt(patch) ?? textAt(memberOf(patch, 'patch'));
  if (text === undefined || !/image/i.test(text)) return;
  const message = 'a patch in which images stand: check the output of kustomize build';
  into.error('image-incomplete', patch.start, path, message);
}

/** The field that `readParts` gives the place of. */
function shownField({ repository, tag }: ImageParts): string {
  if (repository !== undefined) return 'newName';
  return tag === undefined ? 'digest' : 'newTag';
}
