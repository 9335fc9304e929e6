// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** What can be wrong with a cluster, or with the way to it. Transport failures are WireErrors and say nothing about what was asked for. */
export type ClusterErrorCode =
  /** the kubeconfig, or what a Pod finds in its place, cannot be used */
  | 'kubeconfig-malformed'
  /** the package that reads kubeconfigs is not installed */
  | 'package-missing'
  | 'unauthorized'
  | 'forbidden'
  /** no such object, or no such kind of object */
  | 'not-found'
  /** somebody else wrote the object in between, or it is there already */
  | 'conflict'
  /** what was asked for by its version is too old to be known */
  | 'gone'
  /** the API server does not take what was sent */
  | 'invalid'
  | 'throttled'
  | 'service-unavailable'
  /** an answer that is not what the API promises */
  | 'answer-unusable'
  /** a pull secret of a workload that cannot be read */
  | 'credentials-malformed'
  /** what stands in the Secret of the gate's certificates is not what the gate writes */
  | 'certificate-malformed';

/** A failure of the cluster, or of asking it. */
export class ClusterError extends CodedError<ClusterErrorCode> {
  /** HTTP status of the answer, where there was one */
  readonly status?: number;

  constructor(code: ClusterErrorCode, message: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super(code, message, options.cause === undefined ? {} : { cause: options.cause });
    if (options.status !== undefined) this.status = options.status;
  }
}

/** Whether an error says that something is not there; of a transport failure it never does. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ClusterError && error.code === 'not-found';
}

/** Whether somebody else was faster. */
export function isConflict(error: unknown): boolean {
  return error instanceof ClusterError && error.code === 'conflict';
}
