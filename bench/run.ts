// SPDX-License-Identifier: Apache-2.0

// `npm run bench [-- [--json] [--rounds N] [NAME…]]`: builds, then measures Bulla beside the real cosign 3, docker-registry and the bare
// runtime in one run. Prints tables, or one JSON document. Reaches no goal by failing: these numbers are read, not tested.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { signBench, verifyBench, versionBench } from './command-line.ts';
import { Ground } from './ground.ts';
import { registryBench } from './registry.ts';
import { formatTable, type Table } from './report.ts';

const BENCHES: Readonly<
  Record<string, (ground: Ground, rounds: number) => readonly Table[] | Promise<readonly Table[]>>
> = {
  version: versionBench,
  verify: verifyBench,
  sign: signBench,
  registry: registryBench,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '31' } },
});
const names = positionals.length === 0 ? Object.keys(BENCHES) : positionals;
const unknown = names.find((name) => !Object.hasOwn(BENCHES, name));
const rounds = Number(values.rounds);
if (unknown !== undefined || !Number.isInteger(rounds) || rounds < 1) {
  console.error(`usage: npm run bench -- [--json] [--rounds N] [${Object.keys(BENCHES).join('|')}]…`);
  process.exit(1);
}

const ground = new Ground();
process.once('SIGINT', () => void ground.clear().then(() => process.exit(130)));
try {
  await ground.build();
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, node ${process.versions.node}`;
  if (!values.json) console.log(`${machine}; medians of ${rounds} paired rounds\n`);
  const tables: Table[] = [];
  for (const name of names) {
    const found = (await BENCHES[name]?.(ground, rounds)) ?? [];
    if (!values.json) console.log(found.map(formatTable).join('\n'));
    tables.push(...found);
  }
  if (values.json) console.log(JSON.stringify({ machine, rounds, tables }, undefined, 2));
} finally {
  await ground.clear();
}
