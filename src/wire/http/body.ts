// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../wire-error.ts';
import type { HttpHeaders } from './transport.ts';

/** The part of an answer that reading its body needs. */
export interface ReadableResponse {
  readonly headers: HttpHeaders;
  readonly body: AsyncIterable<Uint8Array>;
  readonly whole?: () => Promise<Uint8Array>;
  discard(): Promise<void>;
}

/**
 * Reads a whole body into memory, at most `maxBytes` of it: an announced length above is refused before anything is read, an endless
 * body as soon as it passes the cap.
 *
 * @param what names the body in the error
 * @throws WireError `too-large`
 */
export async function readBody(response: ReadableResponse, maxBytes: number, what: string): Promise<Uint8Array> {
  const announced = contentLength(response.headers);
  if (announced !== undefined && announced > maxBytes) {
    await response.discard();
    throw new WireError('too-large', `${what} has ${announced} bytes, at most ${maxBytes} are read`);
  }
  // Only there where no more than what was announced can come.
  if (announced !== undefined && response.whole !== undefined) return response.whole();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new WireError('too-large', `${what} has more than the ${maxBytes} bytes that are read`);
    chunks.push(chunk);
  }
  return join(chunks, size);
}

/** The announced length in bytes, where there is a sensible one. */
export function contentLength(headers: HttpHeaders): number | undefined {
  const text = headers['content-length'];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Chunks as one piece. */
export function join(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** How a connection's body is watched over. */
export interface BodyWatch {
  /** milliseconds between two chunks */
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** `host:port`, for errors */
  readonly host: string;
  /** makes a pending read of the connection fail */
  interrupt(reason: Error): void;
  /** what the connection's own failures mean */
  explain(error: unknown): Error;
  /** called once, however the body ends; `complete` tells whether all of it was read */
  finish(complete: boolean): void;
}

/** A connection's body with a limit on silence, a signal that ends it, and errors that are WireErrors. */
export async function* watchBody(chunks: AsyncIterable<Uint8Array>, watch: BodyWatch): AsyncGenerator<Uint8Array> {
  const { signal, idleMs } = watch;
  let failure: Error | undefined;
  let timer: NodeJS.Timeout | undefined;
  const interrupt = (reason: Error): void => {
    failure ??= reason;
    watch.interrupt(failure);
  };
  const abort = (): void => interrupt(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let complete = false;
  try {
    timer = setTimeout(() => interrupt(silence(watch)), idleMs);
    for await (const chunk of chunks) {
      clearTimeout(timer);
      if (failure !== undefined) throw failure;
      yield chunk;
      timer = setTimeout(() => interrupt(silence(watch)), idleMs);
    }
    if (failure !== undefined) throw failure;
    complete = true;
  } catch (error) {
    throw failure ?? watch.explain(error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    watch.finish(complete);
  }
}

/** The error for a body that stops coming. */
export function silence({ host, idleMs }: BodyWatch): WireError {
  return new WireError('timeout', `${host} fell silent for ${idleMs} ms in the middle of an answer`);
}

/** Whether a body is short, by a length that was announced and that the runtime holds it to. */
export function isShort(headers: HttpHeaders): boolean {
  const announced = contentLength(headers);
  return announced !== undefined && announced <= SHORT_REST && headers['transfer-encoding'] === undefined;
}

const SHORT_REST = 64 * 1024;
const SHORT_WHILE_MS = 1000;

/** Reads what is left of a body where that is short and soon here, so that its connection can serve again; else ends the connection. */
export async function discardBody(
  headers: HttpHeaders,
  body: AsyncIterable<Uint8Array>,
  end: () => void,
): Promise<void> {
  if ((contentLength(headers) ?? 0) > SHORT_REST) return end();
  const timer = setTimeout(end, SHORT_WHILE_MS);
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.byteLength;
      if (size > SHORT_REST) return;
    }
  } catch {
    // Nobody wants this body: that it failed says nothing about the request.
  } finally {
    clearTimeout(timer);
  }
}
