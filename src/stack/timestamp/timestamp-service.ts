// SPDX-License-Identifier: Apache-2.0
import {
  buildTimestampResponse,
  decodeTimestampRequest,
  encodeCertificates,
  type TimestampIssuer,
  type TimestampRequest,
} from '../../trust/index.ts';
import { header, WireError, type Call, type Reply, type Service } from '../../wire/index.ts';
import type { ClockGuard } from './clock-guard.ts';
import { decodeJsonRequest } from './json-request.ts';
import { createSerialNumbers } from './serial-numbers.ts';
import { jsonFault, TIMESTAMP_REPLY, timestampFault, TimestampFault, type RequestForm } from './timestamp-fault.ts';

/** With what timestamps are given. */
export interface TimestampServiceOptions {
  /** from trust's `createTimestampIssuer` */
  readonly issuer: TimestampIssuer;
  readonly clock: ClockGuard;
  /** whether who asks for certificates gets the whole chain, and not only the one that signs; no unless told */
  readonly includeChain?: boolean;
}

/** A timestamp authority over HTTP, without its socket. */
export interface TimestampAuthorityService {
  readonly service: Service;
  /** From now on timestamps are given by this one; requests under way end with the one that they began with. */
  replace(issuer: TimestampIssuer): void;
}

const TIMESTAMP = '/api/v1/timestamp';
const CHAIN = '/api/v1/timestamp/certchain';
const PING = '/ping';
const METHODS: ReadonlyMap<string, string> = new Map([
  [TIMESTAMP, 'POST'],
  [CHAIN, 'GET, HEAD'],
  [PING, 'GET, HEAD'],
]);
const FORMS: ReadonlyMap<string, RequestForm> = new Map([
  ['application/timestamp-query', 'der'],
  ['application/json', 'json'],
]);
/** A request has about a hundred octets, with SHA-512, a nonce and a policy two hundred. */
const MAX_BYTES = 1024;

/**
 * Answers as Sigstore's timestamp authority does: `POST /api/v1/timestamp` (RFC 3161 in DER, or JSON), `GET /api/v1/timestamp/certchain`
 * (PEM, from the certificate that signs to the root) and `GET /ping`. It stops, with 503 and `timeNotAvailable`, while the clock is not believed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3161#section-3.4
 * @see https://github.com/sigstore/timestamp-authority/blob/main/openapi.yaml
 * @example
 * const clock = createClockGuard({ now: () => new Date(), monotonic: () => performance.now() });
 * const { service, replace } = createTimestampService({ issuer: await createTimestampIssuer(signer, chain), clock });
 */
export function createTimestampService(options: TimestampServiceOptions): TimestampAuthorityService {
  const { clock, includeChain = false } = options;
  const nextNumber = createSerialNumbers();
  let { issuer } = options;

  async function give(call: Call): Promise<Reply> {
    const form = formOf(call);
    const mine = issuer;
    try {
      const request = decode(await readRequest(call), form);
      const grant = { serialNumber: nextNumber(), time: clock.now(), includeChain };
      const body = await buildTimestampResponse(request, mine, grant);
      return { status: 201, headers: TIMESTAMP_REPLY, body };
    } catch (error) {
      throw timestampFault(error, form);
    }
  }

  async function answer(call: Call): Promise<Reply> {
    const path = call.target.split('?', 1)[0] ?? '';
    const methods = METHODS.get(path);
    if (methods === undefined)
      throw refuse(404, `nothing is here; timestamps are given at POST ${TIMESTAMP}, certificates at GET ${CHAIN}`);
    if (!methods.split(', ').includes(call.method))
      throw refuse(405, `${call.method} is not possible here (${methods} is)`, { allow: methods });
    if (path === TIMESTAMP) return give(call);
    if (path === PING) return { status: 200, headers: { 'content-type': 'text/plain' }, body: '.' };
    const headers = { 'content-type': 'application/pem-certificate-chain', 'cache-control': 'no-cache' };
    return { status: 200, headers, body: encodeCertificates(issuer.chain) };
  }

  return {
    service: {
      answer,
      fault: (error) => (error instanceof TimestampFault ? error : timestampFault(error, 'json')).reply,
    },
    replace: (next) => {
      issuer = next;
    },
  };
}

function decode(bytes: Uint8Array, form: RequestForm): TimestampRequest {
  return form === 'der' ? decodeTimestampRequest(bytes) : decodeJsonRequest(bytes);
}

function formOf(call: Call): RequestForm {
  const type = header(call, 'content-type') ?? '';
  const form = FORMS.get(type) ?? FORMS.get((type.split(';', 1)[0] ?? '').trim().toLowerCase());
  if (form !== undefined) return form;
  throw refuse(415, `the content type of a request is one of ${[...FORMS.keys()].join(', ')}`);
}

async function readRequest(call: Call): Promise<Uint8Array> {
  let read: Uint8Array | undefined;
  if (Number(header(call, 'content-length') ?? 0) > MAX_BYTES) throw tooLarge();
  for await (const chunk of call.body) {
    if ((read?.length ?? 0) + chunk.length > MAX_BYTES) throw tooLarge();
    read = read === undefined ? chunk : Buffer.concat([read, chunk]);
  }
  return read ?? new Uint8Array();
}

function tooLarge(): WireError {
  return new WireError('too-large', `the timestamp request has more than the ${MAX_BYTES} bytes that are read`);
}

function refuse(status: number, message: string, headers: Readonly<Record<string, string>> = {}): TimestampFault {
  return new TimestampFault(jsonFault(status, message, headers), message);
}
