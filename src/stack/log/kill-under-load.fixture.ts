// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SqliteDatabase } from '../../store/index.ts';
import { leafHash, verifyConsistency, verifyInclusion, type TreeHead } from '../../trust/index.ts';
import type { AppendLog } from './append-log.ts';
import { checkLog } from './check-log.ts';
import { checkpointSigner } from './memory-log.fixture.ts';
import { openAppendLog } from './open-append-log.ts';

const ORIGIN = 'log.example';
const NAME = 'test';
const CLIENTS = 16;
/** runs after which everything is looked at */
const LOOK_EVERY = 20;

/** What was shown by killing. */
export interface KillCount {
  readonly runs: number;
  /** acknowledged entries, each once */
  readonly entries: number;
  /** acknowledged entries that were missing, or at another place */
  readonly losses: number;
}

/**
 * Kills a process that keeps entries in a log, over and over on one log, and looks whether it has all that it ever acknowledged: at the
 * places that were told, in trees that follow all that were told. Fails by an AssertionError.
 *
 * @param looked told after each look, which found nothing lost
 */
export async function killUnderLoad(
  runs: number,
  looked: (count: KillCount) => void = () => undefined,
): Promise<KillCount> {
  const folder = await mkdtemp(join(tmpdir(), 'bulla-kill-'));
  const told = new Told();
  try {
    for (let run = 0; run < runs; run++) {
      await runOnce(folder, run, 1 + Math.floor(Math.random() * 400), told);
      if (run % LOOK_EVERY !== LOOK_EVERY - 1 && run !== runs - 1) continue;
      await look(folder, told, run === runs - 1);
      looked({ runs: run + 1, entries: told.places.size, losses: 0 });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return { runs, entries: told.places.size, losses: 0 };
}

/** What was told before the process died. */
class Told {
  readonly places = new Map<string, number>();
  readonly trees = new Map<number, string>();
  /** those that nobody has looked for yet */
  fresh: string[] = [];
  /** entries of the log when it was last derived anew */
  checked = 0;

  read(line: string): void {
    const [index, text, size, root] = line.split(' ');
    if (index === undefined || text === undefined || size === undefined || root === undefined) return;
    const before = this.places.get(text);
    assert.equal(Number(index), before ?? Number(index), `${text} has two places`);
    if (before === undefined) this.fresh.push(text);
    this.places.set(text, Number(index));
    assert.equal(this.trees.get(Number(size)) ?? root, root, `two trees of ${size} entries were shown`);
    this.trees.set(Number(size), root);
  }
}

/** Runs the load until it has acknowledged so many entries, and kills it there and then. */
async function runOnce(folder: string, run: number, acknowledged: number, told: Told): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), folder, String(run)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') },
  });
  const ended = new Promise<ChildProcess>((resolve) => child.once('close', () => resolve(child)));
  let count = 0;
  for await (const line of createInterface(child.stdout)) {
    // Whatever it has said is acknowledged, also what lay in the pipe when it died; half a line is not.
    if (line.endsWith(';')) told.read(line.slice(0, -1));
    if (++count === acknowledged) child.kill('SIGKILL');
  }
  assert.equal((await ended).signalCode, 'SIGKILL', 'the load has ended by itself');
}

async function look(folder: string, told: Told, last: boolean): Promise<void> {
  const database = await SqliteDatabase.open(join(folder, 'log.db'));
  const log = await openLog(database);
  const newest = log.tree();
  const head: TreeHead = { size: newest.size, root: newest.rootHash };
  assert.equal(new Set(told.places.values()).size, told.places.size, 'a place was used twice');
  for (const text of told.fresh) {
    const place = told.places.get(text) ?? -1;
    const entry = await log.entry(place);
    assert.equal(Buffer.from(entry?.leaf ?? []).toString(), text, `entry ${place} was acknowledged`);
    assert.ok(entry !== undefined && verifyInclusion(leafHash(entry.leaf), place, head, entry.proof));
    assert.deepEqual(await log.search({ terms: [text], operator: 'and', limit: 2 }), [place]);
  }
  told.fresh = [];
  for (const [size, root] of told.trees) {
    const proof = await log.consistency(size, head.size);
    assert.ok(verifyConsistency({ size, root: Buffer.from(root, 'hex') }, head, proof), `the tree of ${size}`);
  }
  // What follows this tree follows all that it follows.
  told.trees.clear();
  told.trees.set(head.size, Buffer.from(head.root).toString('hex'));
  // The whole log is derived anew whenever it has grown by half: that way thousands of runs stay affordable.
  if (last || head.size > 1.5 * told.checked) {
    assert.deepEqual((await checkLog({ database, name: NAME, origin: ORIGIN })).findings, []);
    told.checked = head.size;
  }
  await log.close();
  await database.close();
}

async function openLog(database: SqliteDatabase): Promise<AppendLog> {
  const signCheckpoint = await checkpointSigner(ORIGIN);
  return openAppendLog({ database, name: NAME, origin: ORIGIN, signCheckpoint, now: () => new Date() });
}

/** The load: clients that append until they are killed (or have done so many each), and say what they were told. */
async function main([folder = '', run = '', each = 'Infinity']: readonly string[]): Promise<void> {
  const database = await SqliteDatabase.open(join(folder, 'log.db'));
  const log = await openLog(database);
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      for (let at = 0; at < Number(each); at++) {
        // Each tenth is one that was sent before.
        const text = `${run}-${client}-${at % 10 === 9 ? at - 5 : at}`;
        const leaf = Buffer.from(text);
        // As much as a certificate and a signature, so that the write-ahead log is carried over often.
        const extra = Buffer.alloc(2000, text);
        const { index, tree } = await log.append({ leaf, identity: leafHash(leaf), extra, terms: [text, 'all'] });
        process.stdout.write(`${index} ${text} ${tree.size} ${Buffer.from(tree.rootHash).toString('hex')};\n`);
      }
    }),
  );
  await log.close();
  await database.close();
}

if (import.meta.main) await main(process.argv.slice(2));
