// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

const NODE = join(import.meta.dirname, '../../../node_modules/node/bin/node');

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-end-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function ended(code: number, first = ''): { status: number | null; signal: NodeJS.Signals | null } {
  const script = `
    import { open } from 'node:fs/promises';
    import { endProcess } from ${JSON.stringify(join(import.meta.dirname, 'end-process.ts'))};
    process.on('SIGINT', () => {});
    ${first}
    setTimeout(() => endProcess(${code}), 50);`;
  return spawnSync(NODE, ['--input-type=module', '-e', script], {
    cwd: folder,
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
}

describe('endProcess', () => {
  for (const code of [0, 12, 130, 143]) {
    it(`ends with ${code}`, () => {
      assert.equal(ended(code).status, code);
    });
  }

  it('ends by the signal where a thread is stuck in the system', () => {
    assert.equal(spawnSync('mkfifo', [join(folder, 'pipe')]).status, 0);
    const { status, signal } = ended(130, `void open('pipe'); // nobody writes`);
    assert.equal(status, null);
    assert.equal(signal, 'SIGINT');
  });
});
