// SPDX-License-Identifier: Apache-2.0
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { disk, readWhole, writeDurably } from '../store/index.ts';
import { readBody, type HttpClient } from '../wire/index.ts';
import { UpError } from './up-error.ts';

/** Copies of the newest checkpoints, by the shard that they are of. */
export interface CheckpointCopies {
  /** Replaces the copy. @throws UpError `checkpoint-copy-failed`; the log then shows no newer tree until a copy succeeds */
  readonly write: (shard: string, checkpoint: string) => Promise<void>;
  /** The copy, by this process or an earlier one; undefined where there is none. @throws UpError `checkpoint-copy-failed` */
  readonly read: (shard: string) => Promise<string | undefined>;
}

/** of a checkpoint with all its signatures */
const MAX_BYTES = 256 * 1024;
/** for reading a copy back, at the start */
const READ_MS = 10_000;
/** A signed note: a text, a line without anything, signatures. */
const NOTE = /\n\n\u2014 /;

/**
 * Where each published checkpoint is copied to before anybody sees it: `KEY.checkpoint` in a folder, or by PUT below a URL. What says how
 * far the logs have come must lie where it does not go down with them.
 *
 * @param place a folder, or a URL of http or https
 * @throws UpError `checkpoint-copy-failed`
 */
export async function copyCheckpoints(place: string, http: HttpClient): Promise<CheckpointCopies> {
  if (/^https?:\/\//i.test(place)) {
    if (URL.parse(place) === null) throw failed(place, 'it is no URL');
    const urlOf = (shard: string): URL => new URL(`${place.replace(/\/$/, '')}/${shard}.checkpoint`);
    return {
      write: (shard, checkpoint) => put(http, urlOf(shard), checkpoint),
      read: (shard) => get(http, urlOf(shard)),
    };
  }
  await mkdir(place, { recursive: true, mode: 0o755 }).catch((cause: unknown) => {
    throw failed(place, cause instanceof Error ? cause.message : 'it cannot be made', cause);
  });
  return {
    async write(shard, checkpoint) {
      try {
        await writeDurably(disk, place, new Map([[`${shard}.checkpoint`, checkpoint]]));
      } catch (cause) {
        throw failed(place, cause instanceof Error ? cause.message : 'it cannot be written', cause);
      }
    },
    async read(shard) {
      try {
        const bytes = await readWhole(disk, join(place, `${shard}.checkpoint`), MAX_BYTES);
        return bytes === undefined ? undefined : Buffer.from(bytes).toString();
      } catch (cause) {
        throw unreadable(place, cause instanceof Error ? cause.message : 'it cannot be read', cause);
      }
    },
  };
}

async function put(http: HttpClient, url: URL, checkpoint: string): Promise<void> {
  const request = { method: 'PUT', url, headers: { 'content-type': 'text/plain' }, body: Buffer.from(checkpoint) };
  const status = await http
    .exchange(request, async (answer) => {
      await answer.discard();
      return answer.status;
    })
    .catch((cause: unknown) => {
      throw failed(url.href, cause instanceof Error ? cause.message : 'no answer', cause);
    });
  if (status < 200 || status > 299) throw failed(url.href, `the answer is ${status}, expected 2xx`);
}

/** What lies there. A place that takes copies need not give them back: then there is none to go by. */
async function get(http: HttpClient, url: URL): Promise<string | undefined> {
  const deadline = http.clock.now() + READ_MS;
  const request = { method: 'GET', url, headers: { accept: 'text/plain' }, deadline };
  const { status, text } = await http
    .exchange(request, async (answer) => {
      if (answer.status === 200) {
        const bytes = await readBody(answer, MAX_BYTES, `the copy at ${url.host}`);
        return { status: 200, text: Buffer.from(bytes).toString() };
      }
      await answer.discard();
      return { status: answer.status, text: '' };
    })
    .catch((cause: unknown) => {
      throw unreadable(url.href, cause instanceof Error ? cause.message : 'no answer', cause);
    });
  if (NOTE.test(text)) return text;
  if ((status <= 499 && status !== 408 && status !== 429) || status === 501) return undefined;
  throw unreadable(url.href, `the answer is ${status}, expected 200, or 404 where there is none`);
}

function unreadable(place: string, why: string, cause?: unknown): UpError {
  return new UpError('checkpoint-copy-failed', `reading the copy of a checkpoint at ${place}: ${why}`, { cause });
}

function failed(place: string, why: string, cause?: unknown): UpError {
  return new UpError('checkpoint-copy-failed', `copying a checkpoint to ${place}: ${why}`, { cause });
}
