// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { leafHash } from '../../trust/index.ts';
import { ask, newRekorV2, type TestRekor } from './rekor.fixture.ts';

async function newFilled(entries: number): Promise<TestRekor> {
  const rekor = await newRekorV2('log.example');
  for (let index = 0; index < entries; index++) {
    const leaf = Buffer.from(`entry ${index}`);
    await rekor.log.append({ leaf, identity: hash('sha256', leaf, 'buffer'), terms: [] });
  }
  return rekor;
}

const framed = (from: number, count: number): Buffer =>
  Buffer.concat(
    Array.from({ length: count }, (_, at) => {
      const leaf = Buffer.from(`entry ${from + at}`);
      return Buffer.concat([Buffer.of(0, leaf.length), leaf]);
    }),
  );

describe('a log is read as tiles', async () => {
  const { service, log } = await newFilled(300);

  for (const prefix of ['', '/api/v2']) {
    test(`its checkpoint, which nobody keeps for long (${prefix}/checkpoint)`, async () => {
      const { status, headers, text } = await ask(service, 'GET', `${prefix}/checkpoint`);
      assert.deepEqual([status, text], [200, log.tree().checkpoint]);
      assert.deepEqual(headers, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' });
    });

    test(`its hashes, whole and partial (${prefix}/tile/…)`, async () => {
      const whole = await ask(service, 'GET', `${prefix}/tile/0/000`);
      assert.equal(whole.octets.length, 8192);
      assert.deepEqual(whole.octets.subarray(0, 32), Buffer.from(leafHash(Buffer.from('entry 0'))));
      assert.equal(whole.headers['content-type'], 'application/octet-stream');
      assert.match(whole.headers['cache-control'] ?? '', /immutable/);
      assert.equal((await ask(service, 'GET', `${prefix}/tile/0/001.p/44`)).octets.length, 44 * 32);
      assert.equal((await ask(service, 'GET', `${prefix}/tile/1/000.p/1`)).octets.length, 32);
    });

    test(`its entries, whole and partial (${prefix}/tile/entries/…)`, async () => {
      const whole = await ask(service, 'GET', `${prefix}/tile/entries/000`);
      assert.deepEqual(whole.octets, framed(0, 256));
      assert.equal(whole.headers['content-encoding'], undefined);
      const partial = await ask(service, 'GET', `${prefix}/tile/entries/001.p/44`);
      assert.deepEqual(partial.octets, framed(256, 44));
      assert.equal(partial.headers['content-type'], 'application/octet-stream');
      assert.match(partial.headers['cache-control'] ?? '', /immutable/);
    });
  }

  test('its entries are sent short to whoever takes them so, and to nobody else', async () => {
    const encoding = async (accepted: string) => {
      const answered = await ask(service, 'GET', '/tile/entries/000', undefined, { 'accept-encoding': accepted });
      assert.equal(answered.headers['vary'], 'accept-encoding');
      const short = answered.headers['content-encoding'] === 'gzip';
      assert.deepEqual(short ? gunzipSync(answered.octets) : answered.octets, framed(0, 256));
      return short;
    };
    for (const accepted of ['gzip', 'br, gzip', 'gzip;q=0.5', 'identity, GZIP ; q=1', '*'])
      assert.ok(await encoding(accepted), accepted);
    for (const accepted of ['', 'br', 'identity', 'gzip;q=0', 'gzip;q=0.000', 'xgzip'])
      assert.ok(!(await encoding(accepted)), accepted);
    const hashes = await ask(service, 'GET', '/tile/0/000', undefined, { 'accept-encoding': 'gzip' });
    assert.equal(hashes.headers['content-encoding'], undefined);
  });

  test('what is not there, or in no spelling that there is, is 404', async () => {
    for (const path of [
      '/tile/0/001',
      '/tile/0/001.p/45',
      '/tile/0/001.p/0',
      '/tile/0/000.p/256',
      '/tile/00/000',
      '/tile/0/0',
      '/tile/0/x000/000',
      '/tile/64/000',
      '/tile/entries/002',
      '/tile/data/000',
      '/tile/',
      '/tile/0/../0/000',
      '/tile/0/%30%30%30',
      '/tile/0/000.p/01',
      '/checkpoint/',
    ])
      assert.equal((await ask(service, 'GET', path)).status, 404, path);
    assert.equal((await ask(service, 'HEAD', '/tile/0/000')).status, 200);
  });

  test('an empty log has a checkpoint, and no tile', async () => {
    const empty = await newRekorV2('log.example');
    assert.match((await ask(empty.service, 'GET', '/checkpoint')).text, /^log\.example\n0\n/);
    assert.equal((await ask(empty.service, 'GET', '/tile/0/000')).status, 404);
  });
});
