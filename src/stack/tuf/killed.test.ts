// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { KEY_ROLES } from '../key/key-role.ts';
import { client, freshFolder, start } from './tuf.fixture.ts';

test('a process that is killed while it rotates keys leaves what every client can follow, and no answered rotation is lost', async (context) => {
  const folder = await freshFolder(context);
  const begin = await start({ folder, now: () => new Date() });
  await begin.repository.tick();
  const first = begin.repository.root();
  const program = new URL('./rotate-forever.fixture.ts', import.meta.url).pathname;
  let keys = 0;
  for (let run = 0; run < 8; run++) {
    const child = spawn(process.execPath, [program, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    let answered = keys;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line !== 'begun') answered = Number(line.split(' ')[0]);
      else void sleep(40 + run * 17).then(() => child.kill('SIGKILL'));
    }
    const [, signal] = (await ended) as [number | null, string | null];
    assert.equal(signal, 'SIGKILL');
    const { ring, repository } = await start({ folder, now: () => new Date() });
    await repository.tick();
    assert.ok(ring.keys.length >= answered, 'what was answered is there');
    for (const role of KEY_ROLES) assert.equal(ring.of(role).filter(({ state }) => state === 'active').length, 1);
    const reader = await client(folder, first, () => repository.service);
    await reader.refresh();
    await reader.read('trusted_root.json');
    keys = ring.keys.length;
  }
  assert.ok(keys > begin.ring.keys.length, 'it rotated');
});
