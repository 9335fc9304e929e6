// SPDX-License-Identifier: Apache-2.0
import { printable, type PublicKey } from '../../trust/index.ts';
import { header, type Call, type Reply, type Service } from '../../wire/index.ts';
import type { AppendLog } from '../log/append-log.ts';
import { faultReply } from './fault-reply.ts';
import { RekorError } from './rekor-error.ts';
import { createRekorV2Service } from './rekor-v2.ts';

/** One log of several: each has a host and a key of its own, and takes entries for a time. */
export interface Shard {
  /** the host of its address, and its origin */
  readonly host: string;
  readonly log: AppendLog;
  readonly publicKey: PublicKey;
  /** from when it takes entries; from the beginning, if absent */
  readonly opens?: Date;
  /** from when it takes no more; it goes on being read */
  readonly closes?: Date;
}

/** A log of several shards. */
export interface ShardedRekorV2 {
  readonly service: Service;
  /** Serves another shard from now on: next year's. @throws RekorError `settings-malformed` where its host is taken */
  add(shard: Shard): void;
}

/**
 * Rekor v2 over shards, each under its own host on the one port: a request goes to the shard that its Host header names, because a client
 * believes a checkpoint of that origin alone. Another host is answered 421.
 *
 * @throws RekorError `settings-malformed` for two shards of one host, or none
 * @example
 * const { service, add } = createShardedRekorV2({ shards: [{ host: '2026.log.example', log, publicKey, closes }], now });
 */
export function createShardedRekorV2(options: {
  readonly shards: readonly Shard[];
  readonly now: () => Date;
}): ShardedRekorV2 {
  const services = new Map<string, Service>();
  const add = (shard: Shard): void => {
    const { log, publicKey } = shard;
    const host = shard.host.toLowerCase();
    if (services.has(host))
      throw new RekorError('settings-malformed', `two shards of the log have the host ${printable(host, 100)}`);
    const frozen = (): boolean => !isOpen(shard, options.now());
    services.set(host, createRekorV2Service({ log, origin: shard.host, publicKey, frozen }).service);
  };
  for (const shard of options.shards) add(shard);
  if (services.size === 0) throw new RekorError('settings-malformed', 'the log has no shard');
  const answer = async (call: Call): Promise<Reply> => {
    const host = hostOf(call);
    const service = services.get(host);
    if (service === undefined)
      throw new RekorError(
        'host-unknown',
        `this log has no shard '${printable(host, 100)}', it has ${[...services.keys()].slice(-4).join(', ')}`,
      );
    return await service.answer(call);
  };
  return { service: { answer, fault: faultReply }, add };
}

/**
 * The host of a year's shard: `{year}` of the pattern is replaced.
 *
 * @throws RekorError `settings-malformed` for a pattern without it, or that gives no host
 * @example shardHost('{year}.log.example', 2026) // 2026.log.example
 */
export function shardHost(pattern: string, year: number): string {
  const host = pattern.replace('{year}', String(year)).toLowerCase();
  // A host is written as its origin, so that it must be what a URL makes of it.
  const plain = URL.canParse(`http://${host}/`) && new URL(`http://${host}/`).hostname === host;
  if (host !== pattern.toLowerCase() && plain && !/[{}]/.test(host)) return host;
  throw new RekorError(
    'settings-malformed',
    `'${printable(pattern, 100)}' names no host of a log for each year, expected for example {year}.log.example`,
  );
}

/** From the first moment of a year to that of the next, UTC. */
export function shardPeriod(year: number): { readonly opens: Date; readonly closes: Date } {
  return { opens: new Date(Date.UTC(year, 0, 1)), closes: new Date(Date.UTC(year + 1, 0, 1)) };
}

function isOpen({ opens, closes }: Shard, now: Date): boolean {
  return (opens === undefined || now >= opens) && (closes === undefined || now < closes);
}

function hostOf(call: Call): string {
  const host = header(call, 'host') ?? '';
  const bare = /^\[([^\]]*)\](?::[0-9]*)?$/.exec(host)?.[1] ?? host.replace(/:[0-9]*$/, '');
  return bare.toLowerCase().replace(/\.$/, '');
}
