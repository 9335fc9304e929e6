// SPDX-License-Identifier: Apache-2.0
import { mkdir } from 'node:fs/promises';
import { disk, writeDurably } from '../store/index.ts';
import type { HttpClient } from '../wire/index.ts';
import { UpError } from './up-error.ts';

/**
 * Where each published checkpoint is copied to before anybody sees it: `KEY.checkpoint` in a folder, or by PUT below a URL. What says how
 * far the logs have come must lie where it does not go down with them.
 *
 * @param place a folder, or a URL of http or https
 * @throws UpError `checkpoint-copy-failed` by the copy; the log then shows no newer tree until a copy succeeds
 */
export async function copyCheckpoints(
  place: string,
  http: HttpClient,
): Promise<(shard: string, checkpoint: string) => Promise<void>> {
  if (/^https?:\/\//i.test(place)) {
    if (URL.parse(place) === null) throw failed(place, 'it is no URL');
    return async (shard, checkpoint) => {
      const url = new URL(`${place.replace(/\/$/, '')}/${shard}.checkpoint`);
      await put(http, url, checkpoint);
    };
  }
  await mkdir(place, { recursive: true, mode: 0o755 }).catch((cause: unknown) => {
    throw failed(place, cause instanceof Error ? cause.message : 'it cannot be made', cause);
  });
  return async (shard, checkpoint) => {
    try {
      await writeDurably(disk, place, new Map([[`${shard}.checkpoint`, checkpoint]]));
    } catch (cause) {
      throw failed(place, cause instanceof Error ? cause.message : 'it cannot be written', cause);
    }
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

function failed(place: string, why: string, cause?: unknown): UpError {
  return new UpError('checkpoint-copy-failed', `copying a checkpoint to ${place}: ${why}`, { cause });
}
