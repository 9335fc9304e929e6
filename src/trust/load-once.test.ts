// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadOnce } from './load-once.ts';

test('loads when it is first asked, and then no more', async () => {
  let loads = 0;
  const load = loadOnce(async () => ({ number: ++loads }));
  assert.equal(loads, 0);
  const [first, second] = await Promise.all([load(), load()]);
  assert.equal(first, second);
  assert.equal(await load(), first);
  assert.equal(loads, 1);
});
