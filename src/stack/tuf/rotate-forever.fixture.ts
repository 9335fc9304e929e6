// SPDX-License-Identifier: Apache-2.0
import { rotateKeys } from './rotate-keys.ts';
import { start } from './tuf.fixture.ts';

/** Rotates one key after the other in the folder that it is given, and says so after each: until it is killed. */
const [, , folder = ''] = process.argv;
const { ring, repository } = await start({ folder, now: () => new Date() });
await repository.tick();
process.stdout.write('begun\n');
for (;;)
  for (const rotation of [
    'ca',
    'root',
    'tuf-timestamp',
    'tsa',
    'tuf-targets',
    'log',
    'tuf-snapshot',
    'issuer',
  ] as const) {
    await rotateKeys(ring, repository, rotation, { now: new Date() });
    process.stdout.write(`${ring.keys.length} ${repository.root().length}\n`);
  }
