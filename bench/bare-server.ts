// SPDX-License-Identifier: Apache-2.0

// The least that a registry on this runtime could do, to compare with: `node bench/bare-server.ts FOLDER PORT`. It answers manifests from
// memory, writes uploads to a file and reads blobs from it; it checks, flushes and remembers nothing.
import { createReadStream, createWriteStream } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const [folder = '.', port = '0'] = process.argv.slice(2);
const blob = join(folder, 'blob');
const manifest = Buffer.alloc(500, ' ');

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '/';
  if (request.method === 'GET' && path.includes('/blobs/')) {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    return await pipeline(createReadStream(blob, { highWaterMark: 256 * 1024 }), response);
  }
  if (request.method === 'GET')
    return void response.writeHead(200, { 'content-length': manifest.length }).end(manifest);
  if (request.method === 'POST') {
    request.resume();
    return void response.writeHead(202, { location: path, 'content-length': 0 }).end();
  }
  await pipeline(request, createWriteStream(blob, { highWaterMark: 256 * 1024 }));
  response.writeHead(201, { 'content-length': 0 }).end();
}

createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
}).listen(Number(port), '127.0.0.1');
