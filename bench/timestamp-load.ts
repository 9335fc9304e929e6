// SPDX-License-Identifier: Apache-2.0

// Asks a timestamp authority as fast as it answers, as its parent told it to, and tells it what came. Its own process, so that it is the server
// that is measured.
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a client counted. */
export interface TimestampCount {
  readonly answers: number;
  /** answers that came in the first second */
  readonly warmUps: number;
  /** milliseconds, of every 16th answer */
  readonly latencies: readonly number[];
  /** the last answer, in base64 */
  readonly sample: string;
}

/** What a client is told. */
export interface TimestampTask {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
  /** in base64 */
  readonly query: string;
}

const WARM_UP_MS = 1000;

/** Asks over each connection again as soon as it has an answer; what comes in the first second is not counted. */
async function runClient({ port, seconds, connections, query }: TimestampTask): Promise<void> {
  const body = Buffer.from(query, 'base64');
  const head = `POST /api/v1/timestamp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/timestamp-query\r\nContent-Length: ${body.length}\r\n\r\n`;
  const request = Buffer.concat([Buffer.from(head), body]);
  const latencies: number[] = [];
  let answers = 0;
  let warmUps = 0;
  let counting = false;
  let sample: Buffer = Buffer.alloc(0);
  const sockets = Array.from({ length: connections }, () =>
    keepAsking(connect(port, '127.0.0.1'), request, (answer, milliseconds) => {
      sample = answer;
      if (!counting) warmUps++;
      else if (answers++ % 16 === 0) latencies.push(milliseconds);
    }),
  );
  await sleep(WARM_UP_MS);
  counting = true;
  await sleep(seconds * 1000);
  counting = false;
  for (const socket of sockets) socket.destroy();
  process.send?.({ answers, warmUps, latencies, sample: sample.toString('base64') } satisfies TimestampCount);
  process.disconnect?.();
}

/** HTTP as little as it takes to know where an answer ends, so that it is the server that is measured. */
function keepAsking(socket: Socket, request: Buffer, onAnswer: (body: Buffer, milliseconds: number) => void): Socket {
  let got: Buffer = Buffer.alloc(0);
  let began = performance.now();
  socket.setNoDelay(true);
  socket.once('connect', () => socket.write(request));
  socket.on('error', (error) => {
    throw error;
  });
  socket.on('data', (chunk: Buffer) => {
    got = got.length === 0 ? chunk : Buffer.concat([got, chunk]);
    const end = got.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = got.toString('latin1', 0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
    if (!head.startsWith('HTTP/1.1 201 ') || !(length > 0)) throw new Error(`unexpected answer: ${head}`);
    if (got.length < end + 4 + length) return;
    onAnswer(got.subarray(end + 4, end + 4 + length), performance.now() - began);
    got = got.subarray(end + 4 + length);
    began = performance.now();
    socket.write(request);
  });
  return socket;
}

if (import.meta.main) process.once('message', (task: TimestampTask) => void runClient(task));
