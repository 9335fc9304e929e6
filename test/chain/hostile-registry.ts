// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from 'node:http';
import { MediaType } from '../../src/oci/index.ts';
import type { Answer } from './registry-front.ts';
import { json } from './scene.ts';

// What no registry should do, each as an answer that stands in the place of the registry's.

/** Content that nobody asked for. */
const OTHER = json({
  schemaVersion: 2,
  mediaType: MediaType.imageManifest,
  config: {},
  layers: [],
  annotations: { other: '1' },
});
const ZEROS = `sha256:${'0'.repeat(64)}`;

/** A page for people. */
export const htmlPage: Answer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html><title>Log in</title>');
  return true;
};

/** Other content than what the digest names. */
export const wrongContent: Answer = (request, response) => {
  if (request.url?.includes('sha256:') !== true || request.url.includes('/referrers/')) return false;
  const length = { 'content-length': OTHER.byteLength };
  response.writeHead(200, { 'content-type': MediaType.imageManifest, ...length });
  response.end(request.method === 'HEAD' ? undefined : OTHER);
  return true;
};

/** Another digest in the header than the content has, or than was asked for. */
export const wrongDigest: Answer = (request, response) => {
  const headers = { 'docker-content-digest': ZEROS, 'content-length': OTHER.byteLength };
  response.writeHead(200, { 'content-type': MediaType.imageManifest, ...headers });
  response.end(request.method === 'HEAD' ? undefined : OTHER);
  return true;
};

/** A body without an end, as fast as it is taken. */
export const endlessBody: Answer = (request, response) => {
  response.writeHead(200, { 'content-type': MediaType.imageIndex });
  if (request.method === 'HEAD') return response.end() !== undefined;
  const more = (): void => {
    while (!response.destroyed && response.write('{'.padEnd(65_536, ' ')));
  };
  response.on('drain', more);
  more();
  return true;
};

/** The announcement of a terabyte. */
export const hugeBody: Answer = (request, response) => {
  response.writeHead(200, { 'content-type': MediaType.imageIndex, 'content-length': 2 ** 40 });
  if (request.method === 'HEAD') response.end();
  else response.write('{');
  return true;
};

/** Redirects from one address to another and back. */
export const circle: Answer = (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://registry.test');
  const next = searchParams.has('turn') ? pathname : `${pathname}?turn=1&signature=hunter2`;
  response.writeHead(307, { location: next }).end();
  return true;
};

/** The end of the connection in the middle of a body. */
export const resetHalfway: Answer = (_request, response) => {
  response.writeHead(200, { 'content-type': MediaType.imageIndex, 'content-length': 1000 });
  response.write('{"schemaVersion":2,', () => response.destroy());
  return true;
};

/** The end of the connection before any answer. */
export const resetAtOnce: Answer = (_request, response) => response.destroy() !== undefined;

/** A status and nothing else, each time. */
export function status(code: number, headers: Readonly<Record<string, string>> = {}, body: string = ''): Answer {
  return (_request, response) => {
    response.writeHead(code, headers).end(body);
    return true;
  };
}

/** No answer at all. */
export const silence: Answer = () => true;

/** A byte now and then, and no end. */
export const trickle: Answer = (_request, response) => {
  response.writeHead(200, { 'content-type': MediaType.imageIndex });
  const timer = setInterval(() => response.write(' '), 50);
  response.on('close', () => clearInterval(timer));
  return true;
};

/** Another protocol. */
export const notHttp: Answer = (request) => {
  request.socket.end('SSH-2.0-OpenSSH_9.9\r\n');
  return true;
};

/** Headers without an end. */
export const endlessHeader: Answer = (request) => {
  request.socket.end(`HTTP/1.1 200 OK\r\n${`X-Junk: ${'x'.repeat(1000)}\r\n`.repeat(200)}\r\n{}`);
  return true;
};

/** Does something to the requests that fit, and lets the others through. */
export function onlyTo(fits: (request: IncomingMessage) => boolean, answer: Answer): Answer {
  return (request, response, times) => fits(request) && answer(request, response, times);
}

/** Does something the first time that an address is asked, and lets it through from then on. */
export function once(answer: Answer): Answer {
  return (request: IncomingMessage, response: ServerResponse, times: number) =>
    times === 1 && answer(request, response, times);
}
