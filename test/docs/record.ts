// SPDX-License-Identifier: Apache-2.0

// `node test/docs/record.ts FILE…`: carries out pages and writes what their commands wrote into them, where that is not what they say.
import { readFileSync, writeFileSync } from 'node:fs';
import { carryOut } from './carry-out.ts';
import { Bindings, findDifference } from './compare.ts';
import { parsePage, rewritePage } from './page.ts';
import { faultsOf } from './pages.ts';

for (const path of process.argv.slice(2)) {
  const text = readFileSync(path, 'utf8');
  const done = await carryOut(parsePage(text));
  const bindings = new Bindings();
  const outputs = new Map<number, readonly string[]>();
  for (const { step, output } of done)
    if (findDifference(step.output, output, bindings) !== undefined) outputs.set(step.line, output);
  writeFileSync(path, rewritePage(text, outputs));
  const faults = faultsOf(done).filter(({ message }) => message.includes('ended with'));
  process.stdout.write(`${path}: ${done.length} commands, ${outputs.size} written anew\n`);
  for (const { line, message } of faults) process.stdout.write(`${path}:${line}: ${message}\n`);
}
