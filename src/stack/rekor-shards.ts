// SPDX-License-Identifier: Apache-2.0
import { rekorV1Origin, type PublicKey } from '../trust/index.ts';
import { header, isJsonObject, json, parseJson, readCall, type Call, type Reply, type Service } from '../wire/index.ts';
import { keyId } from './key/ring-manifest.ts';
import type { LogShard } from './log-shard.ts';
import { treeIdOf } from './log-shard.ts';
import { faultReply } from './rekor/fault-reply.ts';
import { RekorError } from './rekor/rekor-error.ts';
import { createRekorV1Service } from './rekor/rekor-v1.ts';
import { createRekorV2Service } from './rekor/rekor-v2.ts';
import { answerTiles, isTilesPath } from './rekor/tiles.ts';

/** A shard and what answers for it. */
interface Served {
  readonly shard: LogShard;
  readonly service: Service;
}

/** The leaf hash alone: which tree it is in is not said. */
const LEAF = /^\/api\/v1\/log\/entries\/[0-9a-fA-F]{64}$/;
const ENTRY = /^\/api\/v1\/log\/entries\/([0-9a-fA-F]{16})[0-9a-fA-F]{64}$/;
const SEARCH = '/api/v2/index/retrieve';
const MAX_BODY = 1024 * 1024;

/**
 * Rekor v1 over all its shards: the newest takes entries and answers by index; an entry is found by its id, whole or without its tree, a tree
 * by its `treeID`, and a search goes through all of them.
 *
 * @param shards oldest first
 */
export function servedRekorV1(shards: readonly LogShard[]): Service {
  const served = shards.map((shard): Served => {
    const treeId = treeIdOf(shard.key);
    return { shard, service: createRekorV1Service({ log: shard.log, treeId, signer: shard.signer }).service };
  });
  const newest = served.at(-1);
  if (newest === undefined || served.length === 1) return newest?.service ?? nothing();
  return {
    answer: async (call) => {
      const [path = '', query = ''] = call.target.split('?', 2);
      if (path === '/api/v1/index/retrieve' || path === '/api/v1/log/entries/retrieve') {
        return await askAll(served, call);
      }
      if (path === '/api/v1/log') return await describeAll(served, call);
      if (LEAF.test(path)) return await askInTurn(served, call);
      const hex = ENTRY.exec(path)?.[1];
      const tree = new URLSearchParams(query).get('treeID');
      const id = hex === undefined ? tree : BigInt(`0x${hex}`).toString();
      const asked = served.find(({ shard }) => treeIdOf(shard.key).toString() === id) ?? newest;
      return await asked.service.answer(call);
    },
    fault: faultReply,
  };
}

/** Asks every shard the same, and answers what all have found. The newest one's refusal is everybody's. */
async function askAll(served: readonly Served[], call: Call): Promise<Reply> {
  const body = await readCall(call, MAX_BODY);
  const found: unknown[] = [];
  for (const [age, { service }] of served.toReversed().entries()) {
    const asked = age === 0 ? body : withoutIndexes(body);
    if (asked === undefined) continue;
    const reply = await service.answer({ ...call, body: once(asked) });
    if (reply.status !== 200 || typeof reply.body !== 'string') return reply;
    found.unshift(...(JSON.parse(reply.body) as readonly unknown[]));
  }
  return json(found);
}

/** The newest tree, and those that ended beside it: so a monitor that has seen one of them finds it. */
async function describeAll(served: readonly Served[], call: Call): Promise<Reply> {
  const trees: Readonly<Record<string, unknown>>[] = [];
  for (const { service } of served) {
    const reply = await service.answer(call);
    if (reply.status !== 200 || typeof reply.body !== 'string') return reply;
    trees.push(JSON.parse(reply.body) as Readonly<Record<string, unknown>>);
  }
  const ended = trees.slice(0, -1).map(({ inactiveShards: _none, ...tree }) => tree);
  return json({ ...trees.at(-1), inactiveShards: ended });
}

// A place in the log says nothing without its tree: it is that of the newest. Go's clients write the lists that they do not need as well.
function withoutIndexes(body: Uint8Array): Uint8Array | undefined {
  const asked = parseJson(body, { what: 'the request', maxBytes: MAX_BODY });
  if (!isJsonObject(asked) || asked['logIndexes'] === undefined) return body;
  const { logIndexes: _places, ...rest } = asked;
  const asksNothing = Object.values(rest).every((list) => list === null || (Array.isArray(list) && list.length === 0));
  return asksNothing ? undefined : Buffer.from(JSON.stringify(rest));
}

/** Asks the newest shard, then the one before it, until one has it. */
async function askInTurn(served: readonly Served[], call: Call): Promise<Reply> {
  const [first, ...others] = served.toReversed();
  if (first === undefined) return await nothing().answer(call);
  try {
    return await first.service.answer(call);
  } catch (error) {
    if (others.length === 0 || !(error instanceof RekorError) || error.code !== 'not-found') throw error;
    return await askInTurn(others.toReversed(), call);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/**
 * Rekor v2 over all its shards: a shard with a host of its own is asked by that host; of those under one host the newest takes entries,
 * and older ones are read below `/shards/KEY/`. A shard takes entries until clients have been told long enough that it ends. A search goes
 * through all of them. Those of Rekor v1 are read there as well, as tiles: a monitor reads their entries as it does those of v2.
 *
 * @param shards oldest first
 * @param v1 the shards of Rekor v1
 */
export function servedRekorV2(shards: readonly LogShard[], now: () => Date, v1: readonly LogShard[] = []): Service {
  const served = shards.map((shard): Served => {
    const { log, origin, signer, key } = shard;
    const { end } = key.validFor;
    const frozen = (): boolean => (end !== undefined && now() >= end) || newestOf(shards, origin) !== shard;
    return { shard, service: createRekorV2Service({ log, origin, publicKey: signer.publicKey, frozen }).service };
  });
  return {
    answer: async (call) => {
      const named = /^\/shards\/([a-z0-9-]{1,80})(\/.*)$/.exec(call.target);
      if (named !== null) {
        const tiles = v1.find(({ key }) => key.id === named[1]);
        if (tiles !== undefined) return await readTiles(tiles, call, named[2] ?? '/');
        const old = served.find(({ shard }) => shard.key.id === named[1]);
        if (old === undefined) return json({ code: 404, message: 'there is no such shard' }, {}, 404);
        return await old.service.answer({ ...call, target: named[2] ?? '/' });
      }
      if (call.target === SEARCH && served.length > 1) return await searchShards(served, call);
      const host = (header(call, 'host') ?? '').replace(/:\d+$/, '').toLowerCase();
      const asked = served.findLast(({ shard }) => shard.origin === host) ?? served.at(-1);
      return await (asked?.service ?? nothing()).answer(call);
    },
    fault: faultReply,
  };
}

async function readTiles({ log }: LogShard, call: Call, target: string): Promise<Reply> {
  const [path = ''] = target.split('?', 1);
  if (isTilesPath(path)) return await answerTiles(log, call, path);
  throw new RekorError('not-found', 'this log has nothing at this path');
}

/**
 * A page of what all shards have found, oldest first. `next` names the shard as well: `SHARD.INDEX`, by which the search goes on; an index
 * alone is one of the oldest, from when there was no other.
 */
async function searchShards(served: readonly Served[], call: Call): Promise<Reply> {
  const asked = parseJson(await readCall(call, MAX_BODY), { what: 'the search', maxBytes: MAX_BODY });
  const { after, ...query } = isJsonObject(asked) ? asked : {};
  const [, from = '0', index] = /^(?:(\d{1,6})\.)?(\d{1,16})$/.exec(typeof after === 'object' ? '' : `${after}`) ?? [];
  // What is none of both is for the shard to refuse.
  const place = index ?? after;
  for (let at = Number(from); at < served.length; at++) {
    const one = served[at];
    const goOn = at === Number(from) && place !== undefined ? { after: place } : {};
    const body = once(Buffer.from(JSON.stringify({ ...query, ...goOn })));
    const reply = (await one?.service.answer({ ...call, body })) ?? (await nothing().answer(call));
    if (reply.status !== 200 || typeof reply.body !== 'string') return reply;
    const { entries, next } = JSON.parse(reply.body) as {
      readonly entries: readonly object[];
      readonly next: string | null;
    };
    const last = at === served.length - 1;
    if (entries.length === 0 && !last) continue;
    const found = entries.map((entry) => ({ ...entry, shard: one?.shard.key.id }));
    const end: { readonly logIndex?: string } | undefined = entries.at(-1);
    const goOnAfter = next ?? (last ? null : (end?.logIndex ?? null));
    return json({ entries: found, next: goOnAfter === null ? null : `${at}.${goOnAfter}` });
  }
  return json({ entries: [], next: null });
}

/** Below the address of a stack: where the shard of a key is read as tiles, also after another took its place. */
export function shardPath(publicKey: PublicKey, role: 'log-v1' | 'log-v2' = 'log-v2'): string {
  return `/shards/${keyId(role, publicKey)}`;
}

/** The first line of the checkpoints of a shard of Rekor v1. @param host of the stack */
export function shardOriginV1(publicKey: PublicKey, host: string): string {
  return rekorV1Origin(host, treeIdOf({ publicKey }));
}

function newestOf(shards: readonly LogShard[], origin: string): LogShard | undefined {
  return shards.findLast((shard) => shard.origin === origin);
}

function nothing(): Service {
  return { answer: async () => json({ code: 404, message: 'there is no log' }, {}, 404), fault: faultReply };
}
