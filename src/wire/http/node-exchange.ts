// SPDX-License-Identifier: Apache-2.0
import type { ClientRequest, IncomingMessage } from 'node:http';
import { WireError } from '../wire-error.ts';
import { discardBody, isShort, join, silence, watchBody, type BodyWatch } from './body.ts';
import { transportFailure } from './failure.ts';
import type { HttpHeaders, RequestBody, TransportRequest, TransportResponse } from './transport.ts';

/** Sends a request that was begun, and waits for the header of its answer. */
export function exchange(outgoing: ClientRequest, request: TransportRequest): Promise<TransportResponse> {
  const { signal, timeouts, url } = request;
  const host = url.host;
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let settled = false;
    const limit = (milliseconds: number, doing: string): void => {
      clearTimeout(timer);
      if (settled) return;
      timer = setTimeout(() => {
        outgoing.destroy(new WireError('timeout', `${host} did not ${doing} within ${milliseconds} ms`));
      }, milliseconds);
    };
    const abort = (): void => void outgoing.destroy(signal.reason as Error);
    const settle = (): void => {
      settled = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const start = async (): Promise<void> => {
      try {
        await send(outgoing, request.body, () => {
          limit(timeouts.idleMs, 'take more of the request');
          return !settled;
        });
        limit(timeouts.headersMs, 'answer');
      } catch (error) {
        settle();
        reject(error); // the source's own error: the connection is not to blame
        outgoing.destroy();
      }
    };
    limit(timeouts.connectMs, 'take the connection');
    signal.addEventListener('abort', abort, { once: true });
    outgoing.on('error', (error) => {
      settle();
      reject(signal.aborted ? (signal.reason as Error) : transportFailure(error, host));
    });
    outgoing.once('response', (incoming) => {
      settle();
      resolve(answer(outgoing, incoming, request));
    });
    outgoing.once('socket', (socket) => {
      if (outgoing.reusedSocket || !socket.connecting) void start();
      else socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => void start());
    });
  });
}

/** @param progress told of each chunk; answers whether anyone still wants the rest */
async function send(outgoing: ClientRequest, body: RequestBody | undefined, progress: () => boolean): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    outgoing.end(body);
    return;
  }
  let sent = 0;
  for await (const chunk of body.open()) {
    if (!progress()) return; // failed, or answered before the end
    sent += chunk.byteLength;
    if (sent > body.length) break;
    if (!outgoing.write(chunk)) await drained(outgoing);
  }
  if (sent !== body.length) {
    throw new WireError('protocol-violation', `the body to send is not the ${body.length} bytes that were announced`);
  }
  outgoing.end();
}

function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'response']) outgoing.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'response']) outgoing.on(event, done);
  });
}

function answer(outgoing: ClientRequest, incoming: IncomingMessage, request: TransportRequest): TransportResponse {
  const host = request.url.host;
  incoming.on('error', () => undefined); // whoever reads the body gets the error; nobody else needs it
  const headers = joinHeaders(incoming);
  const watch: BodyWatch = {
    idleMs: request.timeouts.idleMs,
    signal: request.signal,
    host,
    interrupt: (reason) => void incoming.destroy(reason),
    explain: (error) => transportFailure(error, host),
    finish: (complete) => {
      // A connection whose request was not sent to its end cannot serve another.
      if (!complete || !outgoing.writableFinished) outgoing.destroy();
    },
  };
  let body: AsyncIterable<Uint8Array> | undefined;
  let taken = false;
  const streamed = (): AsyncIterable<Uint8Array> => (body ??= watchBody(chunksOf(incoming), watch));
  const whole = (): Promise<Uint8Array> => {
    taken = true;
    return readWhole(incoming, watch);
  };
  const remoteAddress = incoming.socket.remoteAddress;
  return {
    status: incoming.statusCode ?? 0,
    headers,
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    body: { [Symbol.asyncIterator]: () => streamed()[Symbol.asyncIterator]() },
    ...(isShort(headers) ? { whole } : {}),
    discard: async () => {
      if (!taken) await discardBody(headers, streamed(), () => void incoming.destroy());
    },
  };
}

/** All of a short body, watched over as `watchBody` does. */
function readWhole(incoming: IncomingMessage, watch: BodyWatch): Promise<Uint8Array> {
  const { signal, idleMs } = watch;
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    let over = false;
    const settle = (failure?: Error): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      watch.finish(failure === undefined);
      if (failure === undefined) resolve(join(chunks, size));
      else reject(failure);
    };
    const interrupt = (reason: Error): void => {
      settle(reason);
      watch.interrupt(reason);
    };
    const abort = (): void => interrupt(signal.reason as Error);
    const timer = setTimeout(() => interrupt(silence(watch)), idleMs);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    incoming.on('data', (chunk: Uint8Array) => {
      size += chunk.byteLength;
      chunks.push(chunk);
      timer.refresh();
    });
    incoming.once('end', () => settle());
    incoming.once('error', (error: Error) => settle(watch.explain(error)));
    incoming.once('close', () => settle(watch.explain(closedEarly())));
  });
}

function closedEarly(): Error {
  return Object.assign(new Error('closed'), { code: 'ECONNRESET' });
}

/** The stream's chunks. Written out, since the stream's own iterator makes a cold start some 2 ms longer. */
function chunksOf(incoming: IncomingMessage): AsyncIterable<Uint8Array> {
  let wake: (() => void) | undefined;
  let ended = false;
  let failure: Error | undefined;
  const settle = (): void => {
    wake?.();
    wake = undefined;
  };
  incoming.on('readable', settle);
  incoming.on('end', () => {
    ended = true;
    settle();
  });
  incoming.on('error', (error: Error) => {
    failure = error;
    settle();
  });
  incoming.on('close', () => {
    if (!ended) failure ??= closedEarly();
    settle();
  });
  const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    for (;;) {
      if (failure !== undefined) throw failure;
      const chunk = incoming.read() as Uint8Array | null;
      if (chunk !== null) return { done: false, value: chunk };
      if (ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

function joinHeaders(incoming: IncomingMessage): HttpHeaders {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}
