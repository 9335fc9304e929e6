// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../wire/index.ts';
import { GateError } from '../error.ts';
import { customImagePaths } from './custom-images.ts';
import { fieldOf, formatPath, listOf, textOf, valueAt, type JsonPath } from './json-path.ts';
import { objectType, podSpecPath } from './pod-spec-path.ts';

/** One image of an object. */
export interface ImageField {
  /** from the object to the text; where the field is not there, to where it would be */
  readonly path: JsonPath;
  /** as it is written; empty in a container without an image, which a template may have and a Pod may not */
  readonly image: string;
  readonly role: 'container' | 'init' | 'ephemeral' | 'volume';
  /** of the container or volume; empty where it has none */
  readonly name: string;
}

/** Caps on one object; what is beyond is an error and never passed over. */
export const WORKLOAD_LIMITS: { readonly maxImages: number; readonly maxDepth: number; readonly maxListed: number } = {
  maxImages: 500,
  maxDepth: 64,
  /** images in all items of a list of objects */
  maxListed: 100_000,
};

/**
 * Every image of a Kubernetes object: containers, init containers with sidecars, ephemeral containers in both shapes, and volumes that are
 * images. Kinds of Kubernetes' own are read where their pod stands; in others each pod is found by its shape, and further images by what is
 * known of the kind. Lists are read item by item.
 *
 * @throws GateError `too-many-images`, `too-deep`, and `image-malformed` where an image is no text
 * @example
 * imageFields(deployment) // [{ path: ['spec', 'template', 'spec', 'containers', 0, 'image'], image: 'app:1', … }]
 */
export function imageFields(object: Json): readonly ImageField[] {
  const found: ImageField[] = [];
  for (const { path, object: item } of objectsOf(object)) {
    for (const field of new ImageCollector(item).collect())
      found.push(path.length === 0 ? field : { ...field, path: [...path, ...field.path] });
    if (found.length > WORKLOAD_LIMITS.maxListed)
      throw new GateError('too-many-images', `more than ${WORKLOAD_LIMITS.maxListed} images in one list`);
  }
  return found;
}

/** An object, and where it stands in the list that it is from. */
export interface ListedObject {
  readonly path: JsonPath;
  readonly object: Json;
}

/**
 * The objects of a list; of any other object, itself. Items of a typed list (`PodList`) need no type of their own.
 *
 * @throws GateError `too-deep` for lists in lists without an end
 */
export function objectsOf(object: Json, path: JsonPath = []): readonly ListedObject[] {
  const type = objectType(object);
  const items = fieldOf(object, 'items');
  if (type === undefined || !type.kind.endsWith('List') || !Array.isArray(items)) return [{ path, object }];
  if (path.length >= WORKLOAD_LIMITS.maxDepth)
    throw new GateError('too-deep', `lists nest deeper than ${WORKLOAD_LIMITS.maxDepth} levels`);
  const kind = type.kind.slice(0, -'List'.length);
  const apiVersion = textOf(object, 'apiVersion') ?? '';
  const listed = (items as readonly Json[]).flatMap((item, at) => {
    const typed =
      kind !== '' && isJsonObject(item) && !Object.hasOwn(item, 'kind') ? { apiVersion, kind, ...item } : item;
    return objectsOf(typed, [...path, 'items', at]);
  });
  // A custom resource may be called a list, have items, and run something besides.
  const beside = isJsonObject(object) && Object.keys(object).some((name) => !LIST_FIELDS.has(name));
  return beside ? [{ path, object: { ...object, items: [] } }, ...listed] : listed;
}

const LIST_FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'items']);

/** The lists of containers in a pod, in the order in which they start. */
const CONTAINERS = [
  ['initContainers', 'init'],
  ['containers', 'container'],
  ['ephemeralContainers', 'ephemeral'],
] as const;

/** Collects the images of one object that is no list. */
class ImageCollector {
  readonly #object: Json;
  readonly #found: Map<string, ImageField> = new Map();

  constructor(object: Json) {
    this.#object = object;
  }

  collect(): readonly ImageField[] {
    const path = podSpecPath(this.#object);
    if (path !== undefined) this.#pod(valueAt(this.#object, path), path, true);
    else if (isJsonObject(this.#object)) {
      const type = objectType(this.#object);
      // its schema says what containers look like: nothing of it runs
      if (type?.kind === 'CustomResourceDefinition' && type.group === 'apiextensions.k8s.io') return [];
      this.#walk(this.#object, []);
      for (const known of type === undefined ? [] : customImagePaths(type)) this.#known(this.#object, known, []);
    }
    return [...this.#found.values()];
  }

  /** @param whole true where it is a pod for certain: then a container without an image is told of */
  #pod(pod: Json | undefined, path: JsonPath, whole: boolean): void {
    if (whole && pod !== undefined && !isJsonObject(pod)) throw malformed(path, pod, 'an object');
    for (const [list, role] of CONTAINERS) {
      const containers = fieldOf(pod, list);
      if (whole && containers !== undefined && !Array.isArray(containers))
        throw malformed([...path, list], containers, 'a list');
      for (const [at, container] of listOf(containers).entries()) {
        const place = [...path, list, at];
        if (whole && !isJsonObject(container)) throw malformed(place, container, 'an object');
        this.#add(container, [...place, 'image'], role, whole);
      }
    }
    const volumes = fieldOf(pod, 'volumes');
    if (whole && volumes !== undefined && !Array.isArray(volumes))
      throw malformed([...path, 'volumes'], volumes, 'a list');
    for (const [at, volume] of listOf(volumes).entries()) {
      const source = fieldOf(volume, 'image');
      const place = [...path, 'volumes', at, 'image'];
      if (whole && source !== undefined && !isJsonObject(source)) throw malformed(place, source, 'an object');
      const image = fieldOf(source, 'reference');
      if (image === undefined || image === '') continue;
      if (typeof image !== 'string') throw malformed([...place, 'reference'], image, 'a text');
      this.#push({ path: [...place, 'reference'], image, role: 'volume', name: textOf(volume, 'name') ?? '' });
    }
  }

  /** Finds pods by their shape, and single containers under the names that are used for them. */
  #walk(value: Json, path: JsonPath): void {
    if (path.length > WORKLOAD_LIMITS.maxDepth)
      throw new GateError('too-deep', `the object nests deeper than ${WORKLOAD_LIMITS.maxDepth} levels`);
    if (Array.isArray(value)) {
      for (const [at, item] of (value as readonly Json[]).entries()) this.#walk(item, [...path, at]);
      return;
    }
    if (!isJsonObject(value)) return;
    this.#pod(value, path, false);
    for (const name of Object.keys(value)) this.#walk(value[name] ?? null, [...path, name]);
  }

  /** Follows a path that is known to end at an image; `*` stands for every item or field. */
  #known(value: Json | undefined, steps: readonly string[], path: JsonPath): void {
    const [step, ...rest] = steps;
    if (value === undefined || path.length > WORKLOAD_LIMITS.maxDepth) return;
    if (step === undefined) {
      if (typeof value === 'string' && value !== '')
        this.#push({ path, image: value, role: 'container', name: nameAt(this.#object, path) });
      else if (value !== '' && !isJsonObject(value)) throw malformed(path, value, 'a text');
    } else if (step !== '*') this.#known(fieldOf(value, step), rest, [...path, step]);
    else if (Array.isArray(value))
      for (const [at, item] of (value as readonly Json[]).entries()) this.#known(item, rest, [...path, at]);
    else if (isJsonObject(value))
      for (const name of Object.keys(value)) this.#known(value[name] ?? undefined, rest, [...path, name]);
  }

  #add(container: Json, path: JsonPath, role: ImageField['role'], whole: boolean): void {
    const image = fieldOf(container, 'image') ?? '';
    if (typeof image !== 'string') {
      // of a kind that is not known, an object may be something else altogether
      if (!whole && isJsonObject(image)) return;
      throw malformed(path, image, 'a text');
    }
    if (image !== '' || whole) this.#push({ path, image, role, name: textOf(container, 'name') ?? '' });
  }

  #push(field: ImageField): void {
    this.#found.set(JSON.stringify(field.path), field);
    if (this.#found.size > WORKLOAD_LIMITS.maxImages)
      throw new GateError('too-many-images', `more than ${WORKLOAD_LIMITS.maxImages} images in one object`);
  }
}

function nameAt(object: Json, path: JsonPath): string {
  return textOf(valueAt(object, path.slice(0, -1)), 'name') ?? '';
}

function malformed(path: JsonPath, found: Json, expected: string): GateError {
  const kind = Array.isArray(found) ? 'a list' : isJsonObject(found) ? 'an object' : `a ${typeof found}`;
  return new GateError('image-malformed', `${formatPath(path)} is ${kind}, expected ${expected}`, { path });
}
