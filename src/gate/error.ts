// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** What can keep a gate from judging. */
export type GateErrorCode =
  /** more images in one object, or in all that was given, than are judged */
  | 'too-many-images'
  /** an object nests deeper than is read */
  | 'too-deep'
  /** where an image should stand is something else */
  | 'image-malformed'
  /** a file that cannot be read, or not as what it must be */
  | 'manifest-unreadable'
  /** larger, or more of them, than is read */
  | 'manifest-too-large';

/** What a gate cannot judge. Never an allow. */
export class GateError extends CodedError<GateErrorCode> {
  /** where in the object, if it is known */
  readonly path?: readonly (string | number)[];

  constructor(
    code: GateErrorCode,
    message: string,
    { path, ...options }: ErrorOptions & { readonly path?: readonly (string | number)[] } = {},
  ) {
    super(code, message, options);
    if (path !== undefined) this.path = path;
  }
}
