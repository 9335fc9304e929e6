// SPDX-License-Identifier: Apache-2.0
import { StoreError } from '../../store/index.ts';
import { TrustError } from '../../trust/index.ts';
import { json, WireError, type Reply } from '../../wire/index.ts';
import { LogError, type LogErrorCode } from '../log/log-error.ts';
import { RekorError, type RekorErrorCode } from './rekor-error.ts';

const STATUS: Readonly<Record<RekorErrorCode, number>> = {
  'request-malformed': 400,
  'entry-malformed': 400,
  'entry-unsupported': 400,
  'signature-invalid': 400,
  'key-unsupported': 400,
  'too-large': 413,
  'not-found': 404,
  'method-unsupported': 405,
  'too-many': 422,
  'log-frozen': 405,
  'settings-malformed': 500,
  'witness-failed': 500,
  'log-inconsistent': 500,
};

const LOG_STATUS: Readonly<Partial<Record<LogErrorCode, number>>> = {
  'log-busy': 503,
  'log-full': 507,
  'log-closed': 503,
  'witness-missing': 503,
  'publication-failed': 503,
  'entry-malformed': 400,
  'tree-range': 400,
  'search-malformed': 400,
};

const FAILED = 'the log failed; its own log says why';

/**
 * The answer to a request that failed, as Rekor words it: `{"code":400,"message":"…"}`. What nobody foresaw says nothing about itself.
 *
 * @see https://github.com/sigstore/rekor/blob/main/openapi.yaml (`Error`)
 */
export function faultReply(error: unknown): Reply {
  const status = statusOf(error);
  const message = status === 500 || !(error instanceof Error) ? FAILED : error.message;
  // Whoever is told to come back is told when, and a retry finds what was kept.
  const headers = status === 503 ? { 'retry-after': '1' } : {};
  return json({ code: status, message }, headers, status);
}

function statusOf(error: unknown): number {
  if (error instanceof RekorError) return STATUS[error.code];
  if (error instanceof LogError) return LOG_STATUS[error.code] ?? 500;
  // Everything of these that comes so far is about what a client has sent.
  if (error instanceof TrustError) return 400;
  if (error instanceof StoreError) return error.code === 'full' ? 507 : 500;
  if (!(error instanceof WireError)) return 500;
  switch (error.code) {
    case 'too-large':
      return 413;
    case 'body-slow':
      return 408;
    case 'base64-malformed':
    case 'json-malformed':
    case 'json-too-deep':
    case 'body-ended':
      return 400;
    default:
      return 500;
  }
}
