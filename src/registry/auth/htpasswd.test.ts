// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { RegistryServeError } from '../serve-error.ts';
import { BasicAccess } from './basic-access.ts';
import { openHtpasswd } from './htpasswd-file.ts';
import { parseHtpasswd } from './htpasswd.ts';

// password 'opensesame'; made with htpasswd -B -C 4
const ALICE = '$2y$04$Lkw9M0LhfXKV3aYORYZiiu0/wHFH1SRVhYXSx946X2gIXD2xwjz9W';

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

describe('an htpasswd file', () => {
  test('gives users and hashes, without comments and empty lines', () => {
    const users = parseHtpasswd(`# the team\n\nalice:${ALICE}\r\n bob:${ALICE.replace('2y', '2b')} \n`, 'users');
    assert.deepEqual([...users.keys()], ['alice', 'bob']);
    assert.equal(users.get('alice'), ALICE);
  });

  for (const [text, reason] of [
    ['', /users:1: there is no user/],
    ['# nobody', /there is no user/],
    ['\nalice', /users:2: expected USER:HASH/],
    [`:${ALICE}`, /expected USER:HASH/],
    ['alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', /user "alice" is not bcrypt \(write it with htpasswd -B\)/],
    ['alice:$apr1$x$y', /is not bcrypt/],
    ['alice:plain', /is not bcrypt/],
    [`alice:${ALICE.replace('$04$', '$31$')}`, /has cost 31, expected 4 to 15/],
    [`alice:${ALICE}\nalice:${ALICE}`, /users:2: user "alice" stands here twice/],
  ] as const) {
    test(`is refused with a line and a reason: ${JSON.stringify(text.slice(0, 30))}`, () => {
      assert.throws(
        () => parseHtpasswd(text, 'users'),
        (error) => {
          assert.ok(error instanceof RegistryServeError && error.code === 'htpasswd-malformed');
          assert.match(error.message, reason);
          assert.ok(!error.message.includes('W6ph5Mm5Pz8GgiULbPgzG37mj9g'), 'a hash in a message');
          return true;
        },
      );
    });
  }

  test('is read, or refused with its code, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          assert.ok(parseHtpasswd(text, 'users').size > 0);
        } catch (error) {
          assert.ok(error instanceof RegistryServeError, String(error));
        }
      }),
    );
  });

  test('is read again when it changes; a bad change is reported once and the users stay', async () => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-htpasswd-'));
    try {
      const path = join(root, 'users');
      const warnings: string[] = [];
      let now = 0;
      await writeFile(path, `alice:${ALICE}\n`);
      const access = await openHtpasswd(
        path,
        () => now,
        (message) => warnings.push(message),
      );
      assert.deepEqual(await access.authenticate(basic('alice', 'opensesame')), { name: 'alice' });
      await writeFile(path, `bobby:${ALICE}\n`);
      await utimes(path, 1, 1);
      assert.deepEqual(await access.authenticate(basic('alice', 'opensesame')), { name: 'alice' }, 'looked too early');
      now = 2000;
      assert.equal(await access.authenticate(basic('alice', 'opensesame')), undefined);
      assert.deepEqual(await access.authenticate(basic('bobby', 'opensesame')), { name: 'bobby' });
      await writeFile(path, 'nonsense\n');
      for (now of [4000, 6000]) {
        assert.deepEqual(await access.authenticate(basic('bobby', 'opensesame')), { name: 'bobby' });
      }
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /the users stay as they were: .*users:1: expected USER:HASH/);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  test('that is missing is named', async () => {
    await assert.rejects(
      openHtpasswd(
        '/nonexistent/users',
        () => 0,
        () => {},
      ),
      {
        code: 'htpasswd-malformed',
        message: /^\/nonexistent\/users: ENOENT/,
      },
    );
  });

  test('made by the real htpasswd is understood', async (t) => {
    const made = await promisify(execFile)('htpasswd', ['-Bbn', 'carol', 'pass word:ü']).catch(() => undefined);
    if (made === undefined) return t.skip('htpasswd is not installed');
    const { compare } = await import('bcryptjs');
    const users = parseHtpasswd(made.stdout, 'users');
    const access = new BasicAccess(async () => users, compare);
    assert.deepEqual(await access.authenticate(basic('carol', 'pass word:ü')), { name: 'carol' });
    assert.equal(await access.authenticate(basic('carol', 'pass word')), undefined);
  });
});

describe('basic authentication', () => {
  const users = new Map([['alice', ALICE]]);

  test('checks a right password once, a wrong one each time, an unknown user as dearly as a known one', async () => {
    const checked: string[] = [];
    const access = new BasicAccess(
      async () => users,
      async (password) => {
        checked.push(password);
        return password === 'right';
      },
    );
    for (let round = 0; round < 3; round++) {
      assert.deepEqual(await access.authenticate(basic('alice', 'right')), { name: 'alice' });
      assert.equal(await access.authenticate(basic('alice', 'wrong')), undefined);
      assert.equal(await access.authenticate(basic('mallory', 'right')), undefined, 'a hash of another user');
    }
    assert.deepEqual(checked, ['right', 'wrong', 'right', 'wrong', 'right', 'wrong', 'right']);
  });

  test('does not let user and password run into each other', async () => {
    const both = new Map([
      ['a', ALICE],
      ['a:b', ALICE],
    ]);
    const access = new BasicAccess(
      async () => both,
      async (password) => password === 'b:c',
    );
    assert.deepEqual(await access.authenticate(basic('a', 'b:c')), { name: 'a' });
    assert.equal(await access.authenticate(basic('a', 'c')), undefined);
  });

  test('checks one at a time and turns away those beyond 32', async () => {
    let running = 0;
    let most = 0;
    const access = new BasicAccess(
      async () => users,
      async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        return false;
      },
    );
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, at) => access.authenticate(basic('alice', `guess ${at}`))),
    );
    assert.equal(most, 1);
    assert.equal(outcomes.filter((outcome) => outcome === 'busy').length, 18);
    assert.equal(await access.authenticate(basic('alice', 'later')), undefined);
  });

  for (const header of [
    undefined,
    '',
    'Basic',
    'Basic !',
    'Bearer abc',
    `Basic ${'A'.repeat(5000)}`,
    `Basic ${btoa('nocolon')}`,
  ]) {
    test(`takes ${JSON.stringify(header?.slice(0, 20))} for nobody`, async () => {
      const access = new BasicAccess(
        async () => users,
        async () => true,
      );
      assert.equal(await access.authenticate(header), undefined);
    });
  }
});
