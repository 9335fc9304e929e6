// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LossyFileSystem } from '../../store/lossy-file-system.fixture.ts';
import {
  certificateSigner,
  decodeSigningConfig,
  decodeTrustedRoot,
  noteKeyHash,
  type SigningConfig,
  type TrustedRoot,
} from '../../trust/index.ts';
import { ROTATIONS, type Rotation } from '../key/plan-rotation.ts';
import { tufKeyId } from './metadata.ts';
import { rotateKeys } from './rotate-keys.ts';
import { client, freshFolder, get, start, type TestRepository } from './tuf.fixture.ts';

const NOW = new Date('2026-11-22T06:00:00Z');
const LATER = new Date('2027-02-01T06:00:00Z');
const UNTIL = new Date('2027-02-02T06:00:00Z');

function published({ repository }: TestRepository): { root: TrustedRoot; config: SigningConfig } {
  return {
    root: decodeTrustedRoot(repository.target('trusted_root.json'), 'trusted_root.json'),
    config: decodeSigningConfig(repository.target('signing_config.v0.2.json'), 'signing config'),
  };
}

/** The times in which each entry of a kind is trusted. */
function periods(
  root: TrustedRoot,
  kind: 'logs' | 'certificateLogs' | 'certificateAuthorities' | 'timestampAuthorities',
) {
  return kind === 'timestampAuthorities'
    ? root.timestampAuthorities.map(({ issuer }) => issuer.validFor)
    : root[kind].map(({ validFor }) => validFor);
}

interface RootFile {
  readonly signed: { readonly roles: Readonly<Record<string, { readonly keyids: readonly string[] }>> };
}

describe('a rotation', () => {
  const kinds = [
    ['ca', 'certificateAuthorities', ['ca']],
    ['ctlog', 'certificateLogs', ['ct-log']],
    ['tsa', 'timestampAuthorities', ['tsa']],
  ] as const;
  for (const [rotation, kind, roles] of kinds)
    test(`of the ${rotation} lists both keys, the old one to the end of the overlap`, async (context) => {
      const stack = await start({ folder: await freshFolder(context), now: () => LATER });
      await stack.repository.tick();
      const before = stack.ring.active(roles[0]);
      const { activated, retired, tick } = await rotateKeys(stack.ring, stack.repository, rotation, { now: LATER });
      assert.deepEqual(
        activated.map(({ role }) => role),
        roles,
      );
      assert.deepEqual(
        retired.map(({ id }) => id),
        [before.id],
      );
      assert.ok(tick?.published.includes('2.targets.json'));
      assert.deepEqual(periods(published(stack).root, kind), [{ start: LATER, end: UNTIL }, { start: LATER }]);
      const [fresh] = activated;
      assert.ok(fresh !== undefined);
      assert.equal((await stack.ring.privateKey(fresh)).publicKey.hint, fresh.publicKey.hint);
    });

  test('of the log opens a shard of each, under the name that is given', async (context) => {
    const stack = await start({ folder: await freshFolder(context), now: () => NOW });
    await stack.repository.tick();
    await rotateKeys(stack.ring, stack.repository, 'log', { now: LATER, logOrigin: '127.0.0.3' });
    const { root, config } = published(stack);
    assert.deepEqual(
      root.logs.map(({ baseUrl, publicKey, validFor }) => [baseUrl, publicKey.algorithm, validFor]),
      [
        ['http://127.0.0.1:5570', 'ecdsa-p256', { start: NOW, end: UNTIL }],
        ['http://127.0.0.1:5570', 'ed25519', { start: NOW, end: UNTIL }],
        ['http://127.0.0.1:5570', 'ecdsa-p256', { start: LATER }],
        ['http://127.0.0.3:5570', 'ed25519', { start: LATER }],
      ],
    );
    for (const { baseUrl, publicKey, logId } of root.logs)
      assert.deepEqual(
        Buffer.from(logId).toString('base64'),
        publicKey.algorithm === 'ed25519'
          ? Buffer.from(noteKeyHash(new URL(baseUrl).hostname, publicKey)).toString('base64')
          : publicKey.hint,
      );
    assert.deepEqual(
      config.logs.map(({ url, majorApiVersion, validFor }) => [url, majorApiVersion, validFor]),
      [
        ['http://127.0.0.1:5570', 1, { start: NOW }],
        ['http://127.0.0.1:5570', 2, { start: NOW, end: UNTIL }],
        ['http://127.0.0.3:5570', 2, { start: LATER }],
      ],
    );
  });

  test('of a log at the same address goes on there, with another key', async (context) => {
    const stack = await start({ folder: await freshFolder(context), now: () => NOW });
    await stack.repository.tick();
    await rotateKeys(stack.ring, stack.repository, 'log', { now: LATER });
    const { root, config } = published(stack);
    assert.equal(new Set(root.logs.map(({ logId }) => Buffer.from(logId).toString('hex'))).size, 4);
    assert.deepEqual(
      config.logs.filter(({ majorApiVersion }) => majorApiVersion === 2).map(({ url, validFor }) => [url, validFor]),
      [['http://127.0.0.1:5570', { start: NOW }]],
    );
  });

  test('of the root is followed by clients that began before it, and by those that begin after it', async (context) => {
    const folder = await freshFolder(context);
    const stack = await start({ folder, now: () => new Date() });
    await stack.repository.tick();
    const first = stack.repository.root();
    const old = await client(folder, first, () => stack.repository.service);
    await old.refresh();
    for (let turn = 0; turn < 3; turn++) await rotateKeys(stack.ring, stack.repository, 'root', { now: new Date() });
    const second = await get(stack.repository.service, '/2.root.json');
    assert.equal((JSON.parse(second.body.toString()) as { signatures: unknown[] }).signatures.length, 2);
    await old.refresh();
    assert.deepEqual(old.asked().slice(-5, -1), ['/2.root.json', '/3.root.json', '/4.root.json', '/5.root.json']);
    for (const root of [first, stack.repository.root()]) {
      const fresh = await client(folder, root, () => stack.repository.service);
      await fresh.refresh();
      await fresh.read('trusted_root.json');
    }
  });

  for (const role of ['targets', 'snapshot', 'timestamp'] as const)
    test(`of the key that signs the ${role} of the repository is followed by clients of before and after, and by a restart`, async (context) => {
      const folder = await freshFolder(context);
      const stack = await start({ folder, now: () => new Date() });
      await stack.repository.tick();
      const first = stack.repository.root();
      const old = await client(folder, first, () => stack.repository.service);
      await old.refresh();
      const before = stack.ring.active(`tuf-${role}`);
      const { activated, retired } = await rotateKeys(stack.ring, stack.repository, `tuf-${role}`, { now: new Date() });
      assert.deepEqual(
        [activated, retired].map((keys) => keys.map((key) => key.role)),
        [[before.role], [before.role]],
      );
      const named = (JSON.parse(Buffer.from(stack.repository.root()).toString()) as RootFile).signed.roles[role]
        ?.keyids;
      const fresh = stack.ring.active(`tuf-${role}`);
      assert.deepEqual(named, [tufKeyId(fresh.publicKey)], 'the root names the new key alone');
      const again = await start({ folder, now: () => new Date() });
      assert.deepEqual((await again.repository.tick()).published, [], 'nothing is left to publish');
      for (const { repository } of [stack, again]) {
        await old.refresh();
        for (const root of [first, repository.root()]) {
          const reader = await client(folder, root, () => repository.service);
          await reader.refresh();
          await reader.read('trusted_root.json');
        }
      }
      // what is signed from now on is signed by the new key alone
      const later = await start({ folder, now: () => new Date(Date.now() + 100 * 86_400_000) });
      await later.repository.tick();
      const files = { targets: '/3.targets.json', snapshot: '/3.snapshot.json', timestamp: '/timestamp.json' };
      const { body } = await get(later.repository.service, files[role]);
      const { signatures } = JSON.parse(body.toString()) as { signatures: readonly { keyid: string }[] };
      assert.deepEqual(
        signatures.map(({ keyid }) => keyid),
        [tufKeyId(fresh.publicKey)],
      );
    });

  test('of the issuer publishes nothing here: its clients read its keys from itself', async (context) => {
    const stack = await start({ folder: await freshFolder(context), now: () => NOW });
    await stack.repository.tick();
    const root = stack.repository.root();
    const { activated, retired, tick } = await rotateKeys(stack.ring, stack.repository, 'issuer', { now: LATER });
    assert.equal(tick, undefined);
    assert.deepEqual((await stack.repository.tick()).published, []);
    assert.equal(stack.repository.root(), root);
    assert.equal(stack.ring.active('issuer').id, activated[0]?.id);
    // longer than the longest token lives
    assert.ok(Number(retired[0]?.validFor.end) - LATER.getTime() > 86_400_000);
  });

  test('tells cosign 2 which key is no longer in use', async (context) => {
    const stack = await start({ folder: await freshFolder(context), now: () => NOW });
    await stack.repository.tick();
    const old = stack.ring.active('log-v1');
    await rotateKeys(stack.ring, stack.repository, 'log', { now: LATER });
    const { body } = await get(stack.repository.service, '/2.targets.json');
    const { targets } = (
      JSON.parse(body.toString()) as {
        signed: { targets: Record<string, { custom?: { sigstore: { status: string } } }> };
      }
    ).signed;
    assert.equal(targets['rekor.pub']?.custom?.sigstore.status, 'Active');
    assert.equal(targets[`rekor.${old.id.slice(-16)}.pub`]?.custom?.sigstore.status, 'Expired');
  });

  test('of a key that others know ends its time at once', async (context) => {
    const stack = await start({ folder: await freshFolder(context), now: () => NOW });
    await stack.repository.tick();
    await rotateKeys(stack.ring, stack.repository, 'ca', { now: LATER, overlapMs: 0 });
    assert.deepEqual(periods(published(stack).root, 'certificateAuthorities')[0], { start: NOW, end: LATER });
  });

  test('that cannot be published leaves the old keys in use, and is published by the next tick', async () => {
    const now = (): Date => NOW;
    const made = new LossyFileSystem('/data');
    const whole = await start({ folder: '/data', now, files: made });
    await whole.repository.tick();
    const files = made.crash(() => 0.9);
    let full = false;
    const flaky = new Proxy(files, {
      get: (target, name) => {
        if (full && name === 'create')
          return async (path: string) => {
            if (path.includes('/tuf/')) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
            return files.create(path);
          };
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const stack = await start({ folder: '/data', now, files: flaky });
    full = true;
    await assert.rejects(rotateKeys(stack.ring, stack.repository, 'ca', { now: LATER }), {
      code: 'publication-pending',
    });
    assert.equal(published(stack).root.certificateAuthorities.length, 1);
    full = false;
    await stack.repository.tick();
    assert.equal(published(stack).root.certificateAuthorities.length, 2);
  });
});

describe('with the roots offline', () => {
  const now = (): Date => LATER;
  const first = { offlineRoot: true };

  /** A stack whose operator has carried the keys away. */
  async function apart(
    folder: string,
    time: () => Date = now,
  ): Promise<TestRepository & { readonly away: string; readonly first: Uint8Array }> {
    const made = await start({ folder, now: time, first });
    const { warnings } = await made.repository.tick();
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['offline-keys-present'],
    );
    const away = join(folder, 'away');
    await rename(join(folder, 'keys', 'offline'), away);
    return { ...(await start({ folder, now: time, first })), away, first: made.repository.root() };
  }

  test('the running process goes on signing timestamps and snapshots without them, and warns at half life', async (context) => {
    let time = LATER;
    const stack = await apart(await freshFolder(context), () => time);
    assert.deepEqual((await stack.repository.tick()).warnings, []);
    time = new Date(LATER.getTime() + 89 * 86_400_000);
    const early = await stack.repository.tick();
    assert.deepEqual([early.published, early.warnings], [['2.snapshot.json', 'timestamp.json'], []]);
    time = new Date(LATER.getTime() + 94 * 86_400_000);
    const tick = await stack.repository.tick();
    assert.deepEqual(tick.published, ['timestamp.json']);
    assert.deepEqual(
      tick?.warnings.map(({ code, expires }) => [code, expires]),
      [['targets-half-life', new Date(LATER.getTime() + 180 * 86_400_000)]],
    );
    time = new Date(LATER.getTime() + 190 * 86_400_000);
    assert.deepEqual(
      (await stack.repository.tick()).warnings.map(({ code }) => code),
      ['root-half-life', 'targets-half-life'],
    );
    const signed = await stack.repository.tick({ offlineKeys: stack.away });
    assert.deepEqual(signed.warnings, []);
    for (const name of ['2.root.json', '2.targets.json']) assert.ok(signed.published.includes(name), name);
    assert.deepEqual((await stack.repository.tick()).warnings, []);
  });

  test('keys that are brought in part sign what they can', async (context) => {
    let time = LATER;
    const folder = await freshFolder(context);
    const stack = await apart(folder, () => time);
    time = new Date(LATER.getTime() + 190 * 86_400_000);
    const part = join(folder, 'part');
    await mkdir(part);
    const name = `${stack.ring.active('tuf-targets').id}.key`;
    await rename(join(stack.away, name), join(part, name));
    const tick = await stack.repository.tick({ offlineKeys: part });
    assert.ok(tick?.published.includes('2.targets.json') && !tick?.published.includes('2.root.json'));
    assert.deepEqual(
      tick?.warnings.map(({ code }) => code),
      ['root-half-life'],
    );
  });

  const ofRoot = new Set<Rotation>(['root', 'tuf-targets', 'tuf-snapshot', 'tuf-timestamp']);
  for (const rotation of ROTATIONS.filter((one) => one !== 'issuer'))
    test(`a rotation of the ${rotation} asks for them before anything happens, and goes on with them`, async (context) => {
      const stack = await apart(await freshFolder(context));
      const before = stack.ring.keys;
      await assert.rejects(rotateKeys(stack.ring, stack.repository, rotation, { now: LATER }), { code: 'key-offline' });
      assert.equal(stack.ring.keys, before);
      const options = { now: LATER, offlineKeys: stack.away };
      const { tick, activated } = await rotateKeys(stack.ring, stack.repository, rotation, options);
      assert.ok(tick?.published.includes(ofRoot.has(rotation) ? '2.root.json' : '2.targets.json'));
      assert.ok(activated.length > 0);
      // A new key of a kind that is kept offline is the operator's to carry away too.
      assert.deepEqual(
        tick?.warnings.map(({ code }) => code),
        rotation === 'root' || rotation === 'tuf-targets' ? ['offline-keys-present'] : [],
      );
      const reader = await client(stack.away, stack.first, () => stack.repository.service);
      await reader.refresh();
      await reader.read('trusted_root.json');
    });

  test('a targets key that was lost is replaced by the root alone', async (context) => {
    const stack = await apart(await freshFolder(context));
    await rm(join(stack.away, `${stack.ring.active('tuf-targets').id}.key`));
    const options = { now: LATER, offlineKeys: stack.away };
    await assert.rejects(rotateKeys(stack.ring, stack.repository, 'ca', options), { code: 'key-offline' });
    await rotateKeys(stack.ring, stack.repository, 'tuf-targets', options);
    const again = await start({ folder: join(stack.away, '..'), now, first });
    await again.repository.tick();
    const reader = await client(stack.away, stack.first, () => again.repository.service);
    await reader.refresh();
    await reader.read('trusted_root.json');
  });

  test('the issuer gets a new key without them', async (context) => {
    const stack = await apart(await freshFolder(context));
    const { activated } = await rotateKeys(stack.ring, stack.repository, 'issuer', { now: LATER });
    assert.deepEqual(
      activated.map(({ role, place }) => [role, place]),
      [['issuer', 'ring']],
    );
  });
});

test('certificates that have lived half of their life are told of, until they are rotated', async (context) => {
  let time = NOW;
  const stack = await start({ folder: await freshFolder(context), now: () => time });
  assert.deepEqual((await stack.repository.tick()).warnings, []);
  time = new Date(NOW.getTime() + 913 * 86_400_000);
  const { warnings } = await stack.repository.tick();
  assert.deepEqual(
    warnings.map(({ code, expires }) => [code, expires]),
    ['ca', 'tsa'].map(() => ['certificate-half-life', new Date(NOW.getTime() + 1825 * 86_400_000)]),
  );
  await rotateKeys(stack.ring, stack.repository, 'ca', { now: time });
  const { tick } = await rotateKeys(stack.ring, stack.repository, 'tsa', { now: time });
  assert.deepEqual(tick?.warnings, []);
});

test('what a ring gives a service signs certificates that its trusted root believes', async (context) => {
  const stack = await start({ folder: await freshFolder(context), now: () => NOW });
  await stack.repository.tick();
  const key = stack.ring.active('ca');
  const [certificate] = published(stack).root.certificateAuthorities[0]?.chain ?? [];
  assert.deepEqual(Buffer.from(certificate?.der ?? []), Buffer.from(key.chain?.[0].der ?? []));
  const signer = certificateSigner(await stack.ring.privateKey(key));
  assert.equal(signer.algorithm, 'ecdsa-sha256');
});
