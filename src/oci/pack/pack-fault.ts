// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** Why a directory cannot become an image. */
export type PackFaultCode =
  | 'directory-missing'
  | 'directory-empty'
  // a device, a pipe, a socket
  | 'file-unsupported'
  | 'file-unreadable'
  // written to while it was packed
  | 'file-changed'
  | 'name-unsupported'
  | 'option-malformed'
  // the place where the layer is kept until it is pushed
  | 'spool-failed';

/** A directory that cannot become an image, or options for one that cannot be. */
export class PackFault extends CodedError<PackFaultCode> {}
