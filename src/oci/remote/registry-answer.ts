// SPDX-License-Identifier: Apache-2.0
import {
  isJsonObject,
  parseJson,
  parseRetryAfter,
  readBody,
  shownUrl,
  WireError,
  type HttpResponse,
  type Json,
} from '../../wire/index.ts';
import { digestAlgorithm, isDigest, type Digest } from '../digest.ts';
import { RegistryError, type RegistryErrorCode } from '../error.ts';
import { quoted } from '../quoted.ts';

/** What a registry said when it did not do what was asked. */
export interface Refusal {
  /** one of the specification's, or undefined. @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes */
  readonly code?: string;
  readonly message?: string;
}

const MAX_REFUSAL_BYTES = 64 * 1024;

/** Reads the error document of an answer; a body that is none tells nothing. */
export async function readRefusal(response: HttpResponse): Promise<Refusal> {
  try {
    const bytes = await readBody(response, MAX_REFUSAL_BYTES, 'the error');
    if (bytes.byteLength === 0) return {};
    return decodeRefusal(parseJson(bytes, { what: 'the error', maxBytes: MAX_REFUSAL_BYTES }));
  } catch (error) {
    if (error instanceof WireError && error.code !== 'connection-reset' && error.code !== 'timeout') return {};
    throw error;
  }
}

function decodeRefusal(json: Json): Refusal {
  if (!isJsonObject(json)) return {};
  const first = Array.isArray(json['errors']) ? (json['errors'] as readonly Json[])[0] : undefined;
  if (isJsonObject(first)) {
    const { code, message } = first;
    return {
      ...(typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? { code } : {}),
      ...(typeof message === 'string' && message !== '' ? { message } : {}),
    };
  }
  // token servers: RFC 6749, section 5.2, and docker's own
  const text = [json['error_description'], json['details'], json['message'], json['error']].find(
    (value) => typeof value === 'string',
  );
  return typeof text === 'string' && text !== '' ? { message: text } : {};
}

/** Codes that say that we were not told, whatever the status: a 404 with one of these is no absence. */
const UNTOLD: ReadonlySet<string> = new Set(['UNAUTHORIZED', 'DENIED', 'TOOMANYREQUESTS']);

/** Whether a read was answered with: it is not there. */
export function isAbsence(status: number, refusal: Refusal): boolean {
  return (status === 404 && !UNTOLD.has(refusal.code ?? '')) || (status === 400 && saysAbsent(refusal));
}

/** Codes that say that something is not there, whatever the status. */
export function saysAbsent(refusal: Refusal): boolean {
  return ['NAME_UNKNOWN', 'MANIFEST_UNKNOWN', 'BLOB_UNKNOWN', 'NOT_FOUND'].includes(refusal.code ?? '');
}

const BY_CODE: Readonly<Record<string, RegistryErrorCode>> = {
  UNAUTHORIZED: 'unauthorized',
  DENIED: 'denied',
  UNSUPPORTED: 'unsupported',
  TOOMANYREQUESTS: 'throttled',
  DIGEST_INVALID: 'digest-mismatch',
  SIZE_INVALID: 'size-mismatch',
  MANIFEST_INVALID: 'manifest-malformed',
  MANIFEST_BLOB_UNKNOWN: 'content-missing',
};

const BY_STATUS: Readonly<Record<number, RegistryErrorCode>> = {
  401: 'unauthorized',
  403: 'denied',
  404: 'denied', // of a write: reads take it for absence
  405: 'unsupported',
  408: 'timeout',
  409: 'conflict',
  412: 'conflict',
  413: 'too-large',
  415: 'unsupported',
  429: 'throttled',
  501: 'unsupported',
};

const MEANING: Readonly<Record<number, string>> = {
  401: 'not authorized',
  403: 'denied',
  404: 'not found',
  405: 'not supported',
  408: 'timeout',
  409: 'conflict',
  412: 'changed in the meantime',
  413: 'too large',
  429: 'too many requests',
  500: 'server error',
  502: 'bad gateway',
  503: 'unavailable',
  504: 'gateway timeout',
};

/**
 * The error for an answer that was not what was hoped for.
 * @param doing what was attempted, as it follows "cannot"
 */
export function refused(response: HttpResponse, refusal: Refusal, doing: string): RegistryError {
  const { status, url, attempts } = response;
  const times = attempts > 1 ? ` after ${attempts} attempts` : '';
  const said = [refusal.code, refusal.message === undefined ? undefined : quoted(refusal.message, 200)].filter(
    (part) => part !== undefined,
  );
  const meaning = MEANING[status] === undefined ? '' : ` (${MEANING[status]})`;
  const what = `${url.host} answered ${status}${meaning}${times}`;
  const retryAfterMs = parseRetryAfter(response.headers['retry-after'], Date.now());
  const wait = retryAfterMs === undefined ? '' : `; it asks to wait ${Math.ceil(retryAfterMs / 1000)} s`;
  const message = `cannot ${doing}: ${what}${said.length === 0 ? '' : `: ${said.join(' ')}`}${wait}`;
  return new RegistryError(codeOf(status, refusal), message, {
    url: shownUrl(url),
    status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function codeOf(status: number, refusal: Refusal): RegistryErrorCode {
  if (status >= 500 && status !== 501) return 'server-error';
  if ([401, 403, 413, 429].includes(status)) return BY_STATUS[status] ?? 'denied';
  return BY_CODE[refusal.code ?? ''] ?? BY_STATUS[status] ?? 'protocol-violation';
}

/**
 * Checks what a registry says that it stored. It may name the same content by another algorithm.
 * @throws RegistryError `digest-mismatch`
 */
export function checkStored(response: HttpResponse, digest: Digest, doing: string): void {
  const stored = response.headers['docker-content-digest'];
  if (stored === undefined || !isDigest(stored) || digestAlgorithm(stored) !== digestAlgorithm(digest)) return;
  if (stored === digest) return;
  throw new RegistryError('digest-mismatch', `cannot ${doing}: ${response.url.host} says that it stored ${stored}`, {
    url: shownUrl(response.url),
  });
}

const BY_WIRE: Readonly<Record<string, RegistryErrorCode>> = {
  unreachable: 'unreachable',
  'connection-reset': 'unreachable',
  timeout: 'timeout',
  'tls-failed': 'tls-failed',
  'address-refused': 'redirect-refused',
  'redirect-refused': 'redirect-refused',
  'too-large': 'too-large',
};

/** The error for what went wrong on the way; errors that have a meaning already keep it. */
export function failedOnTheWay(error: unknown, doing: string, url: URL): unknown {
  if (!(error instanceof WireError)) return error;
  const code = BY_WIRE[error.code] ?? 'protocol-violation';
  return new RegistryError(code, `cannot ${doing}: ${error.message}`, { cause: error, url: shownUrl(url) });
}
