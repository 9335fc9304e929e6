// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { BULLA, Machine } from './bulla.ts';

// CI runs the same lines with the installed package and with the executable.
test('the program is a gate: reviews over TLS, and policies, certificates, registry and process that change', async () => {
  using machine = new Machine();
  const { code, stdout, stderr } = await machine.spawn(join(import.meta.dirname, 'gate-lines'), [BULLA]).ended;
  assert.equal(code, 0, stderr);
  assert.equal(stdout.match(/^shown: /gm)?.length, 16, stdout);
});
