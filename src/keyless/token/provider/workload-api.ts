// SPDX-License-Identifier: Apache-2.0
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { printable } from '../../../trust/index.ts';
import { addressKind, DEFAULT_RETRY, join, retryDelay } from '../../../wire/index.ts';
import { KeylessError } from '../../error.ts';
import { decodeJwtSvids, encodeAudience } from './workload-message.ts';
import type { Surroundings } from './token-provider.ts';

/** Where a SPIFFE agent listens: a Unix socket, or a port of this machine. */
export type WorkloadAddress = { readonly path: string } | { readonly host: string; readonly port: number };

const METHOD = '/SpiffeWorkloadAPI/FetchJWTSVID';
const MAX_ANSWER = 256 * 1024;
const PATIENCE_MS = 10_000;
const REMEDY = 'register an entry for this workload with the SPIFFE server';

/** Status of gRPC. @see https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const OK = 0;
const PASSING: ReadonlySet<number> = new Set([4, 8, 10, 14]); // deadline, exhausted, aborted, unavailable
const REFUSING: ReadonlySet<number> = new Set([3, 5, 7, 12, 16]); // argument, not found, denied, unimplemented, unauthenticated

/**
 * Reads the address of a Workload API: `unix:///PATH`, a path, or `tcp://` with a literal address of this machine.
 *
 * @throws KeylessError `setting-malformed`
 * @see https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_Endpoint.md#4-locating-the-endpoint
 */
export function parseWorkloadAddress(text: string, setting: string): WorkloadAddress {
  const path = text.startsWith('/') ? text : /^unix:(?:\/\/)?(\/(?!\/)[^?#]*)$/.exec(text)?.[1];
  if (path !== undefined && !path.includes('\0')) return { path };
  const url = /^tcp:\/\/[^/?#@]+$/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? '';
  if (url !== undefined && url.port !== '' && addressKind(host) === 'loopback') return { host, port: Number(url.port) };
  throw new KeylessError(
    'setting-malformed',
    `${setting} is '${printable(text)}' (expected unix:///PATH, or tcp://ADDRESS:PORT with an address of this machine)`,
  );
}

/**
 * Asks the agent for a JWT-SVID: gRPC over HTTP/2 without TLS, as the standard has it. Of several identities the first is the default.
 *
 * @throws KeylessError `token-refused`, `token-unavailable`
 */
export async function fetchJwtSvid(
  address: WorkloadAddress,
  surroundings: Pick<Surroundings, 'client' | 'clientId' | 'deadline' | 'signal'>,
): Promise<string> {
  const { client, clientId, deadline, signal } = surroundings;
  for (let attempt = 1; ; attempt++) {
    const outcome = await call(address, encodeAudience(clientId), signal);
    if (outcome.kind === 'answer') return firstToken(outcome.message);
    const delay = retryDelay(DEFAULT_RETRY, attempt, undefined, client.random);
    const late = client.clock.now() + delay >= deadline;
    if (!outcome.passing || attempt >= DEFAULT_RETRY.attempts || late) throw failure(outcome, attempt);
    await client.clock.sleep(delay, signal);
  }
}

type Outcome = { readonly kind: 'answer'; readonly message: Uint8Array } | Failure;
interface Failure {
  readonly kind: 'failure';
  readonly problem: string;
  /** whether it may not happen the next time */
  readonly passing: boolean;
  /** whether the agent said no */
  readonly refused: boolean;
}

function failed(problem: string, kind: 'passing' | 'refused' | 'broken'): Failure {
  return { kind: 'failure', problem, passing: kind === 'passing', refused: kind === 'refused' };
}

function failure({ problem, refused }: Failure, attempts: number): KeylessError {
  const tried = attempts > 1 ? ` (tried ${attempts} times)` : '';
  return refused
    ? new KeylessError('token-refused', `the SPIFFE agent gives no identity token: ${problem} (${REMEDY})`)
    : new KeylessError('token-unavailable', `cannot get an identity token from the SPIFFE agent: ${problem}${tried}`);
}

function firstToken(message: Uint8Array): string {
  const [first] = decodeJwtSvids(message);
  if (first !== undefined) return first.svid;
  throw new KeylessError('token-refused', `the SPIFFE agent has no identity for this workload (${REMEDY})`);
}

/** One call, on a connection of its own. */
async function call(address: WorkloadAddress, message: Uint8Array, signal: AbortSignal | undefined): Promise<Outcome> {
  signal?.throwIfAborted();
  const { connect } = process.getBuiltinModule('node:http2');
  const net = process.getBuiltinModule('node:net');
  const session = connect('http://localhost', {
    createConnection: () => net.connect(address),
    maxHeaderListPairs: 64,
    settings: { enablePush: false },
  });
  let end: ((outcome: Outcome) => void) | undefined;
  const timer = setTimeout(() => end?.(failed(`no answer within ${PATIENCE_MS} ms`, 'passing')), PATIENCE_MS);
  const abort = (): void => end?.(failed('the search was given up', 'broken'));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const outcome = await new Promise<Outcome>((resolve) => {
      end = resolve;
      session.on('error', (error) => resolve(failed(whatFailed(error), 'passing')));
      exchange(session, message, resolve);
    });
    signal?.throwIfAborted();
    return outcome;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    session.destroy();
  }
}

/** @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
function exchange(session: ClientHttp2Session, message: Uint8Array, done: (outcome: Outcome) => void): void {
  const stream: ClientHttp2Stream = session.request({
    ':method': 'POST',
    ':path': METHOD,
    'content-type': 'application/grpc',
    te: 'trailers',
    // section 6.1 of the endpoint standard: what a browser can be made to send has no such header
    'workload.spiffe.io': 'true',
  });
  const chunks: Uint8Array[] = [];
  let size = 0;
  let headers: IncomingHttpHeaders = {};
  stream.on('error', (error) => done(failed(whatFailed(error), 'passing')));
  stream.on('response', (received) => (headers = received));
  stream.on('trailers', (received) => (headers = { ...headers, ...received }));
  stream.on('data', (chunk: Uint8Array) => {
    size += chunk.byteLength;
    if (size > MAX_ANSWER) return done(failed(`its answer has more than ${MAX_ANSWER} bytes`, 'broken'));
    chunks.push(chunk);
  });
  // with the stream's end its trailers are in
  stream.on('close', () => done(readOutcome(headers, join(chunks, size))));
  stream.end(frame(message));
}

function readOutcome(headers: IncomingHttpHeaders, body: Uint8Array): Outcome {
  const { ':status': httpStatus, 'grpc-status': grpcStatus, 'grpc-message': text } = headers as Record<string, unknown>;
  if (httpStatus !== 200) {
    return typeof httpStatus === 'number'
      ? failed(`it answers with the HTTP status ${httpStatus}`, 'broken')
      : failed('the connection was closed without an answer', 'passing');
  }
  if (typeof grpcStatus !== 'string') return failed('its answer ends without a status', 'passing');
  const status = /^\d{1,3}$/.test(grpcStatus) ? Number(grpcStatus) : -1;
  if (status !== OK) {
    const said = typeof text === 'string' ? `, ${printable(text, 200)}` : '';
    const kind = PASSING.has(status) ? 'passing' : REFUSING.has(status) ? 'refused' : 'broken';
    return failed(`gRPC status ${printable(grpcStatus)}${said}`, kind);
  }
  const message = unframe(body);
  return message === undefined
    ? failed('its answer is not one message of gRPC', 'broken')
    : { kind: 'answer', message };
}

/** A message behind its flag (not compressed) and length. */
function frame(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(5 + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, 5);
  return framed;
}

function unframe(body: Uint8Array): Uint8Array | undefined {
  if (body.length < 5 || body[0] !== 0) return undefined;
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  return body.length === 5 + length ? body.subarray(5) : undefined;
}

function whatFailed(error: unknown): string {
  // a stream is cancelled because its connection failed, and then that says why
  const { code } = (
    error instanceof Error && error.cause instanceof Error ? error.cause : error
  ) as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'its socket is not there';
  if (code === 'ECONNREFUSED') return 'nobody listens at its socket';
  if (code === 'EACCES') return 'its socket may not be used by this user';
  return `the connection failed (${printable(code ?? 'unknown reason')})`;
}
