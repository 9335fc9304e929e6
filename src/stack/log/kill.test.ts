// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killUnderLoad } from './kill-under-load.fixture.ts';

/** The hundred are node's; bun shows with a few that it does the same. */
const RUNS = process.versions['bun'] === undefined ? 100 : 5;

test(
  `a log that is killed ${RUNS} times under load has every entry that it ever acknowledged`,
  { timeout: 600_000 },
  async () => {
    const { runs, entries, losses } = await killUnderLoad(RUNS);
    assert.equal(runs, RUNS);
    assert.ok(entries > RUNS * 50, `${entries} entries`);
    assert.equal(losses, 0);
  },
);
