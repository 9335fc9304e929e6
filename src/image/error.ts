// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** What can go wrong between an image and its seals. */
export type ImageErrorCode =
  | 'image-missing'
  | 'evidence-capped'
  | 'evidence-uncarried'
  | 'seal-not-readable'
  | 'seal-conflict'
  | 'seal-too-large'
  | 'statement-subject'
  | 'signature-manifest-malformed'
  | 'signature-manifest-full'
  | 'kit-malformed'
  | 'kit-occupied'
  | 'kit-incomplete'
  | 'platform-missing'
  | 'unexpected';

/** An error of the room `image`. */
export class ImageError extends CodedError<ImageErrorCode> {}
