// SPDX-License-Identifier: Apache-2.0

/**
 * Why an entry does not show that a signature was logged. Stable: programs tell them apart by these. In the order in which they are
 * checked.
 */
export const LOG_REJECTIONS = [
  /** no trusted log has the key that the entry names */
  'log-unknown',
  /** neither a promise nor a proof with a checkpoint; or an entry of Rekor v2 without a proof */
  'log-evidence-missing',
  /** a kind or version of entries that is not read here, or that this log does not have */
  'log-entry-unsupported',
  /** what the log kept cannot be read */
  'log-entry-malformed',
  /** the entry says of itself another kind or version than the log kept */
  'log-entry-kind-mismatch',
  /** the entry is about another signature */
  'log-entry-signature-mismatch',
  /** the entry is about another key or certificate */
  'log-entry-key-mismatch',
  /** the entry is about another artifact, payload or envelope */
  'log-entry-digest-mismatch',
  /** the entry has a digest of another algorithm than the artifact is known by */
  'log-entry-digest-unknown',
  /** the entry names another place in the log than its proof does */
  'log-entry-index-mismatch',
  /** a promise that the log did not make of this entry, at that place and time */
  'log-promise-invalid',
  /** an entry of Rekor v2, which makes no promises, with one */
  'log-promise-unexpected',
  /** a proof that does not lead from this entry to the root that it names */
  'log-proof-invalid',
  /** the checkpoint cannot be read */
  'log-checkpoint-malformed',
  /** a checkpoint of another log */
  'log-checkpoint-origin',
  /** a checkpoint of another tree than the proof is of */
  'log-checkpoint-mismatch',
  /** a checkpoint that the log did not sign */
  'log-checkpoint-signature-invalid',
  /** at that time the key of the log was not trusted */
  'log-not-trusted',
] as const;

export type LogRejectionCode = (typeof LOG_REJECTIONS)[number];

/** Why, and what would have been right; for a person to read. Both texts are one line, safe to print. */
export interface LogRejection {
  readonly code: LogRejectionCode;
  readonly found: string;
  readonly expected: string;
}

export function logRejection(code: LogRejectionCode, found: string, expected: string): LogRejection {
  return { code, found, expected };
}

/** Of two reasons, the one that came farthest: the nearest miss. */
export function nearerLogMiss(a: LogRejection | undefined, b: LogRejection): LogRejection {
  return a === undefined || LOG_REJECTIONS.indexOf(b.code) > LOG_REJECTIONS.indexOf(a.code) ? b : a;
}
