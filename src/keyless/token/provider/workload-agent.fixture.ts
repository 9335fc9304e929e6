// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import http2 from 'node:http2';

/** What the agent says to one call. */
export interface AgentAnswer {
  readonly status?: number;
  readonly grpcStatus?: string;
  readonly grpcMessage?: string;
  /** the message, or a whole body with its own framing */
  readonly message?: Uint8Array;
  readonly body?: Uint8Array;
  /** ends the connection instead */
  readonly hangUp?: boolean;
}

/** One call as it came. */
export interface AgentCall {
  readonly headers: http2.IncomingHttpHeaders;
  /** all that was sent, framing included */
  readonly body: Uint8Array;
}

/** A SPIFFE agent on a Unix socket, or on a port of 127.0.0.1, which speaks gRPC as real ones do. */
export interface WorkloadAgent extends AsyncDisposable {
  readonly port: number;
  readonly calls: AgentCall[];
}

/** @param path where to listen; undefined for a port */
export async function workloadAgent(
  path: string | undefined,
  answer: (call: AgentCall, count: number) => AgentAnswer | Promise<AgentAnswer>,
): Promise<WorkloadAgent> {
  const calls: AgentCall[] = [];
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const call = { headers, body: Buffer.concat(chunks) };
      calls.push(call);
      Promise.resolve(answer(call, calls.length)).then(
        (said) => reply(stream, said),
        () => stream.session?.destroy(),
      );
    });
  });
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    calls,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function reply(stream: http2.ServerHttp2Stream, said: AgentAnswer): void {
  if (said.hangUp === true) return stream.session?.destroy();
  const {
    status = 200,
    grpcStatus = '0',
    grpcMessage,
    message,
    body = message === undefined ? undefined : frame(message),
  } = said;
  const trailers = { 'grpc-status': grpcStatus, ...(grpcMessage === undefined ? {} : { 'grpc-message': grpcMessage }) };
  const headers = { ':status': status, 'content-type': 'application/grpc' };
  if (body === undefined) {
    stream.respond({ ...headers, ...trailers }, { endStream: true });
    return;
  }
  stream.respond(headers, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

/** A message as gRPC carries it. */
export function frame(message: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([Buffer.of(0), length, message]);
}

/** A `JWTSVIDResponse`, with a field that is not known yet. */
export function svidResponse(identities: readonly (readonly [id: string, token: string])[]): Uint8Array {
  const svids = identities.map(([id, token]) =>
    field(1, Buffer.concat([field(1, Buffer.from(id)), field(2, Buffer.from(token)), field(3, Buffer.from('hint'))])),
  );
  return Buffer.concat([...svids, Buffer.of((9 << 3) | 0, 0x96, 0x01)]);
}

function field(number: number, value: Uint8Array): Buffer {
  const length: number[] = [];
  let rest = value.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  assert.ok(rest < 0x80);
  return Buffer.concat([Buffer.of((number << 3) | 2, ...length, rest), value]);
}
