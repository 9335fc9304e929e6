// SPDX-License-Identifier: Apache-2.0
import { encodeTimestampRefusal, TrustError, type TimestampFailure } from '../../trust/index.ts';
import { WireError, type Reply } from '../../wire/index.ts';
import { ClockError } from './clock-error.ts';

/** In which form a client asks, and is refused. */
export type RequestForm = 'der' | 'json';

/** A request that is answered with an error, in the form in which it was asked. */
export class TimestampFault extends Error {
  readonly reply: Reply;

  constructor(reply: Reply, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TimestampFault';
    this.reply = reply;
  }
}

/** What a failure is answered with. */
interface Refusal {
  readonly status: number;
  readonly failure: TimestampFailure;
}

const MALFORMED: Refusal = { status: 400, failure: 'badDataFormat' };
const REFUSALS: Readonly<Partial<Record<string, Refusal>>> = {
  'timestamp-malformed': MALFORMED,
  'der-malformed': MALFORMED,
  'json-malformed': MALFORMED,
  'json-too-deep': MALFORMED,
  'base64-malformed': MALFORMED,
  'body-ended': MALFORMED,
  'body-slow': { status: 408, failure: 'badDataFormat' },
  'too-large': { status: 413, failure: 'badDataFormat' },
  'timestamp-algorithm-unsupported': { status: 400, failure: 'badAlg' },
  'timestamp-policy-unsupported': { status: 400, failure: 'unacceptedPolicy' },
  'timestamp-extension-unsupported': { status: 400, failure: 'unacceptedExtension' },
  'timestamp-unissuable': { status: 503, failure: 'systemFailure' },
  'clock-jumped': { status: 503, failure: 'timeNotAvailable' },
  'clock-behind': { status: 503, failure: 'timeNotAvailable' },
};

/**
 * The answer to a request for a timestamp that failed: with DER a TimeStampResp that rejects, under a status that says the same, so that
 * a client that looks at either knows. What nobody foresaw says nothing about itself.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2
 */
export function timestampFault(error: unknown, form: RequestForm): TimestampFault {
  const refusal = refusalOf(error);
  const { status, failure } = refusal ?? { status: 500, failure: 'systemFailure' };
  const text =
    refusal === undefined || !(error instanceof Error)
      ? 'the timestamp authority failed; its log says why'
      : error.message;
  const reply =
    form === 'json'
      ? jsonFault(status, text)
      : { status, headers: { ...TIMESTAMP_REPLY }, body: encodeTimestampRefusal(failure, text) };
  return new TimestampFault(reply, text, { cause: error });
}

/** An error as the authority of Sigstore writes it. */
export function jsonFault(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ code: status, message }),
  };
}

/** The media type of every answer in DER. @see https://www.rfc-editor.org/rfc/rfc3161#section-3.4 */
export const TIMESTAMP_REPLY: Readonly<Record<string, string>> = { 'content-type': 'application/timestamp-reply' };

function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof TrustError || error instanceof WireError || error instanceof ClockError)
    return REFUSALS[error.code];
  return undefined;
}
