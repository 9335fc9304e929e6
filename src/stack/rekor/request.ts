// SPDX-License-Identifier: Apache-2.0
import { join, type Call } from '../../wire/index.ts';
import { RekorError } from './rekor-error.ts';

/** bytes of a request, as Rekor has it */
const MAX_BYTES = 4 * 1024 * 1024;

/** What a request asks for. */
export interface Target {
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Path and query of a request. Paths are compared as they are sent: nothing here needs to be escaped. */
export function targetOf({ target }: Call): Target {
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  return { path, query: new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1)) };
}

/** Reads a body. @throws RekorError `too-large` */
export async function readRequest({ headers, body }: Call): Promise<Uint8Array> {
  const announced = Number(headers['content-length'] ?? 0);
  if (announced > MAX_BYTES) throw tooLarge(announced);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw tooLarge(size);
    chunks.push(chunk);
  }
  const [first] = chunks;
  return first !== undefined && chunks.length === 1 ? first : join(chunks, size);
}

/** @throws RekorError `method-unsupported` unless the request has one of these methods */
export function requireMethod({ method }: Call, allowed: readonly string[]): void {
  if (allowed.includes(method)) return;
  throw new RekorError('method-unsupported', `${method.slice(0, 20)} is not possible here, ${allowed.join(', ')} is`);
}

/** A count out of a query. @throws RekorError `request-malformed` */
export function countOf(text: string | null, name: string): number {
  const count = text !== null && /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : -1;
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new RekorError('request-malformed', `the query has no number '${name}' from 0 to 2^53-1`);
}

function tooLarge(size: number): RekorError {
  return new RekorError('too-large', `the request has ${size} bytes or more, at most ${MAX_BYTES} are read`);
}
