// SPDX-License-Identifier: Apache-2.0
import { hash, randomBytes } from 'node:crypto';
import {
  decodeTimestampResponse,
  encodeTimestampRequest,
  TrustError,
  type TimestampResponse,
  type TimestampWitness,
} from '../../trust/index.ts';
import type { HttpClient } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import { askService, badAnswer, refusalOf, type ServiceAnswer } from '../service/ask-service.ts';
import { parseServiceAddress } from '../service/service-address.ts';

/** How a timestamp authority is asked. */
export interface TimestampWitnessOptions {
  readonly http: HttpClient;
  /**
   * asks for the certificates of the authority, as cosign 2 does for its annotations; unless told not, as cosign 3, whose bundles are read
   * by whoever has them in a trusted root
   */
  readonly certificates?: boolean;
}

const WITHIN_MS = 30_000;
const MAX_BYTES = 256 * 1024;
const NONCE_BYTES = 8;

/**
 * A timestamp authority (RFC 3161 over HTTP). Its answer is about this signature and this question, or it is an error; whether anybody
 * trusts the authority is for whoever has a trusted root.
 *
 * @param service its whole address
 * @throws KeylessError `setting-malformed`; when asked `service-refused`, `service-unavailable`, `answer-malformed`, `answer-mismatch`, and
 * WireError as the client does
 * @see https://www.rfc-editor.org/rfc/rfc3161#section-3.4
 * @example
 * const clock = timestampWitness({ url: 'https://tsa.example/api/v1/timestamp' }, { http: new HttpClient() });
 */
export function timestampWitness(
  service: { readonly url: string },
  options: TimestampWitnessOptions,
): TimestampWitness {
  const url = parseServiceAddress(service.url, 'the address of the timestamp authority');
  const { http, certificates = false } = options;
  return {
    kind: 'timestamp-authority',
    name: url.href,
    timestamp: async (signature) => {
      const digest = { algorithm: 'sha256', bytes: hash('sha256', signature, 'buffer') } as const;
      const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
      // The octets of a positive number, none of them idle: so it comes back as it was sent.
      nonce[0] = ((nonce[0] ?? 0) & 0x7f) | 0x40;
      const answer = await askService({
        http,
        what: 'the timestamp authority',
        method: 'POST',
        url,
        headers: { accept: 'application/timestamp-reply', 'content-type': 'application/timestamp-query' },
        body: encodeTimestampRequest({ digest, nonce, certificates }),
        withinMs: WITHIN_MS,
        maxBytes: MAX_BYTES,
      });
      if (answer.status !== 200 && answer.status !== 201) throw refusalOf(answer);
      requireTimestamp(answer, digest.bytes, nonce);
      return answer.body;
    },
  };
}

function requireTimestamp(answer: ServiceAnswer, digest: Uint8Array, nonce: Uint8Array): void {
  let response: TimestampResponse;
  try {
    response = decodeTimestampResponse(answer.body);
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw badAnswer(answer, 'answer-malformed', `what cannot be read: ${error.message}`);
  }
  if (response.kind === 'refused') {
    const { failures, text } = response;
    const why = [...failures, ...(text === '' ? [] : [text])].join(': ');
    // Its clock, or its key, may be better in a while; what was asked for will not.
    const passing = failures.includes('timeNotAvailable') || failures.includes('systemFailure');
    const said = `the timestamp authority ${answer.request.url.href} grants no timestamp${why === '' ? '' : ` (${why})`}`;
    throw new KeylessError(passing ? 'service-unavailable' : 'service-refused', said);
  }
  const { info } = response.token;
  if (info.imprint.algorithm !== 'sha256' || !Buffer.from(info.imprint.bytes).equals(digest))
    throw badAnswer(answer, 'answer-mismatch', 'a timestamp of something else than the signature');
  // RFC 3161 section 2.4.2: it must be there, with the same value.
  if (info.nonce === undefined || !Buffer.from(info.nonce).equals(nonce))
    throw badAnswer(answer, 'answer-mismatch', 'a timestamp that was not made for this request (its nonce is another)');
}
