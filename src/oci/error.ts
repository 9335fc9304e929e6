// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** What can be wrong with a name before anything was asked. */
export type ReferenceFaultCode = 'reference-malformed' | 'digest-malformed' | 'tag-malformed';

/** A reference, tag or digest that cannot be one. */
export class ReferenceFault extends CodedError<ReferenceFaultCode> {}

/** What can be wrong with a repository, or with what it answered. Absence is not an error here: reads answer `undefined`. */
export type RegistryErrorCode =
  // nothing is known about what was asked for: the outcome is undecided
  | 'unreachable'
  | 'timeout'
  | 'throttled'
  | 'server-error'
  | 'evidence-capped'
  // the registry answered, and it was no
  | 'unauthorized'
  | 'denied'
  | 'unsupported'
  | 'conflict'
  // the registry answered something that must not be used
  | 'digest-mismatch'
  | 'size-mismatch'
  | 'too-large'
  | 'protocol-violation'
  | 'redirect-refused'
  | 'manifest-malformed'
  | 'layout-malformed'
  // a manifest names content that is not there
  | 'content-missing'
  // this machine
  | 'credentials-malformed'
  | 'tls-failed'
  | 'storage-failed';

/** Where an error happened; all optional. */
export interface RegistryErrorContext extends ErrorOptions {
  /** the URL or file that was asked, without user, password or query */
  readonly url?: string;
  /** the HTTP status that was answered */
  readonly status?: number;
  /** milliseconds that the server asked to wait */
  readonly retryAfterMs?: number;
}

/** A failed operation on a repository. Never means "not there". */
export class RegistryError extends CodedError<RegistryErrorCode> {
  readonly url?: string;
  readonly status?: number;
  readonly retryAfterMs?: number;

  constructor(code: RegistryErrorCode, message: string, context: RegistryErrorContext = {}) {
    super(code, message, context.cause === undefined ? {} : { cause: context.cause });
    if (context.url !== undefined) this.url = context.url;
    if (context.status !== undefined) this.status = context.status;
    if (context.retryAfterMs !== undefined) this.retryAfterMs = context.retryAfterMs;
  }
}
