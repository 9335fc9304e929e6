// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes; the last five are distribution's own */
export type OciErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'TAG_INVALID'
  | 'RANGE_INVALID'
  | 'PAGINATION_NUMBER_INVALID'
  | 'UNAVAILABLE'
  | 'UNKNOWN';

/** What a fault answers besides its code and message. */
export interface OciFaultContext extends ErrorOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly detail?: unknown;
}

/** A request that is answered with an error. */
export class OciFault extends CodedError<OciErrorCode> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly detail?: unknown;

  constructor(status: number, code: OciErrorCode, message: string, context: OciFaultContext = {}) {
    super(code, message, context.cause === undefined ? {} : { cause: context.cause });
    this.status = status;
    this.headers = context.headers ?? {};
    if (context.detail !== undefined) this.detail = context.detail;
  }
}
