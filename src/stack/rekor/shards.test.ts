// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeCheckpoint, decodeLogEntry, decodeNote } from '../../trust/index.ts';
import { HttpClient, readBody, serve } from '../../wire/index.ts';
import { ask, hashedRekordV2, newRekorV2, newSigner } from './rekor.fixture.ts';
import { createShardedRekorV2, shardHost, shardPeriod, type Shard } from './shards.ts';

const ENTRIES = '/api/v2/log/entries';

async function newShard(host: string, period: Partial<Shard> = {}): Promise<Shard> {
  const { log, key } = await newRekorV2(host);
  return { host, log, publicKey: key.publicKey, ...period };
}

test('each shard has its own tree, key and origin, and is found by the host that a client asks', async () => {
  const shards = [await newShard('2025.log.example'), await newShard('2026.log.example')];
  const { service } = createShardedRekorV2({ shards, now: () => new Date() });
  const keys = new Set<string>();
  for (const { host, log } of shards) {
    for (const spelling of [host, `${host}:3000`, host.toUpperCase(), `${host}.`]) {
      const { text } = await ask(service, 'GET', '/checkpoint', undefined, { host: spelling });
      assert.equal(decodeCheckpoint(decodeNote(text, 'it').text, 'it').origin, host, spelling);
    }
    const request = await hashedRekordV2(await newSigner(), 'message');
    const answered = await ask(service, 'POST', ENTRIES, request, { host });
    assert.equal(answered.status, 201, answered.text);
    assert.equal(log.tree().size, 1);
    keys.add(Buffer.from(decodeLogEntry(answered.octets, 'it').logKeyId ?? []).toString('hex'));
  }
  assert.equal(keys.size, 2);
});

test('a host that is no shard is answered 421, and told which there are', async () => {
  const { service } = createShardedRekorV2({ shards: [await newShard('2026.log.example')], now: () => new Date() });
  for (const host of ['log.example', '', '2026.log.example.evil', '127.0.0.1:80']) {
    const { status, text } = await ask(service, 'GET', '/checkpoint', undefined, { host });
    assert.equal(status, 421);
    assert.match(text, /it has 2026\.log\.example/);
  }
});

test('the shard of a year takes entries within it alone, and goes on being read', async () => {
  let now = new Date('2026-12-31T23:59:59.999Z');
  const shards = [
    await newShard('2026.log.example', shardPeriod(2026)),
    await newShard('2027.log.example', shardPeriod(2027)),
  ];
  const { service } = createShardedRekorV2({ shards, now: () => now });
  const enter = async (host: string, request: object) =>
    (await ask(service, 'POST', ENTRIES, request, { host })).status;
  const first = await hashedRekordV2(await newSigner(), 'one');
  assert.equal(await enter('2026.log.example', first), 201);
  assert.equal(await enter('2027.log.example', first), 405);
  now = new Date('2027-01-01T00:00:00Z');
  assert.equal(await enter('2026.log.example', await hashedRekordV2(await newSigner(), 'two')), 405);
  assert.equal(await enter('2026.log.example', first), 201); // a retry finds what was entered
  assert.equal(await enter('2027.log.example', first), 201);
  assert.equal(
    (await ask(service, 'GET', '/tile/entries/000.p/1', undefined, { host: '2026.log.example' })).status,
    200,
  );
});

test('a shard is added while the log runs, once', async () => {
  const { service, add } = createShardedRekorV2({
    shards: [await newShard('2026.log.example')],
    now: () => new Date(),
  });
  const headers = { host: '2027.log.example' };
  assert.equal((await ask(service, 'GET', '/checkpoint', undefined, headers)).status, 421);
  const next = await newShard('2027.log.example');
  add(next);
  assert.equal((await ask(service, 'GET', '/checkpoint', undefined, headers)).status, 200);
  assert.throws(() => add(next), { code: 'settings-malformed' });
  assert.throws(() => createShardedRekorV2({ shards: [], now: () => new Date() }), { code: 'settings-malformed' });
});

test('two shards on two addresses of this machine, over HTTP', async (context) => {
  const hosts = ['127.0.0.2', '127.0.0.3'];
  const shards = await Promise.all(hosts.map(async (host) => await newShard(host)));
  const { service } = createShardedRekorV2({ shards, now: () => new Date() });
  const http = new HttpClient();
  context.after(() => http.close());
  for (const host of hosts) {
    const server = await serve({ service, host, port: 0 });
    context.after(() => server.close());
    const url = new URL(`http://${host}:${server.address.port}/api/v2/checkpoint`);
    const text = await http.exchange({ method: 'GET', url }, async (response) =>
      Buffer.from(await readBody(response, 10_000, 'it')).toString('utf8'),
    );
    assert.equal(text.split('\n')[0], host);
  }
});

test('the host of a year is made of a pattern that names one', () => {
  assert.equal(shardHost('{year}.Log.example', 2026), '2026.log.example');
  assert.equal(shardHost('log{year}-1.example', 2027), 'log2027-1.example');
  for (const pattern of [
    'log.example',
    '',
    '{year}',
    '{year}.log.example:80',
    '{year}/x',
    'a b{year}',
    '{year}{year}.x',
    'http://{year}.x',
    '{YEAR}.log.example',
  ])
    assert.throws(() => shardHost(pattern, 2026), { code: 'settings-malformed' }, pattern);
  assert.deepEqual(shardPeriod(2026), {
    opens: new Date('2026-01-01T00:00:00Z'),
    closes: new Date('2027-01-01T00:00:00Z'),
  });
});
