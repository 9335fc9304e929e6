// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SqliteDatabase } from '../store/index.ts';
import { decodeNote, decodePublicKey, leafHash, noteKey } from '../trust/index.ts';
import { openKeyRing, type KeyRing } from './key/key-ring.ts';
import { openShard, shardFile, shardOrigin, treeIdOf, type LogShard, type ShardOptions } from './log-shard.ts';
import { LogShards } from './log-shards.ts';
import { shardPath } from './rekor-shards.ts';
import { shardHost } from './year-shard.ts';

let folder: string;
let ring: KeyRing;
let options: ShardOptions;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulla-shard-'));
  const now = (): Date => new Date();
  const first = { organization: 'test', logOrigin: '2026.log.example' };
  ring = await openKeyRing({ directory: join(folder, 'keys'), now, first });
  options = { directory: join(folder, 'logs'), host: 'seals.example', now, onWarning: () => {} };
});
after(() => rm(folder, { recursive: true, force: true }));

describe('the origin of a shard', () => {
  test('is what clients of its API expect, and no two shards share one', () => {
    const [v1, v2, ct] = [ring.active('log-v1'), ring.active('log-v2'), ring.active('ct-log')];
    assert.equal(shardOrigin(v1, 'seals.example'), `seals.example - ${treeIdOf(v1)}`);
    assert.equal(shardOrigin(v2, 'seals.example'), '2026.log.example');
    const { origin: _origin, ...unnamed } = v2;
    assert.equal(shardOrigin(unnamed, 'seals.example'), 'seals.example');
    assert.equal(shardOrigin(ct, 'seals.example'), `seals.example/ct/${ct.id}`);
  });

  test('follows the year where there is a template, by universal time', () => {
    assert.equal(shardHost('{year}.log.example', new Date('2026-12-31T23:59:59Z')), '2026.log.example');
    assert.equal(shardHost('{year}.log.example', new Date('2027-01-01T00:00:00Z')), '2027.log.example');
    assert.equal(shardHost(undefined, new Date()), undefined);
  });

  test('has a tree from 1 to 2^63 - 1, which follows from the key', () => {
    for (const fill of [0x00, 0x7f, 0x80, 0xff]) {
      const { publicKey } = ring.active('log-v1');
      const hint = Buffer.alloc(32, fill).toString('base64');
      const tree = treeIdOf({ publicKey: { ...publicKey, hint } });
      assert.ok(tree >= 1n && tree < 2n ** 63n, String(tree));
    }
    assert.equal(treeIdOf(ring.active('log-v1')), treeIdOf(ring.active('log-v1')));
  });

  test('is read below a path that names its key', () => {
    const { id, publicKey } = ring.active('log-v2');
    assert.equal(shardPath(publicKey), `/shards/${id}`);
    assert.equal(shardPath(decodePublicKey(publicKey.spki, 'the key')), `/shards/${id}`);
  });
});

describe('a shard', () => {
  test('lies in a database of its own, and signs as its origin by its key', async () => {
    const key = ring.active('log-v2');
    const copied: (readonly [string, string])[] = [];
    const shard = await openShard(key, await ring.privateKey(key), {
      ...options,
      onPublished: async (name, checkpoint) => void copied.push([name, checkpoint]),
    });
    const leaf = Buffer.from('entry');
    const { tree } = await shard.log.append({ leaf, identity: leafHash(leaf), terms: [] });
    const { text, signatures } = decodeNote(tree.checkpoint, 'the checkpoint');
    const [signature] = signatures;
    assert.ok(
      signature !== undefined &&
        noteKey('2026.log.example', key.publicKey).verify(Buffer.from(text), signature.signature),
    );
    // told to the copy before anybody else
    assert.deepEqual(copied.at(-1), [key.id, tree.checkpoint]);
    await shard.close();
    const again = await openShard(key, await ring.privateKey(key), { ...options, mustExist: true });
    assert.equal(again.log.tree().size, 1);
    await again.close();
  });

  test('that must exist and does not is refused, and begins nothing', async () => {
    const key = ring.active('ct-log');
    const asked = { ...options, directory: join(folder, 'gone'), mustExist: true };
    const privateKey = await ring.privateKey(key);
    await assert.rejects(openShard(key, privateKey, asked), { code: 'log-missing' });
    await assert.rejects(openShard(key, privateKey, asked), { code: 'log-missing' });
    assert.equal(shardFile('/logs', key), `/logs/${key.id}.db`);
  });
});

describe('a shard whose checkpoints are copied', () => {
  const append = async ({ log }: LogShard, text: string): Promise<number> => {
    const leaf = Buffer.from(text);
    return (await log.append({ leaf, identity: leafHash(leaf), terms: [] })).index;
  };

  test('goes on from the copy, and is refused where its database was set back or lost', async () => {
    const key = ring.active('log-v1');
    const privateKey = await ring.privateKey(key);
    const copies = new Map<string, string>();
    const directory = join(folder, 'copied');
    const asked: ShardOptions = {
      ...options,
      directory,
      onPublished: async (name, checkpoint) => void copies.set(name, checkpoint),
      lastCopied: async (name) => copies.get(name),
    };
    const shard = await openShard(key, privateKey, asked);
    await append(shard, 'one');
    await shard.close();
    await cp(shardFile(directory, key), join(folder, 'before.db'));
    const again = await openShard(key, privateKey, asked);
    assert.equal(await append(again, 'two'), 1);
    await again.close();
    await cp(join(folder, 'before.db'), shardFile(directory, key));
    await assert.rejects(openShard(key, privateKey, asked), { code: 'tree-smaller' });
    // one that is read alone may have been restored from an older copy
    const ended = { ...key, state: 'retired' as const };
    await (await openShard(ended, privateKey, asked)).close();
    await rm(shardFile(directory, key));
    await assert.rejects(openShard(key, privateKey, asked), { code: 'log-missing' });
    copies.set(key.id, 'no checkpoint');
    await assert.rejects(openShard(key, privateKey, asked), { code: 'checkpoint-foreign' });
  });

  test('that runs twice is one log: who comes second shows nothing that the first has not', async () => {
    const key = ring.active('log-v2');
    const privateKey = await ring.privateKey(key);
    const copies = new Map<string, string>();
    const asked: ShardOptions = {
      ...options,
      directory: join(folder, 'first'),
      onPublished: async (name, checkpoint) => void copies.set(name, checkpoint),
      lastCopied: async (name) => copies.get(name),
    };
    const first = await openShard(key, privateKey, asked);
    await append(first, 'both have it');
    await first.database.copyTo(join(folder, 'second.db'));
    await mkdir(join(folder, 'second'));
    await cp(join(folder, 'second.db'), shardFile(join(folder, 'second'), key));
    const second = await openShard(key, privateKey, { ...asked, directory: join(folder, 'second') });
    assert.equal(await append(second, 'here'), 1);
    await assert.rejects(append(first, 'there'), { code: 'publication-failed', message: /other entries here/ });
    assert.equal(first.log.tree().size, 1);
    assert.equal(copies.get(key.id), second.log.tree().checkpoint);
    assert.equal(await append(second, 'goes on'), 2);
    for (const one of [first, second]) await one.close();
  });

  test('opens where the copy cannot be read, and shows nothing new before it was', async () => {
    const key = ring.active('ct-log');
    const privateKey = await ring.privateKey(key);
    const copies = new Map<string, string>();
    const warnings: string[] = [];
    let down = true;
    const directory = join(folder, 'unread');
    const shard = await openShard(key, privateKey, {
      ...options,
      directory,
      onWarning: (message) => warnings.push(message),
      onPublished: async (name, checkpoint) => void copies.set(name, checkpoint),
      lastCopied: async (name) => {
        if (down) throw new Error('no answer');
        return copies.get(name);
      },
    });
    assert.match(warnings.join(), /no answer/);
    await assert.rejects(append(shard, 'one'), { code: 'publication-failed' });
    assert.equal(shard.log.tree().size, 0);
    assert.deepEqual([...copies], []);
    down = false;
    assert.equal(await append(shard, 'one'), 0);
    assert.equal(copies.get(key.id), shard.log.tree().checkpoint);
    await shard.close();
  });
});

describe('the shards of a stack', () => {
  test('are one for each key, oldest first, found by their key; the newest entry of all tells the time', async () => {
    const database = await SqliteDatabase.open(join(folder, 'stack.db'));
    let now = new Date('2026-06-01T00:00:00Z');
    const asked = { ...options, directory: join(folder, 'many'), now: () => now };
    const shards = await LogShards.open(database, ring, asked);
    assert.equal(await shards.newestTime(), undefined);
    for (const role of ['log-v1', 'log-v2', 'ct-log'] as const) {
      const [shard, ...others] = shards.of(role);
      assert.equal(others.length, 0);
      assert.equal(shards.shard(ring.active(role).id), shard);
      const leaf = Buffer.from(role);
      await shard?.log.append({ leaf, identity: leafHash(leaf), terms: [] });
      now = new Date(now.getTime() + 1000);
    }
    assert.equal((await shards.newestTime())?.toISOString(), '2026-06-01T00:00:02.000Z');
    assert.throws(() => shards.shard('log-v2-0'), /has no log open/);
    await shards.close();
    // and one that was begun is demanded at every later opening
    await rm(shardFile(asked.directory, ring.active('log-v1')));
    await assert.rejects(LogShards.open(database, ring, asked), { code: 'log-missing' });
    await database.close();
  });
});
