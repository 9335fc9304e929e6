// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Machine, until } from './bulla.ts';
import { assertRefused, assertTidy } from './refusal.ts';
import { ask, judge, onMachine, sealBlob, startUp, stopWell, tokenOf, upWords, type ChainStack } from './stack.ts';

// How a stack starts, ends, and starts again.

const ENDPOINTS = [
  'registry',
  'fulcio',
  'rekor',
  'rekor2',
  'tsa',
  'tuf',
  'tufRoot',
  'trustedRoot',
  'signingConfig',
  'issuer',
];

let machine: Machine;
before(() => {
  machine = new Machine();
});
after(() => machine[Symbol.dispose]());

/** Public keys and addresses: what must not differ from one start to the next. */
function published({ endpoints }: ChainStack): readonly string[] {
  return [endpoints.tufRoot, endpoints.trustedRoot, endpoints.signingConfig].map((path) => readFileSync(path, 'utf8'));
}

describe('bulla up', () => {
  test('makes a stack at the first start, and goes on with it at every later one', async () => {
    const events: string[] = [];
    const watcher = watch(machine.work, (event, name) => {
      if (name === 'stack.json') events.push(event);
    });
    const first = await startUp(machine);
    // what is written in place is seen to change; what is moved there is not
    await until('the event', () => events.length > 0);
    watcher.close();
    assert.deepEqual([...new Set(events)], ['rename']);
    assert.deepEqual(Object.keys(first.endpoints), ENDPOINTS);
    const { registry } = first.endpoints;
    assert.match(registry, /^http:\/\/127\.0\.0\.1:\d+$/);
    for (const name of ['fulcio', 'rekor', 'rekor2', 'issuer'] as const) assert.equal(first.endpoints[name], registry);
    assert.equal(first.endpoints.tsa, `${registry}/api/v1/timestamp`);
    assert.equal(first.endpoints.tuf, `${registry}/tuf`);
    assert.equal((await ask(`${first.endpoints.tuf}/root.json`)).text, readFileSync(first.endpoints.tufRoot, 'utf8'));
    const said = first.running.stderr();
    assert.match(said, /^serving \S+ from \S+ \(keys were made\)\n/);
    assert.match(said, /built-in issuer: everyone/);
    const [, checksum] = /cosign initialize --mirror \S+ --root \S+ --root-checksum ([0-9a-f]{64})\n/.exec(said) ?? [];
    const { createHash } = await import('node:crypto');
    assert.equal(checksum, createHash('sha256').update(readFileSync(first.endpoints.tufRoot)).digest('hex'));
    const exports = [...said.matchAll(/export (\S+)=(\S+)\n/g)];
    assert.equal(exports.length, 4);
    for (const [, , path = ''] of exports) assert.match(readFileSync(path, 'utf8'), /^-----BEGIN /);
    const sealed = await sealBlob(first, await tokenOf(machine, 'stack', 'dev@example.com'));
    const told = published(first);
    const ended = await stopWell(first);
    assert.match(ended.stderr, /\nstopping: requests under way are finished\n$/);
    assert.equal(ended.stdout, '');
    assertTidy(ended.stderr);
    assert.equal(existsSync(join(machine.work, 'stack.json')), false);

    const second = await startUp(machine);
    assert.equal(second.readyFile, first.readyFile);
    assert.deepEqual(published(second), told);
    assert.match(second.running.stderr(), /^serving \S+ from \S+\n/);
    assert.equal(await judge(second.endpoints, sealed), 'trusted');
    assert.equal(
      await judge(second.endpoints, await sealBlob(second, await tokenOf(machine, 'stack', 'a@b.example'))),
      'trusted',
    );
    await stopWell(second);

    const third = await startUp(machine, [], { address: '' });
    assert.equal(third.readyFile, first.readyFile);
    await stopWell(third);
  });

  test('prints one document with --json', async () => {
    const stack = await startUp(machine, ['--json']);
    const { stdout } = await stopWell(stack);
    const document = JSON.parse(stdout) as Readonly<Record<string, unknown>>;
    for (const name of [...ENDPOINTS, 'rules', 'warnings']) assert.ok(name in document, name);
  });

  test('records --url at the first start, keeps it without the flag, and refuses another one', async () => {
    const url = 'http://127.0.0.1:59999';
    const first = await startUp(machine, ['--url', `${url}/`], { data: 'named' });
    assert.equal(first.endpoints.fulcio, url);
    assert.match(readFileSync(first.endpoints.signingConfig, 'utf8'), /"http:\/\/127\.0\.0\.1:59999"/);
    await stopWell(first);
    const second = await startUp(machine, [], { data: 'named' });
    assert.equal(second.readyFile, first.readyFile);
    // it listens where the first start listened, which is not what clients call it
    assert.match(
      second.running.stderr(),
      /WARNING: clients know this stack as http:\/\/127\.0\.0\.1:59999; it listens at /,
    );
    await stopWell(second);
    const refused = await machine.bulla(upWords(['--url', 'http://127.0.0.1:5999'], { data: 'named' }));
    assertRefused(refused, { code: 1, says: /clients know this stack as http:\/\/127\.0\.0\.1:59999.*--url says/ });
    await stopWell(await startUp(machine, ['--url', url], { data: 'named' }));
  });

  test('refuses a URL and a log host that are none, and makes nothing', async () => {
    for (const url of ['ftp://127.0.0.1', 'http://127.0.0.1/path', 'http://u:p@127.0.0.1', 'http://127.0.0.1?x', 'x']) {
      const refused = await machine.bulla(upWords(['--url', url], { data: 'wrong' }));
      assertRefused(refused, { code: 1, says: /http\[s\]:\/\/HOST\[:PORT\]/ });
      assert.doesNotMatch(refused.stderr, /u:p/);
    }
    for (const host of ['log.example', '{year}/x', '{year}.log:80', '{year}.LOG.example']) {
      const refused = await machine.bulla(upWords(['--log-host', host], { data: 'wrong' }));
      assertRefused(refused, { code: 1, says: /expected a host name with \{year\} in it/ });
    }
    assert.deepEqual(readdirSync(join(machine.work, 'wrong')), ['lock']);
  });

  test('refuses flags that do not fit together, before it makes anything', async () => {
    const cases: readonly (readonly [flags: readonly string[], says: RegExp])[] = [
      [['--witness-required'], /--witness-required needs --witness-policy/],
      [['--tls-cert', 'x'], /--tls-cert and --tls-key belong together/],
      [['--curve', 'p521'], /p521/],
      [['--no-network'], /a stack is nothing but network/],
    ];
    for (const [flags, says] of cases) {
      assertRefused(await machine.bulla(upWords(flags, { data: 'never' })), { code: 1, says });
    }
    assertRefused(await machine.bulla(['up']), { code: 1, says: /--data is required/ });
    assert.equal(existsSync(join(machine.work, 'never')), false);
  });

  test('listens on loopback only, without TLS and users; nothing is asked of any other address', async () => {
    // Only refused ones: what may listen elsewhere is never tried here.
    for (const address of ['192.0.2.1:0', ':0', '0.0.0.0:0', '[::]:0', 'seals.example:0']) {
      const refused = await machine.bulla(upWords([], { data: 'open', address }), { record: true });
      assertRefused(refused, { code: 1, says: /refusing to listen on .* without TLS .* and users/ });
      assert.deepEqual(refused.record?.sockets, []);
    }
    assert.deepEqual(readdirSync(join(machine.work, 'open')), ['lock']);
  });
});

describe('two processes on one data directory', () => {
  test('are one: the second refuses, names it, and leaves the first and its ready file alone', async () => {
    const stack = await startUp(machine);
    const refused = await machine.bulla(upWords());
    assertRefused(refused, { code: 1, says: /the data directory .*\/work\/stack is in use by another process/ });
    assert.equal(readFileSync(join(machine.work, 'stack.json'), 'utf8'), stack.readyFile);
    assert.equal((await ask(`${stack.endpoints.fulcio}/healthz`)).status, 200);
    const taken = new URL(stack.endpoints.registry).host;
    const other = await machine.bulla(upWords([], { data: 'other', address: taken }));
    assertRefused(other, { code: 1, says: new RegExp(`cannot listen on ${taken}`) });
    assert.equal((await stack.stop('SIGKILL')).code, 137);
    // the lock has died with its holder; the ready file of the dead does not outlive the next start
    const second = await startUp(machine);
    assert.equal(second.readyFile, stack.readyFile);
    await stopWell(second);
  });
});

describe('a first start', () => {
  test('that Ctrl-C ends says so, serves nothing, and the next one is good', async () => {
    for (const [number, reached] of ['stack.json', 'tuf'].entries()) {
      const data = `halfway-${number}`;
      const running = machine.start(upWords([], { data }));
      await until(reached, () => existsSync(join(machine.work, data, reached)));
      running.child.kill('SIGINT');
      const { code, stdout, stderr } = await running.ended;
      assert.deepEqual([code, stdout, stderr], [130, '', 'Error: interrupted\n']);
      assert.equal(existsSync(join(machine.work, `${data}.json`)), false);
      const stack = await startUp(machine, [], { data });
      assert.equal(
        await judge(stack.endpoints, await sealBlob(stack, await tokenOf(machine, data, 'a@b.example'))),
        'trusted',
      );
      await stopWell(stack);
    }
  });

  test('that is killed at any moment leaves what the next one makes good', async () => {
    const moments = ['stack.json', 'keys.new', 'tuf/1.root.json', 'stack.db', 'logs', 'public'];
    for (const [number, moment] of moments.entries()) {
      const data = `killed-${number}`;
      const running = machine.start(upWords([], { data }));
      // a moment may pass unseen between two looks: then it is killed once it serves
      await until(
        moment,
        () => existsSync(join(machine.work, data, moment)) || existsSync(join(machine.work, `${data}.json`)),
      );
      running.child.kill('SIGKILL');
      assert.equal((await running.ended).code, 137);
      const stack = await startUp(machine, [], { data });
      const sealed = await sealBlob(stack, await tokenOf(machine, data, 'a@b.example'));
      assert.equal(await judge(stack.endpoints, sealed), 'trusted', moment);
      await stack.stop('SIGKILL');
      rmSync(join(machine.work, data), { recursive: true });
    }
  });
});

describe('a stack that runs', () => {
  let stack: ChainStack;
  before(async () => {
    stack = await startUp(machine);
  });
  after(async () => {
    await stopWell(stack);
  });

  test('says that it lives and that it is ready', async () => {
    assert.deepEqual(JSON.parse((await ask(`${stack.endpoints.fulcio}/healthz`)).text), { status: 'SERVING' });
    assert.deepEqual(JSON.parse((await ask(`${stack.endpoints.fulcio}/readyz`)).text), {
      status: 'READY',
      troubles: [],
    });
    assert.equal((await ask(`${stack.endpoints.fulcio}/readyz`, { method: 'POST' })).status, 405);
    assert.equal((await ask(`${stack.endpoints.fulcio}/healthz`, { method: 'HEAD' })).status, 200);
  });

  test('serves nothing elsewhere', async () => {
    for (const path of [
      '/',
      '/api/v3/log',
      '/healthz/x',
      '/v3/',
      '/tuf',
      '/ct',
      '/keys/ring.json',
      '/bulla.sock',
      '/..%2fkeys',
    ]) {
      const answer = await ask(`${stack.endpoints.fulcio}${path}`);
      assert.equal(answer.status, 404, path);
      assert.doesNotMatch(answer.text, /PRIVATE|stack\.db/);
    }
  });

  test('takes instructions over a socket that its owner alone may open, and of nothing that comes by HTTP', async (t) => {
    const socket = join(machine.work, 'stack', 'bulla.sock');
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    assert.ok(statSync(socket).isSocket());
    assert.equal(
      (await ask(`${stack.endpoints.fulcio}/rotate`, { method: 'POST', body: '{"role":"log"}' })).status,
      404,
    );
    const inFolder = statSync(join(machine.work, 'stack')).mode & 0o777;
    assert.equal(inFolder, 0o700);
    if (process.getuid?.() !== 0) return t.skip('only root can be somebody else');
    // Even where the folders are open, the socket is not.
    const { chmodSync } = await import('node:fs');
    const opened = [join(machine.work, '..'), machine.work, join(machine.work, 'stack')];
    for (const folder of opened) chmodSync(folder, 0o755);
    const script = `
      const { request } = require('node:http');
      const asking = request({ socketPath: ${JSON.stringify(socket)}, method: 'POST', path: '/fsck' }, (answer) => console.log('answered', answer.statusCode));
      asking.on('error', (error) => console.log(error.code)).end('{}');`;
    const stranger = machine.spawn('setpriv', [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      '-e',
      script,
    ]);
    const { stdout, stderr } = await stranger.ended;
    for (const folder of opened) chmodSync(folder, 0o700);
    if (/setpriv|Permission denied|EACCES.*node/.test(stderr))
      return t.skip(`nobody can be somebody else here: ${stderr}`);
    assert.equal(stdout, 'EACCES\n', stderr);
  });

  test('refuses instructions that it does not know, and such as are malformed, with what was expected', async () => {
    const { instruct } = await import('../../src/up/index.ts');
    const data = join(machine.work, 'stack');
    for (const [name, asked, says] of [
      ['destroy', {}, /knows no instruction 'destroy'/],
      ['rotate', {}, /role is nothing, expected ca, ctlog, log, tsa, root/],
      ['rotate', { role: 'CA' }, /role is "CA"/],
      ['rotate', { role: 'log', offlineKeys: 'relative' }, /offlineKeys is "relative", expected an absolute path/],
      ['backup', {}, /to is nothing, expected an absolute path/],
      ['backup', { to: '../x' }, /expected an absolute path/],
    ] as const) {
      await assert.rejects(instruct(data, name, asked), { code: 'instruction-failed', message: says });
    }
  });

  test('is missed by name where none runs', async () => {
    for (const args of [
      ['keys', 'rotate', 'log'],
      ['backup', '--to', 'copy'],
    ]) {
      const refused = await onMachine(machine, [...args, '--data', 'nowhere']);
      assertRefused(
        { ...refused, stderr: refused.stderr.replace(/^(?:copying|reading) .*\n/, '') },
        { code: 1, says: /no stack runs on .*\/nowhere: start it with bulla up --data/ },
      );
    }
    for (const args of [['doctor'], ['log', 'fsck'], ['token', '--subject', 'a@b.example']]) {
      const refused = await onMachine(machine, [...args, '--data', 'nowhere']);
      assertRefused(
        { ...refused, stderr: refused.stderr.replace(/^reading .*\n/, '') },
        {
          code: 1,
          says: /no stack was ever started in .*\/nowhere/,
        },
      );
    }
  });
});
