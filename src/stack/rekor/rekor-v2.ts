// SPDX-License-Identifier: Apache-2.0
import { leafHash, noteKeyHash, type PublicKey } from '../../trust/index.ts';
import { encodeBase64, json, type Call, type Reply, type Service } from '../../wire/index.ts';
import type { AppendLog, NewEntry, ProvenEntry } from '../log/append-log.ts';
import { EntryVerifiers } from './entry-verifier.ts';
import { faultReply } from './fault-reply.ts';
import { RekorError } from './rekor-error.ts';
import { readRequest, requireMethod, targetOf } from './request.ts';
import { decodeSearch } from './search-request.ts';
import { answerTiles, isTilesPath } from './tiles.ts';
import { encodeV2Entry, verifyV2Request, type V2LogName } from './v2-entry.ts';
import { decodeV2Request } from './v2-request.ts';

/** What a log of Rekor v2 is made of. */
export interface RekorV2Options {
  readonly log: AppendLog;
  /** the first line of its checkpoints: the host of its address, without port and path */
  readonly origin: string;
  /** by which its checkpoints are signed */
  readonly publicKey: PublicKey;
  /** whether it takes no more entries, at this moment */
  readonly frozen?: () => boolean;
}

const PREFIX = '/api/v2';
/** entries of one answer to a search */
const PAGE = 100;
const FROZEN = 'This log has been frozen, please switch to the latest log.';

/**
 * Rekor v2 over a log: entries are written with `POST /api/v2/log/entries` and read as tiles, with and without that prefix; and, of ours,
 * `POST /api/v2/index/retrieve` searches.
 *
 * The answer to an entry is 201 with its proof, and the same entry again is answered so again.
 *
 * @example
 * const { service } = createRekorV2Service({ log, origin: 'log.example', publicKey });
 * const server = await serve({ service, host: '127.0.0.1', port: 0 });
 * @see https://github.com/sigstore/rekor-tiles/blob/main/CLIENTS.md
 */
export function createRekorV2Service(options: RekorV2Options): { readonly service: Service } {
  const { log, origin, publicKey, frozen = () => false } = options;
  const name: V2LogName = { keyId: encodeBase64(noteKeyHash(origin, publicKey)) };
  const verifiers = new EntryVerifiers();
  const answer = async (call: Call): Promise<Reply> => {
    const { path } = targetOf(call);
    const inner = path.startsWith(`${PREFIX}/`) ? path.slice(PREFIX.length) : path;
    if (isTilesPath(inner)) return await answerTiles(log, call, inner);
    if (path === `${PREFIX}/log/entries`) {
      requireMethod(call, ['POST']);
      const entry = await verifyV2Request(decodeV2Request(await readRequest(call)), verifiers);
      const kept = frozen() ? await findKept(log, entry) : await log.append(entry);
      return { status: 201, headers: { 'content-type': 'application/json' }, body: encodeV2Entry(kept, name) };
    }
    if (path === `${PREFIX}/index/retrieve`) {
      requireMethod(call, ['POST']);
      return await search(call, log);
    }
    throw new RekorError('not-found', 'this log has nothing at this path');
  };
  return { service: { answer, fault: faultReply } };
}

/** Who retries across the end of a shard still gets the entry that it has. @throws RekorError `log-frozen` */
async function findKept(log: AppendLog, { leaf }: NewEntry): Promise<ProvenEntry> {
  const index = await log.indexOf(leafHash(leaf));
  const kept = index === undefined ? undefined : await log.entry(index);
  if (kept === undefined) throw new RekorError('log-frozen', FROZEN);
  return kept;
}

/** A page of entries, oldest first; `next`, where there may be more, is the `after` of the next page. */
async function search(call: Call, log: AppendLog): Promise<Reply> {
  const { terms, operator, after, limit = PAGE } = decodeSearch(await readRequest(call));
  const most = Math.min(limit, PAGE);
  const indexes = await log.search({ terms, operator, limit: most, ...(after === undefined ? {} : { after }) });
  const found = await Promise.all(indexes.map(async (index) => (await log.entries(index, 1))[0]));
  const entries = found.flatMap((entry) => (entry === undefined ? [] : [entry]));
  const last = entries.at(-1);
  return json({
    entries: entries.map(({ index, leaf, time }) => ({
      logIndex: String(index),
      time: new Date(time).toISOString(),
      canonicalizedBody: encodeBase64(leaf),
    })),
    next: last === undefined || entries.length < most ? null : String(last.index),
  });
}
