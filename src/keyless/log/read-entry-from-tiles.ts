// SPDX-License-Identifier: Apache-2.0
import {
  decodeCheckpoint,
  decodeNote,
  foldProof,
  hashInTile,
  hostOfLog,
  leafHash,
  planInclusion,
  rootFromInclusion,
  tileOf,
  tilePath,
  type Checkpoint,
  type LogEntry,
  type SignedNote,
  type TransparencyLog,
} from '../../trust/index.ts';
import type { HttpClient } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import { askService, badAnswer, refusalOf, type ServiceAnswer } from '../service/ask-service.ts';
import { below } from '../service/service-address.ts';
import { readAnswer, type LogWitnessOptions } from './log-witness.ts';

const WITHIN_MS = 30_000;
const MAX_CHECKPOINT_BYTES = 256 * 1024;
const MAX_TILE_BYTES = 256 * 32;
/** what a log takes to publish its next checkpoint, at most, in steps of half a second */
const WAITS = 40;
const WAIT_MS = 500;

/** Where an entry is said to be, and what the log keeps of it. */
interface Place {
  readonly index: number;
  readonly body: Uint8Array;
}

/**
 * Puts the entry at a place together from the checkpoint and the tiles of a log. That the log has this entry there is shown by its proof.
 *
 * @throws KeylessError `answer-mismatch` if it has another there; `service-unavailable` if it does not publish the place in time, or the log
 * is none of those that one trusts; as `logWitness` otherwise
 * @see https://github.com/C2SP/C2SP/blob/main/tlog-tiles.md
 */
export async function readEntryFromTiles(base: URL, place: Place, options: LogWitnessOptions): Promise<LogEntry> {
  const { http, logs = [] } = options;
  const published = await readCheckpoint(base, place.index, http);
  const { note, checkpoint, answer, prefix } = published;
  const log = logOf(base, note, logs);
  const { size } = checkpoint;
  const plan = readAnswer(answer, () => planInclusion(place.index, size));
  const places = plan.nodes.map((node) => tileOf(node, size));
  const paths = [...new Set(places.map(({ tile }) => tilePath(tile)))];
  const tiles = new Map(
    await Promise.all(paths.map(async (path) => [path, await readTile(below(base, prefix + path), http)] as const)),
  );
  const hashes = readAnswer(answer, () =>
    foldProof(
      plan,
      places.map((at) => hashInTile(tiles.get(tilePath(at.tile)) ?? new Uint8Array(), at)),
    ),
  );
  const root = rootFromInclusion(leafHash(place.body), { index: place.index, size }, hashes);
  if (root === undefined || !Buffer.from(root).equals(checkpoint.root))
    throw badAnswer(
      answer,
      'answer-mismatch',
      `that entry ${place.index} is this signature, and its tiles have another there`,
    );
  return {
    logIndex: place.index,
    logKeyId: log.logId,
    kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
    inclusionProof: {
      logIndex: place.index,
      rootHash: checkpoint.root,
      treeSize: size,
      hashes,
      checkpoint: new TextDecoder().decode(answer.body),
    },
    canonicalizedBody: place.body,
  };
}

interface Published {
  readonly note: SignedNote;
  readonly checkpoint: Checkpoint;
  readonly answer: ServiceAnswer;
  /** what stands before the paths of tiles: some servers have them below their write API, others beside it */
  readonly prefix: string;
}

async function readCheckpoint(base: URL, index: number, http: HttpClient): Promise<Published> {
  for (let waits = 0; ; waits++) {
    const found = await publishedCheckpoint(base, http);
    if (found.checkpoint.size > index) return found;
    if (waits === WAITS)
      throw new KeylessError(
        'service-unavailable',
        `the transparency log ${base.href} has entry ${index} already, and publishes no more than ${found.checkpoint.size} of them`,
      );
    await http.clock.sleep(WAIT_MS);
  }
}

async function publishedCheckpoint(base: URL, http: HttpClient): Promise<Published> {
  let answer = await get(below(base, 'api/v2/checkpoint'), MAX_CHECKPOINT_BYTES, http);
  const prefix = answer.status === 404 || answer.status === 501 ? '' : 'api/v2/';
  if (prefix === '') answer = await get(below(base, 'checkpoint'), MAX_CHECKPOINT_BYTES, http);
  if (answer.status !== 200) throw refusalOf(answer);
  const asked = answer;
  return readAnswer(asked, () => {
    const note = decodeNote(new TextDecoder().decode(asked.body), 'the checkpoint');
    return { note, checkpoint: decodeCheckpoint(note.text, 'the checkpoint'), answer: asked, prefix };
  });
}

async function readTile(url: URL, http: HttpClient): Promise<Uint8Array> {
  let answer = await get(url, MAX_TILE_BYTES, http);
  // A partial tile may be gone once its full one is there.
  const full = url.href.replace(/\.p\/\d+$/, '');
  if (answer.status === 404 && full !== url.href) answer = await get(new URL(full), MAX_TILE_BYTES, http);
  if (answer.status !== 200) throw refusalOf(answer);
  return answer.body;
}

function get(url: URL, maxBytes: number, http: HttpClient): Promise<ServiceAnswer> {
  return askService({ http, what: 'the transparency log', method: 'GET', url, withinMs: WITHIN_MS, maxBytes });
}

// Entries name their log by the whole hash of its key, of which a checkpoint has four octets.
function logOf(base: URL, { signatures }: SignedNote, logs: readonly TransparencyLog[]): TransparencyLog {
  const log = logs.find(
    ({ baseUrl, logId }) =>
      hostOfLog(baseUrl) === hostOfLog(base.href) &&
      signatures.some(({ keyId }) => Buffer.from(logId.subarray(0, keyId.length)).equals(keyId)),
  );
  if (log !== undefined) return log;
  throw new KeylessError(
    'service-unavailable',
    `the transparency log ${base.href} has this signature already and does not answer with its entry; the trusted root, which says by what name entries know that log, does not list it`,
  );
}
