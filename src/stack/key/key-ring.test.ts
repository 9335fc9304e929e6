// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LossyFileSystem } from '../../store/lossy-file-system.fixture.ts';
import { privateKeyNeedsPassword, verifyChain } from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import { openKeyRing, readActiveKey, type FirstStart, type KeyRing } from './key-ring.ts';
import { KEY_ROLES, OFFLINE_ROLES } from './key-role.ts';
import { planRotation } from './plan-rotation.ts';

const first: FirstStart = { organization: 'lab.example', logOrigin: '127.0.0.1' };
const NOW = new Date('2026-11-22T06:00:00.750Z');
const now = (): Date => NOW;

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulla-keys-'));
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** What opening says is wrong. */
async function fault(opening: Promise<unknown>): Promise<CodedError> {
  try {
    await opening;
  } catch (error) {
    assert.ok(error instanceof CodedError, String(error));
    return error;
  }
  assert.fail('it opened');
}

describe('the first start', () => {
  let directory = '';
  let ring: KeyRing;
  before(async () => {
    directory = join(folder, 'first');
    ring = await openKeyRing({ directory, now, first });
  });

  test('makes one key for each role', () => {
    assert.deepEqual(
      KEY_ROLES.map((role) => [role, ring.of(role).length, ring.active(role).publicKey.algorithm]),
      [
        ['ca-root', 1, 'ecdsa-p256'],
        ['ca', 1, 'ecdsa-p256'],
        ['ct-log', 1, 'ecdsa-p256'],
        ['log-v1', 1, 'ecdsa-p256'],
        ['log-v2', 1, 'ed25519'],
        ['tsa-root', 1, 'ecdsa-p256'],
        ['tsa', 1, 'ecdsa-p256'],
        ['tuf-root', 1, 'ecdsa-p256'],
        ['tuf-targets', 1, 'ecdsa-p256'],
        ['tuf-snapshot', 1, 'ecdsa-p256'],
        ['tuf-timestamp', 1, 'ecdsa-p256'],
        ['issuer', 1, 'rsa-2048'],
      ],
    );
    assert.equal(ring.active('log-v2').origin, '127.0.0.1');
  });

  test('trusts each from the whole second on, so that nothing that it signs at once is too early', () => {
    for (const { validFor } of ring.keys) assert.deepEqual(validFor, { start: new Date('2026-11-22T06:00:00Z') });
  });

  test('certifies the authorities by their roots', () => {
    for (const role of ['ca', 'tsa'] as const) {
      const { chain, publicKey } = ring.active(role);
      assert.ok(chain !== undefined);
      assert.deepEqual(Buffer.from(chain[0].spki), Buffer.from(publicKey.spki));
      assert.deepEqual(Buffer.from(chain[1]?.der ?? []), Buffer.from(ring.active(`${role}-root`).chain?.[0].der ?? []));
    }
    const [leaf, root] = ring.active('tsa').chain ?? [];
    assert.ok(leaf !== undefined && root !== undefined);
    const check = verifyChain(leaf, [{ chain: [root] }], [NOW], 'time-stamping');
    assert.equal(check.kind, 'accepted');
  });

  test('writes files for their owner alone, and none on its way', async () => {
    for (const name of await readdir(directory)) {
      assert.equal((await stat(join(directory, name))).mode & 0o077, 0, name);
      assert.ok(!name.endsWith('.new'), name);
    }
    assert.equal((await stat(directory)).mode & 0o077, 0);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('first')),
      ['first'],
    );
  });

  test('is followed by starts that find the same keys and write nothing', async () => {
    const manifest = await readFile(join(directory, 'ring.json'));
    const again = await openKeyRing({
      directory,
      now: () => new Date('2030-01-01'),
      first: { ...first, organization: 'x' },
    });
    assert.deepEqual(
      again.keys.map(({ id }) => id),
      ring.keys.map(({ id }) => id),
    );
    assert.deepEqual(again.settings, ring.settings);
    assert.deepEqual(again.created, NOW);
    for (const key of again.keys) assert.equal((await again.privateKey(key)).publicKey.hint, key.publicKey.hint);
    assert.deepEqual(await readFile(join(directory, 'ring.json')), manifest);
  });

  test('says nothing secret in its manifest', async () => {
    assert.doesNotMatch(await readFile(join(directory, 'ring.json'), 'utf8'), /PRIVATE|"d":/);
  });
});

test('one key is read without any other, as it is after a rotation', async () => {
  const directory = join(folder, 'one');
  const ring = await openKeyRing({ directory, now, first });
  await ring.change(await planRotation(ring, 'issuer', { now: NOW }));
  const { id, publicKey } = ring.active('issuer');
  for (const name of await readdir(directory))
    if (name !== 'ring.json' && name !== `${id}.key`) await rm(join(directory, name), { recursive: true });
  assert.equal((await readActiveKey({ directory }, 'issuer')).publicKey.hint, publicKey.hint);
  assert.equal((await fault(readActiveKey({ directory }, 'ca'))).code, 'key-missing');
  const wrong = readActiveKey({ directory, password: Buffer.from('x') }, 'issuer');
  assert.equal((await fault(wrong)).code, 'password-unused');
  assert.equal((await fault(readActiveKey({ directory: join(folder, 'none') }, 'issuer'))).code, 'ring-missing');
});

describe('refuses', () => {
  let directory = '';
  before(async () => {
    directory = join(folder, 'whole');
    await openKeyRing({ directory, now, first });
  });

  test('to make keys where it was not asked to', async () => {
    const missing = join(folder, 'nowhere');
    assert.equal((await fault(openKeyRing({ directory: missing, now }))).code, 'ring-missing');
    await assert.rejects(stat(missing));
  });

  test('to make new keys where old ones lie without their manifest', async () => {
    const broken = join(folder, 'no-manifest');
    await openKeyRing({ directory: broken, now, first });
    await unlink(join(broken, 'ring.json'));
    const files = await readdir(broken);
    assert.equal((await fault(openKeyRing({ directory: broken, now, first }))).code, 'ring-malformed');
    assert.deepEqual(await readdir(broken), files);
  });

  const damage: readonly (readonly [what: string, code: string, damage: (path: string) => Promise<void>])[] = [
    [
      'a manifest of a later format',
      'ring-newer',
      (path) => edit(path, (text) => text.replace('"format": 1', '"format": 2')),
    ],
    ['a manifest that is cut off', 'ring-malformed', (path) => edit(path, (text) => text.slice(0, 400))],
    [
      'a manifest with an unknown field',
      'ring-malformed',
      (path) => edit(path, (text) => text.replace('{', '{"limit":1,')),
    ],
    [
      'a key with another name',
      'ring-malformed',
      (path) => edit(path, (text) => text.replace(/"issuer-../, '"issuer-zz')),
    ],
    [
      'a role that is not known',
      'ring-malformed',
      (path) => edit(path, (text) => text.replace('"role": "issuer"', '"role": "x"')),
    ],
    ['a key whose file is gone', 'key-missing', (path) => removeOf(path, /^ct-log-.*\.key$/)],
    ['certificates that are gone', 'key-missing', (path) => removeOf(path, /^ca-[0-9a-f]{16}\.pem$/)],
    [
      'certificates of another key',
      'key-mismatch',
      (path) => swap(path, /^ca-[0-9a-f]{16}\.pem$/, /^tsa-[0-9a-f]{16}\.pem$/),
    ],
    ['the file of another key', 'key-mismatch', (path) => swap(path, /^issuer-.*\.key$/, /^ct-log-.*\.key$/)],
  ];
  for (const [what, code, harm] of damage)
    test(what, async () => {
      const path = await mkdtemp(join(folder, 'harm-'));
      const copy = join(path, 'keys');
      await openKeyRing({ directory: copy, now, first });
      await harm(copy);
      assert.equal((await fault(openKeyRing({ directory: copy, now, first }))).code, code);
    });

  test('a password for keys that are not encrypted, which would make believe that they are', async () => {
    const error = await fault(openKeyRing({ directory, now, password: Buffer.from('a bulla is a seal') }));
    assert.equal(error.code, 'password-unused');
    assert.doesNotMatch(error.message, /a bulla is a seal/);
  });
});

describe('with a password', () => {
  const password = Buffer.from('a bulla is a seal');
  let directory = '';
  before(async () => {
    directory = join(folder, 'locked');
    await openKeyRing({ directory, now, first: { ...first, offlineRoot: true }, password });
  });

  test('every private key is encrypted, those for the operator too', async () => {
    const files = [
      ...(await readdir(directory)).map((name) => join(directory, name)),
      ...(await readdir(join(directory, 'offline'))).map((name) => join(directory, 'offline', name)),
    ].filter((name) => name.endsWith('.key'));
    assert.equal(files.length, KEY_ROLES.length);
    for (const file of files) assert.ok(privateKeyNeedsPassword(await readFile(file)), file);
  });

  test('the keys open with it', async () => {
    const ring = await openKeyRing({ directory, now, password });
    const key = ring.active('ca');
    assert.equal((await ring.privateKey(key)).publicKey.hint, key.publicKey.hint);
    assert.equal(ring.encrypted, true);
  });

  test('they do not open without, nor with another', async () => {
    const missing = await fault(openKeyRing({ directory, now }));
    assert.deepEqual([missing.code, /no password was given/.test(missing.message)], ['password-missing', true]);
    const wrong = await fault(openKeyRing({ directory, now, password: Buffer.from('open sesame') }));
    assert.equal(wrong.code, 'password-wrong');
    assert.doesNotMatch(wrong.message, /sesame/);
  });
});

describe('with the roots offline', () => {
  test('their keys are in files of their own, and missed once they are carried away', async () => {
    const directory = join(folder, 'apart');
    const ring = await openKeyRing({ directory, now, first: { ...first, offlineRoot: true } });
    const apart = ring.keys.filter(({ place }) => place === 'offline');
    assert.deepEqual(new Set(apart.map(({ role }) => role)), OFFLINE_ROLES);
    const away = join(folder, 'away');
    await rename(join(directory, 'offline'), away);
    const again = await openKeyRing({ directory, now });
    for (const key of apart) {
      assert.equal(await again.isAtHand(key), false);
      const error = await fault(again.privateKey(key));
      assert.equal(error.code, 'key-offline');
      assert.ok(error.message.includes(`${key.id}.key`));
      assert.equal((await again.privateKey(key, away)).publicKey.hint, key.publicKey.hint);
      assert.equal(await again.isAtHand(key), false, 'nothing is kept of it');
    }
  });
});

test('takes P-384 for the authorities where that is asked, and remembers it', async () => {
  const directory = join(folder, 'p384');
  await openKeyRing({ directory, now, first: { ...first, authorityAlgorithm: 'ecdsa-p384' } });
  const ring = await openKeyRing({ directory, now });
  await ring.change(await planRotation(ring, 'ca', { now: NOW }));
  for (const role of ['ca-root', 'ca', 'tsa-root', 'tsa'] as const)
    for (const key of ring.of(role)) assert.equal(key.publicKey.algorithm, 'ecdsa-p384');
});

describe('a power cut', () => {
  const random = (seed: number) => () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };

  test('at any step of the first start leaves nothing, or all', async () => {
    const count = new LossyFileSystem('/data');
    await openKeyRing({ directory: '/data/keys', now, first, files: count });
    let begun = 0;
    let whole = 0;
    // Every step of the end, where the commit is, and a sample of those before, which are all alike.
    for (let step = 0; step <= count.operations; step += step > count.operations - 16 ? 1 : 9) {
      const files = new LossyFileSystem('/data', { haltAfter: step });
      const answered = await openKeyRing({ directory: '/data/keys', now, first, files }).catch(() => undefined);
      const later = files.crash(random(step));
      const ring = await openKeyRing({ directory: '/data/keys', now, first, files: later });
      for (const key of ring.keys) await ring.privateKey(key);
      assert.equal(ring.keys.length, KEY_ROLES.length);
      if (answered === undefined) begun++;
      else {
        whole++;
        assert.deepEqual(
          ring.keys.map(({ id }) => id),
          answered.keys.map(({ id }) => id),
        );
      }
    }
    assert.ok(begun > 10 && whole > 0);
  });

  test('at any step of a change leaves the old ring, or the new one', async () => {
    const made = new LossyFileSystem('/data');
    await openKeyRing({ directory: '/data/keys', now, first, files: made });
    const outcomes = new Set<string>();
    for (let step = 0; step < 200; step++) {
      const opened = made.crash(random(step));
      const ring = await openKeyRing({ directory: '/data/keys', now, files: opened });
      const known = ring.keys.map(({ id }) => id);
      const change = await planRotation(ring, 'ca', { now: NOW });
      const files = opened.crash(random(step), { haltAfter: step });
      let answered = false;
      try {
        const halting = await openKeyRing({ directory: '/data/keys', now, files });
        await halting.change(change);
        answered = true;
      } catch (error) {
        assert.ok(error instanceof CodedError);
      }
      const found = await openKeyRing({ directory: '/data/keys', now, files: files.crash(random(step + 1)) });
      const grown = found.keys.length === known.length + 1;
      assert.ok(grown || found.keys.length === known.length);
      assert.equal(found.of('ca').filter(({ state }) => state === 'active').length, 1);
      for (const key of found.of('ca')) await found.privateKey(key);
      if (answered) assert.ok(grown, 'what was answered is there');
      outcomes.add(`${answered} ${grown}`);
      if (answered) break;
    }
    assert.deepEqual([...outcomes].toSorted(), ['false false', 'false true', 'true true']);
  });
});

test('a disk that fails once, at whatever step, is told of and leaves the old keys in use', async () => {
  const made = new LossyFileSystem('/data');
  await openKeyRing({ directory: '/data/keys', now, first, files: made });
  for (let step = 1; step < 100; step++) {
    const opened = made.crash(() => 0.9);
    const { operations } = (await openKeyRing({ directory: '/data/keys', now, files: opened }), opened);
    const files = opened.crash(() => 0.9, { failAt: operations + step });
    const ring = await openKeyRing({ directory: '/data/keys', now, files });
    const old = ring.active('ct-log').id;
    const change = await planRotation(ring, 'ctlog', { now: NOW });
    const failed = await ring.change(change).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failed === undefined) {
      assert.ok(step > 8, 'every step was tried');
      return;
    }
    assert.ok(failed instanceof CodedError && failed.code === 'io-failed');
    assert.equal(ring.active('ct-log').id, old);
    // Where the last flush failed nobody knows which manifest a power cut would leave: the process must not go on from either.
    const again = await ring.change(change).then(
      () => 'changed',
      (error: unknown) => (error instanceof CodedError ? error.code : 'unknown'),
    );
    assert.match(again, /^(?:changed|ring-changed)$/);
  }
  assert.fail('it never succeeded');
});

test('two rotations at once do not retire a key twice', async () => {
  const directory = join(folder, 'twice');
  const ring = await openKeyRing({ directory, now, first });
  const [one, two] = [await planRotation(ring, 'tsa', { now: NOW }), await planRotation(ring, 'tsa', { now: NOW })];
  const [, lost] = await Promise.allSettled([ring.change(one), ring.change(two)]);
  assert.ok(lost.status === 'rejected' && lost.reason instanceof CodedError && lost.reason.code === 'ring-changed');
  assert.equal(ring.of('tsa').filter(({ state }) => state === 'active').length, 1);
});

describe('a rotation', () => {
  const later = new Date('2027-03-01T12:00:00.400Z');

  test('of every kind adds a key and retires the old one, with a time in which both are trusted', async () => {
    const directory = join(folder, 'rotated');
    const ring = await openKeyRing({ directory, now, first });
    for (const [rotation, roles] of [
      ['ca', ['ca']],
      ['ctlog', ['ct-log']],
      ['log', ['log-v1', 'log-v2']],
      ['tsa', ['tsa']],
      ['root', ['tuf-root']],
    ] as const) {
      await ring.change(await planRotation(ring, rotation, { now: later, overlapMs: 3_600_000 }));
      for (const role of roles) {
        const [old, fresh] = ring.of(role);
        assert.deepEqual(old?.state, 'retired');
        assert.deepEqual(old.validFor.end, new Date('2027-03-01T13:00:00Z'));
        assert.deepEqual(fresh?.validFor, { start: new Date('2027-03-01T12:00:00Z') });
        assert.equal(ring.active(role).id, fresh.id);
      }
    }
    const again = await openKeyRing({ directory, now });
    assert.deepEqual(
      again.keys.map(({ id, state }) => [id, state]),
      ring.keys.map(({ id, state }) => [id, state]),
    );
  });

  test('of an authority goes by its root, until that is too old: then it has a new root', async () => {
    const ring = await openKeyRing({ directory: join(folder, 'aged'), now, first });
    await ring.change(await planRotation(ring, 'ca', { now: later }));
    assert.equal(ring.of('ca-root').length, 1);
    const old = new Date('2033-01-01T00:00:00Z');
    await ring.change(await planRotation(ring, 'ca', { now: old }));
    assert.equal(ring.of('ca-root').length, 2);
    const [intermediate, root] = ring.active('ca').chain ?? [];
    assert.deepEqual(Buffer.from(root?.der ?? []), Buffer.from(ring.active('ca-root').chain?.[0].der ?? []));
    assert.ok(intermediate !== undefined && intermediate.notAfter.getTime() - old.getTime() > 4 * 365 * 86_400_000);
  });

  test('of a log takes a name of its own where one is given, and leaves the other log where told', async () => {
    const ring = await openKeyRing({ directory: join(folder, 'sharded'), now, first });
    await ring.change(await planRotation(ring, 'log', { now: later, logOrigin: '127.0.0.3', logs: ['log-v2'] }));
    assert.deepEqual(
      ring.of('log-v2').map(({ origin }) => origin),
      ['127.0.0.1', '127.0.0.3'],
    );
    assert.equal(ring.of('log-v1').length, 1);
  });
});

async function edit(directory: string, change: (text: string) => string): Promise<void> {
  const path = join(directory, 'ring.json');
  const text = await readFile(path, 'utf8');
  assert.notEqual(change(text), text);
  await writeFile(path, change(text));
}

async function find(directory: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(directory)).find((candidate) => pattern.test(candidate));
  assert.ok(name !== undefined);
  return join(directory, name);
}

async function removeOf(directory: string, pattern: RegExp): Promise<void> {
  await unlink(await find(directory, pattern));
}

async function swap(directory: string, pattern: RegExp, other: RegExp): Promise<void> {
  await writeFile(await find(directory, pattern), await readFile(await find(directory, other)));
}
