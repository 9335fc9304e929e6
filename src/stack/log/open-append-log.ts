// SPDX-License-Identifier: Apache-2.0
import { EMPTY_ROOT } from '../../trust/index.ts';
import type { AppendLog } from './append-log.ts';
import { loadLog, requireCheckpoint, type LoadedLog } from './load-log.ts';
import { LogError } from './log-error.ts';
import type { AppendLogOptions } from './log-options.ts';
import { logTables, type LogTables } from './log-tables.ts';
import { Publication } from './publication.ts';
import { Sequencer } from './sequencer.ts';
import { StoredLog } from './stored-log.ts';

const MAX_WAITING = 4096;

/**
 * Opens a log, or begins one where there is none.
 *
 * @throws LogError `log-inconsistent` if what is kept does not lead to the checkpoint that was signed, `checkpoint-foreign` if it is the
 *   log of another origin, `log-missing`, `name-malformed`; StoreError
 * @example
 * const signer = noteSigner('log.example', keySigner(key));
 * const log = await openAppendLog({
 *   database, name: 'rekor2', origin: 'log.example', now: () => new Date(),
 *   signCheckpoint: (size, root) => signNote(encodeCheckpoint({ origin: 'log.example', size, root, extensions: [] }), [signer]),
 * });
 * const { index, proof, tree } = await log.append({ leaf, identity: leafHash(leaf), terms: ['ci@example.com'] });
 */
export async function openAppendLog(options: AppendLogOptions): Promise<AppendLog> {
  const { database, origin, witnesses, onPublished, now, signCheckpoint } = options;
  const tables = logTables(options.name);
  await database.migrate(`log ${options.name}`, tables.migrations);
  const loaded = (await loadLog(database, tables, origin)) ?? (await beginLog(options, tables));
  const { committed, published, tiles, terms, edge, lastTime } = loaded;
  const warn = options.warn ?? (() => {});
  const publication = new Publication(committed, published, {
    database,
    tables,
    tiles,
    warn,
    ...(witnesses === undefined ? {} : { witnesses }),
    ...(onPublished === undefined ? {} : { onPublished }),
  });
  await publication.resume();
  const sequencer = new Sequencer({
    database,
    tables,
    tiles,
    terms,
    edge,
    committed,
    lastTime,
    publication,
    now,
    origin,
    signCheckpoint,
    warn,
    maxWaiting: options.maxWaiting ?? MAX_WAITING,
  });
  return new StoredLog(database, tables, tiles, terms, publication, sequencer);
}

/** Signs the empty tree, and keeps it. */
async function beginLog(options: AppendLogOptions, tables: LogTables): Promise<LoadedLog> {
  const { database, name, origin, signCheckpoint, mustExist } = options;
  if (mustExist === true)
    throw new LogError(
      'log-missing',
      `there is no log '${name}' of '${origin}' in the database, and there must be one`,
    );
  const checkpoint = await signCheckpoint(0, EMPTY_ROOT);
  requireCheckpoint({ size: 0, rootHash: EMPTY_ROOT, checkpoint }, origin);
  await database.write((tx) => tx.run(tables.createHead, 0, EMPTY_ROOT, checkpoint));
  const begun = await loadLog(database, tables, origin);
  if (begun === undefined) throw new LogError('log-inconsistent', `the log '${name}' was begun, and is not there`);
  return begun;
}
