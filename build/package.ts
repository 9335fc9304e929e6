// SPDX-License-Identifier: Apache-2.0

// `npm run build`: what the npm package consists of, in `dist/`.
//
//   dist/cli/main.js        the command
//   dist/cli/*.js           a chunk a command, with all that it needs bundled in
//   dist/<room>/index.js    the rooms as libraries; what they share lies in dist/shared/, so that a class is one class
//   dist/<room>/*.d.ts      their types
//   dist/THIRD-PARTY-NOTICES.txt
//
// Command line and libraries are built apart. Built together, the splitting that serves the libraries would cut the command line into
// dozens of small files, and each file costs start-up time.
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleCommandLine, bundleLibraries } from './bundle.ts';
import { thirdPartyNotices } from './notices.ts';
import { libraries, root } from './project.ts';

const dist = join(root, 'dist');
for (const folder of ['cli', 'shared', ...libraries]) rmSync(join(dist, folder), { recursive: true, force: true });

const metafile = await bundleCommandLine(join(dist, 'cli'));
const program = join(dist, 'cli', 'main.js');
writeFileSync(program, `#!/usr/bin/env node\n${readFileSync(program, 'utf8')}`);
chmodSync(program, 0o755);
writeFileSync(join(dist, 'THIRD-PARTY-NOTICES.txt'), thirdPartyNotices(metafile));

await bundleLibraries(dist);
const tsc = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'build/tsconfig.declarations.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (tsc.status !== 0) process.exit(1);

const size = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
console.log(
  `dist/cli: ${Object.keys(metafile.outputs).length} files, ${Math.round(size / 1024)} KiB; libraries: ${libraries.join(', ')}`,
);
