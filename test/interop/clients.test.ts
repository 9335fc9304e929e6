// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runClient } from './clients.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulla-clients-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const suite = join(folder, 'suite.test.ts');
const clients = JSON.stringify(join(import.meta.dirname, 'clients.ts'));
writeFileSync(
  suite,
  `import { interop } from ${clients};\ninterop('uses crane', ['crane'], async ([crane]) => console.log('ran ' + crane));`,
);

/** Runs a suite of one interop test where nothing is installed but what the folder `peers` holds. */
function runSuite(
  peers: string,
  env: Readonly<Record<string, string>> = {},
): { readonly status: number | null; readonly out: string } {
  const { status, stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', suite], {
    env: { PATH: '', HOME: folder, BULLA_PEERS: peers, ...env },
    encoding: 'utf8',
  });
  return { status, out: stdout };
}

/** A folder as test/tools/peers makes it, with a program of that name in it. */
function peersWith(name: string, script: string): string {
  const bin = join(folder, name, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
  return join(folder, name);
}

test('leaves an interop test out, and says so, where its client is missing', () => {
  const { status, out } = runSuite(folder);
  assert.equal(status, 0);
  assert.match(
    out,
    /uses crane # SKIP crane not found; test\/tools\/peers, apt-get and npm run build:rego install them/,
  );
});

test('fails an interop test whose client is missing where CI requires it', () => {
  const { status, out } = runSuite(folder, { BULLA_INTEROP: 'required' });
  assert.equal(status, 1);
  assert.match(out, /BULLA_INTEROP=required, but crane not found/);
});

test('runs an interop test whose client is there', () => {
  const peers = peersWith('crane', 'exit 0');
  const { status, out } = runSuite(peers, { BULLA_INTEROP: 'required' });
  assert.equal(status, 0);
  assert.match(out, new RegExp(`ran ${RegExp.escape(join(peers, 'bin', 'crane'))}`));
});

test('runs a client without the settings of this machine and without a way out', async () => {
  const peers = peersWith('tell', 'echo "$HOME $HTTPS_PROXY $SECRET" && cat && pwd >&2 && exit 3');
  process.env['SECRET'] = 'of this machine';
  const run = await runClient(join(peers, 'bin', 'tell'), [], { home: folder, input: 'given' });
  delete process.env['SECRET'];
  assert.deepEqual(run, { code: 3, stdout: `${folder} http://127.0.0.1:9 \ngiven`, stderr: `${folder}\n` });
});
