// SPDX-License-Identifier: Apache-2.0
import { parseReference } from '../../oci/index.ts';
import { imageFields, type ImageField } from '../workload/image-fields.ts';
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
 * @throws GateError `too-many-images`, `too-deep`, `image-malformed`, for the new object; an old one that cannot be read has no images
 */
export function changedImages({ operation, object, oldObject }: AdmissionRequest): readonly ReviewedImage[] {
  const fields = imageFields(object);
  if (operation !== 'UPDATE' || oldObject === null) return fields;
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
    changed.push(pinned === undefined ? field : { ...field, pinned });
  }
  return changed;
}

// The API server has stored it: what is wrong with it is no reason to keep the new object out, and its images count as changed.
function fieldsOf(object: AdmissionRequest['object']): readonly ImageField[] {
  try {
    return imageFields(object);
  } catch {
    return [];
  }
}

/** A container keeps its name when others move; what has none is known by where it stands. */
function placeOf({ path, role, name }: ImageField): string {
  if (name === '') return JSON.stringify(path);
  // up to the list that it is an item of
  const at = path.findLastIndex((step) => typeof step === 'number');
  return JSON.stringify([path.slice(0, Math.max(at, 0)), role, name]);
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
