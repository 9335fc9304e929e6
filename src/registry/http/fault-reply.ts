// SPDX-License-Identifier: Apache-2.0
import { ReferenceFault, RegistryError } from '../../oci/index.ts';
import { StoreError } from '../../store/index.ts';
import { WireError, type Reply } from '../../wire/index.ts';
import { MissingParts } from '../storage/denial.ts';
import { OciFault } from './oci-fault.ts';

/** On every answer: docker tells a registry by it. */
export const API_VERSION: Readonly<Record<string, string>> = { 'docker-distribution-api-version': 'registry/2.0' };

/**
 * The answer to a request that failed. What nobody foresaw says nothing about itself: it is the operator who reads why.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
 */
export function faultReply(error: unknown): Reply {
  const fault = toFault(error);
  const detail = fault.detail === undefined ? {} : { detail: fault.detail };
  return {
    status: fault.status,
    headers: { ...API_VERSION, 'content-type': 'application/json', ...fault.headers },
    body: JSON.stringify({ errors: [{ code: fault.code, message: fault.message, ...detail }] }),
  };
}

function toFault(error: unknown): OciFault {
  if (error instanceof OciFault) return error;
  if (error instanceof MissingParts) {
    const detail = error.missing.slice(0, 100).map((digest) => ({ digest }));
    return new OciFault(400, 'MANIFEST_BLOB_UNKNOWN', error.message, { detail });
  }
  if (error instanceof RegistryError) return ofRegistry(error);
  if (error instanceof ReferenceFault) {
    const code = error.code === 'tag-malformed' ? 'TAG_INVALID' : 'DIGEST_INVALID';
    return new OciFault(400, code, error.message);
  }
  if (error instanceof WireError) {
    if (error.code === 'body-ended') return new OciFault(400, 'BLOB_UPLOAD_INVALID', error.message);
    if (error.code === 'body-slow') return new OciFault(408, 'BLOB_UPLOAD_INVALID', error.message);
  }
  if (error instanceof StoreError && error.code === 'full') {
    return new OciFault(507, 'UNAVAILABLE', 'the registry has no space left');
  }
  return new OciFault(500, 'UNKNOWN', 'the registry failed; its log says why');
}

function ofRegistry(error: RegistryError): OciFault {
  switch (error.code) {
    case 'manifest-malformed':
      return new OciFault(400, 'MANIFEST_INVALID', error.message);
    case 'too-large':
      return new OciFault(413, 'SIZE_INVALID', error.message);
    case 'digest-mismatch':
      return new OciFault(400, 'DIGEST_INVALID', error.message);
    case 'size-mismatch':
      return new OciFault(400, 'SIZE_INVALID', error.message);
    case 'denied':
      return new OciFault(403, 'DENIED', error.message);
    case 'conflict':
      return new OciFault(412, 'DENIED', error.message);
    case 'throttled':
      return new OciFault(429, 'TOOMANYREQUESTS', error.message, { headers: { 'retry-after': '1' } });
    default:
      return new OciFault(500, 'UNKNOWN', 'the registry failed; its log says why');
  }
}
