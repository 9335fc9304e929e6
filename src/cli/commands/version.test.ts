// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { runRecorded } from '../recording-host.fixture.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8')) as {
  version: string;
};

it('version prints the version of the package', async () => {
  const { code, stdout, stderr } = await runRecorded(['version']);
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^GitVersion: +v${version}$`, 'm'));
  assert.equal(stderr, '');
});

for (const argv of [
  ['version', '--json'],
  ['--json', 'version'],
]) {
  it(`${argv.join(' ')} prints one JSON document`, async () => {
    const { gitVersion, platform, runtime } = JSON.parse((await runRecorded(argv)).stdout) as Record<string, string>;
    assert.equal(gitVersion, `v${version}`);
    assert.equal(platform, `${process.platform}/${process.arch}`);
    assert.match(runtime ?? '', /^(?:node|bun) v\d/);
  });
}

it('--version is version', async () => {
  assert.equal((await runRecorded(['--version'])).stdout, (await runRecorded(['version'])).stdout);
});

it('version takes no argument', async () => {
  assert.equal((await runRecorded(['version', 'x'])).code, 1);
});
