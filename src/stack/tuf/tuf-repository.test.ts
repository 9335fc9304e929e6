// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LossyFileSystem } from '../../store/lossy-file-system.fixture.ts';
import { decodeSigningConfig, decodeTrustedRoot } from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import { ROTATIONS } from '../key/plan-rotation.ts';
import { rotateKeys } from './rotate-keys.ts';
import { client, freshFolder, get, start } from './tuf.fixture.ts';

const DAY = 86_400_000;

/** A clock that tests set. Clients have the machine's, so that it begins there. */
function clock(): { now: () => Date; advance(days: number): void } {
  let time = Date.now();
  return {
    now: () => new Date(time),
    advance(days) {
      time += days * DAY;
    },
  };
}

function meta(bytes: Uint8Array): { version: number; expires: string } {
  return (JSON.parse(Buffer.from(bytes).toString()) as { signed: { version: number; expires: string } }).signed;
}

describe('a repository', () => {
  test('publishes at its first tick what a client of Sigstore reads', async (context) => {
    const folder = await freshFolder(context);
    const { repository, ring } = await start({ folder, now: clock().now });
    assert.throws(() => repository.root(), { code: 'unpublished' });
    const { published, warnings } = await repository.tick();
    assert.deepEqual(warnings, []);
    for (const name of ['1.root.json', '1.targets.json', '1.snapshot.json', 'timestamp.json'])
      assert.ok(published.includes(name), name);
    const reader = await client(folder, repository.root(), () => repository.service);
    await reader.refresh();
    const root = decodeTrustedRoot(await reader.read('trusted_root.json'), 'trusted_root.json');
    assert.deepEqual(
      root.logs.map(({ publicKey }) => publicKey.hint),
      [ring.active('log-v1').publicKey.hint, ring.active('log-v2').publicKey.hint],
    );
    assert.equal(root.certificateLogs[0]?.publicKey.hint, ring.active('ct-log').publicKey.hint);
    assert.equal(root.certificateAuthorities[0]?.chain.length, 2);
    assert.ok(root.timestampAuthorities[0]?.leaf !== undefined);
    const config = decodeSigningConfig(await reader.read('signing_config.v0.2.json'), 'signing config');
    assert.deepEqual(
      config.logs.map(({ majorApiVersion }) => majorApiVersion),
      [1, 2],
    );
    assert.deepEqual(reader.asked().slice(0, 4), [
      '/2.root.json',
      '/timestamp.json',
      '/1.snapshot.json',
      '/1.targets.json',
    ]);
  });

  test('tells cosign 2, which knows no trusted root, what each key and certificate is for', async (context) => {
    const folder = await freshFolder(context);
    const { repository } = await start({ folder, now: clock().now });
    await repository.tick();
    const { body } = await get(repository.service, '/1.targets.json');
    const { targets } = (
      JSON.parse(body.toString()) as {
        signed: { targets: Record<string, { custom?: { sigstore: Record<string, string> } }> };
      }
    ).signed;
    const expected: Record<string, string> = {
      'rekor.pub': 'Rekor',
      'ctfe.pub': 'CTFE',
      'fulcio_v1.crt.pem': 'Fulcio',
      'fulcio_intermediate_v1.crt.pem': 'Fulcio',
      'tsa_leaf.crt.pem': 'TSA',
      'tsa_root.crt.pem': 'TSA',
    };
    for (const [name, usage] of Object.entries(expected)) {
      const sigstore = targets[name]?.custom?.sigstore ?? {};
      assert.deepEqual([sigstore['usage'], sigstore['status']], [usage, 'Active'], name);
      assert.match(sigstore['uri'] ?? '', /^http:\/\/127\.0\.0\.1:5570/);
      assert.match(Buffer.from(repository.target(name)).toString(), /^-----BEGIN (?:PUBLIC KEY|CERTIFICATE)-----/);
    }
  });

  test('signs nothing anew before half of a life is over, and then only what is due', async (context) => {
    const folder = await freshFolder(context);
    const time = clock();
    const { repository } = await start({ folder, now: time.now });
    await repository.tick();
    assert.deepEqual((await repository.tick()).published, []);
    time.advance(3.4);
    assert.deepEqual((await repository.tick()).published, []);
    time.advance(0.2);
    assert.deepEqual((await repository.tick()).published, ['timestamp.json']);
    time.advance(27);
    assert.deepEqual((await repository.tick()).published, ['2.snapshot.json', 'timestamp.json']);
    time.advance(62);
    assert.deepEqual((await repository.tick()).published, ['2.targets.json', '3.snapshot.json', 'timestamp.json']);
    time.advance(93);
    const { published } = await repository.tick();
    assert.ok(published.includes('2.root.json'));
    assert.equal(meta(repository.root()).version, 2);
  });

  test('keeps clients going for years, when it is looked after daily or after a long pause', async (context) => {
    const folder = await freshFolder(context);
    let days = -900;
    const now = (): Date => new Date(Date.now() + days * DAY);
    const { repository } = await start({ folder, now });
    await repository.tick();
    const first = repository.root();
    const reader = await client(folder, first, () => repository.service);
    await assert.rejects(reader.refresh(), /expired/, 'it really has expired for a client of today');
    for (days = -899; days < -300; days++) {
      const { expires } = await repository.tick();
      assert.ok(expires > new Date(now().getTime() + 3 * DAY), 'nothing comes near its end');
    }
    days = 0; // the machine was off
    await repository.tick();
    const later = await client(folder, first, () => repository.service);
    await later.refresh();
    await later.read('trusted_root.json');
    assert.ok(meta(repository.root()).version > 3);
  });

  test('goes on from what lies on the disk after a new start', async (context) => {
    const folder = await freshFolder(context);
    const time = clock();
    const one = await start({ folder, now: time.now });
    await one.repository.tick();
    const reader = await client(folder, one.repository.root(), () => one.repository.service);
    await reader.refresh();
    const two = await start({ folder, now: time.now });
    assert.deepEqual((await two.repository.tick()).published, []);
    assert.deepEqual(two.repository.root(), one.repository.root());
    const again = await client(folder, one.repository.root(), () => two.repository.service);
    await again.refresh();
    await again.read('trusted_root.json');
  });

  test('never goes back in its versions, whatever its clock does', async (context) => {
    const folder = await freshFolder(context);
    const time = clock();
    const { repository } = await start({ folder, now: time.now });
    await repository.tick();
    time.advance(-30);
    assert.deepEqual((await repository.tick()).published, []);
    time.advance(34);
    await repository.tick();
    assert.equal(meta((await get(repository.service, '/timestamp.json')).body).version, 2);
  });

  test('answers 404 to a client that looks for the next root, and 405 to one that would write', async (context) => {
    const folder = await freshFolder(context);
    const { repository } = await start({ folder, now: clock().now });
    assert.equal((await get(repository.service, '/timestamp.json')).status, 404);
    await repository.tick();
    const { service } = repository;
    const missing = await get(service, '/2.root.json');
    assert.deepEqual([missing.status, missing.headers['cache-control']], [404, 'no-store']);
    for (const path of [
      '/',
      '/targets/',
      '/targets/trusted_root.json',
      '/../keys/ring.json',
      '/1.root.json/',
      '//1.root.json',
    ])
      assert.equal((await get(service, path)).status, 404, path);
    assert.equal((await get(service, '/timestamp.json', 'PUT')).status, 405);
    const whole = await get(service, '/root.json?x=1');
    const head = await get(service, '/root.json', 'HEAD');
    assert.deepEqual([head.status, head.body.length], [200, 0]);
    assert.equal(head.headers['content-length'], `${whole.body.length}`);
    assert.deepEqual(whole.body, Buffer.from(repository.root()));
    assert.match((await get(service, '/1.root.json')).headers['cache-control'] ?? '', /immutable/);
    assert.equal((await get(service, '/timestamp.json')).headers['cache-control'], 'no-cache');
    const fault = service.fault(new Error('the password is sesame'));
    assert.equal(fault.status, 500);
    assert.doesNotMatch(JSON.stringify(fault), /sesame/);
  });

  for (const [what, file, change] of [
    ['a timestamp by nobody', 'timestamp.json', (text: string) => text.replace('"version": 1', '"version": 7')],
    ['a torn snapshot', '1.snapshot.json', (text: string) => text.slice(0, 90)],
    ['changed targets', '1.targets.json', (text: string) => text.replace('Active', 'Expired')],
    ['a root with another number', '1.root.json', (text: string) => text.replace('"version": 1', '"version": 2')],
    ['no JSON', '1.root.json', () => 'sixty jars of oil'],
  ] as const)
    test(`refuses to go on from ${what}`, async (context) => {
      const folder = await freshFolder(context);
      const { repository } = await start({ folder, now: clock().now });
      await repository.tick();
      const path = join(folder, 'tuf', file);
      await writeFile(path, change(await readFile(path, 'utf8')));
      await assert.rejects(start({ folder, now: clock().now }), { code: 'repository-malformed' });
    });

  test('refuses to go on with the keys of another ring', async (context) => {
    const folder = await freshFolder(context);
    await (await start({ folder, now: clock().now })).repository.tick();
    await rename(join(folder, 'keys'), join(folder, 'lost'));
    const { repository } = await start({ folder, now: clock().now });
    await assert.rejects(repository.tick(), { code: 'repository-malformed' });
  });

  test('refuses an address of a log that its clients would not believe', async (context) => {
    const folder = await freshFolder(context);
    const { repository } = await start({ folder, now: clock().now, first: { logOrigin: '127.0.0.1:5570' } });
    await assert.rejects(repository.tick(), { code: 'address-mismatch' });
  });

  test('keeps a bounded number of old versions', async (context) => {
    const folder = await freshFolder(context);
    const { ring, repository } = await start({ folder, now: clock().now });
    await repository.tick();
    for (let turn = 0; turn < 12; turn++) await rotateKeys(ring, repository, 'ctlog', { now: new Date() });
    const names = await readdir(join(folder, 'tuf'));
    assert.equal(names.filter((name) => name.endsWith('.snapshot.json')).length, 8);
    assert.equal(names.filter((name) => name.endsWith('.targets.json')).length, 8);
    const targets = await readdir(join(folder, 'tuf', 'targets'));
    assert.equal(targets.filter((name) => name.endsWith('.trusted_root.json')).length, 8);
    const again = await start({ folder, now: clock().now });
    const reader = await client(folder, again.repository.root(), () => again.repository.service);
    await reader.refresh();
    await reader.read('trusted_root.json');
  });
});

describe('a client in the middle of a refresh', () => {
  test('succeeds, wherever a rotation comes in between', async (context) => {
    const folder = await freshFolder(context);
    const { ring, repository } = await start({ folder, now: clock().now });
    await repository.tick();
    for (const rotation of ['ca', 'root', 'tuf-targets', 'tuf-snapshot', 'tuf-timestamp'] as const)
      for (let moment = 0; moment < 6; moment++) {
        let requests = 0;
        const reader = await client(
          folder,
          repository.root(),
          () => repository.service,
          async () => {
            if (requests++ === moment) await rotateKeys(ring, repository, rotation, { now: new Date() });
          },
        );
        await reader.refresh();
        await reader.read('trusted_root.json');
        await reader.read('signing_config.v0.2.json');
        assert.ok(requests > moment, 'it came in between');
      }
  });
});

describe('a power cut', () => {
  const random = (seed: number) => () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };

  for (const what of [
    'the first publication',
    'a rotation of ca',
    'a rotation of root',
    'a rotation of tuf-targets',
    'a rotation of tuf-snapshot',
    'a rotation of tuf-timestamp',
    'the replacement of a targets key that was lost',
  ] as const)
    test(`at any step of ${what} leaves what was served before, or what is new, and clients go on`, async (context) => {
      const folder = await freshFolder(context);
      const now = (): Date => new Date();
      const made = new LossyFileSystem('/data');
      const lost = what.endsWith('lost');
      const first = { offlineRoot: lost };
      const seen = await start({ folder: '/data', now, files: made, first });
      if (what !== 'the first publication') await seen.repository.tick();
      const known = what === 'the first publication' ? undefined : seen.repository.root();
      if (lost) {
        await made.remove(`/data/keys/offline/${seen.ring.active('tuf-targets').id}.key`);
        await made.flushDirectory('/data/keys/offline');
      }
      const act = async ({ ring, repository }: typeof seen): Promise<void> => {
        if (what === 'the first publication') await repository.tick();
        else if (lost) await rotateKeys(ring, repository, 'tuf-targets', { now: now() });
        else
          await rotateKeys(ring, repository, ROTATIONS.find((one) => what.endsWith(` ${one}`)) ?? 'ca', { now: now() });
      };
      let finished = false;
      for (let step = 1; !finished; step += 3) {
        const opened = made.crash(random(step));
        await start({ folder: '/data', now, files: opened });
        const files = opened.crash(random(step), { haltAfter: opened.operations + step });
        const halting = await start({ folder: '/data', now, files });
        finished = await act(halting).then(
          () => true,
          (error: unknown) => {
            assert.ok(error instanceof CodedError);
            return false;
          },
        );
        // A client that read what was served at that moment …
        const served = new Map(
          await Promise.all(
            ['/timestamp.json', '/root.json'].map(
              async (path) => [path, await get(halting.repository.service, path)] as const,
            ),
          ),
        );
        const later = await start({ folder: '/data', now, files: files.crash(random(step + 1)) });
        await later.repository.tick({ offlineKeys: later.ring.directory });
        // … is never sent back by the next start,
        for (const [path, { status, body }] of served)
          if (status === 200)
            assert.ok(meta((await get(later.repository.service, path)).body).version >= meta(body).version);
        // and one that began before all this goes on.
        const reader = await client(folder, known ?? later.repository.root(), () => later.repository.service);
        await reader.refresh();
        const trusted = decodeTrustedRoot(await reader.read('trusted_root.json'), 'trusted_root.json');
        assert.equal(trusted.certificateAuthorities.length, later.ring.of('ca').length);
        assert.equal(
          hash('sha256', await reader.read('trusted_root.json'), 'hex'),
          hash('sha256', later.repository.target('trusted_root.json'), 'hex'),
        );
        assert.ok(step < 400, 'it never finished');
      }
    });
});
