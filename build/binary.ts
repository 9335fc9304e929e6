// SPDX-License-Identifier: Apache-2.0

// `npm run build:binary`: the command line as one executable, `dist/bulla`, with Bun's runtime inside.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './project.ts';

const args = [
  'build',
  'src/cli/main.ts',
  '--compile',
  '--outfile=dist/bulla',
  '--minify',
  '--keep-names', // an error prints the name of its class
  '--bytecode',
  '--format=esm',
  // What a command does not need is not even read, as in the npm package: half the time of `version`. Small pieces join larger ones.
  '--splitting',
  '--min-chunk-size=65536',
  // By default an executable made by Bun reads .env and bunfig.toml of the folder that it is started in, whoever wrote them.
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  '--no-compile-autoload-tsconfig',
  '--no-compile-autoload-package-json',
];
const { status } = spawnSync(join(root, 'node_modules/.bin/bun'), args, { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
