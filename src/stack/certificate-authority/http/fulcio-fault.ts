// SPDX-License-Identifier: Apache-2.0
import { StoreError } from '../../../store/index.ts';
import { json, WireError, type Reply } from '../../../wire/index.ts';
import { LogError, type LogErrorCode } from '../../log/log-error.ts';
import { CertificateRefusal, type RefusalCode } from '../refusal.ts';

// https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

const TOKEN = [401, UNAUTHENTICATED] as const;
/** Fulcio answers 400 to all that is wrong with a token, in one sentence; here clients learn which of both it is, and why. */
const STATUS: Readonly<Record<RefusalCode, readonly [http: number, grpc: number]>> = {
  'request-malformed': [400, INVALID_ARGUMENT],
  'too-large': [413, RESOURCE_EXHAUSTED],
  'route-unknown': [404, NOT_FOUND],
  'method-unknown': [405, UNIMPLEMENTED],
  'entry-unknown': [404, NOT_FOUND],
  'token-missing': TOKEN,
  'token-malformed': TOKEN,
  'token-algorithm': TOKEN,
  'issuer-unknown': TOKEN,
  'token-signature': TOKEN,
  'token-audience': TOKEN,
  'token-expired': TOKEN,
  'token-not-yet-valid': TOKEN,
  'token-claims': TOKEN,
  'token-used-up': [403, PERMISSION_DENIED],
  'issuer-unreachable': [503, UNAVAILABLE],
  'authority-ended': [503, UNAVAILABLE],
  'rule-refused': [403, PERMISSION_DENIED],
  'key-refused': [400, INVALID_ARGUMENT],
  'proof-refused': [400, INVALID_ARGUMENT],
};

const PASSING: ReadonlySet<LogErrorCode> = new Set(['log-busy', 'log-full', 'witness-missing', 'publication-failed']);

/** The answer to a request that failed, as gRPC's gateway has it. What nobody foresaw says nothing about itself. */
export function fulcioFault(error: unknown): Reply {
  if (error instanceof CertificateRefusal) {
    const [status, code] = STATUS[error.code];
    return fault(
      status,
      code,
      error.message,
      status === 401 ? { 'www-authenticate': 'Bearer error="invalid_token"' } : {},
    );
  }
  if (error instanceof WireError) {
    if (error.code === 'body-ended') return fault(400, INVALID_ARGUMENT, error.message);
    if (error.code === 'body-slow') return fault(408, INVALID_ARGUMENT, error.message);
    if (error.code === 'too-large') return fault(413, RESOURCE_EXHAUSTED, error.message);
  }
  if (error instanceof StoreError && error.code === 'full')
    return fault(503, UNAVAILABLE, 'the certificate authority has no space left to record what it issues');
  // Nothing was given out; a retry may be.
  if (error instanceof LogError && PASSING.has(error.code))
    return fault(503, UNAVAILABLE, 'the certificate log takes nothing at the moment');
  return fault(500, INTERNAL, 'the certificate authority failed; its log says why');
}

function fault(status: number, code: number, message: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return json({ code, message, details: [] }, headers, status);
}
