// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { instruct } from '../../src/up/index.ts';
import { Machine } from './bulla.ts';
import { assertRefused } from './refusal.ts';
import {
  ask,
  initializeClient,
  judge,
  logSize,
  onMachine,
  post,
  Proposer,
  sealBlob,
  sha256,
  startUp,
  stopWell,
  tokenOf,
  verifyLater,
  type ChainStack,
  type SealedBlob,
} from './stack.ts';

// Backups that are made while a stack is written to, and restored without ever forking a log.

let machine: Machine;
let stack: ChainStack;
let sealed: SealedBlob;
const proposer = new Proposer();
const blob = Buffer.from('a layer');
const digest = `sha256:${sha256(blob).toString('hex')}`;

const at = (...parts: readonly string[]): string => join(machine.work, ...parts);

async function enter(endpoints: ChainStack['endpoints'], message: string): Promise<void> {
  const v2 = await post(`${endpoints.rekor2}/api/v2/log/entries`, proposer.v2(message));
  assert.equal(v2.status, 201, v2.text);
  const v1 = await post(`${endpoints.rekor}/api/v1/log/entries`, proposer.v1(message));
  assert.equal(v1.status, 201, v1.text);
}

async function backUp(to: string): Promise<void> {
  const { code, stderr } = await onMachine(machine, ['backup', '--data', 'stack', '--to', to]);
  assert.equal(code, 0, stderr);
}

async function restore(from: string, data: string, ...flags: readonly string[]): ReturnType<typeof onMachine> {
  return await onMachine(machine, ['restore', '--from', from, '--data', data, ...flags]);
}

/** Restoring says what it does, and then why it does not. */
function assertNotRestored(run: Awaited<ReturnType<typeof onMachine>>, says: RegExp, data = 'again'): void {
  assertRefused({ ...run, stderr: run.stderr.replaceAll(/^(?:checking|copying) .*\n/gm, '') }, { code: 1, says });
  assert.equal(existsSync(at(data)), false);
  assert.equal(existsSync(at(`${data}.new`)), false, 'no private keys are left lying about');
}

before(async () => {
  machine = new Machine();
  stack = await startUp(machine, ['--checkpoint-copy', 'copies']);
  sealed = await sealBlob(stack, await tokenOf(machine, 'stack', 'dev@example.com'));
  const upload = `${stack.endpoints.registry}/v2/a/b/blobs/uploads/?digest=${digest}`;
  assert.equal(
    (await ask(upload, { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: blob })).status,
    201,
  );
  await initializeClient(machine, stack, 'client');
});
after(() => machine[Symbol.dispose]());

describe('--checkpoint-copy', () => {
  test('has the newest checkpoint of every log before anybody sees it', async () => {
    await enter(stack.endpoints, 'one');
    const names = readdirSync(at('copies'));
    assert.deepEqual(names.map((name) => name.replace(/-[0-9a-f]{16}\.checkpoint$/, '')).toSorted(), [
      'ct-log',
      'log-v1',
      'log-v2',
    ]);
    const v2 = names.find((name) => name.startsWith('log-v2')) ?? '';
    assert.equal(readFileSync(at('copies', v2), 'utf8'), (await ask(`${stack.endpoints.rekor2}/checkpoint`)).text);
  });
});

describe('bulla backup', () => {
  test('copies a stack that is written to, and lists every file with its digest last', async () => {
    const writing = new AbortController();
    let written = 0;
    const writer = (async () => {
      for (let n = 0; !writing.signal.aborted; n++, written++) await enter(stack.endpoints, `while copying ${n}`);
    })();
    const { code, stdout, stderr } = await onMachine(machine, ['backup', '--json', '--data', 'stack', '--to', 'early']);
    writing.abort();
    await writer;
    assert.equal(code, 0, stderr);
    assert.ok(written > 0);
    const manifest = JSON.parse(readFileSync(at('early', 'backup.json'), 'utf8')) as {
      format: number;
      files: Record<string, { bytes: number; sha256: string }>;
    };
    assert.deepEqual((JSON.parse(stdout) as { files: object }).files, manifest.files);
    const present = readdirSync(at('early'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => statSync(at('early', name)).isFile() && name !== 'backup.json',
    );
    assert.deepEqual(Object.keys(manifest.files).toSorted(), present.toSorted());
    for (const [name, { bytes, sha256: expected }] of Object.entries(manifest.files)) {
      const content = readFileSync(at('early', name));
      assert.deepEqual([content.byteLength, sha256(content).toString('hex')], [bytes, expected], name);
    }
    assert.equal(statSync(at('early')).mode & 0o777, 0o700);
    for (const name of present.filter((file) => file.endsWith('.key')))
      assert.equal(statSync(at('early', name)).mode & 0o77, 0, name);
  });

  test('refuses a folder that exists, or that cannot be', async () => {
    for (const to of ['early', 'nowhere/below']) {
      const refused = await onMachine(machine, ['backup', '--data', 'stack', '--to', to]);
      assertRefused(
        { ...refused, stderr: refused.stderr.replace(/^copying .*\n/, '') },
        { code: 1, says: new RegExp(`cannot create .*/${to}`) },
      );
    }
    assertRefused(await onMachine(machine, ['backup', '--data', 'stack']), { code: 1, says: /--to is required/ });
    symlinkSync(at('stack', 'keys'), at('by-another-name'));
    for (const to of ['stack/copy', 'stack/keys/copy', 'stack/registry/objects/copy', 'by-another-name/copy']) {
      const { code, stderr } = await onMachine(machine, ['backup', '--data', 'stack', '--to', to]);
      assert.equal(code, 1);
      assert.match(stderr, /lies in the data directory .*: a copy belongs elsewhere/);
      assert.equal(existsSync(at(to)), false);
    }
    rmSync(at('by-another-name'));
  });

  test('of a stack that is killed meanwhile is one, or none that anybody could take for one', async () => {
    let running = await startUp(machine, [], { data: 'killed' });
    let finished = 0;
    for (const [turn, wait] of [0, 8, 20, 45, 90, 180, 400].entries()) {
      const to = at(`killed-${turn}`);
      const copying = instruct(at('killed'), 'backup', { to }).then(
        () => true,
        () => false,
      );
      await sleep(wait);
      await running.stop('SIGKILL');
      const done = await copying;
      if (done) finished += 1;
      const restored = await onMachine(machine, ['restore', '--from', to, '--data', `from-${turn}`, '--new-shard']);
      assert.equal(restored.code, existsSync(join(to, 'backup.json')) ? 0 : 1, restored.stderr);
      assert.ok(restored.code === 0 || !done, 'what was answered is a backup');
      assert.ok(!existsSync(at(`from-${turn}.new`)));
      rmSync(to, { recursive: true, force: true });
      running = await startUp(machine, [], { data: 'killed' });
      const token = await tokenOf(machine, 'killed', 'dev@example.com');
      assert.equal(await judge(running.endpoints, await sealBlob(running, token)), 'trusted');
    }
    assert.ok(finished < 7, 'some were broken off');
    await stopWell(running);
  });

  test('while keys rotate has the log of every key that it has', async () => {
    await Promise.all([
      onMachine(machine, ['keys', 'rotate', '--data', 'stack', 'log']),
      backUp('amid'),
      onMachine(machine, ['keys', 'rotate', '--data', 'stack', 'ctlog']),
    ]);
    const ring = JSON.parse(readFileSync(at('amid', 'keys', 'ring.json'), 'utf8')) as {
      keys: readonly { id: string; role: string }[];
    };
    for (const { id } of ring.keys.filter(({ role }) => /log/.test(role)))
      assert.ok(existsSync(at('amid', 'logs', `${id}.db`)), id);
  });
});

describe('bulla restore', () => {
  before(async () => {
    await enter(stack.endpoints, 'after the early backup');
    await backUp('late');
    await stack.stop('SIGKILL');
    renameSync(at('stack'), at('lost'));
  });

  test('must be told what says that no log forks', async () => {
    for (const flags of [[], ['--checkpoint', 'copies', '--new-shard']])
      assertRefused(await restore('late', 'again', ...flags), {
        code: 1,
        says: /either --checkpoint PATH or --new-shard/,
      });
    assertRefused(await onMachine(machine, ['restore', '--data', 'again', '--new-shard']), {
      code: 1,
      says: /--from is required/,
    });
  });

  test('refuses a backup that lacks entries which the world has seen', async () => {
    // keys were rotated since: the logs that grow by its own ring have come further
    assertNotRestored(
      await restore('early', 'again', '--checkpoint', 'copies'),
      /its checkpoint was seen with \d+: what came after is missing/,
    );
  });

  test('refuses where a checkpoint is missing, foreign, forged or none at all', async () => {
    assertNotRestored(await restore('late', 'again', '--checkpoint', 'absent'), /cannot read checkpoints at .*absent/);
    mkdirSync(at('empty'));
    assertNotRestored(
      await restore('late', 'again', '--checkpoint', 'empty'),
      /no checkpoint says how far the log log-v1-/,
    );
    const change = (folder: string, role: string, by: (text: string) => string | undefined): string => {
      cpSync(at('copies'), at(folder), { recursive: true });
      const ring = JSON.parse(readFileSync(at('late', 'keys', 'ring.json'), 'utf8')) as {
        keys: readonly { id: string; role: string; state: string }[];
      };
      const { id = '' } = ring.keys.findLast((key) => key.role === role && key.state === 'active') ?? {};
      const file = at(folder, `${id}.checkpoint`);
      const text = by(readFileSync(file, 'utf8'));
      if (text === undefined) rmSync(file);
      else writeFileSync(file, text);
      return folder;
    };
    const v1 = readFileSync(
      at('copies', readdirSync(at('copies')).find((name) => name.startsWith('log-v1')) ?? ''),
      'utf8',
    );
    const cases: readonly (readonly [
      folder: string,
      role: string,
      by: (text: string) => string | undefined,
      says: RegExp,
    ])[] = [
      ['c-missing', 'ct-log', () => undefined, /no checkpoint says how far the log ct-log-/],
      ['c-foreign', 'log-v2', () => v1, /the checkpoint is of '127\.0\.0\.1 - \d+', expected '127\.0\.0\.1'/],
      ['c-forged', 'log-v2', (text) => text.replace(/\n\d+\n/, '\n77\n'), /is not signed by a key of the log/],
      ['c-unsigned', 'log-v2', (text) => text.split('\n\n')[0] ?? '', /the checkpoint/],
      ['c-garbage', 'log-v1', () => '\u0000\u0001', /the checkpoint/],
      ['c-huge', 'log-v1', () => 'x'.repeat(300 * 1024), /bytes: it is no checkpoint/],
    ];
    for (const [folder, role, by, says] of cases) {
      assertNotRestored(await restore('late', 'again', '--checkpoint', change(folder, role, by)), says);
    }
  });

  test('refuses a backup that is not as it was made', async () => {
    const cases: readonly (readonly [name: string, spoil: () => void, says: RegExp])[] = [
      [
        's-changed',
        () => writeFileSync(at('s-changed', 'rules.yaml'), 'rules: []\n'),
        /has another rules\.yaml than was backed up/,
      ],
      ['s-missing', () => rmSync(at('s-missing', 'stack.db')), /lacks the file stack\.db/],
      [
        's-more',
        () => writeFileSync(at('s-more', 'keys', 'more.key'), 'x'),
        /has the file keys\/more\.key, which backup\.json does not list/,
      ],
      ['s-none', () => rmSync(at('s-none', 'backup.json')), /is no backup, or was never finished/],
      [
        's-newer',
        () => writeFileSync(at('s-newer', 'backup.json'), '{"format":2,"files":{}}'),
        /of a format that this program does not know/,
      ],
      ['s-json', () => writeFileSync(at('s-json', 'backup.json'), '{'), /backup\.json/],
      [
        's-entry',
        () => writeFileSync(at('s-entry', 'backup.json'), '{"format":1,"files":{"stack.db":7}}'),
        /has the file|without its digest/,
      ],
      [
        's-outside',
        () =>
          writeFileSync(
            at('s-outside', 'backup.json'),
            JSON.stringify({ format: 1, files: { '../late/stack.json': { bytes: 1, sha256: 'x' } } }),
          ),
        /has the file|lacks the file/,
      ],
    ];
    for (const [name, spoil, says] of cases) {
      cpSync(at('late'), at(name), { recursive: true });
      spoil();
      assertNotRestored(await restore(name, 'again', '--checkpoint', 'copies'), says);
    }
    assertNotRestored(await restore('absent', 'again', '--new-shard'), /absent/);
  });

  test('refuses a data directory that exists, and leaves it as it is', async () => {
    mkdirSync(at('there'));
    const refused = await restore('late', 'there', '--checkpoint', 'copies');
    assertRefused(refused, { code: 1, says: /there exists already: restore into a new folder/ });
    assert.deepEqual(readdirSync(at('there')), []);
  });

  test('refuses to make the copy in a folder of somebody else, and leaves that as it is', async () => {
    mkdirSync(at('mine.new'));
    writeFileSync(at('mine.new', 'notes.txt'), 'mine');
    const refused = await restore('late', 'mine', '--checkpoint', 'copies');
    assertRefused(refused, { code: 1, says: /mine\.new, where the copy is made, holds notes\.txt/ });
    assert.equal(readFileSync(at('mine.new', 'notes.txt'), 'utf8'), 'mine');
    rmSync(at('mine.new'), { recursive: true });
  });

  test('accepts the newest backup, and everybody goes on: logs, clients by TUF, the registry', async () => {
    mkdirSync(at('stack.new', 'keys'), { recursive: true });
    writeFileSync(at('stack.new', 'keys', 'of an attempt that was killed'), '');
    const { code, stderr } = await restore('late', 'stack', '--checkpoint', 'copies');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^checking \d+ files\ncopying \d+ files\nrestored .*; start it with bulla up --data /);
    assert.deepEqual(
      readdirSync(at('stack')).filter((name) => /attempt|backup/.test(name)),
      [],
    );
    stack = await startUp(machine, ['--checkpoint-copy', 'copies']);
    assert.equal(await judge(stack.endpoints, sealed), 'trusted');
    const size = await logSize(stack.endpoints);
    await enter(stack.endpoints, 'after the early backup');
    assert.equal(await logSize(stack.endpoints), size, 'the same entry again is the entry that was there');
    const more = await sealBlob(stack, await tokenOf(machine, 'stack', 'dev@example.com'));
    for (const one of [sealed, more]) {
      assert.equal(await judge(stack.endpoints, one), 'trusted');
      assert.equal(await verifyLater(machine, 'client', one), 0);
    }
    assert.equal((await ask(`${stack.endpoints.registry}/v2/a/b/blobs/${digest}`)).text, blob.toString());
    const checked = await onMachine(machine, ['log', 'fsck', '--data', 'stack']);
    assert.equal(checked.code, 0, checked.stdout);
    await stopWell(stack);
  });

  test('without a checkpoint begins new shards: the old entries are there and trusted, and nothing is added to them', async () => {
    rmSync(at('stack'), { recursive: true });
    // The clients have followed what was restored from a newer backup: versions go by seconds, so that this one is newer still.
    await sleep(2100);
    const { code, stdout, stderr } = await restore('early', 'stack', '--new-shard', '--json');
    assert.equal(code, 0, stderr);
    const { newShards } = JSON.parse(stdout) as { newShards: readonly string[] };
    assert.deepEqual(newShards.map((id) => id.replace(/-[0-9a-f]{16}$/, '')).toSorted(), [
      'ct-log',
      'log-v1',
      'log-v2',
    ]);
    assert.equal((await onMachine(machine, ['log', 'fsck', '--data', 'stack'])).code, 0, 'nothing is missing yet');
    stack = await startUp(machine, ['--checkpoint-copy', 'copies']);
    assert.equal(await logSize(stack.endpoints), 0);
    const more = await sealBlob(stack, await tokenOf(machine, 'stack', 'dev@example.com'));
    for (const one of [sealed, more]) {
      assert.equal(await judge(stack.endpoints, one), 'trusted');
      assert.equal(await verifyLater(machine, 'client', one, 2), 0);
    }
    await enter(stack.endpoints, 'goes on');
    assert.equal((await onMachine(machine, ['log', 'fsck', '--data', 'stack'])).code, 0);
    await stopWell(stack);
  });
});

describe('a checkpoint copy', () => {
  test('that cannot be made withholds what is new, and is made up for as soon as it can', async () => {
    const answers: number[] = [];
    const bodies = new Map<string, string>();
    let status = 204;
    const { createServer } = await import('node:http');
    const server = createServer((asked, answer) => {
      let body = '';
      asked.setEncoding('utf8').on('data', (text: string) => (body += text));
      asked.on('end', () => {
        answers.push(status);
        if (status === 204) bodies.set(`${asked.method} ${asked.url}`, body);
        answer.writeHead(status).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    try {
      const url = `http://127.0.0.1:${address.port}/kept/`;
      const remote = await startUp(machine, ['--checkpoint-copy', url], { data: 'remote' });
      await enter(remote.endpoints, 'one');
      const copied = [...bodies].find(([name]) => name.startsWith('PUT /kept/log-v2-'));
      assert.ok(copied !== undefined && copied[0].endsWith('.checkpoint'), [...bodies.keys()].join(' '));
      assert.equal(copied[1], (await ask(`${remote.endpoints.rekor2}/checkpoint`)).text);
      status = 500;
      const refused = await post(`${remote.endpoints.rekor2}/api/v2/log/entries`, proposer.v2('two'));
      assert.equal(refused.status, 503, refused.text);
      assert.equal(refused.headers.get('retry-after'), '1');
      assert.equal(await logSize(remote.endpoints), 1, 'nothing is shown that was not copied');
      status = 204;
      await enter(remote.endpoints, 'two');
      assert.equal(await logSize(remote.endpoints), 2);
      await stopWell(remote);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
