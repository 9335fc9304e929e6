// SPDX-License-Identifier: Apache-2.0
import type { SqlDatabase } from '../../store/index.ts';
import { decodeNote } from '../../trust/index.ts';
import type { PublishedTree } from './append-log.ts';
import type { HashTiles } from './hash-tiles.ts';
import { asLogFull, LogError } from './log-error.ts';
import type { AppendLogOptions, LogWarning, Witnesses } from './log-options.ts';
import type { LogTables } from './log-tables.ts';

/** Somebody who waits until a tree of that size is shown. */
interface Waiting {
  readonly size: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** What publication needs of a log. */
export interface PublicationOptions extends Pick<AppendLogOptions, 'witnesses' | 'onPublished'> {
  readonly database: SqlDatabase;
  readonly tables: LogTables;
  readonly tiles: HashTiles;
  readonly warn: (warning: LogWarning) => void;
}

/**
 * Shows trees that were committed, each after the one before. One that has to be witnessed or copied first is: meanwhile further batches
 * are committed, and the next publication shows the newest of them.
 *
 *     1. witnesses sign that the tree follows the one shown before     too few: withheld, and those who wait are told
 *     2. the checkpoint is copied                                      a failure: withheld
 *     3. the published tree is noted in the database, flushed          a crash before: the next start publishes again
 *     4. it is shown: `tree()` answers it
 *
 * Where there are neither witnesses nor a copy, the transaction that commits a tree notes it as published, too.
 */
export class Publication {
  readonly #options: PublicationOptions;
  readonly #waiting: Waiting[] = [];
  #committed: PublishedTree;
  #published: PublishedTree;
  #running: Promise<void> | undefined;

  constructor(committed: PublishedTree, published: PublishedTree, options: PublicationOptions) {
    this.#committed = committed;
    this.#published = published;
    this.#options = options;
  }

  /** whether a commit publishes by itself */
  get immediate(): boolean {
    return this.#options.witnesses === undefined && this.#options.onPublished === undefined;
  }

  get published(): PublishedTree {
    return this.#published;
  }

  /** Takes up what the last run has left. A copy that cannot be made, or a witness that does not answer, is no reason not to start. */
  async resume(): Promise<void> {
    const { onPublished, warn } = this.#options;
    if (this.immediate) return this.shown(this.#committed.size);
    const failed = (error: unknown): void => {
      const message = error instanceof Error ? error.message : String(error);
      warn({ code: 'publication-failed', message });
    };
    // A copy that was asked for since the last run is made now, not with the next entry.
    await onPublished?.(this.#published.checkpoint).catch(failed);
    void this.shown(this.#committed.size).catch(failed);
  }

  /** Says that a tree was committed. */
  committed(tree: PublishedTree): void {
    this.#committed = tree;
    if (this.immediate) this.#published = tree;
  }

  /**
   * Waits until a tree of at least this size is shown.
   *
   * @throws LogError `witness-missing`, `publication-failed`; StoreError
   */
  async shown(size: number): Promise<void> {
    if (size <= this.#published.size) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ size, resolve, reject });
    this.#running ??= this.#run();
    await promise;
  }

  /** Waits until nothing is on its way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // so that `#running` is set before it is cleared
    while (this.#waiting.length > 0) {
      const target = this.#committed;
      try {
        if (target.size > this.#published.size) await this.#publish(target);
        for (const waiting of this.#take(this.#published.size)) waiting.resolve();
      } catch (error) {
        for (const waiting of this.#take(target.size)) waiting.reject(error);
      }
    }
    this.#running = undefined;
  }

  #take(size: number): readonly Waiting[] {
    const taken = this.#waiting.filter((waiting) => waiting.size <= size);
    const left = this.#waiting.filter((waiting) => waiting.size > size);
    this.#waiting.splice(0, this.#waiting.length, ...left);
    return taken;
  }

  async #publish(tree: PublishedTree): Promise<void> {
    const { witnesses, onPublished, database, tables } = this.#options;
    // 1.
    const checkpoint = witnesses === undefined ? tree.checkpoint : await this.#witnessed(tree, witnesses);
    // 2.
    try {
      await onPublished?.(checkpoint);
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new LogError('publication-failed', `the checkpoint of ${tree.size} entries was not copied: ${text}`, {
        cause,
      });
    }
    // 3. Trees follow each other, so all that could go wrong is to go back. A write that failed, and was done after all, is done again.
    const { changes } = await database
      .write((tx) => tx.run(tables.swapPublished, tree.size, tree.rootHash, checkpoint))
      .catch((error: unknown) => {
        throw asLogFull(error, `the checkpoint of ${tree.size} entries`);
      });
    if (changes !== 1)
      throw new LogError(
        'log-superseded',
        `another process has published a larger tree than that of ${tree.size} entries`,
      );
    // 4.
    this.#published = { ...tree, checkpoint };
  }

  async #witnessed(tree: PublishedTree, { cosign, quorum, required }: Witnesses): Promise<string> {
    const { tiles, warn } = this.#options;
    const oldSize = this.#published.size;
    const proofFrom = async (size: number): Promise<readonly Uint8Array[]> => tiles.consistency(size, tree.size);
    let checkpoint = tree.checkpoint;
    let names = 0;
    let cause: Error | undefined;
    try {
      const lines = await cosign(tree.checkpoint, oldSize, await proofFrom(oldSize), proofFrom);
      const cosigned = tree.checkpoint + lines.map((line) => (line.endsWith('\n') ? line : `${line}\n`)).join('');
      const own = decodeNote(tree.checkpoint, 'the checkpoint').signatures.length;
      const { signatures } = decodeNote(cosigned, 'the cosigned checkpoint');
      checkpoint = cosigned;
      names = new Set(signatures.slice(own).map(({ name }) => name)).size;
    } catch (error) {
      cause = error instanceof Error ? error : new Error(String(error));
    }
    if (names >= quorum) return checkpoint;
    const why = cause === undefined ? '' : `: ${cause.message}`;
    const message = `${names} witnesses have signed the tree of ${tree.size} entries, expected ${quorum}${why}`;
    if (required) throw new LogError('witness-missing', message, { cause });
    warn({ code: 'witness-missing', message });
    return checkpoint;
  }
}
