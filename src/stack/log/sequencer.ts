// SPDX-License-Identifier: Apache-2.0
import type { SqlDatabase } from '../../store/index.ts';
import type { RightEdge } from '../../trust/index.ts';
import type { NewEntry, PublishedTree } from './append-log.ts';
import { candidateOf, planBatch, writeBatch, type Batch, type Candidate } from './batch.ts';
import type { HashTiles } from './hash-tiles.ts';
import { asLogFull, LogError } from './log-error.ts';
import { requireEntry } from './limits.ts';
import { requireCheckpoint } from './load-log.ts';
import type { AppendLogOptions, LogWarning } from './log-options.ts';
import type { HeadRow, LogTables } from './log-tables.ts';
import type { Publication } from './publication.ts';
import type { TermIndex } from './term-index.ts';

/** Entries of a batch at most: bounds how long one keeps the event loop. */
const BATCH = 256;
const BATCH_BYTES = 4 * 1024 * 1024;
/** Turns of the event loop for which a batch is gathered at most: 50 entries share the work of a commit where else 20 do. */
const TURNS = 16;
/** How long a failure is told that nobody has tried to repeat: who sends nothing to what is in trouble would never learn that it is over. */
const TROUBLE_MS = 60_000;
/** of all entries that wait */
const WAITING_BYTES = 64 * 1024 * 1024;

/** An entry that has its place. */
export interface Sequenced {
  readonly index: number;
  readonly existed: boolean;
  /** of an entry that was there, `undefined`: it is read */
  readonly fresh: { readonly candidate: Candidate; readonly time: number } | undefined;
}

interface Waiting {
  readonly candidate: Candidate;
  readonly bytes: number;
  resolve(sequenced: Sequenced): void;
  reject(error: unknown): void;
}

/** How the log grows by a batch. */
interface Growth {
  readonly batch: Batch;
  readonly after: PublishedTree;
  readonly time: number;
}

/** What sequencing needs of a log. */
export interface SequencerOptions extends Pick<AppendLogOptions, 'now' | 'origin' | 'signCheckpoint'> {
  readonly database: SqlDatabase;
  readonly tables: LogTables;
  readonly tiles: HashTiles;
  readonly terms: TermIndex;
  readonly edge: RightEdge;
  readonly committed: PublishedTree;
  readonly lastTime: number;
  readonly publication: Publication;
  readonly warn: (warning: LogWarning) => void;
  readonly maxWaiting: number;
}

/**
 * The one place where a log grows. What arrives while a batch is being committed is the next batch, so a single client waits for nobody,
 * and many share a flush.
 *
 * Errors are of two kinds. After one the log goes on: the batch is refused, and a retry is safe. After `log-superseded` and
 * `log-inconsistent` it takes nothing more, because whatever it would sign might be a fork.
 */
export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #queue: Waiting[] = [];
  #edge: RightEdge;
  #committed: PublishedTree;
  #lastTime: number;
  #behind = false;
  /** a batch whose commit failed, so that only the database knows whether it is kept */
  #unsure: Growth | undefined;
  #stopped: LogError | undefined;
  #failure: { readonly message: string; readonly time: number } | undefined;
  #count = 0;
  #bytes = 0;
  #draining: Promise<void> | undefined;

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#edge = options.edge;
    this.#committed = options.committed;
    this.#lastTime = options.lastTime;
  }

  /**
   * Gives an entry its place, and answers once that is on the disk and its tree is shown.
   *
   * @throws LogError `entry-malformed`, `log-busy`, `log-full`, `log-closed`, `log-superseded`, `witness-missing`, `publication-failed`;
   *   StoreError
   */
  async append(entry: NewEntry): Promise<Sequenced> {
    if (this.#stopped !== undefined) throw new LogError(this.#stopped.code, this.#stopped.message);
    requireEntry(entry);
    const bytes = entry.leaf.length + (entry.extra?.length ?? 0);
    if (this.#count >= this.#options.maxWaiting || this.#bytes + bytes > WAITING_BYTES)
      throw new LogError('log-busy', `${this.#count} entries of ${this.#bytes} bytes wait already; try again`);
    this.#count++;
    this.#bytes += bytes;
    try {
      const { promise, resolve, reject } = Promise.withResolvers<Sequenced>();
      this.#queue.push({ candidate: candidateOf(entry), bytes, resolve, reject });
      this.#draining ??= this.#drain();
      const sequenced = await promise;
      // 7. the entry is answered when its tree is shown; a crash before: the retry finds it
      await this.#options.publication.shown(sequenced.index + 1);
      // One that was there already says nothing of whether another could be kept.
      if (!sequenced.existed) this.#failure = undefined;
      return sequenced;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#failure = { message, time: this.#options.now().getTime() };
      throw error;
    } finally {
      this.#count--;
      this.#bytes -= bytes;
    }
  }

  /** Why it takes no entries: what stopped it, or what kept the last one from being kept in the last minute. */
  trouble(): string | undefined {
    if (this.#stopped !== undefined) return this.#stopped.message;
    const { message, time } = this.#failure ?? { message: undefined, time: 0 };
    return Math.abs(this.#options.now().getTime() - time) < TROUBLE_MS ? message : undefined;
  }

  /** Takes nothing more, finishes what was taken. */
  async close(): Promise<void> {
    this.#stopped ??= new LogError('log-closed', 'the log is closed');
    await this.#draining;
    await this.#options.publication.settled();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#gather();
      const batch = this.#nextBatch();
      try {
        await this.#sequence(batch);
      } catch (error) {
        for (const waiting of batch) waiting.reject(error);
      }
    }
    this.#draining = undefined;
  }

  /** Waits for as long as each turn of the event loop brings more, so that one that is alone waits for a single turn. */
  async #gather(): Promise<void> {
    let before = 0;
    for (let turns = 0; turns < TURNS && before < this.#queue.length && this.#queue.length < BATCH; turns++) {
      before = this.#queue.length;
      await turn();
    }
  }

  #nextBatch(): readonly Waiting[] {
    let [count, bytes] = [0, 0];
    for (const waiting of this.#queue) {
      bytes += waiting.bytes;
      if (count > 0 && (bytes > BATCH_BYTES || count === BATCH)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /**
   * The commit order of a batch:
   *
   *     1. entries that are there already get their old place            a crash here: nothing happened
   *     2. the others get places, times, hashes, tiles: in memory
   *     3. the new tree is signed; nobody has seen it                    a crash here: nothing happened
   *     4. one transaction: the head is compared and swapped, entries, tiles, search terms; its flush is the commit point
   *                                                                      a crash before: nothing happened; after: the retry finds all
   *     5. the tree in memory follows the one on the disk
   *     6. publication: witnesses, copy, shown (see `publication.ts`)    a crash here: the next start publishes
   *     7. answers                                                       a crash here: the retry finds its entry
   */
  async #sequence(batch: readonly Waiting[]): Promise<void> {
    if (this.#unsure !== undefined) await this.#look(this.#unsure);
    const { database, tables, tiles, terms } = this.#options;
    const time = this.#time();
    // 1. and 2.
    const candidates = batch.map(({ candidate }) => candidate);
    const planned = await planBatch(candidates, { edge: this.#edge, tiles, terms, reader: database, tables }, time);
    if (planned.placed.length > 0) {
      // 3.
      const growth = { batch: planned, after: await this.#sign(planned.edge), time };
      // 4.
      await this.#commit(growth);
      // 5. and 6.
      this.#follow(growth);
    }
    for (const [at, waiting] of batch.entries()) {
      const answer = planned.answers[at];
      if (answer === undefined) throw new Error('internal error: a batch has lost an entry');
      const fresh = answer.existed ? undefined : { candidate: waiting.candidate, time };
      waiting.resolve({ ...answer, fresh });
    }
  }

  /** Entries never go back in time: the clock may. */
  #time(): number {
    const now = this.#options.now().getTime();
    if (now >= this.#lastTime) {
      this.#behind = false;
      return now;
    }
    if (!this.#behind) {
      const [at, last] = [new Date(now).toISOString(), new Date(this.#lastTime).toISOString()];
      this.#options.warn({
        code: 'clock-backwards',
        message: `the clock says ${at}, the last entry was at ${last}: entries bear that time until the clock has caught up`,
      });
    }
    this.#behind = true;
    return this.#lastTime;
  }

  async #sign(edge: RightEdge): Promise<PublishedTree> {
    const [size, rootHash] = [edge.size, edge.root()];
    const tree = { size, rootHash, checkpoint: await this.#options.signCheckpoint(size, rootHash) };
    requireCheckpoint(tree, this.#options.origin);
    return tree;
  }

  async #commit(growth: Growth): Promise<void> {
    const { database, tables, publication } = this.#options;
    const swap = { before: this.#committed, after: growth.after, published: publication.immediate };
    try {
      await database.write((tx) => writeBatch(tx, tables, growth.batch, swap));
    } catch (error) {
      if (error instanceof LogError) throw this.#stop(error);
      // A failed flush does not say what is on the disk: the database is asked, here or before the next batch.
      this.#unsure = growth;
      if (await this.#look(growth)) return;
      throw asLogFull(error, `${growth.batch.placed.length} entries`);
    }
  }

  /** The tree in memory follows the one on the disk. */
  #follow({ batch, after, time }: Growth): void {
    if (this.#committed === after) return;
    const { tiles, terms, publication } = this.#options;
    tiles.add(batch.nodes);
    terms.add(batch.placed);
    this.#edge = batch.edge;
    this.#committed = after;
    this.#lastTime = time;
    publication.committed({ ...after, rootHash: new Uint8Array(after.rootHash) });
  }

  /**
   * Looks at what is kept after a commit that failed.
   *
   * @returns whether the batch is, after all
   * @throws LogError `log-superseded` if the tree is neither the one before nor the one after; StoreError
   */
  async #look(growth: Growth): Promise<boolean> {
    const { database, tables } = this.#options;
    const head = await database.get<HeadRow>(tables.head);
    const is = ({ size, rootHash }: PublishedTree): boolean =>
      head?.size === size && Buffer.compare(head.root, rootHash) === 0;
    const kept = is(growth.after);
    if (!kept && !is(this.#committed)) {
      const message = `after a failed commit the log has ${head?.size ?? 'no'} entries, expected ${this.#committed.size}`;
      throw this.#stop(new LogError('log-superseded', message));
    }
    if (kept) this.#follow(growth);
    this.#unsure = undefined;
    return kept;
  }

  #stop(error: LogError): LogError {
    this.#stopped ??= error;
    return error;
  }
}

/** Lets the event loop read what else came in. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
