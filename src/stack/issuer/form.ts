// SPDX-License-Identifier: Apache-2.0
import { header, WireError, type Call } from '../../wire/index.ts';
import { OAuthFault } from './oauth-fault.ts';

/** Parameters by their name; one without a value is not there. */
export type Parameters = ReadonlyMap<string, string>;

const MAX_BYTES = 16 * 1024;
const MAX_PARAMETERS = 32;

/** @throws OAuthFault `invalid_request` */
export function readQuery(call: Call): Parameters {
  const mark = call.target.indexOf('?');
  return parseParameters(mark === -1 ? '' : call.target.slice(mark + 1));
}

/** @throws OAuthFault `invalid_request`; WireError `body-ended`, `body-slow` */
export async function readForm(call: Call): Promise<Parameters> {
  const type = (header(call, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded')
    throw new OAuthFault('invalid_request', 'the content type is not application/x-www-form-urlencoded', 415);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of call.body) {
    size += chunk.length;
    if (size > MAX_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks, size));
  } catch {
    throw new OAuthFault('invalid_request', 'the form is not UTF-8');
  }
  return parseParameters(text);
}

/**
 * Reads parameters: each name once, at most 32 of them, 16 KiB in all.
 *
 * @throws OAuthFault `invalid_request`
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-3.2
 */
function parseParameters(text: string): Parameters {
  if (text.length > MAX_BYTES) throw tooLarge();
  const parameters = new Map<string, string>();
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (seen.has(name))
      throw new OAuthFault('invalid_request', `the parameter ${name.slice(0, 64)} stands there twice`);
    seen.add(name);
    if (seen.size > MAX_PARAMETERS)
      throw new OAuthFault('invalid_request', `there are more than the ${MAX_PARAMETERS} parameters that are read`);
    if (value !== '') parameters.set(name, value);
  }
  return parameters;
}

/**
 * A parameter that must be there.
 *
 * @throws OAuthFault `invalid_request`
 */
export function required(parameters: Parameters, name: string): string {
  const value = parameters.get(name);
  if (value === undefined) throw new OAuthFault('invalid_request', `the parameter ${name} is missing`);
  return value;
}

/** Whether a request broke off or trickled, which is its sender's fault. */
export function isBrokenBody(error: unknown): error is WireError {
  return error instanceof WireError && (error.code === 'body-ended' || error.code === 'body-slow');
}

function tooLarge(): OAuthFault {
  return new OAuthFault('invalid_request', `there are more than the ${MAX_BYTES} bytes that are read`, 413);
}
