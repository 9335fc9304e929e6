// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRekorV1Service, createRekorV2Service, openAppendLog } from '../src/stack/index.ts';
import { SqliteDatabase } from '../src/store/index.ts';
import {
  encodeCheckpoint,
  generatePrivateKey,
  keySigner,
  noteSigner,
  rekorV1Origin,
  signNote,
  type PrivateKey,
} from '../src/trust/index.ts';
import { serve, type Service } from '../src/wire/index.ts';
import type { GrownLog } from './log-growth.ts';
import { KINDS, type EntryKind, type LoadResult } from './log-load.ts';
import type { Row, Table } from './report.ts';
import { runProgram } from './run-program.ts';

const HOST = '127.0.0.1';
const TREE_ID = 42n;
const CLIENTS = 64;
const ENTRIES = 20_000;
const ENTRIES_OF_ONE_CLIENT = 3000;
const WARM_UP = 2000;

/** What is sent to a log of its own. */
interface Load {
  readonly version: 1 | 2;
  readonly kind: EntryKind;
  readonly clients: number;
  readonly count: number;
}

interface Measured extends LoadResult {
  /** processor time of the server for an entry, all threads: what does not depend on who else uses the machine */
  readonly cpuMicros: number;
}

const KIND_NAMES: Readonly<Record<EntryKind, string>> = {
  certificate: 'blobs by new certificates',
  key: 'blobs by one key',
  envelope: 'envelopes by new certificates',
};

/**
 * How many distinct entries the log takes through its two APIs, over HTTP on this machine: parsed, signature verified, deduplicated,
 * sequenced, searchable, flushed, in tiles under a signed checkpoint, proof in the answer. The clients are another process, and have
 * signed everything beforehand. And what an entry costs as the log grows.
 *
 * @param entries to which size
 */
export async function logBench(entries: number): Promise<readonly Table[]> {
  const goals: Readonly<Record<1 | 2, string>> = { 2: 'at least 3,000/s, p99 50 ms', 1: 'at least 1,500/s, p99 50 ms' };
  const many: Row[] = [];
  const alone: Row[] = [];
  for (const version of [2, 1] as const) {
    for (const kind of KINDS) {
      const measured = await measure({ version, kind, clients: CLIENTS, count: ENTRIES });
      many.push(rowOf(`v${version}, ${KIND_NAMES[kind]}`, measured, many[0], goals[version]));
    }
    const one = await measure({ version, kind: 'certificate', clients: 1, count: ENTRIES_OF_ONE_CLIENT });
    alone.push(rowOf(`v${version}, ${KIND_NAMES.certificate}`, one, alone[0], 'p50 at most 2 ms'));
  }
  const columns = ['entries/s', 'p50 ms', 'p99 ms', 'CPU µs', 'client CPU µs'];
  const notes = ['CPU: processor time of the server for an entry, all threads; and that of all clients.'];
  return [
    { title: `Log through HTTP, ${CLIENTS} clients on the same machine`, columns, rows: many, notes },
    { title: 'Log through HTTP, one client', columns, rows: alone, notes },
    await growthTable(entries),
  ];
}

function rowOf(
  name: string,
  { perSecond, medianMs, p99Ms, cpuMicros, clientMicros }: Measured,
  first: Row | undefined,
  goal: string,
): Row {
  return {
    name,
    values: [perSecond, medianMs, p99Ms, cpuMicros, clientMicros],
    ratio: perSecond / (first?.values[0] ?? perSecond),
    goal,
  };
}

async function growthTable(entries: number): Promise<Table> {
  const grown = await runProgram<readonly GrownLog[]>('log-growth.ts', entries);
  const least = grown[0]?.cpuMicros ?? Number.NaN;
  return {
    title: 'Log in process, as it grows',
    columns: ['entries/s', 'p99 ms', 'CPU µs', 'resident MiB', 'file MiB'],
    rows: grown.map(({ size, perSecond, p99Ms, cpuMicros, memory, stored }) => ({
      name: `at ${size.toLocaleString('en-US')} entries`,
      values: [perSecond, p99Ms, cpuMicros, memory, stored],
      ratio: cpuMicros / least,
      goal: size === grown[0]?.size ? undefined : 'about 1, memory flat',
    })),
    notes: ['The last fifth before each size; the ratio is that of the processor time.'],
  };
}

async function measure(load: Load): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'bulla-bench-log-'));
  const database = await SqliteDatabase.open(join(folder, 'log.db'));
  const key = await generatePrivateKey(load.version === 1 ? 'ecdsa-p256' : 'ed25519');
  const { service, close } = await openService(load.version, key, database);
  const server = await serve({ service, host: HOST, port: 0 });
  try {
    const address = `${HOST}:${server.address.port}`;
    // What is compiled in the first second is not what a server does all day.
    await send(address, { ...load, count: WARM_UP });
    const before = process.cpuUsage();
    const result = await send(address, load);
    const { user, system } = process.cpuUsage(before);
    return { ...result, cpuMicros: (user + system) / load.count };
  } finally {
    await server.close();
    await close();
    await database.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function openService(
  version: 1 | 2,
  key: PrivateKey,
  database: SqliteDatabase,
): Promise<{ readonly service: Service; readonly close: () => Promise<void> }> {
  const origin = version === 1 ? rekorV1Origin(HOST, TREE_ID) : HOST;
  const signer = keySigner(key);
  const named = noteSigner(HOST, signer);
  const log = await openAppendLog({
    database,
    name: 'bench',
    origin,
    now: () => new Date(),
    signCheckpoint: (size, root) => signNote(encodeCheckpoint({ origin, size, root, extensions: [] }), [named]),
  });
  const { service } =
    version === 1
      ? createRekorV1Service({ log, treeId: TREE_ID, signer })
      : createRekorV2Service({ log, origin, publicKey: key.publicKey });
  return { service, close: () => log.close() };
}

async function send(address: string, { version, kind, clients, count }: Load): Promise<LoadResult> {
  const where = ['--address', address, '--version', version, '--kind', kind];
  return await runProgram<LoadResult>('log-load.ts', ...where, '--count', count, '--clients', clients);
}
