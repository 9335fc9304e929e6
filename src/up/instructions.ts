// SPDX-License-Identifier: Apache-2.0
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import {
  CodedError,
  isJsonObject,
  json,
  parseJson,
  readCall,
  type Json,
  type Reply,
  type Service,
} from '../wire/index.ts';
import { UpError } from './up-error.ts';

/** Carries out one instruction. What it throws is told with its code. */
export type Instruction = (request: Readonly<Record<string, Json>>) => Promise<object>;

/** on Linux 107, on macOS 103 */
const MAX_SOCKET_PATH = 103;
const MAX_REQUEST = 64 * 1024;
const MAX_ANSWER = 64 * 1024 * 1024;

/** Where a running stack is told what to do: a socket in its data directory that its owner alone may open. */
export function instructionSocket(data: string): string {
  return join(data, 'bulla.sock');
}

/**
 * Refuses a data directory whose socket no system call could name, before anything is made in it.
 *
 * @throws UpError `path-too-long`
 * @see https://man7.org/linux/man-pages/man7/unix.7.html `sun_path`
 */
export function demandShortPath(socket: string): void {
  const bytes = Buffer.byteLength(socket);
  if (bytes <= MAX_SOCKET_PATH) return;
  throw new UpError(
    'path-too-long',
    `${socket} has ${bytes} bytes, and a socket's path has at most ${MAX_SOCKET_PATH}: choose a data directory with a shorter path`,
  );
}

/**
 * The service behind the socket: `POST /NAME` with a JSON object, answered with a JSON object.
 *
 * @param instructions by name
 */
export function instructionService(instructions: Readonly<Record<string, Instruction>>): Service {
  return {
    async answer(call): Promise<Reply> {
      const name = call.target.slice(1);
      const instruction = Object.hasOwn(instructions, name) ? instructions[name] : undefined;
      if (instruction === undefined || call.method !== 'POST') {
        throw new UpError('instruction-malformed', `this stack knows no instruction '${name.slice(0, 80)}'`);
      }
      const what = `the instruction ${name}`;
      const bytes = await readCall(call, MAX_REQUEST);
      const asked = parseJson(bytes, { what, maxBytes: MAX_REQUEST });
      if (!isJsonObject(asked)) throw new UpError('instruction-malformed', `${what} is no JSON object`);
      return json(await instruction(asked));
    },
    fault(error) {
      if (error instanceof CodedError) return json({ code: error.code, message: error.message }, {}, 400);
      return json({ code: 'instruction-failed', message: error instanceof Error ? error.message : 'failed' }, {}, 500);
    },
  };
}

/**
 * Tells the stack that runs on a data directory to do something, and waits until it has.
 *
 * @throws UpError `not-running` where none runs there; `instruction-denied` where its socket is somebody else's; `instruction-failed` with what
 * the stack said, or where it ended before it answered
 * @example await instruct('/var/lib/bulla', 'rotate', { role: 'log' }, signal)
 */
export async function instruct(
  data: string,
  name: string,
  asked: Readonly<Record<string, Json>>,
  signal?: AbortSignal,
): Promise<Readonly<Record<string, Json>>> {
  const answer = await exchange(instructionSocket(data), name, JSON.stringify(asked), signal).catch(
    (cause: unknown) => {
      if (signal?.aborted === true) throw signal.reason;
      throw notInstructed(data, name, cause);
    },
  );
  const said = parseJson(answer.bytes, { what: 'what the stack answered', maxBytes: MAX_ANSWER });
  if (!isJsonObject(said)) throw new UpError('instruction-failed', 'the stack answered no JSON object');
  if (answer.status === 200) return said;
  const { code, message } = said;
  const why = typeof message === 'string' ? message : 'it does not say why';
  throw new UpError('instruction-failed', `${why} [${typeof code === 'string' ? code : answer.status}]`);
}

function notInstructed(data: string, name: string, cause: unknown): UpError {
  if (cause instanceof UpError) return cause;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new UpError('not-running', `no stack runs on ${data}: start it with bulla up --data ${data}`, { cause });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new UpError('instruction-denied', `${instructionSocket(data)} is open to the owner of the stack alone`, {
      cause,
    });
  }
  const why = cause instanceof Error ? cause.message : 'no answer';
  return new UpError('instruction-failed', `the stack on ${data} did not answer the instruction ${name}: ${why}`, {
    cause,
  });
}

async function exchange(
  socketPath: string,
  name: string,
  body: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly status: number; readonly bytes: Uint8Array }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const asking = request({ socketPath, method: 'POST', path: `/${name}`, headers, ...(signal && { signal }) }, resolve);
  asking.on('error', reject);
  asking.end(body);
  const response = await promise;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER) throw new UpError('instruction-failed', 'the stack answered more than 64 MiB');
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) };
}
