// SPDX-License-Identifier: Apache-2.0

// `npm run test:kubernetes [-- --quick] [FILE…]`: end to end against a real API server, with webhooks that our own manifests register. `--quick`
// does what a user sees first, within 45 s. Without the server the tests are left out, which is said; with `BULLA_KUBERNETES=required`, as CI sets
// it, they fail.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installedAt } from './kube-lab.ts';

const root = join(import.meta.dirname, '..', '..');
const { values, positionals } = parseArgs({ options: { quick: { type: 'boolean' } }, allowPositionals: true });
const all = globSync('test/kubernetes/*.kube.ts', { cwd: root }).toSorted();
const files = values.quick === true ? ['test/kubernetes/quick.kube.ts'] : positionals.length > 0 ? positionals : all;

if (installedAt() === undefined) {
  const how = 'test/tools/kube-apiserver install builds it (4 minutes, once)';
  process.stderr.write(
    `Left out: ${files.length} files of tests against a real Kubernetes API server, which is not installed; ${how}.\n`,
  );
  process.exit(process.env['BULLA_KUBERNETES'] === 'required' ? 1 : 0);
}
// One after the other: each has an API server of its own, and deadlines that are tried on a busy machine prove nothing.
const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...files], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(status ?? 1);
