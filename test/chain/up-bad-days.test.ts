// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decodeTrustedRoot, noteKey } from '../../src/trust/index.ts';
import { serve } from '../../src/wire/index.ts';
import { newWitness } from '../../src/stack/rekor/witness.fixture.ts';
import { BULLA, Machine, until } from './bulla.ts';
import {
  ask,
  judge,
  logSize,
  post,
  Proposer,
  sealBlob,
  startUp,
  stopWell,
  timestampRequest,
  tokenOf,
  upWords,
  type Answered,
  type ChainStack,
} from './stack.ts';

// A stack on a bad day: told to end under load, a full disk, witnesses that do not answer. And what is on the disk before a client hears of it.

let machine: Machine;
before(() => {
  machine = new Machine();
});
after(() => machine[Symbol.dispose]());

const proposer = new Proposer();

async function enter({ endpoints }: ChainStack, message: string): Promise<Answered> {
  return await post(`${endpoints.rekor2}/api/v2/log/entries`, proposer.v2(message));
}

describe('SIGTERM under load', () => {
  test('lets requests under way end well: each is answered as if nothing had happened, or not begun', async () => {
    const stack = await startUp(machine);
    const token = await tokenOf(machine, 'stack', 'dev@example.com');
    const acknowledged: number[] = [];
    let told = false;
    const client = async (number: number): Promise<void> => {
      for (let n = 0; ; n++) {
        let answer: Answered;
        try {
          answer =
            number % 3 === 0
              ? await post(stack.endpoints.tsa, timestampRequest(`${number}-${n}`))
              : number % 3 === 1
                ? await enter(stack, `${number}-${n}`)
                : await post(`${stack.endpoints.fulcio}/api/v2/signingCert`, proposer.certificate('dev@example.com'), {
                    authorization: `Bearer ${token}`,
                  });
        } catch {
          return; // nobody listens any more
        }
        assert.ok(answer.status === 200 || answer.status === 201, `${answer.status} ${answer.text.slice(0, 200)}`);
        if (number % 3 === 1)
          acknowledged.push(Number((JSON.parse(answer.text) as { logIndex?: string }).logIndex ?? 0));
        if (acknowledged.length === 30 && !told) {
          told = true; // a second time would mean at once
          stack.running.child.kill('SIGTERM');
        }
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, number) => client(number)));
    const { code, stderr } = await stack.running.ended;
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /WARNING/);
    assert.deepEqual(
      readdirSync(machine.work).filter((name) => name.endsWith('.json')),
      [],
    );
    const again = await startUp(machine);
    assert.equal(new Set(acknowledged).size, acknowledged.length);
    assert.equal(await logSize(again.endpoints), acknowledged.length);
    await stopWell(again);
  });
});

describe('a full disk', () => {
  /** A file system of a few megabytes, where the machine lets one be mounted. */
  function mountSmall(folder: string): boolean {
    mkdirSync(folder, { recursive: true });
    const owner = `uid=${process.getuid?.() ?? 0},gid=${process.getgid?.() ?? 0}`;
    const mount = ['mount', '-t', 'tmpfs', '-o', `size=6m,mode=0700,${owner}`, 'tmpfs', folder];
    return [mount, ['sudo', '-n', ...mount]].some(([program = '', ...words]) => spawnSync(program, words).status === 0);
  }

  /** Takes all the room that is left. */
  function fill(path: string): void {
    const file = openSync(path, 'a');
    try {
      for (;;) writeSync(file, Buffer.alloc(4096));
    } catch (error) {
      assert.ok(error instanceof Error && 'code' in error && error.code === 'ENOSPC', String(error));
    } finally {
      closeSync(file);
    }
  }

  function unmount(folder: string): void {
    const unmounting = ['umount', '-l', folder];
    if (spawnSync('umount', unmounting.slice(1)).status !== 0) spawnSync('sudo', ['-n', ...unmounting]);
  }

  test('loses nothing that was acknowledged, is answered with a reason, and everything goes on when there is room', async (t) => {
    const small = join(machine.work, 'small');
    if (!mountSmall(small)) return t.skip('no file system can be mounted here');
    try {
      const stack = await startUp(machine, [], { data: join(small, 'stack') });
      const token = await tokenOf(machine, join(small, 'stack'), 'dev@example.com');
      const sealed = await sealBlob(stack, token);
      const ballast = join(small, 'ballast');
      fill(ballast);
      let acknowledged = 1;
      let refused: Answered | undefined;
      for (let n = 0; n < 2000 && refused === undefined; n++) {
        const answer = await enter(stack, `full ${n}`);
        if (answer.status === 201) acknowledged++;
        else refused = answer;
      }
      assert.ok(refused !== undefined, 'the disk was never full');
      assert.equal(refused.status, 507, refused.text);
      assert.match(refused.text, /no space is left/);
      assert.equal(await logSize(stack.endpoints), acknowledged, 'what is acknowledged is there, and nothing else');
      const v1 = await post(`${stack.endpoints.rekor}/api/v1/log/entries`, proposer.v1('full'));
      assert.ok(v1.status >= 500 || v1.status === 201, v1.text);
      const blob = Buffer.alloc(512 * 1024, 'x');
      const { createHash } = await import('node:crypto');
      const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
      const upload = { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: blob };
      const push = await ask(`${stack.endpoints.registry}/v2/a/b/blobs/uploads/?digest=${digest}`, upload);
      assert.ok(push.status >= 500, push.text);
      // reading goes on
      assert.equal(await judge(stack.endpoints, sealed), 'trusted');
      assert.equal((await ask(`${stack.endpoints.fulcio}/healthz`)).status, 200);
      rmSync(ballast);
      const entered = await enter(stack, 'room again');
      assert.equal(entered.status, 201, entered.text);
      assert.equal(await judge(stack.endpoints, await sealBlob(stack, token)), 'trusted');
      assert.equal(
        (await ask(`${stack.endpoints.registry}/v2/a/b/blobs/uploads/?digest=${digest}`, upload)).status,
        201,
      );
      const size = await logSize(stack.endpoints);
      assert.equal((await stack.stop('SIGKILL')).code, 137);
      const again = await startUp(machine, [], { data: join(small, 'stack') });
      assert.equal(await logSize(again.endpoints), size);
      await stopWell(again);
    } finally {
      unmount(small);
    }
  });

  test('at the first start is told in one line, and the next start is good', async (t) => {
    const small = join(machine.work, 'tiny');
    if (!mountSmall(small)) return t.skip('no file system can be mounted here');
    try {
      const ballast = join(small, 'ballast');
      fill(ballast);
      const { truncateSync, statSync } = await import('node:fs');
      const full = statSync(ballast).size;
      // room for some of it only
      for (const room of [0, 16, 64, 160]) {
        truncateSync(ballast, full - room * 1024);
        const refused = await machine.bulla(upWords([], { data: join(small, 'stack') }));
        assert.equal(refused.code, 1, refused.stderr);
        assert.equal(refused.stderr.split('\n').filter((line) => line.startsWith('Error: ')).length, 1, refused.stderr);
        assert.match(refused.stderr, /no space|full|ENOSPC/i);
        fill(ballast);
      }
      rmSync(ballast);
      const stack = await startUp(machine, [], { data: join(small, 'stack') });
      const token = await tokenOf(machine, join(small, 'stack'), 'dev@example.com');
      assert.equal(await judge(stack.endpoints, await sealBlob(stack, token)), 'trusted');
      await stopWell(stack);
    } finally {
      unmount(small);
    }
  });
});

describe('witnesses', () => {
  test('cosign what is shown; with --witness-required nothing is shown that they did not', async () => {
    const first = await startUp(machine, [], { data: 'watched' });
    const { logs } = decodeTrustedRoot(readFileSync(first.endpoints.trustedRoot), 'trusted root');
    const log = logs.find(({ publicKey }) => publicKey.algorithm === 'ed25519');
    assert.ok(log !== undefined);
    await stopWell(first);
    const key = noteKey('127.0.0.1', log.publicKey);
    const witness = newWitness('witness.example', [key]);
    let awake = true;
    const server = await serve({
      host: '127.0.0.1',
      port: 0,
      service: {
        answer: async (call) => (awake ? await witness.service.answer(call) : { status: 503, headers: {} }),
        fault: witness.service.fault,
      },
    });
    try {
      const { encodeNoteKey } = await import('../../src/trust/index.ts');
      const url = `http://127.0.0.1:${server.address.port}`;
      writeFileSync(
        join(machine.work, 'policy'),
        `log ${encodeNoteKey(key)}\nwitness w1 ${witness.vkey} ${url}\nquorum w1\n`,
      );
      const stack = await startUp(machine, ['--witness-policy', 'policy', '--witness-required'], { data: 'watched' });
      const entered = await enter(stack, 'one');
      assert.equal(entered.status, 201, entered.text);
      assert.match((await ask(`${stack.endpoints.rekor2}/checkpoint`)).text, /\n— witness\.example \S+\n/);
      awake = false;
      const refused = await enter(stack, 'two');
      assert.equal(refused.status, 503, refused.text);
      assert.equal(refused.headers.get('retry-after'), '1');
      assert.equal(await logSize(stack.endpoints), 1, 'nothing is shown that was not witnessed');
      awake = true;
      const retried = await enter(stack, 'two');
      assert.equal(retried.status, 201, retried.text);
      assert.equal(await logSize(stack.endpoints), 2);
      await stopWell(stack);
      awake = false;
      const lax = await startUp(machine, ['--witness-policy', 'policy'], { data: 'watched' });
      const alone = await enter(lax, 'three');
      assert.equal(alone.status, 201, alone.text);
      const ended = await stopWell(lax);
      assert.match(ended.stderr, /WARNING: .*witness/);
    } finally {
      await server.close();
    }
  });
});

describe('durability', () => {
  test('an entry, a certificate and a blob are flushed before their 2xx', async (t) => {
    if (spawnSync('strace', ['-V']).status !== 0) return t.skip('strace is not here');
    const trace = join(machine.work, 'trace');
    const calls = 'trace=fdatasync,fsync,write,writev,sendmsg,sendto,read,recvfrom,readv,io_uring_enter';
    // UV_USE_IO_URING=0: what a ring flushes, strace does not see
    const running = machine.spawn(
      'strace',
      ['-f', '-tt', '-s', '300', '-e', calls, '-o', trace, BULLA, ...upWords([], { data: 'traced' })],
      {
        env: { UV_USE_IO_URING: '0' },
      },
    );
    const file = join(machine.work, 'traced.json');
    await until('the ready file', () => existsSync(file) || running.child.exitCode !== null);
    if (/ptrace|Operation not permitted/.test(running.stderr())) return t.skip('nothing can be traced here');
    const endpoints = JSON.parse(readFileSync(file, 'utf8')) as ChainStack['endpoints'];
    const token = await tokenOf(machine, 'traced', 'dev@example.com');
    // once, so that what is made lazily is there
    const all = async (mark: string): Promise<void> => {
      assert.equal((await post(`${endpoints.rekor2}/api/v2/log/entries?${mark}-v2`, proposer.v2(mark))).status, 201);
      assert.equal((await post(`${endpoints.rekor}/api/v1/log/entries?${mark}-v1`, proposer.v1(mark))).status, 201);
      const certificate = await post(
        `${endpoints.fulcio}/api/v2/signingCert?${mark}-ca`,
        new Proposer().certificate('dev@example.com'),
        { authorization: `Bearer ${token}` },
      );
      assert.equal(certificate.status, 200, certificate.text);
      const { createHash } = await import('node:crypto');
      const digest = createHash('sha256').update(mark).digest('hex');
      const push = await ask(`${endpoints.registry}/v2/a/b/blobs/uploads/?digest=sha256:${digest}&x=${mark}-push`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: mark,
      });
      assert.equal(push.status, 201, push.text);
    };
    await all('first');
    await all('second');
    // strace hands a signal on to nobody: its child is asked itself
    const children = readFileSync(`/proc/${running.child.pid}/task/${running.child.pid}/children`, 'utf8')
      .trim()
      .split(' ');
    for (const child of children) process.kill(Number(child), 'SIGTERM');
    await running.ended;
    const lines = readFileSync(trace, 'utf8').split('\n');
    for (const mark of ['second-v2', 'second-v1', 'second-ca', 'second-push']) {
      const asked = lines.findIndex((line) => line.includes(`POST `) && line.includes(mark));
      assert.ok(asked >= 0, `the request ${mark} is in the trace`);
      const answered = lines.findIndex(
        (line, at) => at > asked && /(?:write|writev|sendmsg|sendto)\(.*HTTP\/1\.1 20[01]/.test(line),
      );
      assert.ok(answered > asked, `the answer to ${mark} is in the trace`);
      const flushed = lines
        .slice(asked, answered)
        .filter((line) => /(?:fdatasync|fsync)(?:\(\d+\)|\sresumed>\)).*= 0/.test(line));
      assert.ok(
        flushed.length > 0,
        `${mark}: answered before anything was flushed\n${lines
          .slice(asked, answered + 1)
          .join('\n')
          .slice(0, 4000)}`,
      );
    }
  });
});
