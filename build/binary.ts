// SPDX-License-Identifier: Apache-2.0

// `npm run build:binary`: the command line as one executable, `dist/bulla`, with Bun's runtime inside. It is made of the same chunks as the
// npm package: left to itself, Bun would take a whole room along with each name that is taken from its door.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleCommandLine } from './bundle.ts';
import { root } from './project.ts';

const chunks = mkdtempSync(join(tmpdir(), 'bulla-binary-'));
const args = [
  'build',
  join(chunks, 'main.js'),
  '--compile',
  '--outfile=dist/bulla',
  '--minify',
  '--keep-names', // an error prints the name of its class
  '--bytecode',
  '--format=esm',
  // What a command does not need is not even read, as in the npm package: half the time of `version`. Small pieces join larger ones.
  '--splitting',
  '--min-chunk-size=65536',
  // Most commands end before code that was compiled for them has paid for it; `compile-what-lasts.ts` is for those that do not.
  '--compile-jit-policy=32',
  // By default an executable made by Bun reads .env and bunfig.toml of the folder that it is started in, whoever wrote them.
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  '--no-compile-autoload-tsconfig',
  '--no-compile-autoload-package-json',
];
try {
  await bundleCommandLine(chunks, 'bun');
  const { status } = spawnSync(join(root, 'node_modules/.bin/bun'), args, { cwd: root, stdio: 'inherit' });
  process.exitCode = status ?? 1;
} finally {
  rmSync(chunks, { recursive: true, force: true });
}
