// SPDX-License-Identifier: Apache-2.0
import { connect, createServer, type Socket } from 'node:net';

/** A proxy before something that is far away. */
export interface SlowProxy {
  readonly port: number;
  close(): void;
}

/** Passes TCP on, and adds a round trip's time: half of it each way, and all of it before a connection is open. */
export async function slowProxy(to: number, roundTripMs: number): Promise<SlowProxy> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    const opened = performance.now() + roundTripMs;
    const pass = (from: Socket, into: Socket): void => {
      from.on('data', (chunk) => {
        const wait = Math.max(roundTripMs / 2, opened + roundTripMs / 2 - performance.now());
        setTimeout(() => into.write(chunk), wait);
      });
    };
    pass(near, far);
    pass(far, near);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
