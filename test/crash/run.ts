// SPDX-License-Identifier: Apache-2.0

// `npm run test:crash [-- --runs N] [--stack M]`: kills a process that keeps entries in a log, under load, N times (10,000 unless told), and
// `bulla up` under load M times (a twentieth of that unless told), and looks whether everything that was ever acknowledged is there, at its
// place, in trees that follow all that were shown. CI does a hundred and twenty, as tests.
import { parseArgs } from 'node:util';
import { killUnderLoad } from '../../src/stack/log/kill-under-load.fixture.ts';
import { killStack } from './kill-stack.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '10000' }, stack: { type: 'string' } } });
const runs = Number(values.runs);
const stackRuns = values.stack === undefined ? Math.ceil(runs / 20) : Number(values.stack);
if (!Number.isInteger(runs) || runs < 0 || !Number.isInteger(stackRuns) || stackRuns < 0) {
  process.stderr.write('usage: npm run test:crash [-- --runs N] [--stack M]\n');
  process.exit(1);
}
// A loss ends the run: what was told before it held.
const progress = (line: string): void => void process.stderr.write(`${line}\n`);
const secondsSince = (begin: number): string => ((performance.now() - begin) / 1000).toFixed(0);

if (runs > 0) {
  const begin = performance.now();
  const { entries, losses } = await killUnderLoad(runs, (now) =>
    progress(`log: ${now.runs} of ${runs} kills, ${now.entries} acknowledged entries, nothing lost`),
  );
  process.stdout.write(
    `log: ${runs} kills, ${entries} acknowledged entries, losses: ${losses} (${secondsSince(begin)} s)\n`,
  );
}
if (stackRuns > 0) {
  const begin = performance.now();
  const { entries, certificates, timestamps, blobs, losses } = await killStack(stackRuns, (now) =>
    progress(`stack: ${now} of ${stackRuns} kills, nothing lost`),
  );
  process.stdout.write(
    `stack: ${stackRuns} kills, acknowledged ${entries} entries, ${certificates} certificates, ${timestamps} timestamps and ${blobs} blobs, ` +
      `losses: ${losses} (${secondsSince(begin)} s)\n`,
  );
}
