// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../../trust/index.ts';
import {
  CodedError,
  isJsonObject,
  parseJson,
  readBody,
  WireError,
  type HttpHeaders,
  type HttpResponse,
  type Json,
} from '../../../wire/index.ts';
import { KeylessError } from '../../error.ts';
import type { Surroundings } from './token-provider.ts';

/** One question to somebody who hands out tokens. */
export interface TokenQuestion {
  /** names the server in errors */
  readonly who: string;
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: HttpHeaders;
  /** sent as JSON */
  readonly body?: Json;
  /** the member of the JSON answer that holds the token; the answer itself is the token where it is not given */
  readonly member?: string;
  /** what must not come out in a message, even where the server says it back */
  readonly secrets: readonly string[];
  /** what helps against a refusal */
  readonly remedy?: string;
  /** a last look at an answer of status 200, which may throw */
  readonly accept?: (response: HttpResponse) => void;
}

const MAX_ANSWER = 64 * 1024;
/** An honest server takes less than a second. */
const PATIENCE_MS = 30_000;

/**
 * Asks for a token: again after failures that may pass, at no other place than was named, and with nothing of the answer in an error
 * that could be a token.
 *
 * @throws KeylessError `token-refused` (with the status as `cause`'s message), `token-unavailable`
 */
export async function askForToken(
  question: TokenQuestion,
  surroundings: Pick<Surroundings, 'client' | 'deadline' | 'signal' | 'userAgent'>,
): Promise<string> {
  const { client, signal } = surroundings;
  const { who, body } = question;
  try {
    return await client.exchange(
      {
        method: question.method,
        url: question.url,
        headers: {
          accept: question.member === undefined ? '*/*' : 'application/json',
          'user-agent': surroundings.userAgent,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...question.headers,
        },
        ...(body === undefined ? {} : { body: new TextEncoder().encode(JSON.stringify(body)) }),
        home: question.url,
        deadline: Math.min(surroundings.deadline, client.clock.now() + PATIENCE_MS),
        ...(signal === undefined ? {} : { signal }),
        repeatable: true, // a second token does no harm
        redirects: 0, // what is sent along is a secret
      },
      async (response) => {
        if (response.status !== 200) throw await refusal(question, response);
        question.accept?.(response);
        return decodeAnswer(question, await readBody(response, MAX_ANSWER, `the answer of ${who}`));
      },
    );
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new KeylessError('token-unavailable', `cannot get an identity token from ${who}: ${error.message}`, {
      cause: error,
    });
  }
}

function decodeAnswer({ who, member }: TokenQuestion, bytes: Uint8Array): string {
  const unusable = (problem: string): KeylessError =>
    new KeylessError('token-unavailable', `the answer of ${who} ${problem}`);
  if (member === undefined) {
    const text = new TextDecoder().decode(bytes).trim();
    if (text === '') throw unusable('is empty (expected a token)');
    return text;
  }
  let json: Json;
  try {
    json = parseJson(bytes, { what: who, maxBytes: MAX_ANSWER, maxDepth: 16 });
  } catch {
    throw unusable('is not JSON'); // what it begins with could be half a token
  }
  const text = isJsonObject(json) ? json[member] : undefined;
  if (typeof text !== 'string' || text === '') throw unusable(`holds no token (expected '${member}')`);
  return text;
}

async function refusal(question: TokenQuestion, response: HttpResponse): Promise<KeylessError> {
  const { who, remedy } = question;
  const passing = response.status === 408 || response.status === 429 || response.status >= 500;
  const said = await reason(question, response);
  const tried = response.attempts > 1 ? `, tried ${response.attempts} times` : '';
  return new KeylessError(
    passing ? 'token-unavailable' : 'token-refused',
    `${who} gives no identity token: status ${response.status}${tried}${said}${remedy === undefined || passing ? '' : ` (${remedy})`}`,
    { cause: new RefusedStatus(response.status) },
  );
}

/** The status behind a refusal, for callers to whom it is an answer. */
export class RefusedStatus extends CodedError<'status'> {
  readonly status: number;

  constructor(status: number) {
    super('status', `status ${status}`);
    this.status = status;
  }
}

/** What the server says about it, unless it could be a secret. */
async function reason({ secrets }: TokenQuestion, response: HttpResponse): Promise<string> {
  try {
    const json = parseJson(await readBody(response, MAX_ANSWER, ''), { what: '', maxDepth: 16 });
    const error = isJsonObject(json) ? (json['error'] ?? json) : undefined;
    const message = isJsonObject(error) ? error['message'] : error;
    if (typeof message !== 'string' || message === '') return '';
    if (message.includes('eyJ') || secrets.some((secret) => message.includes(secret))) return '';
    return `, ${printable(message, 300)}`;
  } catch {
    return ''; // the status says enough
  }
}
