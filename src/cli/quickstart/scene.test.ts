// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { openScene } from './scene.ts';

it('a play without a place for its folder says which place that is', async () => {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = join(tmpdir(), 'bulla-is-not-there');
  try {
    await assert.rejects(
      openScene(0, () => ''),
      {
        code: 'file-unwritable',
        message: /^cannot make a folder in .*bulla-is-not-there: no such file or directory$/,
      },
    );
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
});
