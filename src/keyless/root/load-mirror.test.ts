// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { WireError } from '../../wire/index.ts';
import { tokenServer, type TokenAnswer, type TokenServer } from '../token/token-transport.fixture.ts';
import { loadMirror, type LoadedMirror, type LoadMirrorOptions } from './load-mirror.ts';
import { stateName, type Mirror } from './mirror-state.ts';
import { MIRROR, newKey, TestRepository, type Delegation } from './tuf-repository.fixture.ts';

const HOUR = 60 * 60 * 1000;
const FIRST = { 'trusted_root.json': '{"first":1}', 'signing_config.v0.2.json': '{"config":1}' };

describe('loading what a TUF repository has', () => {
  let folder: string;
  let repository: TestRepository;
  let mirror: Mirror;
  let server: TokenServer;
  let meddle: ((path: string) => TokenAnswer | undefined) | undefined;
  const now = new Date();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bulla-mirror-'));
    repository = new TestRepository(FIRST);
    mirror = { url: new URL(MIRROR), anchor: repository.root() };
    meddle = undefined;
    server = tokenServer((request) => {
      const path = request.url.pathname.slice(new URL(MIRROR).pathname.length + 1);
      return meddle?.(path) ?? repository.answer(request);
    });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const load = (options: Partial<LoadMirrorOptions> = {}): Promise<LoadedMirror> =>
    loadMirror(mirror, { http: server.client, now, folder, ...options });
  const later = (hours: number): { readonly now: Date } => ({ now: new Date(now.getTime() + hours * HOUR) });
  const text = ({ state }: LoadedMirror): string => new TextDecoder().decode(state.trustedRoot);
  const paths = (): readonly string[] => server.asked.map(({ url }) => url.pathname.slice('/repository/'.length));

  it('asks for each document once, verifies them, and asks nobody for a day', async () => {
    const loaded = await load();
    assert.equal(text(loaded), '{"first":1}');
    assert.equal(new TextDecoder().decode(loaded.state.signingConfig), '{"config":1}');
    assert.deepEqual(
      paths().map((path) => path.replace(/[0-9a-f]{64}/, 'HASH')),
      [
        '2.root.json',
        'timestamp.json',
        '1.snapshot.json',
        '1.targets.json',
        'targets/HASH.trusted_root.json',
        'targets/HASH.signing_config.v0.2.json',
      ],
    );
    server.asked.length = 0;
    assert.equal((await load(later(23))).kept, true);
    assert.deepEqual(paths(), []);
    const asked = await load(later(25));
    assert.equal(asked.kept, false);
    assert.deepEqual(paths(), ['2.root.json', 'timestamp.json']);
  });

  it('follows a repository that changes its keys, one root after the other', async () => {
    await load();
    repository.publish({ rotate: true });
    repository.publish({ rotate: true, targets: { 'trusted_root.json': '{"third":3}' } });
    assert.equal(text(await load(later(25))), '{"third":3}');
  });

  it('reads a repository that has no signing config', async () => {
    repository = new TestRepository({ 'trusted_root.json': '{}' });
    mirror = { ...mirror, anchor: repository.root() };
    assert.equal((await load()).state.signingConfig, undefined);
  });

  it('asks again where the clock went back, and where what is kept is cut or not ours', async () => {
    await load();
    server.asked.length = 0;
    assert.equal((await load(later(-1))).kept, false);
    const path = join(folder, stateName(mirror));
    for (const broken of [readFileSync(path).subarray(0, 1000), Buffer.from('[]'), Buffer.from('{"version":9}')]) {
      writeFileSync(path, broken);
      assert.equal((await load()).kept, false);
    }
    const document = JSON.parse(readFileSync(path, 'utf8')) as { targets: Record<string, string> };
    document.targets['trusted_root.json'] = Buffer.from('{"forged":1}').toString('base64');
    writeFileSync(path, JSON.stringify(document));
    assert.equal(text(await load()), '{"first":1}');
  });

  it('serves what is kept, and says so, where the mirror cannot be reached: until it expires', async () => {
    repository.publish({ expires: { timestamp: new Date(now.getTime() + 48 * HOUR) } });
    await load();
    meddle = () => {
      throw new WireError('unreachable', 'tuf.example is away');
    };
    const kept = await load(later(30));
    assert.equal(kept.kept, true);
    assert.equal(kept.failure?.code, 'unreachable');
    await assert.rejects(load(later(49)), { code: 'unreachable' });
    meddle = () => ({ status: 503, body: 'later' });
    assert.equal((await load(later(30))).failure?.code, 'trust-unavailable');
    await assert.rejects(load(later(49)), { code: 'trust-unavailable' });
  });

  it('asks nobody where it must not: what is kept serves until it expires', async () => {
    await assert.rejects(load({ offline: true }), { code: 'trust-missing', message: /initialize/ });
    repository.publish({ expires: { snapshot: new Date(now.getTime() + 48 * HOUR) } });
    await load();
    server.asked.length = 0;
    assert.equal((await load({ ...later(30), offline: true })).kept, true);
    await assert.rejects(load({ ...later(49), offline: true }), {
      code: 'trust-expired',
      message: /its snapshot\.json at \d{4}-/,
    });
    assert.deepEqual(paths(), []);
  });

  for (const role of ['timestamp', 'snapshot', 'targets'] as const) {
    it(`refuses a ${role} that has expired`, async () => {
      repository.publish({ expires: { [role]: new Date('2026-01-01T00:00:00Z') } });
      await assert.rejects(load(), { code: 'trust-expired', message: new RegExp(`^${role}\\.json of`) });
    });

    it(`refuses a ${role} that somebody else has signed`, async () => {
      repository.publish({ signers: { [role]: newKey() } });
      await assert.rejects(load(), { code: 'trust-rejected' });
    });
  }

  it('refuses a root that has expired at the end of the chain, and follows one that has expired on the way', async () => {
    repository.publish({ rotate: true, expires: { root: new Date('2026-01-01T00:00:00Z') } });
    await assert.rejects(load(), { code: 'trust-expired', message: /^root\.json of/ });
    repository.publish({ rotate: true });
    assert.equal(text(await load()), '{"first":1}');
  });

  it('refuses a new root that the old one has not signed', async () => {
    repository.publish({ rotate: true, signers: { root: newKey() } });
    await assert.rejects(load(), { code: 'trust-rejected' });
  });

  it('refuses a root that is not the next one', async () => {
    repository.publish({ rotate: true });
    repository.publish({ rotate: true });
    const third = repository.root(3);
    meddle = (path) => (path === '2.root.json' ? { body: third } : undefined);
    await assert.rejects(load(), { code: 'trust-rejected' });
  });

  it('refuses to go back: a timestamp, and with it a snapshot, that is older than what is known', async () => {
    const old = new Map(repository.files);
    repository.publish({ targets: { 'trusted_root.json': '{"second":2}' } });
    await load();
    meddle = (path) => (old.has(path) ? { body: old.get(path) } : { status: 404, body: '' });
    await assert.rejects(load(later(25)), { code: 'trust-rejected', message: /less than current version/ });
    meddle = undefined;
    assert.equal(text(await load(later(25))), '{"second":2}');
  });

  it('recovers from versions that a thief of keys counted up, by a root with new keys', async () => {
    for (let version = 1; version < 20; version++) repository.publish();
    await load();
    repository.publish({ anew: true, targets: { 'trusted_root.json': '{"second":2}' } });
    await assert.rejects(load(later(25)), { code: 'trust-rejected', message: /less than current version/ });
    repository.publish({ anew: true, rotate: true, targets: { 'trusted_root.json': '{"third":3}' } });
    assert.equal(text(await load(later(25))), '{"third":3}');
    assert.equal(text(await load(later(26))), '{"third":3}');
  });

  for (const [role, threshold] of [
    ['root', 0],
    ['timestamp', 0],
    ['targets', -1],
  ] as const)
    it(`refuses a root by which ${threshold} signatures make a ${role} (GHSA-fphv-w9fq-2525)`, async () => {
      repository.publish({ rotate: true, thresholds: { [role]: threshold } });
      await assert.rejects(load(), { code: 'trust-rejected', message: /threshold/ });
    });

  it('counts a key once, however many signatures by it are there', async () => {
    repository.publish({ rotate: true, thresholds: { timestamp: 2 } });
    const signed = JSON.parse(Buffer.from(repository.files.get('timestamp.json') ?? []).toString()) as {
      signatures: { keyid: string; sig: string }[];
    };
    const [{ keyid, sig } = { keyid: '', sig: '' }] = signed.signatures;
    for (const signatures of [
      [{ keyid, sig }],
      [
        { keyid, sig },
        { keyid, sig },
      ],
      [
        { keyid, sig },
        { keyid: keyid.toUpperCase(), sig },
      ],
    ]) {
      repository.files.set('timestamp.json', Buffer.from(JSON.stringify({ ...signed, signatures })));
      await assert.rejects(load(), { code: 'trust-rejected' });
    }
  });

  it('takes a target from the first role to which it is left, and from no later one (CVE-2024-47534)', async () => {
    const [first, second] = ['{"by":"first"}', '{"by":"second"}'].map((own) => ({ 'trusted_root.json': own }));
    assert.ok(first !== undefined && second !== undefined);
    const delegate = (delegations: readonly Delegation[]): Promise<LoadedMirror> => {
      repository = new TestRepository({});
      repository.publish({ delegations });
      mirror = { ...mirror, anchor: repository.root() };
      return load();
    };
    const loaded = await delegate([
      { role: 'z', targets: first },
      { role: 'a', targets: second },
    ]);
    assert.equal(text(loaded), '{"by":"first"}');
    const silent = { role: 'z', targets: { 'trusted_root.jso?': '{}' }, terminating: true };
    await assert.rejects(delegate([silent, { role: 'a', targets: second }]), { code: 'trust-unavailable' });
    const forged = { role: 'z', targets: first, signer: newKey() };
    await assert.rejects(delegate([forged, { role: 'a', targets: second }]), { code: 'trust-rejected' });
  });

  it('takes what is its own before what is left to others', async () => {
    repository.publish({ delegations: [{ role: 'other', targets: { 'trusted_root.json': '{"theirs":1}' } }] });
    assert.equal(text(await load()), '{"first":1}');
  });

  it('writes nothing beside its folder, whatever roles and targets are named (GHSA-jqc5-w2xx-5vq4, GHSA-fcv2-xgw5-pqxf)', async () => {
    const name = `escaped-${process.pid}`;
    repository = new TestRepository({ [`../../${name}`]: '{"evil":1}' });
    repository.publish({ delegations: [{ role: `../${name}`, targets: { 'trusted_root.json': '{"left":1}' } }] });
    mirror = { ...mirror, anchor: repository.root() };
    assert.equal(text(await load()), '{"left":1}');
    for (const place of [tmpdir(), join(tmpdir(), '..'), folder])
      assert.deepEqual(
        readdirSync(place).filter((found) => found.startsWith(name)),
        [],
        place,
      );
  });

  it('is not frozen: the same timestamp serves until it expires and no longer', async () => {
    repository.publish({ expires: { timestamp: new Date(now.getTime() + 48 * HOUR) } });
    await load();
    assert.equal((await load(later(47))).kept, false);
    await assert.rejects(load(later(49)), { code: 'trust-expired', message: /its timestamp\.json at/ });
  });

  it('refuses documents of different times: a snapshot or targets of before under the timestamp of now', async () => {
    const old = new Map(repository.files);
    repository.publish({ targets: { 'trusted_root.json': '{"second":2}' } });
    for (const [asked, given] of [
      ['2.snapshot.json', '1.snapshot.json'],
      ['2.targets.json', '1.targets.json'],
    ] as const) {
      meddle = (path) => (path === asked ? { body: old.get(given) } : undefined);
      await assert.rejects(load(), { code: 'trust-rejected' });
    }
  });

  it('refuses a target that is not the one that was signed, and one that is longer', async () => {
    for (const forged of ['{"first":2}', `{"first":1}${' '.repeat(100)}`]) {
      meddle = (path) => (path.endsWith('trusted_root.json') ? { body: Buffer.from(forged) } : undefined);
      await assert.rejects(load(), { code: 'trust-rejected' });
    }
  });

  it('reads no document without end, and none that is absurd', async () => {
    const absurd = ['', 'no JSON', '[]', 'null', '{"signed":1}', '['.repeat(8000), '{"signed":{},"signatures":[]}'];
    for (const document of absurd) {
      meddle = (path) => (path === 'timestamp.json' ? { body: Buffer.from(document) } : undefined);
      await assert.rejects(load(), { code: 'trust-rejected' });
    }
    meddle = (path) => (path === 'timestamp.json' ? { body: Buffer.alloc(20_000, ' ') } : undefined);
    await assert.rejects(load(), { code: 'trust-rejected', message: /more than the 16384 bytes/ });
  });

  it('says that a repository is not whole where it lacks a document or the trusted root', async () => {
    for (const gone of ['timestamp.json', '1.snapshot.json', '1.targets.json']) {
      meddle = (path) => (path === gone ? { status: 404, body: '' } : undefined);
      await assert.rejects(load(), { code: 'trust-unavailable' });
    }
    meddle = undefined;
    repository = new TestRepository({ 'other.json': '{}' });
    mirror = { ...mirror, anchor: repository.root() };
    await assert.rejects(load(), { code: 'trust-unavailable', message: /has no trusted_root\.json/ });
  });

  it('keeps nothing of a refresh that failed', async () => {
    await load();
    const before = readFileSync(join(folder, stateName(mirror)));
    repository.publish({ rotate: true, targets: { 'trusted_root.json': '{"second":2}' } });
    meddle = (path) => (path.endsWith('trusted_root.json') ? { body: Buffer.from('{"first":2}') } : undefined);
    await assert.rejects(load(later(25)), { code: 'trust-rejected' });
    assert.deepEqual(readFileSync(join(folder, stateName(mirror))), before);
  });

  it('keeps the newer state of two processes that refresh at a time', async () => {
    const old = new Map(repository.files);
    const slow = tokenServer(({ url }) => {
      const path = url.pathname.slice('/repository/'.length);
      return old.has(path) ? { body: old.get(path) } : { status: 404, body: '' };
    });
    let faster: Promise<unknown> = Promise.resolve();
    meddle = undefined;
    repository.publish({ targets: { 'trusted_root.json': '{"second":2}' } });
    const overtaken = tokenServer(async (request) => {
      if (request.url.pathname.endsWith('.signing_config.v0.2.json')) await (faster = load());
      return slow.client.exchange({ method: 'GET', url: request.url }, async (response) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of response.body) chunks.push(chunk);
        return { status: response.status, body: Buffer.concat(chunks) };
      });
    });
    await load({ http: overtaken.client });
    await faster;
    assert.equal(text(await load(later(1))), '{"second":2}');
  });

  it('is loaded by many at a time, and leaves one file', async () => {
    const loaded = await Promise.all(Array.from({ length: 8 }, () => load()));
    for (const each of loaded) assert.equal(text(each), '{"first":1}');
    assert.deepEqual(readdirSync(folder), [stateName(mirror)]);
  });

  it('sweeps what a process left that was killed while it wrote', async () => {
    const left = join(folder, `${stateName(mirror)}.0123456789abcdef.new`);
    writeFileSync(left, 'half');
    utimesSync(left, new Date(0), new Date(0));
    await load();
    assert.deepEqual(readdirSync(folder), [stateName(mirror)]);
  });

  it('serves what it verified where it cannot be kept, and says so', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const loaded = await load({ folder: join(file, 'below') });
    assert.equal(loaded.unkept?.code, 'cache-unwritable');
    assert.equal(text(loaded), '{"first":1}');
  });

  it('keeps nothing where there is no place to', async () => {
    const { folder: _folder, ...nowhere } = { folder, http: server.client, now };
    assert.equal((await loadMirror(mirror, nowhere)).kept, false);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('keeps apart what follows from different first roots', async () => {
    await load();
    const other = { ...mirror, anchor: new TestRepository(FIRST).root() };
    await assert.rejects(loadMirror(other, { http: server.client, now, folder }), { code: 'trust-rejected' });
  });

  it('keeps states to its owner', { skip: process.platform === 'win32' }, async () => {
    chmodSync(folder, 0o755);
    await load();
    assert.equal(statSync(join(folder, stateName(mirror))).mode & 0o077, 0);
  });
});
