// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentServer, tokenServer, type TokenServer } from '../token/token-transport.fixture.ts';
import { describeOrigin, initializeTrust, loadTrust, type LoadTrustOptions, type TrustMaterial } from '../index.ts';
import { checksumOf } from './trust-place.ts';
import { MIRROR, TestRepository } from './tuf-repository.fixture.ts';

const STACK = join(import.meta.dirname, '../../../test/golden/_stack');
const now = new Date();
/** a signing config with a log of Rekor v1 */
const CONFIG_V1 = readFileSync(join(STACK, 'sc-rekor2-tsa.json'), 'utf8').replace(
  /("rekorTlogUrls"[^]*?"majorApiVersion": *)2/,
  '$11',
);

describe('whom to trust', () => {
  let folder: string;
  let repository: TestRepository;
  let server: TokenServer;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bulla-trust-'));
    repository = new TestRepository({
      'trusted_root.json': readFileSync(join(STACK, 'trusted_root.json'), 'utf8'),
      'signing_config.v0.2.json': readFileSync(join(STACK, 'sc-rekor2-tsa.json'), 'utf8'),
    });
    server = tokenServer((request) => repository.answer(request));
    writeFileSync(join(folder, 'root.json'), repository.root());
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const load = (options: Partial<LoadTrustOptions> = {}): Promise<TrustMaterial> =>
    loadTrust({ env: {}, home: folder, cwd: folder, now, http: server.client, ...options });
  const initialize = (options: object = {}) =>
    initializeTrust({
      env: {},
      home: folder,
      cwd: folder,
      now,
      http: server.client,
      mirror: MIRROR,
      root: 'root.json',
      ...options,
    });

  it('is the public instance as it was built in, where nobody says otherwise: without a request, and with its age', async () => {
    const material = await load({ http: silentServer().client });
    assert.equal(material.origin.kind, 'built-in');
    assert.ok(material.trustedRoot.logs.some(({ baseUrl }) => baseUrl === 'https://rekor.sigstore.dev'));
    assert.ok(material.trustedRoot.certificateAuthorities.length >= 1);
    assert.equal(material.signingConfig, undefined);
    const line = describeOrigin(material.origin, new Date('2036-01-01T00:00:00Z'));
    assert.match(line, /^built in: the public instance of Sigstore, root \d+ of 20\d\d-\d\d-\d\d \(\d{4} days ago\)$/);
  });

  it('is a named file before anything else', async () => {
    await initialize();
    const env = { TUF_MIRROR: MIRROR, TUF_ROOT_JSON: 'root.json', SIGSTORE_ROOT_FILE: 'nowhere.pem' };
    const file = join(STACK, 'trusted_root.json');
    const material = await load({ env, trustedRootFile: file, http: silentServer().client });
    assert.deepEqual(material.origin, { kind: 'file', path: file });
    assert.equal(material.trustedRoot.logs.length, 2);
    await assert.rejects(load({ trustedRootFile: 'missing.json' }), {
      code: 'file-unreadable',
      message: /no such file/,
    });
    await assert.rejects(load({ trustedRootFile: '.' }), { code: 'file-unreadable' });
    writeFileSync(join(folder, 'bad.json'), '{}');
    await assert.rejects(load({ trustedRootFile: 'bad.json' }), { code: 'trusted-root-unsupported' });
  });

  it('is a client trust config with its signing config, of which a named signing config takes the place', async () => {
    const config = {
      mediaType: 'application/vnd.dev.sigstore.clienttrustconfig.v0.1+json',
      trustedRoot: JSON.parse(readFileSync(join(STACK, 'trusted_root.json'), 'utf8')) as unknown,
      signingConfig: JSON.parse(CONFIG_V1) as unknown,
    };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    const material = await load({ clientTrustConfigFile: 'config.json' });
    assert.equal(material.origin.kind, 'client-trust-config');
    assert.equal(material.signingConfig?.logs[0]?.majorApiVersion, 1);
    const signingConfigFile = join(STACK, 'sc-rekor2-tsa.json');
    const other = await load({ clientTrustConfigFile: 'config.json', signingConfigFile });
    assert.equal(other.signingConfig?.logs[0]?.majorApiVersion, 2);
    const trustedRootFile = join(STACK, 'trusted_root.json');
    const third = await load({ clientTrustConfigFile: 'config.json', trustedRootFile });
    assert.equal(third.origin.kind, 'file');
    assert.equal(third.signingConfig?.logs[0]?.majorApiVersion, 1);
    assert.deepEqual(server.lines(), []);
  });

  it('is what variables name, part by part, and the rest of what is distributed', async () => {
    const all = {
      SIGSTORE_ROOT_FILE: join(STACK, 'fulcio-chain.pem'),
      SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: join(STACK, 'ctfe.pub'),
      SIGSTORE_REKOR_PUBLIC_KEY: join(STACK, 'rekor1.pub'),
      SIGSTORE_TSA_CERTIFICATE_FILE: join(STACK, 'tsa-chain.pem'),
    };
    const whole = await load({ env: all, http: silentServer().client });
    assert.deepEqual(whole.origin, { kind: 'variables', names: Object.keys(all) });
    assert.equal(whole.trustedRoot.logs.length, 1);
    assert.equal(whole.trustedRoot.timestampAuthorities.length, 1);
    const { SIGSTORE_REKOR_PUBLIC_KEY, SIGSTORE_ROOT_FILE } = all;
    const key = await load({ env: { SIGSTORE_REKOR_PUBLIC_KEY }, expected: 'keys', http: silentServer().client });
    assert.equal(key.trustedRoot.certificateAuthorities.length, 0);
    const part = await load({ env: { SIGSTORE_ROOT_FILE } });
    assert.ok(part.origin.kind === 'variables' && part.origin.rest?.kind === 'built-in');
    assert.ok(part.trustedRoot.logs.some(({ baseUrl }) => baseUrl === 'https://rekor.sigstore.dev'));
    assert.ok(part.trustedRoot.certificateAuthorities.length > 0);
    assert.match(describeOrigin(part.origin, now), /^variables SIGSTORE_ROOT_FILE; the rest from built in: /);
    await assert.rejects(load({ env: { ...all, SIGSTORE_ROOT_FILE: 'nowhere.pem' } }), {
      code: 'file-unreadable',
      message: /^SIGSTORE_ROOT_FILE nowhere\.pem cannot be read/,
    });
  });

  it('is the repository that was initialised, from then on, for this user', async () => {
    const initialized = await initialize();
    assert.equal(initialized.rootChecksum, checksumOf(repository.root()));
    server.asked.length = 0;
    const material = await load();
    assert.ok(material.origin.kind === 'tuf' && material.origin.kept);
    assert.equal(material.origin.mirror, MIRROR);
    assert.equal(material.trustedRoot.logs.length, 2);
    assert.equal(material.signingConfig?.logs[0]?.majorApiVersion, 2);
    assert.match(
      describeOrigin(material.origin, now),
      /^TUF repository https:\/\/tuf\.example\/repository, asked just now, good until 20/,
    );
    assert.deepEqual(server.lines(), []);
    assert.deepEqual(readdirSync(join(folder, '.sigstore/root')), ['bulla']);
  });

  it('is kept in TUF_ROOT, where that is set', async () => {
    const env = { TUF_ROOT: 'elsewhere' };
    await initialize({ env });
    assert.deepEqual(readdirSync(join(folder, 'elsewhere')), ['bulla']);
    assert.equal((await load({ env, offline: true })).origin.kind, 'tuf');
    assert.equal((await load({ offline: true })).origin.kind, 'built-in');
  });

  it('is the mirror that variables name for one run, with the root that they name or that was initialised', async () => {
    const env = { TUF_MIRROR: `${MIRROR}/` };
    await assert.rejects(load({ env }), { code: 'trust-missing', message: /TUF_ROOT_JSON/ });
    assert.equal((await load({ env: { ...env, TUF_ROOT_JSON: 'root.json' } })).origin.kind, 'tuf');
    await initialize();
    assert.equal((await load({ env })).origin.kind, 'tuf');
    await assert.rejects(load({ env: { TUF_MIRROR: 'ftp://tuf.example' } }), { code: 'setting-malformed' });
    await assert.rejects(load({ env: { TUF_MIRROR: 'https://user:secret@tuf.example' } }), (error: Error) => {
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });

  it('is what cosign was initialised with, which stays as it is', async () => {
    const cosign = join(folder, '.sigstore/root');
    mkdirSync(join(cosign, 'tuf.example-repository'), { recursive: true });
    writeFileSync(join(cosign, 'remote.json'), JSON.stringify({ mirror: MIRROR }));
    writeFileSync(join(cosign, 'tuf.example-repository/root.json'), repository.root());
    const material = await load();
    assert.ok(material.origin.kind === 'tuf' && material.origin.mirror === MIRROR);
    assert.deepEqual(readdirSync(cosign).toSorted(), ['bulla', 'remote.json', 'tuf.example-repository']);
    assert.deepEqual(readdirSync(join(cosign, 'tuf.example-repository')), ['root.json']);
    for (const broken of ['', '[]', '{"mirror":7}', '{"mirror":".."}']) {
      writeFileSync(join(cosign, 'remote.json'), broken);
      assert.equal((await load({ http: silentServer().client })).origin.kind, 'built-in');
    }
  });

  it('is asked of the public instance where one is about to sign with it, and never offline', async () => {
    const asked = tokenServer(() => ({ status: 503, body: 'no' }));
    await assert.rejects(load({ signing: true, http: asked.client }), { code: 'trust-unavailable' });
    assert.ok(asked.asked.every(({ url }) => url.host === 'tuf-repo-cdn.sigstore.dev'));
    assert.equal((await load({ signing: true, offline: true, http: silentServer().client })).origin.kind, 'built-in');
    const signingConfigFile = join(STACK, 'sc-rekor2-tsa.json');
    const material = await load({ signing: true, signingConfigFile, http: silentServer().client });
    assert.equal(material.origin.kind, 'built-in');
  });

  describe('the first root', () => {
    const remote = 'http://tuf.example/root.json';

    it('is not taken over plain http from beyond this machine without a checksum: nobody is asked', async () => {
      for (const root of [
        remote,
        'HTTP://tuf.example/root.json',
        'http://127.0.0.1.example/root.json',
        'http://0.0.0.0/root.json',
      ]) {
        const silent = silentServer();
        await assert.rejects(initialize({ root, http: silent.client }), {
          code: 'root-unprotected',
          message: /--root-checksum/,
        });
        assert.deepEqual(silent.lines(), []);
      }
    });

    it('is taken over plain http with its checksum, from this machine without, and over https without', async () => {
      const serving = tokenServer((request) =>
        request.url.pathname === '/root.json' ? { body: repository.root() } : repository.answer(request),
      );
      const rootChecksum = checksumOf(repository.root()).toUpperCase();
      await initialize({ root: remote, rootChecksum, http: serving.client });
      for (const root of [
        'http://127.0.0.1:1/root.json',
        'http://[::1]:1/root.json',
        'http://localhost:1/root.json',
        'https://tuf.example/root.json',
      ])
        await initialize({ root, http: serving.client });
    });

    it('is not taken from where a redirect of plain http leads', async () => {
      const redirecting = tokenServer(() => ({ status: 302, headers: { location: remote }, body: '' }));
      await assert.rejects(initialize({ root: 'http://127.0.0.1:1/root.json', http: redirecting.client }), {
        code: 'redirect-refused',
      });
      assert.equal(redirecting.lines().length, 1);
    });

    it('is refused with another checksum, and where it is no root', async () => {
      await assert.rejects(initialize({ rootChecksum: '00'.repeat(32) }), {
        code: 'root-checksum',
        message: /has the SHA-256 [0-9a-f]{64}, expected 00/,
      });
      for (const bad of ['', 'text', '[]', '{"signed":{"_type":"timestamp"}}', '{"signed":{"_type":"root"}}']) {
        writeFileSync(join(folder, 'bad.json'), bad);
        const refused = ({ code }: { code: string }): boolean => ['root-malformed', 'trust-rejected'].includes(code);
        await assert.rejects(initialize({ root: 'bad.json' }), refused);
      }
      await assert.rejects(initialize({ root: 'missing.json' }), { code: 'file-unreadable' });
      writeFileSync(join(folder, 'large.json'), Buffer.alloc(600_000));
      await assert.rejects(initialize({ root: 'large.json' }), { code: 'file-unreadable', message: /at most 512000/ });
      assert.equal((await load({ http: silentServer().client })).origin.kind, 'built-in');
    });

    it('is remembered only if all that follows from it is good', async () => {
      repository.publish({ targets: { 'trusted_root.json': '{"mediaType":"something else"}' } });
      await assert.rejects(initialize(), { code: 'trusted-root-unsupported' });
      assert.equal((await load({ http: silentServer().client })).origin.kind, 'built-in');
    });

    it('needs a place to be remembered in', async () => {
      const { client: http } = server;
      const options = { env: {}, cwd: folder, now, http, mirror: MIRROR, root: 'root.json' };
      await assert.rejects(initializeTrust(options), { code: 'cache-unwritable', message: /HOME or TUF_ROOT/ });
      assert.deepEqual(server.lines(), []);
    });
  });
});
