// SPDX-License-Identifier: Apache-2.0
import { isJsonObject } from '../../wire/index.ts';
import {
  anything,
  digestSet,
  filledText,
  list,
  map,
  object,
  oneOf,
  resourceDescriptor,
  text,
  type Shape,
} from './shape.ts';

// A link of in-toto's first specification names artifacts in an object; the attestation of it lists them.
const artifacts: Shape = (value, at, faults) =>
  (isJsonObject(value) ? map(digestSet) : list(resourceDescriptor))(value, at, faults);

/**
 * @see https://github.com/in-toto/attestation/blob/main/spec/predicates/link.md
 * @see https://github.com/in-toto/docs/blob/master/in-toto-spec.md#44-file-formats-namekeyid-prefixlink
 */
export const LINK: Shape = object({
  required: { name: filledText },
  optional: {
    _type: oneOf('link'),
    command: list(text()),
    materials: artifacts,
    products: artifacts,
    byproducts: map(anything),
    environment: map(anything),
  },
});
