// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandContext } from '../context.ts';
import { loadGatePolicies } from './admission.ts';

const policy = (name: string, action: string): string =>
  `---\napiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: ${name}}\nspec:\n  images: [{glob: "**"}]\n  authorities: [{static: {action: ${action}}}]\n`;

test('policies that are being written are not taken for what they are until then', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'bulla-policies-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const file = join(cwd, 'p.yaml');
  await writeFile(file, policy('strict', 'fail'));
  const context = { cwd, env: {}, now: () => new Date(), warn: () => undefined } as unknown as CommandContext;
  const flags = { policy: ['p.yaml'], 'trusted-root': '', 'trust-root': [] } as unknown as Parameters<
    typeof loadGatePolicies
  >[1];
  const policies = await loadGatePolicies(context, flags, () => undefined);
  t.after(() => policies.close());
  const names = (): readonly string[] | undefined => policies.current()?.set.policies.map(({ name }) => name);
  assert.deepEqual(names(), ['strict']);
  // the strict one comes last, and is not there yet
  await writeFile(file, policy('lenient', 'pass'));
  const looked = policies.reload();
  await sleep(100);
  await appendFile(file, policy('strict', 'fail'));
  await looked;
  assert.deepEqual(names(), ['strict']);
  await policies.reload();
  assert.deepEqual(names(), ['lenient', 'strict']);
});
