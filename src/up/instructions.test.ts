// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { serveSocket } from '../wire/index.ts';
import { demandShortPath, instruct, instructionService, instructionSocket, type Instruction } from './instructions.ts';
import { UpError } from './up-error.ts';

async function serving(
  instructions: Readonly<Record<string, Instruction>>,
  use: (data: string) => Promise<void>,
): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'bulla-up-'));
  const server = await serveSocket({ service: instructionService(instructions), socket: instructionSocket(data) });
  try {
    await use(data);
  } finally {
    await server.close();
    await rm(data, { recursive: true, force: true });
  }
}

describe('a running stack', () => {
  test('does what it is told over its socket, and answers once it is done', async () => {
    await serving({ rotate: async ({ role }) => ({ rotated: role }) }, async (data) => {
      assert.deepEqual(await instruct(data, 'rotate', { role: 'log' }), { rotated: 'log' });
    });
  });

  test('says why it did not', async () => {
    const rotate: Instruction = async () => {
      throw new UpError('settings-malformed', 'no such role');
    };
    await serving({ rotate }, async (data) => {
      await assert.rejects(instruct(data, 'rotate', {}), {
        code: 'instruction-failed',
        message: 'no such role [settings-malformed]',
      });
    });
  });

  test('knows no other instruction, whatever its name', async () => {
    await serving({}, async (data) => {
      for (const name of ['rotate', '__proto__', 'constructor', '../x']) {
        await assert.rejects(instruct(data, name, {}), { code: 'instruction-failed' });
      }
    });
  });

  test('is missed by name where none runs', async () => {
    const data = await mkdtemp(join(tmpdir(), 'bulla-up-'));
    try {
      await assert.rejects(instruct(data, 'rotate', {}), { code: 'not-running', message: /bulla up --data/ });
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });
});

test('a data directory whose socket no system call could name is refused before anything is made', () => {
  demandShortPath(instructionSocket('/var/lib/bulla'));
  assert.throws(() => demandShortPath(instructionSocket(`/${'x'.repeat(120)}`)), { code: 'path-too-long' });
});
