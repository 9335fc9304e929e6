// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { isJsonObject, parseJson, readBody, shownUrl, type HttpClient, type HttpHeaders } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';

/** A question to one of the services behind a signature. Every one of them may be asked again: the answer is the same, or as good. */
export interface ServiceRequest {
  readonly http: HttpClient;
  /** names the service in errors, such as `the certificate authority` */
  readonly what: string;
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers?: HttpHeaders;
  readonly body?: Uint8Array;
  /** milliseconds until the exchange must have ended, with all its repetitions */
  readonly withinMs: number;
  /** octets of an answer, at most */
  readonly maxBytes: number;
  /** what must not show in a message, even if the service repeats it */
  readonly secrets?: readonly string[];
}

/** An answer, whatever its status. */
export interface ServiceAnswer {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly body: Uint8Array;
  readonly request: ServiceRequest;
}

const MAX_EXPLANATION = 300;

/**
 * Asks a service and reads its answer, with repetitions where that helps.
 *
 * Redirects are not followed: what is sent has a token or the signature of somebody, and is for the one who was named.
 *
 * @throws WireError as the client does: nothing is known then
 */
export async function askService(request: ServiceRequest): Promise<ServiceAnswer> {
  const { http, method, url, headers, body, withinMs, maxBytes, what } = request;
  return http.exchange(
    {
      method,
      url,
      headers: { 'user-agent': 'bulla', ...headers },
      ...(body === undefined ? {} : { body }),
      deadline: http.clock.now() + withinMs,
      repeatable: true,
      redirects: 0,
    },
    async (response) => ({
      status: response.status,
      headers: response.headers,
      body: await readBody(response, maxBytes, `the answer of ${what} ${shownUrl(url)}`),
      request,
    }),
  );
}

/** The error for an answer that is not what was asked for: what the service says, and whether asking again may help. */
export function refusalOf(answer: ServiceAnswer): KeylessError {
  const { status, request } = answer;
  const passing = status === 408 || status === 429 || status >= 500;
  const said = explanationIn(answer);
  return new KeylessError(
    passing ? 'service-unavailable' : 'service-refused',
    `${request.what} ${shownUrl(request.url)} answers ${status}${said === '' ? '' : `: ${said}`}`,
  );
}

/** The error for an answer that cannot be read, or is about something else. */
export function badAnswer(
  { request }: ServiceAnswer,
  code: 'answer-malformed' | 'answer-mismatch',
  found: string,
): KeylessError {
  return new KeylessError(code, `${request.what} ${shownUrl(request.url)} answers ${found}`);
}

// What gRPC gateways and Rekor write, or else the text; never a page of HTML, and never what we sent.
function explanationIn({ headers, body, request }: ServiceAnswer): string {
  const said = messageOf(body) ?? (headers['content-type']?.startsWith('text/plain') === true ? textOf(body) : '');
  let shown = said;
  for (const secret of request.secrets ?? []) if (secret !== '') shown = shown.replaceAll(secret, '(hidden)');
  return printable(shown.replace(/\s+/g, ' ').trim(), MAX_EXPLANATION);
}

function messageOf(body: Uint8Array): string | undefined {
  try {
    const value = parseJson(body, { what: 'the answer', maxBytes: 64 * 1024, maxDepth: 8 });
    const message = isJsonObject(value) ? (value['message'] ?? value['error_description'] ?? value['error']) : value;
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

function textOf(body: Uint8Array): string {
  return new TextDecoder().decode(body.subarray(0, 4096));
}
