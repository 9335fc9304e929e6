// SPDX-License-Identifier: Apache-2.0

// Asks an admission webhook over TLS, as fast as it answers or so often a second, as its parent told it to. Its own process, so that it is the
// server that is measured.
import { connect, type TLSSocket } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a client is told. */
export interface AdmissionLoad {
  readonly port: number;
  readonly path: string;
  /** bodies, asked in turn */
  readonly bodies: readonly string[];
  readonly connections: number;
  /** reviews a second; as many as are answered where it is left out */
  readonly rate?: number;
  /** it ends after so long, */
  readonly seconds: number;
  /** or after so many */
  readonly count?: number;
}

/** What a client counted. */
export interface AdmissionCount {
  readonly answers: number;
  readonly allowed: number;
  readonly seconds: number;
  /** milliseconds from when a review should have been sent to its answer */
  readonly latencies: readonly number[];
  /** the last answer */
  readonly sample: string;
}

class Client {
  readonly #socket: TLSSocket;
  readonly #onAnswer: (body: string) => void;
  #got = '';

  constructor(socket: TLSSocket, onAnswer: (body: string) => void) {
    this.#socket = socket;
    this.#onAnswer = onAnswer;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#read(chunk));
    socket.on('error', (error) => {
      throw error;
    });
  }

  send(request: Buffer): void {
    this.#socket.write(request);
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(chunk: string): void {
    this.#got += chunk;
    const end = this.#got.indexOf('\r\n\r\n');
    if (end === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#got)?.[1]);
    // the bare server sends chunks
    const chunked = /transfer-encoding: chunked/i.test(this.#got.slice(0, end));
    const whole = chunked ? this.#got.endsWith('\r\n0\r\n\r\n') : this.#got.length >= end + 4 + length;
    if (!this.#got.startsWith('HTTP/1.1 200 ')) throw new Error(`unexpected answer: ${this.#got.slice(0, 300)}`);
    if (!whole) return;
    const body = this.#got.slice(end + 4);
    this.#got = '';
    this.#onAnswer(body);
  }
}

async function run({
  port,
  path,
  bodies,
  connections,
  rate,
  seconds,
  count = Infinity,
}: AdmissionLoad): Promise<AdmissionCount> {
  const requests = bodies.map((body) =>
    Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    ),
  );
  const latencies: number[] = [];
  const idle: Client[] = [];
  const waiting: number[] = [];
  let answers = 0;
  let sent = 0;
  let allowed = 0;
  let sample = '';
  const began = performance.now();
  const { promise: done, resolve: finish } = Promise.withResolvers<void>();
  const isOver = (): boolean => performance.now() - began > seconds * 1000;
  const started = new Map<Client, number>();
  const send = (client: Client, due: number): void => {
    started.set(client, Math.min(due, performance.now()));
    client.send(requests[sent++ % requests.length] ?? Buffer.alloc(0));
  };
  const clients = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
      await new Promise<void>((open) => socket.once('secureConnect', open));
      const client: Client = new Client(socket, (body) => {
        latencies.push(performance.now() - (started.get(client) ?? 0));
        if (body.includes('"allowed":true')) allowed += 1;
        sample = body;
        answers += 1;
        if (answers >= count) return finish();
        const due = waiting.shift();
        if (due !== undefined) return send(client, due);
        if (rate === undefined && sent < count && !isOver()) return send(client, performance.now());
        idle.push(client);
      });
      return client;
    }),
  );
  const start = performance.now();
  if (rate === undefined) for (const client of clients.slice(0, count)) send(client, start);
  else {
    idle.push(...clients);
    for (let at = 0; at < rate * seconds; at++) {
      const due = start + (at * 1000) / rate;
      const wait = due - performance.now();
      if (wait > 1) await sleep(wait);
      const client = idle.pop();
      if (client === undefined) waiting.push(due);
      else send(client, due);
    }
  }
  const left = seconds * 1000 - (performance.now() - start);
  await (count === Infinity ? sleep(Math.max(0, left)) : done);
  const took = (performance.now() - start) / 1000;
  for (const client of clients) client.end();
  return { answers, allowed, seconds: took, latencies, sample };
}

async function tell(load: AdmissionLoad): Promise<void> {
  const count = await run(load);
  process.send?.(count, () => process.exit(0));
}

if (import.meta.main)
  process.once('message', (load: AdmissionLoad) => {
    void tell(load);
  });
