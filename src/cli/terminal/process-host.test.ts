// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { processHost } from './process-host.ts';

let server: Server;
let connections = 0;
before(async () => {
  server = createServer((socket) => {
    connections++;
    socket.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
after(() => server.close());

describe('forbidNetwork', () => {
  it('lets no socket and no fetch through until it is undone', async () => {
    const { port } = server.address() as AddressInfo;
    const undo = processHost().forbidNetwork();
    try {
      assert.throws(() => connect(port, '127.0.0.1'), /--no-network/);
      await assert.rejects(async () => fetch(`http://127.0.0.1:${port}/`), /--no-network/);
      assert.equal(connections, 0);
    } finally {
      undo();
    }
    await new Promise<void>((resolve, reject) => {
      connect(port, '127.0.0.1')
        .on('error', reject)
        .on('close', () => resolve())
        .resume();
    });
    assert.equal(connections, 1);
  });
});

describe('the process as a host', () => {
  it('tells who was called, and when', () => {
    const host = processHost();
    assert.equal(host.program, 'bulla');
    assert.ok(Math.abs(host.now().getTime() - Date.now()) < 60_000);
    assert.equal(host.cwd(), process.cwd());
  });

  it('passes signals on until nobody listens', async () => {
    const heard: string[] = [];
    const release = processHost().onSignal((signal) => heard.push(signal));
    process.emit('SIGINT', 'SIGINT');
    release();
    assert.deepEqual(heard, ['SIGINT']);
    assert.equal(process.listenerCount('SIGTERM'), 0);
  });
});
