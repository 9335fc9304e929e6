// SPDX-License-Identifier: Apache-2.0
import { KeyRingError } from './key/key-ring-error.ts';
import type { KeyRing } from './key/key-ring.ts';
import { rotateKeys } from './tuf/rotate-keys.ts';
import type { TufRepository } from './tuf/tuf-repository.ts';

/** What a new year needs. */
export interface YearOptions {
  readonly ring: KeyRing;
  readonly repository: TufRepository;
  /** `{year}.log.example`; without it a log is not split by years */
  readonly logHost: string | undefined;
  readonly now: () => Date;
  readonly onWarning: (message: string) => void;
}

/** The host of the shard of this year, where shards have hosts of their own. */
export function shardHost(template: string | undefined, now: Date): string | undefined {
  return template?.replaceAll('{year}', String(now.getUTCFullYear()));
}

/**
 * Gives the log of a new year its key and host. Where the keys that must sign that are kept offline, the old shard goes on and the operator
 * is told; so it is by a clock that stands before the shard was begun: a year that is over is not begun again.
 *
 * @returns whether there is a new shard
 * @throws as `rotateKeys`
 */
export async function beginYear({ ring, repository, logHost, now, onWarning }: YearOptions): Promise<boolean> {
  const origin = shardHost(logHost, now());
  const { origin: current, created } = ring.active('log-v2');
  if (origin === undefined || current === origin) return false;
  if (now() < created) {
    const [shown, begun] = [now().toISOString(), created.toISOString()];
    onWarning(`the log goes on as ${current ?? 'it is'}: the clock shows ${shown}, and that shard was begun ${begun}`);
    return false;
  }
  try {
    await rotateKeys(ring, repository, 'log', { now: now(), logOrigin: origin, logs: ['log-v2'] });
    return true;
  } catch (error) {
    if (!(error instanceof KeyRingError) || error.code !== 'key-offline') throw error;
    onWarning(
      `the log goes on as ${current ?? 'it is'}: the shard ${origin} needs keys that are kept offline (${error.message})`,
    );
    return false;
  }
}
