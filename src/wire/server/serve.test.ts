// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { json, readCall, type Call, type Service } from './call.ts';
import { isLoopback, serveSocket } from './serve.ts';

const service: Service = {
  answer: async ({ target }) => json({ target }),
  fault: () => ({ status: 500, headers: {} }),
};

describe('a Unix socket', () => {
  test('is for its owner alone, and takes the place of one that a dead process left', async () => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-socket-'));
    try {
      const socket = join(root, 'admin.sock');
      await writeFile(socket, 'left behind');
      const server = await serveSocket({ service, socket });
      assert.equal((await stat(socket)).mode & 0o777, 0o600);
      const asked = request({ socketPath: socket, path: '/x' });
      asked.end();
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      const chunks: Buffer[] = [];
      for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
      assert.deepEqual(JSON.parse(Buffer.concat(chunks).toString()), { target: '/x' });
      await server.close();
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  test('that cannot be made is named', async () => {
    const socket = join(tmpdir(), 'x'.repeat(200), 'admin.sock');
    await assert.rejects(serveSocket({ service, socket }), { code: 'listen-failed', message: /admin\.sock/ });
  });
});

test('only addresses of this machine are loopback; every address is not', () => {
  for (const host of ['127.0.0.1', '127.9.8.7', '::1', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1'])
    assert.equal(isLoopback(host), true, host);
  for (const host of ['0.0.0.0', '::', '::0', '192.0.2.1', '10.0.0.1', 'registry.example.com', '', '127.0.0.1.example'])
    assert.equal(isLoopback(host), false, host);
});

describe('the body of a request', () => {
  const call = (length: string | undefined, chunks: readonly string[]): Call => ({
    method: 'POST',
    target: '/',
    headers: length === undefined ? {} : { 'content-length': length },
    body: (async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk);
    })(),
  });

  test('is read whole, up to the cap', async () => {
    assert.equal(Buffer.from(await readCall(call('4', ['ab', 'cd']), 4)).toString(), 'abcd');
    assert.equal(Buffer.from(await readCall(call(undefined, ['ab', 'cd']), 4)).toString(), 'abcd');
  });

  test('is refused beyond the cap, announced or not', async () => {
    await assert.rejects(readCall(call('5', []), 4), { code: 'too-large' });
    await assert.rejects(readCall(call(undefined, ['ab', 'cde']), 4), { code: 'too-large' });
  });
});
