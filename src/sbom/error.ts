// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** Why the contents of an image, or a document that lists them, could not be read. */
export type SbomErrorCode =
  // what was asked for
  | 'image-missing'
  | 'not-an-image'
  | 'platform-missing'
  // what the image holds cannot be read at all
  | 'layer-malformed'
  | 'layer-unsupported'
  | 'path-climbs'
  | 'too-large'
  // a document to compare
  | 'document-malformed';

/** The contents of an image could not be listed. What could not be read within an image is no error, but a `Finding`. */
export class SbomError extends CodedError<SbomErrorCode> {}
