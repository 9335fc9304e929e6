// SPDX-License-Identifier: Apache-2.0
import { parseReference } from '../../oci/index.ts';
import { canonicalJson } from '../../wire/index.ts';
import { GateError } from '../error.ts';
import { imageFields, type ImageField } from '../workload/image-fields.ts';
import { formatPath } from '../workload/json-path.ts';
import type { AdmissionRequest } from './admission-review.ts';

/** An image that a review puts into the cluster. */
export interface ReviewedImage extends ImageField {
  /** what the object has there now, where that is the same tag with a digest: it stays */
  readonly pinned?: string;
}

/**
 * The images that a review changes: all of them for an object that is new; of one that is there already those alone whose container, init
 * container, ephemeral container or volume of the same name in the same place had another image. What was let in, or was there before the
 * gate, keeps working: its labels, finalizers, status and scale can be changed, and it can be deleted.
 *
 * @throws GateError `too-many-images`, `too-deep`, `image-malformed`, for the new object, unless it is what it was; an old one that cannot be
 * read has no images
 */
export function changedImages({ operation, object, oldObject }: AdmissionRequest): readonly ReviewedImage[] {
  if (operation !== 'UPDATE' || oldObject === null) return imageFields(object).map(checked);
  const fields = readableFields(object, oldObject);
  const before = new Map<string, Set<string>>();
  for (const field of fieldsOf(oldObject)) {
    const key = placeOf(field);
    const known = before.get(key);
    if (known === undefined) before.set(key, new Set([field.image]));
    else known.add(field.image);
  }
  const changed: ReviewedImage[] = [];
  for (const field of fields) {
    const images = before.get(placeOf(field));
    if (images?.has(field.image) === true) continue;
    const pinned = images === undefined ? undefined : [...images].find((image) => isPinOf(image, field.image));
    changed.push(pinned === undefined ? checked(field) : { ...field, pinned });
  }
  return changed;
}

/** What cannot be read, and is there already, can be labelled and let go all the same: as long as it stays what it is. */
function readableFields(
  object: AdmissionRequest['object'],
  oldObject: AdmissionRequest['object'],
): readonly ImageField[] {
  try {
    return imageFields(object);
  } catch (error) {
    if (bodyOf(object) === bodyOf(oldObject)) return [];
    throw error;
  }
}

function bodyOf(object: AdmissionRequest['object']): string {
  const { metadata: _, status: _status, ...body } = object ?? {};
  return canonicalJson(body);
}

/** longer than any reference is, with registry, tag and digest */
const MAX_IMAGE = 1024;
const MAX_NAME = 300;

// It is held while a registry is waited for, and shown to whoever wanted it.
function checked(field: ImageField): ImageField {
  const { path, image, name } = field;
  if (image.length > MAX_IMAGE)
    throw new GateError(
      'image-malformed',
      `${formatPath(path)} has ${image.length} characters, expected an image of at most ${MAX_IMAGE}`,
      { path },
    );
  return name.length > MAX_NAME ? { ...field, name: '' } : field;
}

// The API server has stored it: what is wrong with it is no reason to keep the new object out, and its images count as changed.
function fieldsOf(object: AdmissionRequest['object']): readonly ImageField[] {
  try {
    return imageFields(object);
  } catch {
    return [];
  }
}

/** A container keeps its name when others move; what has none, or is in no list, is known by where it stands. */
function placeOf({ path, role, name }: ImageField): string {
  // …/containers/0/image, …/volumes/0/image/reference
  const at = path.length - (role === 'volume' ? 3 : 2);
  const isItem = name !== '' && typeof path[at] === 'number';
  return JSON.stringify(isItem ? [path.slice(0, at), role, name] : path);
}

function isPinOf(pinned: string, image: string): boolean {
  if (!pinned.startsWith(image)) return false;
  try {
    const { tag = 'latest', registry, repository, digest } = parseReference(pinned);
    const named = parseReference(image);
    return (
      digest !== undefined &&
      named.digest === undefined &&
      named.registry === registry &&
      named.repository === repository &&
      (named.tag ?? 'latest') === tag
    );
  } catch {
    return false;
  }
}
