// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { imageFields, objectsOf, type ListedObject } from '../workload/image-fields.ts';
import { fieldOf, type JsonPath } from '../workload/json-path.ts';
import { objectType, podSpecPath, type ObjectType } from '../workload/pod-spec-path.ts';
import { resourceOf } from '../workload/resource-of.ts';
import type { FileFindings } from './findings.ts';
import { jsonOf, locatedAt, memberOf, textAt, type LocatedValue } from './located-yaml.ts';
import { readHelmValues } from './read-helm-values.ts';
import { readKustomizeImage, readKustomizeImages } from './read-kustomize.ts';

/** Finds the images of one document of Kubernetes objects; of a list, those of each item. */
export function readKubernetes(document: LocatedValue, into: FileFindings): void {
  let objects: readonly ListedObject[];
  try {
    objects = objectsOf(jsonOf(document));
  } catch (error) {
    into.thrown(error, document, []);
    return;
  }
  for (const { path, object } of objects) {
    const located = locatedAt(document, path);
    if (located !== undefined) readObject({ path, object }, located, into);
  }
}

function readObject({ path, object }: ListedObject, located: LocatedValue, into: FileFindings): void {
  const type = objectType(object);
  if (type === undefined) {
    into.error('file-unknown', located.start, path, 'neither apiVersion nor kind, expected a Kubernetes object');
    return;
  }
  const workload = resourceOf(object);
  const found = new Set<number>();
  try {
    for (const field of imageFields(object)) {
      const value = locatedAt(located, field.path);
      if (value === undefined) continue;
      found.add(value.start);
      into.scalar(value, [...path, ...field.path], workload === undefined ? {} : { workload });
    }
  } catch (error) {
    into.thrown(error, located, path);
    return;
  }
  readDelivery(type, located, path, into);
  if (podSpecPath(object) === undefined && type.group.includes('.')) unjudged(located, path, found, into);
  const inner = fieldOf(object, 'items');
  if (inner !== undefined && type.kind === 'Template') unrenderedTemplate(located, path, into);
}

// An OpenShift Template holds objects in which parameters are still to be put.
function unrenderedTemplate(located: LocatedValue, path: JsonPath, into: FileFindings): void {
  const message = 'a Template whose parameters are not put in yet: check what it makes';
  into.error('template-unrendered', located.start, path, message);
}

/** Objects by which Flux and Argo CD deliver charts and kustomizations hold what would stand in their files. */
function readDelivery({ group, kind }: ObjectType, located: LocatedValue, path: JsonPath, into: FileFindings): void {
  const at = (...steps: JsonPath): [LocatedValue | undefined, JsonPath] => [
    locatedAt(located, steps),
    [...path, ...steps],
  ];
  if (group === 'helm.toolkit.fluxcd.io' && kind === 'HelmRelease') readHelmValues(...at('spec', 'values'), into);
  if (group === 'kustomize.toolkit.fluxcd.io' && kind === 'Kustomization')
    readKustomizeImages(...at('spec', 'images'), into);
  const [transformed, steps] = at('imageTag');
  if (group === '' && kind === 'ImageTagTransformer' && transformed !== undefined)
    readKustomizeImage(transformed, steps, into);
  if (group !== 'argoproj.io' || kind !== 'Application') return;
  const [sources] = at('spec', 'sources');
  const all = sources?.kind === 'list' ? sources.items.map((_, index): JsonPath => ['spec', 'sources', index]) : [];
  for (const source of [['spec', 'source'], ...all]) readHelmValues(...at(...source, 'helm', 'valuesObject'), into);
}

const IMAGE_NAME = /^image(?:Name|Ref)?$|Image(?:Name)?$/;
const LOOKS_LIKE = /^[a-z0-9][\w.-]*(?::\d+)?\/[\w./-]+(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?$/i;

/** Says which fields of a kind that is not known look like images that nobody has judged. */
function unjudged(value: LocatedValue, path: JsonPath, found: ReadonlySet<number>, into: FileFindings): void {
  if (value.kind === 'list') {
    for (const [at, item] of value.items.entries()) unjudged(item, [...path, at], found, into);
    return;
  }
  if (value.kind !== 'map') return;
  for (const [name, field] of value.fields) {
    const text = textAt(memberOf(value, name));
    const place = [...path, name];
    if (text === undefined) unjudged(field.value, place, found, into);
    else if (IMAGE_NAME.test(name) && LOOKS_LIKE.test(text) && !found.has(field.value.start)) {
      const message = `'${printable(text)}' looks like an image, in a kind that is not known: it is not judged`;
      into.fault('warning', 'image-unjudged', field.value.start, place, message);
    }
  }
}
