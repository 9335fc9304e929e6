// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { startStack } from '../../src/up/index.ts';
import { Machine } from './bulla.ts';
import { assertRefused } from './refusal.ts';
import {
  onMachine,
  post,
  Proposer,
  sealBlob,
  sha256,
  startUp,
  stopWell,
  tokenOf,
  type ChainStack,
  type SealedBlob,
} from './stack.ts';

// Looking after a log: what it has, who signed, whether it kept its word; and looking after a stack.

const MINE = 'release@example.com';

let machine: Machine;
let stack: ChainStack;
const received: string[] = [];
let hook: Server;
let hookStatus = 200;

const at = (...parts: readonly string[]): string => join(machine.work, ...parts);

async function seal(subject: string, version: 1 | 2 = 2): Promise<SealedBlob> {
  return await sealBlob(stack, await tokenOf(machine, 'stack', subject), { version });
}

async function monitor(...flags: readonly string[]): ReturnType<typeof onMachine> {
  const { rekor2, trustedRoot } = stack.endpoints;
  const where = ['--url', rekor2, '--trusted-root', trustedRoot, '--state', 'seen.json'];
  return await onMachine(machine, ['log', 'monitor', ...where, '--identity', '^release@example\\.com$', ...flags]);
}

function hookUrl(): string {
  const address = hook.address();
  assert.ok(address !== null && typeof address === 'object');
  return `http://127.0.0.1:${address.port}/alarm`;
}

before(async () => {
  machine = new Machine();
  stack = await startUp(machine);
  hook = createServer((asked, answer) => {
    let body = '';
    asked.setEncoding('utf8').on('data', (text: string) => (body += text));
    asked.on('end', () => {
      received.push(body);
      answer.writeHead(hookStatus).end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  hook.closeAllConnections();
  hook.close();
  await stack.stop();
  machine[Symbol.dispose]();
});

describe('bulla log monitor', () => {
  test('reads everything at the first look, and only what is new at the second', async () => {
    await seal('somebody@example.com');
    await seal('somebody@example.com');
    const first = await monitor();
    assert.deepEqual([first.code, first.stdout], [0, '']);
    assert.match(first.stderr, /: 2 entries, 2 new, 0 unexpected\n$/);
    await seal('release@example.com.evil.example');
    const second = await monitor();
    assert.equal(second.code, 0, second.stdout);
    assert.match(second.stderr, /: 3 entries, 1 new, 0 unexpected\n$/);
    assert.match((await monitor()).stderr, /: 3 entries, 0 new, 0 unexpected\n$/);
  });

  test('raises the alarm when an identity of yours signs something, unless you know of it', async () => {
    const known = await seal(MINE);
    writeFileSync(at('known'), `sha256:${sha256(known.bytes).toString('hex').toUpperCase()}\n`);
    assert.equal((await monitor('--known', 'known')).code, 0);
    await seal(MINE);
    const alarm = await monitor('--known', 'known', '--webhook', hookUrl());
    assert.equal(alarm.code, 1);
    assert.match(alarm.stdout, /^UNEXPECTED 4: release@example\.com \(http:\/\/127\.0\.0\.1:\d+\)\n$/);
    const { unexpected } = JSON.parse(received.at(-1) ?? '') as {
      unexpected: readonly { logIndex: number; identities: object }[];
    };
    assert.deepEqual(
      unexpected.map(({ logIndex, identities }) => [logIndex, identities]),
      [[4, [{ issuer: stack.endpoints.issuer, subject: MINE }]]],
    );
    assert.equal((await monitor('--webhook', hookUrl())).code, 0, 'told once');
    assert.equal(received.length, 1);
  });

  test('tells again what it could not tell', async () => {
    await seal(MINE);
    hookStatus = 404;
    const failed = await monitor('--webhook', hookUrl());
    assertRefused(failed, { code: 1, says: /the webhook answered 404, expected 2xx/ });
    hookStatus = 200;
    const again = await monitor('--webhook', hookUrl(), '--json');
    assert.equal(again.code, 1);
    assert.equal((JSON.parse(again.stdout) as { unexpected: readonly unknown[] }).unexpected.length, 1);
  });

  test('reads the log of Rekor v1 as well: whoever signs in your name chooses where it is logged', async () => {
    await seal('somebody@example.com', 1);
    assert.equal((await monitor()).code, 0);
    const known = await seal(MINE, 1);
    writeFileSync(at('known-v1'), `sha256:${sha256(known.bytes).toString('hex')}\n`);
    assert.equal((await monitor('--known', 'known-v1')).code, 0);
    await seal(MINE, 1);
    const alarm = await monitor('--webhook', hookUrl());
    assert.equal(alarm.code, 1);
    assert.match(alarm.stdout, /^UNEXPECTED 2 of Rekor v1: release@example\.com \(http:\/\/127\.0\.0\.1:\d+\)\n$/);
    const { unexpected } = JSON.parse(received.at(-1) ?? '') as { unexpected: readonly { log: string }[] };
    assert.match(unexpected.map(({ log }) => log).join(), /^http:\/\/127\.0\.0\.1:\d+\/shards\/log-v1-[0-9a-f]{16}$/);
    assert.equal((await monitor()).code, 0, 'told once');
    // and over a rotation, as that of v2
    await seal(MINE, 1);
    assert.equal((await onMachine(machine, ['keys', 'rotate', '--data', 'stack', 'log'])).code, 0);
    await seal('somebody@example.com', 1);
    const over = await monitor('--json');
    assert.equal(over.code, 1, over.stdout + over.stderr);
    const { unexpected: left, read } = JSON.parse(over.stdout) as { unexpected: readonly object[]; read: number };
    assert.deepEqual([left.length, read], [1, 2]);
    // whose state is kept as carefully
    const good = readFileSync(at('seen.json.v1'), 'utf8');
    writeFileSync(at('seen.json.v1'), good.replace(/"size": \d+/, '"size": 0'));
    assertRefused(await monitor(), { code: 1, says: /seen\.json\.v1/ });
    writeFileSync(at('seen.json.v1'), good);
    assert.equal((await monitor()).code, 0);
  });

  test('says where the log goes on, once another has followed it', async () => {
    assert.doesNotMatch((await monitor()).stderr, /newest log/);
    const root = JSON.parse(readFileSync(stack.endpoints.trustedRoot, 'utf8')) as {
      tlogs: { baseUrl: string; publicKey: { keyDetails: string; validFor: { start: string } } }[];
    };
    const v2 = root.tlogs.findLast(({ publicKey: { keyDetails } }) => keyDetails === 'PKIX_ED25519');
    assert.ok(v2 !== undefined);
    const next = structuredClone(v2);
    next.baseUrl = 'http://2027.log.localhost:5080';
    next.publicKey.validFor.start = '2099-01-01T00:00:00Z';
    writeFileSync(at('next.json'), JSON.stringify({ ...root, tlogs: [next, ...root.tlogs] }));
    const { code, stderr } = await monitor('--trusted-root', 'next.json');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /newest log of Rekor v2 is at http:\/\/2027\.log\.localhost:5080: watch that as well/);
  });

  test('asks only issuers that you named', async () => {
    await seal(MINE);
    assert.equal((await monitor('--issuer', 'https://other.example')).code, 0);
  });

  test('goes over to the next shard when keys rotate, and passes over nothing at the end of the old one', async () => {
    const state = readFileSync(at('seen.json'));
    await seal(MINE);
    const rotated = await onMachine(machine, ['keys', 'rotate', '--data', 'stack', 'log']);
    assert.equal(rotated.code, 0, rotated.stderr);
    await seal('somebody@example.com');
    const look = await monitor('--json');
    assert.equal(look.code, 1, look.stdout + look.stderr);
    const { unexpected, read, size } = JSON.parse(look.stdout) as {
      unexpected: readonly { log: string }[];
      read: number;
      size: number;
    };
    assert.deepEqual([unexpected.length, read, size], [1, 2, 1]);
    assert.match(unexpected[0]?.log ?? '', /\/shards\/log-v2-[0-9a-f]{16}$/);
    assert.match((await monitor()).stderr, /: 1 entries, 0 new, 0 unexpected\n$/);
    // and whoever begins to look only now is told of everything, old shards included
    rmSync(at('seen.json'));
    const anew = await monitor();
    assert.equal(anew.code, 1);
    assert.ok(anew.stdout.split('\n').length > 3, anew.stdout);
    writeFileSync(at('seen.json'), state);
    assert.equal((await monitor()).code, 1);
  });

  test('refuses a state that was changed, and keeps it', async () => {
    const good = readFileSync(at('seen.json'), 'utf8');
    for (const bad of [
      '',
      '{',
      '{}',
      good.replace(/"size": \d+/, '"size": 0'),
      good.replace(/"keyId": "./, '"keyId": "'),
      good.replace(/"sum": "./, '"sum": "x'),
    ]) {
      writeFileSync(at('seen.json'), bad);
      assertRefused(await monitor(), { code: 1, says: /seen\.json/ });
      assert.equal(readFileSync(at('seen.json'), 'utf8'), bad);
    }
    writeFileSync(at('seen.json'), good);
    assert.equal((await monitor()).code, 0);
  });

  test('refuses to look for nobody, and at a log that the trusted root does not know', async () => {
    const { rekor2, trustedRoot } = stack.endpoints;
    const where = ['log', 'monitor', '--url', rekor2, '--trusted-root', trustedRoot, '--state', 'new.json'];
    assertRefused(await onMachine(machine, where), { code: 1, says: /--identity is required/ });
    const elsewhere = [
      'log',
      'monitor',
      '--url',
      'http://127.0.0.9:1',
      '--trusted-root',
      trustedRoot,
      '--state',
      'new.json',
    ];
    assertRefused(await onMachine(machine, [...elsewhere, '--identity', 'x']), {
      code: 1,
      says: /lists no key of a log at http:\/\/127\.0\.0\.9:1/,
    });
    for (const flag of ['--url', '--trusted-root', '--state']) {
      const without = where.filter((word, index) => word !== flag && where[index - 1] !== flag);
      assertRefused(await onMachine(machine, [...without, '--identity', 'x']), {
        code: 1,
        says: new RegExp(`${flag} is required`),
      });
    }
    assert.equal(existsSync(at('new.json')), false);
  });
});

describe('bulla log entries', () => {
  test('finds by identity, issuer and digest, all that is given must hold, in pages', async () => {
    const sealed = await seal('finder@example.com');
    await Promise.all(Array.from({ length: 3 }, () => seal('other@example.com')));
    const { rekor2, issuer } = stack.endpoints;
    const found = async (...flags: readonly string[]): Promise<readonly string[]> => {
      const { code, stdout, stderr } = await onMachine(machine, ['log', 'entries', '--url', `${rekor2}/`, ...flags]);
      assert.equal(code, 0, stderr);
      return stdout.split('\n').filter((line) => line !== '');
    };
    assert.equal((await found('--identity', 'finder@example.com')).length, 1);
    assert.match((await found('--identity', 'finder@example.com'))[0] ?? '', /^\d+ {2}20\d\d-\S+Z {2}hashedrekord$/);
    assert.equal((await found('--identity', 'other@example.com', '--issuer', issuer)).length, 3);
    assert.equal((await found('--identity', 'other@example.com', '--limit', '2')).length, 2);
    assert.equal((await found('--digest', `sha256:${sha256(sealed.bytes).toString('hex')}`)).length, 1);
    assert.equal((await found('--identity', 'finder@example.com', '--digest', `sha256:${'0'.repeat(64)}`)).length, 0);
    assert.equal((await found('--identity', 'nobody@example.com')).length, 0);
  });

  test('must be told what to look for, and where', async () => {
    const { rekor2 } = stack.endpoints;
    assertRefused(await onMachine(machine, ['log', 'entries', '--url', rekor2]), {
      code: 1,
      says: /what shall be searched for/,
    });
    assertRefused(await onMachine(machine, ['log', 'entries', '--identity', 'x']), {
      code: 1,
      says: /--url is required/,
    });
    const gone = await onMachine(machine, ['log', 'entries', '--url', 'http://127.0.0.1:9', '--identity', 'x']);
    assert.equal(gone.code, 2, gone.stderr);
  });
});

describe('bulla doctor', () => {
  interface Examined {
    readonly well: boolean;
    readonly findings: readonly { readonly name: string; readonly outcome: string; readonly detail: string }[];
  }

  test('finds a stack well that is', async () => {
    const { code, stdout } = await onMachine(machine, ['doctor', '--data', 'stack', '--json']);
    assert.equal(code, 0, stdout);
    const { well, findings } = JSON.parse(stdout) as Examined;
    assert.equal(well, true);
    assert.equal(findings.length, 8);
    assert.deepEqual([...new Set(findings.map(({ outcome }) => outcome))], ['ok']);
  });

  test('says that the clock has jumped, and lets the timestamps go on once an operator says that it is right', async () => {
    let ahead = 0;
    const running = await startStack({
      data: at('jumped'),
      listen: { host: '127.0.0.1', port: 0 },
      now: () => new Date(Date.now() + ahead),
      onWarning: () => {},
    });
    try {
      const failed = async (...flags: readonly string[]): Promise<readonly string[]> => {
        const { stdout } = await onMachine(machine, ['doctor', '--data', 'jumped', '--json', ...flags]);
        return (JSON.parse(stdout) as Examined).findings.flatMap(({ outcome, name }) =>
          outcome === 'failed' ? [name] : [],
        );
      };
      // two seconds: more than timestamps may be wrong by, and less than clients notice
      ahead = 2000;
      const stopped = await failed();
      for (const name of ['stack answers', 'log of Rekor v2 and timestamps']) assert.ok(stopped.includes(name), name);
      ahead = 0;
      assert.deepEqual(await failed(), stopped, 'by itself it stays stopped');
      assert.deepEqual(await failed('--clock-is-right'), []);
    } finally {
      await running.close();
    }
  });

  test('takes a token that is given, as text or in a file', async () => {
    const token = await tokenOf(machine, 'stack', 'dev@example.com');
    writeFileSync(at('token'), `${token}\n`);
    for (const given of [token, 'token']) {
      const { code, stdout } = await onMachine(machine, ['doctor', '--data', 'stack', '--identity-token', given]);
      assert.equal(code, 0, stdout);
      assert.ok(!stdout.includes(token));
    }
  });

  test('names what is broken, and only that', async () => {
    const config = readFileSync(stack.endpoints.signingConfig, 'utf8');
    try {
      // the timestamp authority is where nobody listens
      writeFileSync(
        stack.endpoints.signingConfig,
        config.replace(/("tsaUrls":\s*\[\s*\{\s*"url":\s*)"[^"]*"/, '$1"http://127.0.0.1:9/api/v1/timestamp"'),
      );
      assert.notEqual(readFileSync(stack.endpoints.signingConfig, 'utf8'), config);
      const { code, stdout } = await onMachine(machine, ['doctor', '--data', 'stack', '--json']);
      assert.equal(code, 1, stdout);
      const { well, findings } = JSON.parse(stdout) as Examined;
      assert.equal(well, false);
      const failed = findings.filter(({ outcome }) => outcome === 'failed');
      assert.ok(
        failed.length > 0 && failed.every(({ name }) => /timestamps|certificates|log of Rekor/.test(name)),
        stdout,
      );
      assert.ok(
        failed.every(({ detail }) => /127\.0\.0\.1:9/.test(detail)),
        stdout,
      );
      assert.ok(findings.some(({ name, outcome }) => name === 'registry' && outcome === 'ok'));
    } finally {
      writeFileSync(stack.endpoints.signingConfig, config);
    }
  });

  test('says that nothing answers where nothing runs, without an exception', async () => {
    cpSync(at('stack', 'stack.json'), at('stopped', 'stack.json'));
    cpSync(at('stack', 'public'), at('stopped', 'public'), { recursive: true });
    writeFileSync(
      at('stopped', 'stack.json'),
      readFileSync(at('stopped', 'stack.json'), 'utf8').replaceAll(stack.endpoints.fulcio, 'http://127.0.0.1:9'),
    );
    const { code, stdout, stderr } = await onMachine(machine, ['doctor', '--data', 'stopped', '--timeout', '60s']);
    assert.equal(code, 1, stdout);
    assert.match(stdout, /✗ stack answers .*127\.0\.0\.1:9/);
    assert.doesNotMatch(stdout + stderr, /TypeError|undefined/);
  });
});

describe('bulla log fsck', () => {
  test('finds a sound log sound, while it is written to', async () => {
    const proposer = new Proposer();
    const [checked] = await Promise.all([
      onMachine(machine, ['log', 'fsck', '--data', 'stack', '--json']),
      ...Array.from({ length: 20 }, (_, n) =>
        post(`${stack.endpoints.rekor2}/api/v2/log/entries`, proposer.v2(`meanwhile ${n}`)),
      ),
    ]);
    assert.equal(checked.code, 0, checked.stdout);
    const { sound, shards } = JSON.parse(checked.stdout) as { sound: boolean; shards: readonly { found: number }[] };
    assert.equal(sound, true);
    // of certificates, and three of each Rekor: keys were rotated twice
    assert.equal(shards.length, 7);
  });

  /** Changes the first entry of a log that has some, as somebody might who gets at the file. @returns the name of the log */
  function forge(role: string): string {
    for (const file of readdirSync(at('stack', 'logs')).filter(
      (name) => name.startsWith(role) && name.endsWith('.db'),
    )) {
      const database = new DatabaseSync(at('stack', 'logs', file));
      try {
        const tables = database
          .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%entries'")
          .all();
        const [{ name: table } = {}] = tables;
        assert.ok(typeof table === 'string', file);
        const forged = `UPDATE ${table} SET leaf = CAST('forged' AS BLOB) WHERE rowid = (SELECT min(rowid) FROM ${table})`;
        if (database.prepare(forged).run().changes > 0) return file.replace('.db', '');
      } finally {
        database.close();
      }
    }
    throw new Error(`no log ${role} has an entry`);
  }

  function assertFound({ code, stdout }: Awaited<ReturnType<typeof onMachine>>, name: string): void {
    assert.equal(code, 1, stdout);
    assert.match(stdout, new RegExp(`${name} .*: \\d+ entries, \\d+ findings\n( {2}[a-z-]+: .*\n)+`));
    assert.match(stdout, /sound\n/);
  }

  test('finds what somebody has changed under a stack that runs, and a monitor sees it too', async () => {
    const name = forge('log-v2');
    assertFound(await onMachine(machine, ['log', 'fsck', '--data', 'stack']), name);
    rmSync(at('seen.json'));
    assertRefused(await monitor(), { code: 1, says: /has signed a tree of \d+ entries that does not follow/ });
    assert.equal(existsSync(at('seen.json')), false);
  });

  test('finds it where the stack does not start any more for that reason', async () => {
    await stopWell(stack);
    const name = forge('ct-log');
    assertFound(await onMachine(machine, ['log', 'fsck', '--data', 'stack']), name);
    const refused = await machine.bulla(['up', '--data', 'stack']);
    assertRefused(refused, { code: 1, says: /the log has the root .* run 'bulla log fsck', or restore a backup/ });
    rmSync(at('stack', 'logs', `${name}.db`));
    const gone = await onMachine(machine, ['log', 'fsck', '--data', 'stack']);
    assert.equal(gone.code, 1);
    assert.match(gone.stdout, /head-missing: .*\.db is gone/);
  });
});
