// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openKit } from '../../src/image/index.ts';
import { serveRegistry } from '../../src/registry/index.ts';
import { Machine } from './bulla.ts';
import { openFront } from './registry-front.ts';

// A save that dies leaves the kit that was there, and the next one needs nothing but to be started.

for (const signal of ['SIGKILL', 'SIGINT'] as const) {
  test(`a save that ${signal} ended in the middle of a blob leaves the kit before it, and is done when it is run again`, async () => {
    using machine = new Machine();
    const registry = await serveRegistry({ data: join(machine.home, 'registry'), port: 0 });
    try {
      await using front = await openFront(registry.url);
      const image = (tag: string): string => `${front.host}/team/app:${tag}`;
      const folder = join(machine.work, 'files');
      mkdirSync(folder);
      for (const [tag, bytes] of [
        ['1', 10],
        ['2', 400_000],
      ] as const) {
        writeFileSync(
          join(folder, 'noise'),
          Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 7919 + at ** 2) % 251)),
        );
        assert.equal((await machine.bulla(['image', 'pack', folder, image(tag)])).code, 0);
      }
      assert.equal((await machine.bulla(['save', '--dir', 'kit', image('1')])).code, 0);
      const before = (await openKit(join(machine.work, 'kit'))).images;

      const begun = Promise.withResolvers<void>();
      const stall = (path: string): boolean => /\/blobs\/sha256:/.test(path);
      front.answer = ({ url = '', method }, response) => {
        if (method !== 'GET' || !stall(url)) return false;
        response.writeHead(200, { 'content-type': 'application/octet-stream' });
        response.write(Buffer.alloc(1000));
        begun.resolve(); // and nothing more comes
        return true;
      };
      const running = machine.start(['save', '--dir', 'kit', image('2')]);
      await Promise.race([begun.promise, once(running.child, 'exit')]);
      running.child.kill(signal);
      const ended = await running.ended;
      assert.equal(ended.code, signal === 'SIGKILL' ? 137 : 130, ended.stderr);
      assert.equal(ended.stdout, '');
      const kit = await openKit(join(machine.work, 'kit'));
      assert.deepEqual(kit.images, before);
      assert.ok((await (await kit.open(before[0]?.name ?? '')).manifest('1')) !== undefined);

      front.answer = () => false;
      const again = await machine.bulla(['save', '--dir', 'kit', image('2')]);
      assert.equal(again.code, 0, again.stderr);
      assert.deepEqual(
        (await openKit(join(machine.work, 'kit'))).images.map(({ tag }) => tag),
        ['2'],
      );
    } finally {
      await registry.close();
    }
  });
}
