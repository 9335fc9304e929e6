// SPDX-License-Identifier: Apache-2.0

// `npm test [-- FILE|FOLDER…]`: the types, then all tests; or only the tests that are named.
import { spawnSync } from 'node:child_process';
import { globSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { missingClients } from './interop/clients.ts';

const root = join(import.meta.dirname, '..');
const named = process.argv.slice(2);
const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env['PATH'] ?? ''}` };

function run(title: string, program: string, args: readonly string[]): void {
  console.log(`\n── ${title}`);
  const { status, signal, error } = spawnSync(program, args, { cwd: root, env, stdio: 'inherit' });
  if (error !== undefined) console.error(`${program} did not start: ${error.message}`);
  if (status !== 0) process.exit(status ?? (signal === 'SIGINT' ? 130 : 1));
}

const folders = named.length === 0 ? ['src', 'test', 'build'] : named;
const files = folders.flatMap((path) =>
  statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory()
    ? globSync(`${path}/**/*.test.ts`, { cwd: root })
    : [path],
);
if (files.length === 0) {
  console.error(`no tests in ${folders.join(', ')}`);
  process.exit(1);
}

if (named.length === 0) {
  run('types', 'tsc', ['-p', '.']);
  run('types of the build scripts', 'tsc', ['-p', 'build']);
}
run('tests', process.execPath, ['--test', `--test-concurrency=${availableParallelism()}`, ...files.toSorted()]);

const missing = missingClients();
if (named.length === 0 && missing.length > 0) {
  console.log(`\nLeft out: interop tests that need ${missing.join(', ')}.`);
  console.log(
    'Install them with test/tools/peers, apt-get and npm run build:rego (CONTRIBUTING.md); CI runs all of them.',
  );
}
