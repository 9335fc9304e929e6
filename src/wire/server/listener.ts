// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { WireError } from '../wire-error.ts';
import type { Reply, Service } from './call.ts';

/** How long, and how much, a client may keep the server busy without getting on. */
export interface TrafficLimits {
  /** without a byte in a body or an answer */
  readonly idleMs: number;
  /** a body may be slow for this long, */
  readonly graceMs: number;
  /** then it comes at this rate at least */
  readonly bytesPerSecond: number;
  /** of a body that nobody wants, read so that its sender gets to read the answer */
  readonly drainBytes: number;
}

/** One request and how it was answered, for the log. */
export interface AnsweredRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
  readonly address: string;
  /** why a request failed that was not at fault itself */
  readonly error?: unknown;
}

const ONE_WRITE = 32 * 1024;
const ALWAYS = { 'x-content-type-options': 'nosniff' };

/** A listener for node:http, and the rule by which its idle connections end. */
export class Listener {
  readonly #service: Service;
  readonly #limits: TrafficLimits;
  readonly #log: (request: AnsweredRequest) => void;
  /** Connections that wait for the server, not the other way round: these are never idle. */
  readonly #working = new WeakSet<Socket>();
  #underWay = 0;
  #idle: (() => void) | undefined;

  constructor(service: Service, limits: TrafficLimits, log: (request: AnsweredRequest) => void) {
    this.#service = service;
    this.#limits = limits;
    this.#log = log;
  }

  /** For `request`. */
  readonly onRequest: RequestListener = (request, response) => {
    void this.#handle(request, response, false);
  };

  /** For `checkContinue`: the body is asked for once somebody wants it, so that a refused one is never sent. */
  readonly onCheckContinue: RequestListener = (request, response) => {
    void this.#handle(request, response, true);
  };

  /** For `timeout`. */
  readonly onTimeout = (socket: Socket): void => {
    if (!this.#working.has(socket)) socket.destroy();
  };

  /** From now on each connection ends with the answer that is under way. Resolves when none is. */
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    if (this.#underWay === 0) resolve();
    return promise;
  }

  async #handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const began = performance.now();
    const { socket } = request;
    this.#begin(response);
    this.#working.add(socket);
    let wanted = !expectsContinue;
    const body = this.#body(request, () => {
      if (!wanted) response.writeContinue();
      wanted = true;
    });
    const call = { method: request.method ?? '', target: request.url ?? '', headers: request.headers, body };
    let reply: Reply;
    let error: unknown;
    try {
      reply = await this.#service.answer(call);
    } catch (cause) {
      reply = this.#service.fault(cause);
      if (reply.status >= 500) error = cause;
    }
    try {
      if (this.#idle !== undefined) response.shouldKeepAlive = false;
      if (!request.complete && (reply.headers['connection'] === 'close' || !(wanted && (await this.#drain(request)))))
        response.shouldKeepAlive = false;
      await this.#send(request, response, reply);
    } catch (cause) {
      error = cause;
      reply = this.#service.fault(cause);
      if (response.headersSent) response.destroy();
      else await this.#send(request, response, reply);
    } finally {
      this.#working.delete(socket);
    }
    const path = call.target.split('?', 1)[0] ?? '';
    const answered = { method: call.method, path, status: reply.status, milliseconds: performance.now() - began };
    this.#log({ ...answered, address: socket.remoteAddress ?? '', ...(error === undefined ? {} : { error }) });
  }

  #begin(response: ServerResponse): void {
    this.#underWay += 1;
    response.once('close', () => {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#idle?.();
    });
  }

  /** The body, as it comes in, for as long as it comes in. A body that ends early is the client's fault. */
  async *#body(request: IncomingMessage, want: () => void): AsyncIterable<Uint8Array> {
    want();
    const began = performance.now();
    let bytes = 0;
    this.#working.delete(request.socket);
    try {
      // Leaving the loop must not destroy the connection: the answer is still to be sent.
      for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        bytes += chunk.byteLength;
        this.#demandRate(bytes, performance.now() - began);
        this.#working.add(request.socket);
        yield chunk;
        this.#working.delete(request.socket);
      }
    } catch (cause) {
      if (cause instanceof WireError) throw cause;
      throw new WireError('body-ended', `the body ended after ${bytes} bytes`, { cause });
    } finally {
      this.#working.add(request.socket);
    }
  }

  #demandRate(bytes: number, milliseconds: number): void {
    const { graceMs, bytesPerSecond } = this.#limits;
    if (milliseconds < graceMs || bytes >= (bytesPerSecond * milliseconds) / 1000) return;
    throw new WireError('body-slow', `the body comes in at less than ${bytesPerSecond} bytes a second`);
  }

  /** Reads the rest of a body that nobody wanted. False where that is too much or too slow: the connection ends with the answer. */
  async #drain(request: IncomingMessage): Promise<boolean> {
    if (Number(request.headers['content-length'] ?? 0) > this.#limits.drainBytes) return false;
    let bytes = 0;
    try {
      for await (const chunk of this.#body(request, () => {})) {
        bytes += chunk.byteLength;
        if (bytes > this.#limits.drainBytes) return false;
      }
      return true;
    } catch {
      return false;
    }
  }

  async #send(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> {
    const { body } = reply;
    const headers: Record<string, string | number> = { ...ALWAYS, ...reply.headers };
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
      const octets = body === undefined ? 0 : Buffer.byteLength(body);
      if (body !== undefined) headers['content-length'] = octets;
      this.#working.delete(request.socket);
      response.writeHead(reply.status, headers);
      if (request.method === 'HEAD' || body === undefined) response.end();
      // As text of one byte a character, a small body leaves in one write with its headers.
      else if (typeof body === 'string' && body.length === octets) response.end(body, 'latin1');
      else if (body.length <= ONE_WRITE) response.end(Buffer.from(body).toString('latin1'), 'latin1');
      else response.end(body);
      return;
    }
    await this.#stream(request, response, () => response.writeHead(reply.status, headers), body);
  }

  /** Sends a stream. Its first chunk is waited for before anything is said, so that what cannot be read is not called 200. */
  async #stream(
    request: IncomingMessage,
    response: ServerResponse,
    begin: () => void,
    body: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const chunks = body[Symbol.asyncIterator]();
    try {
      let next = await chunks.next();
      begin();
      while (next.done !== true) {
        if (response.destroyed) return;
        if (!response.write(next.value)) {
          this.#working.delete(request.socket);
          await drained(response);
          this.#working.add(request.socket);
        }
        next = await chunks.next();
      }
      this.#working.delete(request.socket);
      response.end();
    } finally {
      await chunks.return?.();
    }
  }
}

/** Resolves when more can be written, or nothing ever can. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
