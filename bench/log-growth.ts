// SPDX-License-Identifier: Apache-2.0

// `node bench/log-growth.ts ENTRIES`: lets the core of a log grow to so many entries, without HTTP and without verifying signatures:
// sequenced, deduplicated, in tiles, searchable, flushed, under a signed checkpoint, each answered with its proof. Prints as one line of
// JSON what the last entries cost at each power of ten. Its own process, so that the memory is the log's.
import { hash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAppendLog, type AppendLog, type NewEntry } from '../src/stack/index.ts';
import { SqliteDatabase } from '../src/store/index.ts';
import { encodeCheckpoint, generatePrivateKey, keySigner, leafHash, noteSigner, signNote } from '../src/trust/index.ts';

/** What the last entries before a size came to. */
export interface GrownLog {
  readonly size: number;
  readonly perSecond: number;
  readonly p99Ms: number;
  /** processor time of one, making it included: what does not depend on who else uses the machine */
  readonly cpuMicros: number;
  /** resident memory then, in MiB */
  readonly memory: number;
  /** of the file then, in MiB */
  readonly stored: number;
}

const ORIGIN = 'log.example';
const CLIENTS = 64;
const FIRST = 10_000;
/** of the size: what is measured before it is reached */
const LAST_PART = 0.2;
const MIB = 1024 * 1024;
const LEAF_BYTES = 1500;
const TEAMS = 200;

async function grow(entries: number): Promise<readonly GrownLog[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bulla-bench-log-'));
  const file = join(folder, 'log.db');
  const database = await SqliteDatabase.open(file);
  const log = await openLog(database);
  const grown: GrownLog[] = [];
  try {
    for (let size = FIRST; size <= entries; size *= 10) {
      await append(log, Math.round(size * (1 - LAST_PART)) - log.tree().size);
      const measured = await append(log, size - log.tree().size);
      const { size: octets } = await stat(file);
      grown.push({ size, ...measured, memory: process.memoryUsage.rss() / MIB, stored: octets / MIB });
    }
    return grown;
  } finally {
    await log.close();
    await database.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function openLog(database: SqliteDatabase): Promise<AppendLog> {
  const signer = noteSigner(ORIGIN, keySigner(await generatePrivateKey('ed25519')));
  return await openAppendLog({
    database,
    name: 'bench',
    origin: ORIGIN,
    now: () => new Date(),
    signCheckpoint: (size, root) =>
      signNote(encodeCheckpoint({ origin: ORIGIN, size, root, extensions: [] }), [signer]),
  });
}

/** Appends distinct entries from 64 clients, each of which waits for its answer. */
async function append(log: AppendLog, count: number): Promise<Pick<GrownLog, 'perSecond' | 'p99Ms' | 'cpuMicros'>> {
  const times = new Float64Array(count);
  let next = 0;
  const client = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) {
      const entry = newEntry(at);
      const sent = performance.now();
      await log.append(entry);
      times[at] = performance.now() - sent;
    }
  };
  const began = performance.now();
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - began) / 1000;
  times.sort();
  const p99Ms = times[Math.floor(count * 0.99)] ?? 0;
  return { perSecond: count / seconds, p99Ms, cpuMicros: (user + system) / count };
}

/** As a keyless signature of an image leaves it: a body of 1.5 KB, found by digest, certificate, identity, issuer and repository. */
function newEntry(at: number): NewEntry {
  const leaf = randomBytes(LEAF_BYTES);
  const team = at % TEAMS;
  return {
    leaf,
    identity: leafHash(leaf),
    terms: [
      `sha256:${hash('sha256', leaf)}`,
      hash('sha256', leaf.subarray(0, 64)),
      `https://ci.example/team-${team}/app/.github/workflows/release.yml@refs/heads/main`,
      'https://ci.example',
      `https://ci.example/team-${team}/app`,
    ],
  };
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await grow(Number(process.argv[2])))}\n`);
