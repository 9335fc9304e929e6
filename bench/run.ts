// SPDX-License-Identifier: Apache-2.0

// `npm run bench [-- [--json] [--rounds N] [--entries N] [NAME…]]`: measures Bulla beside the real cosign 3, docker-registry and the bare
// runtime in one run. Prints tables, or one JSON document. Reaches no goal by failing: these numbers are read, not tested.
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { admissionBench } from './admission.ts';
import { certificatesBench } from './certificates.ts';
import { signBench, signKeylessBench, verifyBench, versionBench } from './command-line.ts';
import { Ground } from './ground.ts';
import { logBench } from './log.ts';
import { policyBench } from './policy.ts';
import { registryBench } from './registry.ts';
import { formatTable, type Table } from './report.ts';
import { sbomBench } from './sbom.ts';
import { timestampsBench } from './timestamps.ts';
import { verificationBench } from './verification.ts';

interface BenchOptions {
  readonly rounds: number;
  /** to how many a log grows */
  readonly entries: number;
}

type Bench = (ground: Ground, options: BenchOptions) => readonly Table[] | Promise<readonly Table[]>;

/** These run the npm package's command line and the release binary, which are built first. */
const OF_PROGRAMS: Readonly<Record<string, Bench>> = {
  version: (ground, { rounds }) => versionBench(ground, rounds),
  verify: (ground, { rounds }) => verifyBench(ground, rounds),
  sign: (ground, { rounds }) => signBench(ground, rounds),
  'sign-keyless': (ground, { rounds }) => signKeylessBench(ground, rounds),
  registry: (ground) => registryBench(ground),
};

const OF_SOURCES: Readonly<Record<string, Bench>> = {
  certificates: () => certificatesBench(),
  timestamps: () => timestampsBench(),
  log: (_ground, { entries }) => logBench(entries),
  sbom: () => sbomBench(),
  verification: (_ground, { rounds }) => verificationBench(rounds),
  policy: (_ground, { rounds }) => policyBench(rounds),
  admission: (_ground, { rounds, entries }) => admissionBench(rounds, entries),
};

const BENCHES: Readonly<Record<string, Bench>> = { ...OF_PROGRAMS, ...OF_SOURCES };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '31' },
    entries: { type: 'string', default: '100000' },
  },
});
const names = positionals.length === 0 ? Object.keys(BENCHES) : positionals;
const unknown = names.find((name) => !Object.hasOwn(BENCHES, name));
const [rounds = 0, entries = 0] = [values.rounds, values.entries].map(Number);
if (unknown !== undefined || ![rounds, entries].every((count) => Number.isInteger(count) && count >= 1)) {
  console.error(`usage: npm run bench -- [--json] [--rounds N] [--entries N] [${Object.keys(BENCHES).join('|')}]…`);
  process.exit(1);
}

const ground = new Ground();
process.once('SIGINT', () => void ground.clear().then(() => process.exit(130)));
try {
  if (names.some((name) => Object.hasOwn(OF_PROGRAMS, name))) await ground.build();
  const load = loadavg()[0]?.toFixed(1);
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, node ${process.versions.node}, load ${load}`;
  if (!values.json) console.log(`${machine}; medians of ${rounds} paired rounds where programs run\n`);
  const tables: Table[] = [];
  for (const name of names) {
    const found = (await BENCHES[name]?.(ground, { rounds, entries })) ?? [];
    if (!values.json) console.log(found.map(formatTable).join('\n'));
    tables.push(...found);
  }
  if (values.json) console.log(JSON.stringify({ machine, rounds, tables }, undefined, 2));
} finally {
  await ground.clear();
}
