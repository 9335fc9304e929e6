// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { HttpClient } from '../wire/index.ts';
import { copyFolder, digestOf, filesBelow } from './back-up.ts';
import { copyCheckpoints } from './checkpoint-copy.ts';
import { readEndpoints, stackEndpoints } from './endpoints.ts';
import { parseUrl, readSettings, writeSettings, type RecordedSettings } from './recorded-settings.ts';
import { placeOf, settingsOf } from './settle-settings.ts';
import { UpError } from './up-error.ts';

const RECORDED: RecordedSettings = {
  format: 1,
  url: 'http://127.0.0.1:4000',
  listen: { host: '127.0.0.1', port: 4000 },
  curve: 'p256',
  offlineRoot: false,
};

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulla-up-'));
});
after(() => rm(folder, { recursive: true, force: true }));

describe('recorded settings', () => {
  test('are read as they were written, and are the owner’s alone', async () => {
    const path = join(folder, 'stack.json');
    assert.equal(await readSettings(path), undefined);
    const settings = { ...RECORDED, logHost: '{year}.log.example' };
    await writeSettings(path, settings);
    assert.deepEqual(await readSettings(path), settings);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  test('that are not whole are refused by the name of the file', async () => {
    const path = join(folder, 'bad.json');
    const { url: _url, ...noUrl } = RECORDED;
    for (const bad of [
      '',
      '[]',
      'null',
      '{}',
      { ...RECORDED, format: 2 },
      noUrl,
      { ...RECORDED, curve: 'p521' },
      { ...RECORDED, offlineRoot: 'no' },
      { ...RECORDED, logHost: 7 },
      { ...RECORDED, listen: null },
      { ...RECORDED, listen: { host: 1, port: 2 } },
      { ...RECORDED, url: 'ftp://x' },
    ]) {
      await writeFile(path, typeof bad === 'string' ? bad : JSON.stringify(bad));
      await assert.rejects(
        readSettings(path),
        (error: unknown) => error instanceof UpError && /settings-malformed|url-malformed/.test(error.code),
        JSON.stringify(bad),
      );
    }
    await assert.rejects(readSettings(folder), { code: 'settings-malformed' });
  });

  test('never fail otherwise than by a coded error', async () => {
    const path = join(folder, 'any.json');
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        await writeFile(path, JSON.stringify(value));
        await assert.rejects(readSettings(path), UpError);
      }),
      { numRuns: 50 },
    );
  });

  test('have a URL that is an origin and nothing more', () => {
    assert.equal(parseUrl('HTTPS://Seals.Example:443/'), 'https://seals.example');
    assert.equal(parseUrl('http://[::1]:5080'), 'http://[::1]:5080');
    for (const bad of [
      '',
      'seals.example',
      'http://a/b',
      'http://a?b',
      'http://a#b',
      'http://u@a',
      'file:///x',
      'javascript:1',
    ])
      assert.throws(() => parseUrl(bad), { code: 'url-malformed' }, bad);
  });
});

describe('where a stack listens', () => {
  const asked = { data: '', onWarning: () => {} };

  test('is told, or was recorded, or is 127.0.0.1:5080; a free port is picked once', () => {
    assert.deepEqual(placeOf(asked, undefined), { host: '127.0.0.1', port: 5080 });
    assert.deepEqual(placeOf(asked, RECORDED), RECORDED.listen);
    const free = { host: '127.0.0.1', port: 0 };
    assert.deepEqual(placeOf({ ...asked, listen: free }, undefined), free);
    assert.deepEqual(placeOf({ ...asked, listen: free }, RECORDED), RECORDED.listen);
    assert.deepEqual(placeOf({ ...asked, listen: { host: '127.0.0.2', port: 0 } }, RECORDED), {
      host: '127.0.0.2',
      port: 0,
    });
    assert.deepEqual(placeOf({ ...asked, listen: { host: '127.0.0.1', port: 7 } }, RECORDED), {
      host: '127.0.0.1',
      port: 7,
    });
  });

  test('is what clients are told, unless they are told otherwise; and what was recorded stays', () => {
    const server = { address: { host: '::1', port: 7 } };
    const first = settingsOf(asked, undefined, server);
    assert.deepEqual(first, { ...RECORDED, url: 'http://[::1]:7', listen: server.address });
    assert.equal(settingsOf({ ...asked, tls: { cert: 'c', key: 'k' } }, undefined, server).url, 'https://[::1]:7');
    assert.equal(settingsOf({ ...asked, url: 'https://a.example/' }, undefined, server).url, 'https://a.example');
    assert.equal(settingsOf({ ...asked, url: RECORDED.url }, RECORDED, server), RECORDED);
    assert.equal(settingsOf({ ...asked, curve: 'p256' }, RECORDED, server), RECORDED);
    for (const changed of [{ curve: 'p384' as const }, { offlineRoot: true }])
      assert.throws(() => settingsOf({ ...asked, ...changed }, RECORDED, server), { code: 'settings-differ' });
    assert.throws(() => settingsOf({ ...asked, url: 'http://127.0.0.1:4001' }, RECORDED, server), {
      code: 'url-differs',
    });
    assert.throws(() => settingsOf({ ...asked, logHost: '{year}.x' }, RECORDED, server), { code: 'url-differs' });
    const warnings: string[] = [];
    const elsewhere = { address: { host: '127.0.0.1', port: 4001 } };
    settingsOf({ data: '', onWarning: (warning) => warnings.push(warning) }, RECORDED, elsewhere);
    assert.equal(warnings.length, 1);
  });

  test('has log hosts that name the year', () => {
    const server = { address: RECORDED.listen };
    assert.equal(
      settingsOf({ ...asked, logHost: '{year}.log.example' }, undefined, server).logHost,
      '{year}.log.example',
    );
    assert.equal(
      settingsOf({ ...asked, logHost: 'rekor-{year}.example' }, undefined, server).logHost,
      'rekor-{year}.example',
    );
    for (const logHost of [
      'log.example',
      '',
      '{year}',
      '{year}.a/b',
      '{year}:80',
      'http://{year}.a',
      '{year}.A',
      'a b{year}',
    ])
      assert.throws(() => settingsOf({ ...asked, logHost }, undefined, server), { code: 'url-malformed' }, logHost);
  });
});

describe('endpoints', () => {
  test('are known whether a stack runs or not, once it was started', async () => {
    const data = join(folder, 'data');
    await mkdir(data);
    await assert.rejects(readEndpoints(data), { code: 'stack-missing', message: /bulla up --data/ });
    await writeSettings(join(data, 'stack.json'), RECORDED);
    assert.deepEqual(await readEndpoints(data), stackEndpoints(RECORDED.url, join(data, 'public')));
  });
});

describe('copies of folders', () => {
  test('have all files, below folders too, and not what was being written', async () => {
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    await mkdir(join(from, 'below'), { recursive: true });
    await writeFile(join(from, 'a'), 'a');
    await writeFile(join(from, 'below', 'b'), 'b');
    await writeFile(join(from, 'c.new'), 'half');
    await copyFolder(from, to);
    assert.deepEqual(await filesBelow(to), [join(to, 'a'), join(to, 'below', 'b')]);
    assert.deepEqual(await digestOf(join(to, 'a')), {
      bytes: 1,
      sha256: 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',
    });
    assert.equal((await stat(to)).mode & 0o777, 0o700);
  });
});

describe('copies of checkpoints', () => {
  const nobody = new HttpClient({ transport: () => Promise.reject(new Error('nobody is asked')) });

  test('lie in a folder that is made, each under the name of its shard, the newest alone', async () => {
    const place = join(folder, 'copies', 'deep');
    const copies = await copyCheckpoints(place, nobody);
    assert.equal(await copies.read('log-v2-1'), undefined);
    await copies.write('log-v2-1', 'one');
    await copies.write('log-v2-1', 'two');
    await copies.write('log-v1-1', 'other');
    assert.deepEqual((await readdir(place)).toSorted(), ['log-v1-1.checkpoint', 'log-v2-1.checkpoint']);
    assert.equal(await readFile(join(place, 'log-v2-1.checkpoint'), 'utf8'), 'two');
    assert.equal(await copies.read('log-v2-1'), 'two');
    await mkdir(join(place, 'log-v2-2.checkpoint'));
    await assert.rejects(copies.read('log-v2-2'), { code: 'checkpoint-copy-failed' });
    await rm(place, { recursive: true });
    await assert.rejects(copies.write('log-v2-1', 'three'), { code: 'checkpoint-copy-failed' });
  });

  test('are PUT below a URL, and read back from where that is possible', async () => {
    const note = 'log.example\n1\nAAAA\n\n\u2014 log.example BBBB\n';
    const asked: string[] = [];
    let answer: { readonly status: number; readonly text?: string } = { status: 404 };
    const http = new HttpClient({
      retry: { attempts: 1 },
      transport: {
        async request({ method, url }) {
          asked.push(`${method} ${url.href}`);
          const { status, text = '' } = answer;
          const body = (async function* () {
            yield Buffer.from(text);
          })();
          return { status, headers: {}, remoteAddress: '127.0.0.1', body, discard: async () => {} };
        },
        close() {},
      },
    });
    const copies = await copyCheckpoints('http://127.0.0.1:9/seen/', http);
    // nothing there, or a place that only takes copies
    for (const status of [404, 405, 403, 401, 501, 200, 204]) {
      answer = { status };
      assert.equal(await copies.read('log-v2-1'), undefined, `${status}`);
    }
    answer = { status: 200, text: '<p>Thank you</p>' };
    assert.equal(await copies.read('log-v2-1'), undefined);
    answer = { status: 200, text: note };
    assert.equal(await copies.read('log-v2-1'), note);
    for (const status of [500, 503, 429]) {
      answer = { status };
      await assert.rejects(copies.read('log-v2-1'), { code: 'checkpoint-copy-failed' }, `${status}`);
      await assert.rejects(copies.write('log-v2-1', note), { code: 'checkpoint-copy-failed' }, `${status}`);
    }
    answer = { status: 200, text: note.padEnd(300_000, 'x') };
    await assert.rejects(copies.read('log-v2-1'), { code: 'checkpoint-copy-failed' });
    answer = { status: 204 };
    await copies.write('log-v2-1', note);
    const url = 'http://127.0.0.1:9/seen/log-v2-1.checkpoint';
    assert.deepEqual(new Set(asked), new Set([`GET ${url}`, `PUT ${url}`]));
    await assert.rejects(
      (
        await copyCheckpoints(
          'http://127.0.0.1:9',
          new HttpClient({ retry: { attempts: 1 }, transport: () => Promise.reject(new Error('nobody answers')) }),
        )
      ).read('a'),
    );
  });

  test('are refused where there can be none', async () => {
    await writeFile(join(folder, 'no-folder'), '');
    await assert.rejects(copyCheckpoints(join(folder, 'no-folder'), nobody), { code: 'checkpoint-copy-failed' });
    await assert.rejects(copyCheckpoints('http://', nobody), { code: 'checkpoint-copy-failed' });
  });
});
