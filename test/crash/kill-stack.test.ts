// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killStack } from './kill-stack.ts';

/** The logs alone are killed a hundred times in src/stack/log/kill.test.ts. */
const RUNS = 20;

test(
  `a stack that is killed ${RUNS} times under load has everything that it ever acknowledged`,
  { timeout: 600_000 },
  async () => {
    const count = await killStack(RUNS);
    assert.equal(count.runs, RUNS);
    assert.equal(count.losses, 0);
    for (const kind of ['entries', 'certificates', 'timestamps', 'blobs'] as const)
      assert.ok(count[kind] > RUNS, `${count[kind]} ${kind}`);
  },
);
