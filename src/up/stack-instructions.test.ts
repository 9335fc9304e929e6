// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { OpenedStack } from '../stack/index.ts';
import { StoreError } from '../store/index.ts';
import { backUp } from './back-up.ts';
import { instruct, instructionSocket } from './instructions.ts';
import { stackInstructions } from './stack-instructions.ts';

/** A stack that notes what it is told. */
function recorded(told: string[]): OpenedStack {
  return {
    addresses: {
      certificateAuthority: '',
      certificateLog: '',
      identityProvider: '',
      logV1: '',
      logV2: () => '',
      timestampAuthority: '',
      operator: '',
    },
    routes: [],
    publicFiles: () => new Map(),
    describeRules: () => [],
    tick: async () => [],
    async rotate(rotation, options) {
      told.push(`rotate ${rotation} ${JSON.stringify(options)}`);
      return { activated: [], retired: [], tick: { published: [], warnings: [], expires: new Date() } };
    },
    check: async () => [{ shard: 's', origin: 'o', size: 0, rootHash: undefined, findings: [], found: 0 }],
    troubles: () => ['a trouble'],
    resumeClock: () => void told.push('resume'),
    async unchanged(work) {
      told.push('keys stay');
      const done = await work();
      told.push('keys may change');
      return done;
    },
    copyDatabases: async () => {},
    close: async () => {},
  };
}

const TUF = { mirror: 'http://127.0.0.1/tuf', root: '/stack/public/root.json' };

function instructionsOf(told: string[]): ReturnType<typeof stackInstructions> {
  return stackInstructions(recorded(told), {
    published: async () => void told.push('published'),
    trustAnchor: () => ({ ...TUF, rootChecksum: told.includes('rotate root {}') ? 'new' : 'old' }),
    async backUp(to) {
      told.push(`back up ${to}`);
      return { to };
    },
  });
}

describe('an instruction', () => {
  test('to rotate is passed on, and files for clients are written before it is answered', async () => {
    const told: string[] = [];
    const { rotate } = instructionsOf(told);
    const nobody = { activated: [], retired: [] };
    const tuf = { ...TUF, rootChecksum: 'old' };
    assert.deepEqual(await rotate?.({ role: 'ca' }), { rotated: 'ca', ...nobody, rootChanged: false, tuf });
    await rotate?.({ role: 'log', offlineKeys: '/vault', compromised: true });
    assert.deepEqual(told, [
      'rotate ca {}',
      'published',
      'rotate log {"offlineKeys":"/vault","overlapMs":0}',
      'published',
    ]);
  });

  test('to rotate what changes the TUF root is answered with what new clients begin with', async () => {
    const answer = await instructionsOf([])['rotate']?.({ role: 'root' });
    const tuf = { ...TUF, rootChecksum: 'new' };
    assert.deepEqual(answer, { rotated: 'root', activated: [], retired: [], rootChanged: true, tuf });
  });

  test('to back up is carried out while no key changes', async () => {
    const told: string[] = [];
    assert.deepEqual(await instructionsOf(told)['backup']?.({ to: '/copy' }), { to: '/copy' });
    assert.deepEqual(told, ['keys stay', 'back up /copy', 'keys may change']);
  });

  test('to check is answered by what was found', async () => {
    assert.deepEqual(await instructionsOf([])['fsck']?.({}), {
      shards: [{ shard: 's', origin: 'o', size: 0, rootHash: null, found: 0, findings: [] }],
    });
  });

  test('to go on after the clock was set is answered by the troubles that are left', async () => {
    const told: string[] = [];
    assert.deepEqual(await instructionsOf(told)['resume-clock']?.({}), { troubles: ['a trouble'] });
    assert.deepEqual(told, ['resume']);
  });

  test('that is malformed does nothing', async () => {
    const told: string[] = [];
    const { rotate, backup } = instructionsOf(told);
    const refused = { code: 'instruction-malformed' };
    for (const role of [undefined, null, '', 'LOG', 7, ['log'], { role: 'log' }, '__proto__'])
      await assert.rejects(async () => rotate?.(role === undefined ? {} : { role }), refused);
    for (const offlineKeys of ['relative', 7, ['/x'], {}])
      await assert.rejects(async () => rotate?.({ role: 'ca', offlineKeys }), refused);
    for (const to of [null, 'relative', './x', 7]) await assert.rejects(async () => backup?.({ to }), refused);
    assert.deepEqual(told, []);
  });
});

test('a backup that fails leaves no keys behind, and is not in the way of the next', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bulla-up-'));
  try {
    const [data, to] = [join(folder, 'data'), join(folder, 'copy')];
    for (const name of ['keys', 'tuf']) await mkdir(join(data, name), { recursive: true });
    await writeFile(join(data, 'keys', 'ca.key'), 'secret');
    let full = true;
    const registry = {
      copyTo: async (): Promise<void> => {
        if (full) throw new StoreError('full', 'no space is left');
      },
    };
    const copying = (): ReturnType<typeof backUp> =>
      backUp({ data, to, stack: recorded([]), registry, now: new Date('2026-11-23T00:00:00Z') });
    await assert.rejects(copying(), { code: 'full' });
    assert.ok(!existsSync(to));
    full = false;
    assert.deepEqual(Object.keys((await copying()).files), [join('keys', 'ca.key')]);
    // and what is somebody's stays theirs
    await assert.rejects(copying(), { code: 'backup-exists' });
    assert.ok(existsSync(join(to, 'backup.json')));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a stack that ends before it has answered is no stack that does not run', async () => {
  const data = await mkdtemp(join(tmpdir(), 'bulla-up-'));
  const server = createServer((socket) => socket.on('data', () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(instructionSocket(data), resolve));
  try {
    await assert.rejects(instruct(data, 'backup', {}), {
      code: 'instruction-failed',
      message: /did not answer the instruction backup/,
    });
    await assert.rejects(instruct(data, 'backup', {}, AbortSignal.abort(new Error('told to end'))), {
      message: 'told to end',
    });
  } finally {
    server.close();
    await rm(data, { recursive: true, force: true });
  }
});
