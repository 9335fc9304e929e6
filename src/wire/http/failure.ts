// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../coded-error.ts';
import { WireError, type WireErrorCode } from '../wire-error.ts';

const CODES: Readonly<Record<string, readonly [WireErrorCode, string]>> = {
  ECONNRESET: ['connection-reset', 'the connection was reset'],
  EPIPE: ['connection-reset', 'the connection was closed while sending'],
  ECONNABORTED: ['connection-reset', 'the connection was aborted'],
  ConnectionClosed: ['connection-reset', 'the connection was closed'],
  ERR_STREAM_PREMATURE_CLOSE: ['connection-reset', 'the connection was closed in the middle of an answer'],
  ECONNREFUSED: ['unreachable', 'the connection was refused'],
  ConnectionRefused: ['unreachable', 'the connection was refused'],
  ENOTFOUND: ['unreachable', 'no such host'],
  EAI_AGAIN: ['unreachable', 'the name server does not answer'],
  DNS_ENOTFOUND: ['unreachable', 'no such host'],
  EHOSTUNREACH: ['unreachable', 'there is no route to it'],
  ENETUNREACH: ['unreachable', 'there is no route to it'],
  EADDRNOTAVAIL: ['unreachable', 'this machine has no address for it'],
  ETIMEDOUT: ['timeout', 'the connection timed out'],
  EPROTO: ['tls-failed', 'the TLS handshake failed (does it speak TLS?)'],
  CERT_HAS_EXPIRED: ['tls-failed', 'its certificate has expired'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls-failed', 'its certificate is for another name'],
  SELF_SIGNED_CERT_IN_CHAIN: ['tls-failed', 'its certificate ends in a root that is not trusted here'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['tls-failed', 'its certificate is self-signed and not trusted here'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['tls-failed', 'its certificate is by an issuer that is not trusted here'],
  UNABLE_TO_GET_ISSUER_CERT: ['tls-failed', 'its certificate is by an issuer that is not trusted here'],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['tls-failed', 'its certificate is by an issuer that is not trusted here'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['tls-failed', 'it does not speak TLS'],
  HPE_HEADER_OVERFLOW: ['protocol-violation', 'the header of its answer is too large'],
  ResponseHeadersTooLarge: ['protocol-violation', 'the header of its answer is too large'],
};

// Chains that end in an unknown root: the machine's own roots may know it.
const UNKNOWN_ROOT = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

/** Whether a failure may be cured by more roots. */
export function isUnknownRoot(error: unknown): boolean {
  const cause = error instanceof WireError && error.code === 'tls-failed' ? error.cause : undefined;
  return UNKNOWN_ROOT.has(codeOf(cause));
}

/** Whether a handshake failed because the other side does not speak TLS (rather than because we do not trust it). */
export function isNotTls(error: unknown): boolean {
  if (!(error instanceof WireError) || error.code !== 'tls-failed') return false;
  const code = codeOf(error.cause);
  return /^(?:EPROTO$|ERR_SSL_)/.test(code) && !code.includes('ALERT');
}

/**
 * What a failure of the runtime's HTTP means, as a coded error; coded errors stay what they are.
 * @param host `host:port`
 */
export function transportFailure(error: unknown, host: string): Error {
  if (error instanceof CodedError) return error;
  const code = codeOf(error);
  const known = CODES[code];
  if (known !== undefined) return new WireError(known[0], `${host}: ${known[1]}`, { cause: error });
  if (/^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_|HOSTNAME_MISMATCH|ERR_OSSL|INVALID_CA|PATH_LENGTH)/.test(code)) {
    return new WireError('tls-failed', `${host}: TLS failed (${code})`, { cause: error });
  }
  if (/^(?:HPE_|ERR_HTTP|Malformed|InvalidHTTP|Invalid)/i.test(code)) {
    return new WireError('protocol-violation', `${host}: what it answers is not HTTP (${code})`, { cause: error });
  }
  return new WireError('unreachable', `${host}: ${code === '' ? 'the request failed' : code}`, { cause: error });
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof code === 'string') return code;
  const first = error instanceof AggregateError ? (error.errors as readonly unknown[])[0] : undefined;
  return first === undefined ? '' : codeOf(first);
}
