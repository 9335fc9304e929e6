// SPDX-License-Identifier: Apache-2.0
import type { HttpHeaders, Transport, TransportRequest, TransportResponse } from '../../wire/index.ts';

/** An answer that was thought up. */
export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: HttpHeaders;
  readonly body?: string | Uint8Array;
  /** who seems to have answered; a public address unless told */
  readonly remoteAddress?: string;
}

/** Opens no socket: records what it is asked, and answers what a function thinks up, or fails with what it throws. */
export class RecordingTransport implements Transport {
  readonly asked: TransportRequest[] = [];
  readonly #answer: (request: TransportRequest) => ScriptedAnswer;

  constructor(answer: (request: TransportRequest) => ScriptedAnswer) {
    this.#answer = answer;
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    this.asked.push(request);
    await Promise.resolve();
    const { status = 200, headers = {}, body = '', remoteAddress = '1.1.1.1' } = this.#answer(request);
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
    return {
      status,
      headers,
      remoteAddress,
      body: once(bytes),
      discard: () => Promise.resolve(),
    };
  }

  close(): void {
    // nothing is open
  }

  /** `METHOD URL` of all requests, queries left out. */
  get lines(): string[] {
    return this.asked.map(({ method, url }) => `${method} ${url.origin}${url.pathname}`);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}
