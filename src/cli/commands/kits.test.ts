// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { signImage } from '../../image/index.ts';
import { bytesBlob, digestOf, MediaType, openRemoteRepository, parseReference } from '../../oci/index.ts';
import { serveRegistry, type RunningRegistry } from '../../registry/index.ts';
import {
  assembleTrustedRoot,
  encodeBundle,
  encodePublicKey,
  encodeStatement,
  encodeTrustedRoot,
  generatePrivateKey,
  keySigner,
} from '../../trust/index.ts';
import { ISSUER, newTestSigstore, SUBJECT } from '../../trust/keyless-seal.fixture.ts';
import { runRecorded, type Ran } from '../recording-host.fixture.ts';

const cwd = mkdtempSync(join(tmpdir(), 'bulla-kits-'));
const NOW = new Date('2026-06-01T00:00:00Z');
const us = keySigner(await generatePrivateKey('ecdsa-p256'));
let registry: RunningRegistry;
let host = '';

const run = (...argv: readonly string[]): Promise<Ran> => runRecorded(argv, { cwd, now: NOW });

function policy(name: string, glob: string, more: object = {}): string {
  return JSON.stringify({
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: { images: [{ glob }], authorities: [{ name: 'us', key: { data: encodePublicKey(us.publicKey) }, ...more }] },
  });
}

before(async () => {
  registry = await serveRegistry({ data: join(cwd, 'data'), port: 0 });
  host = `localhost:${new URL(registry.url).port}`;
  mkdirSync(join(cwd, 'files'));
  for (const [name, text] of [
    ['app', 'sealed'],
    ['web', 'sealed too'],
    ['other', 'plain'],
  ] as const) {
    writeFileSync(join(cwd, 'files/hello'), text);
    assert.equal((await run('image', 'pack', 'files', `${host}/team/${name}:1.4`)).code, 0);
    if (name === 'other') continue;
    const reference = parseReference(`${host}/team/${name}`);
    await signImage(openRemoteRepository(reference, { access: 'write' }), '1.4', { signer: us, now: NOW });
  }
  writeFileSync(join(cwd, 'policies.yaml'), policy('sealed', `${host}/team/*`));
  writeFileSync(join(cwd, 'bad.yaml'), policy('sealed', `${host}/team/*`, { nope: 1 }));
  writeFileSync(join(cwd, 'root.json'), encodeTrustedRoot(assembleTrustedRoot({})));
});
after(async () => {
  await registry.close();
  rmSync(cwd, { recursive: true, force: true });
});

describe('save', () => {
  it('prints what it saved, and --kit decides by it without a network', async () => {
    const images = ['app', 'web', 'other'].map((name) => `${host}/team/${name}:1.4`);
    const saved = await run(
      'save',
      '--dir',
      'kit',
      '--policy',
      'policies.yaml',
      '--trusted-root',
      'root.json',
      ...images,
    );
    assert.equal(saved.code, 0, saved.stderr);
    const lines = saved.stdout.trim().split('\n');
    assert.deepEqual(
      lines.map((line) => line.replace(/@sha256:[0-9a-f]{64}$/, '')),
      images,
    );
    const decide = (image: string): Promise<Ran> => run('policy', 'explain', '--no-network', '--kit', 'kit', image);
    for (const image of [images[0] ?? '', lines[1] ?? '']) {
      const decided = await decide(image);
      assert.equal(decided.code, 0, decided.stdout + decided.stderr);
    }
    const refused = await decide(images[2] ?? '');
    assert.equal(refused.code, 1);
    assert.match(refused.stdout, /refused/);
    const unknown = await decide(`${host}/team/elsewhere:1`);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stdout, /undecided/);
    assert.match(unknown.stdout, /was not saved/);
  });

  it('decides by other policies than those of the kit where they are named', async () => {
    const stranger = keySigner(await generatePrivateKey('ecdsa-p256'));
    const text = policy('theirs', `${host}/team/*`).replace(
      JSON.stringify(encodePublicKey(us.publicKey)),
      JSON.stringify(encodePublicKey(stranger.publicKey)),
    );
    writeFileSync(join(cwd, 'theirs.yaml'), text);
    assert.equal((await run('save', '--dir', 'kit2', '--policy', 'policies.yaml', `${host}/team/app:1.4`)).code, 0);
    const explain = ['policy', 'explain', '--no-network', '--kit', 'kit2', `${host}/team/app:1.4`];
    assert.equal((await run(...explain)).code, 0);
    assert.equal((await run(...explain, '--policy', 'theirs.yaml')).code, 1);
  });

  it('never decides by a trusted root of the kit where the policies are those of the user', async () => {
    const theirs = await newTestSigstore();
    const reference = parseReference(`${host}/team/forged`);
    writeFileSync(join(cwd, 'files/hello'), 'forged');
    const packed = await run('image', 'pack', 'files', `${host}/team/forged:1.4`);
    const digest = /sha256:(?<hex>[0-9a-f]{64})/.exec(packed.stdout)?.groups?.['hex'] ?? '';
    // a stranger's own authority says that the seal is by the identity that is expected
    const statement = encodeStatement({
      subjects: [{ digest: { algorithm: 'sha256', hex: digest } }],
      predicateType: 'https://sigstore.dev/cosign/sign/v1',
      predicate: {},
    });
    const seal = encodeBundle(await theirs.seal({ payload: statement }));
    const to = openRemoteRepository(reference, { access: 'write' });
    const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    for (const bytes of [seal, new TextEncoder().encode('{}')]) await to.putBlob(bytesBlob(bytes));
    const manifest = {
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      artifactType: type,
      config: { mediaType: MediaType.empty, size: 2, digest: digestOf(new TextEncoder().encode('{}')) },
      layers: [{ mediaType: type, size: seal.byteLength, digest: digestOf(seal) }],
      subject: { mediaType: MediaType.imageManifest, size: 2, digest: `sha256:${digest}` },
    };
    await to.putManifest(new TextEncoder().encode(JSON.stringify(manifest)), MediaType.imageManifest);
    writeFileSync(join(cwd, 'theirs.json'), encodeTrustedRoot(theirs.trustedRoot));
    const identities = [{ issuer: ISSUER, subject: SUBJECT }];
    const keyless = (more: object): string =>
      JSON.stringify({
        apiVersion: 'policy.sigstore.dev/v1beta1',
        kind: 'ClusterImagePolicy',
        metadata: { name: 'ours' },
        spec: { images: [{ glob: '**' }], authorities: [{ keyless: { identities, ...more } }] },
      });
    const inline = {
      apiVersion: 'policy.sigstore.dev/v1alpha1',
      kind: 'TrustRoot',
      metadata: { name: 'acme' },
      spec: { trustedRootJSON: JSON.parse(readFileSync(join(cwd, 'root.json'), 'utf8')) as object },
    };
    writeFileSync(join(cwd, 'ours.yaml'), keyless({}));
    writeFileSync(join(cwd, 'named.yaml'), `${JSON.stringify(inline)}\n---\n${keyless({ trustRootRef: 'acme' })}`);
    const trusting = ['--trusted-root', 'theirs.json', '--trust-root', 'acme=theirs.json'];
    const image = `${host}/team/forged:1.4`;
    const saved = await run('save', '--dir', 'kit11', '--policy', 'ours.yaml', ...trusting, image);
    assert.equal(saved.code, 0, saved.stderr);
    const explain = (...more: readonly string[]): Promise<Ran> =>
      run('policy', 'explain', '--no-network', '--kit', 'kit11', ...more, image);
    assert.equal((await explain()).code, 0, 'whoever decides by what is in a kit believes who made it');
    assert.equal((await explain('--policy', 'ours.yaml')).code, 1);
    assert.equal((await explain('--policy', 'named.yaml')).code, 1);
    assert.equal((await explain('--policy', 'ours.yaml', '--trusted-root', 'theirs.json')).code, 0);
  });

  it('takes evidence from where the policies look for it', async () => {
    const elsewhere = openRemoteRepository(parseReference(`${host}/team/seals`), { access: 'write' });
    const from = openRemoteRepository(parseReference(`${host}/team/other`), { access: 'write' });
    await signImage(from, '1.4', { signer: us, evidence: elsewhere, formats: ['legacy'], now: NOW });
    writeFileSync(
      join(cwd, 'source.yaml'),
      policy('sealed', `${host}/team/other*`, { source: [{ oci: `${host}/team/seals` }] }),
    );
    assert.equal((await run('save', '--dir', 'kit3', '--policy', 'source.yaml', `${host}/team/other:1.4`)).code, 0);
    const decided = await run('policy', 'explain', '--no-network', '--kit', 'kit3', `${host}/team/other:1.4`);
    assert.equal(decided.code, 0, decided.stdout);
  });

  it('takes images and evidence from the mirrors of the policies, where a decision asks for them', async () => {
    const reference = parseReference(`${host}/near/app`);
    assert.equal((await run('load', '--dir', 'kit', '--to', `${host}/near/hub`)).code, 0);
    const image = openRemoteRepository(parseReference(`${host}/near/hub/team/other`), { access: 'write' });
    writeFileSync(join(cwd, 'files/hello'), 'mirrored');
    assert.equal((await run('image', 'pack', 'files', `${host}/near/hub/team/other:1`)).code, 0);
    const evidence = openRemoteRepository({ ...reference, repository: 'near/seals/team' }, { access: 'write' });
    await signImage(image, '1', { signer: us, evidence, formats: ['legacy'], now: NOW });
    const settings = JSON.stringify({
      apiVersion: 'policy.bulla/v1alpha1',
      kind: 'PolicySettings',
      metadata: { name: 's' },
      spec: {
        mirrors: [
          { upstream: 'far.example.com', mirror: `${host}/near/hub` },
          { upstream: 'seals.example.com', mirror: `${host}/near/seals` },
        ],
      },
    });
    const source = { source: [{ oci: 'seals.example.com/team' }] };
    writeFileSync(join(cwd, 'mirrors.yaml'), `${policy('far', 'far.example.com/**', source)}\n---\n${settings}`);
    // by its own name, by that of the mirror, and by the folder that it lies in
    assert.equal((await run('image', 'pack', 'files', 'oci-layout:mirrored:v1')).code, 0);
    for (const [at, saved] of [
      ['far.example.com/team/other:1'],
      [`${host}/near/hub/team/other:1`],
      ['oci-layout:mirrored:v1', '--as', 'far.example.com/team/other:1'],
    ].entries()) {
      const kit = `mirrored${at}`;
      const done = await run('save', '--dir', kit, '--policy', 'mirrors.yaml', ...saved);
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stdout, new RegExp(`^${host}/near/hub/team/other:1@sha256:`));
      for (const name of ['far.example.com/team/other:1', `${host}/near/hub/team/other:1`]) {
        const decided = await run('policy', 'explain', '--no-network', '--kit', kit, name);
        assert.equal(decided.code, 0, decided.stdout);
      }
    }
  });

  it('opens the places of evidence with the Secrets that policies name for them', async () => {
    const data = { '.dockerconfigjson': Buffer.from('not JSON').toString('base64') };
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'seals' },
      type: 'kubernetes.io/dockerconfigjson',
      data,
    };
    const source = { source: [{ oci: `${host}/team/seals`, signaturePullSecrets: [{ name: 'seals' }] }] };
    writeFileSync(
      join(cwd, 'secret.yaml'),
      `${policy('sealed', `${host}/team/*`, source)}\n---\n${JSON.stringify(secret)}`,
    );
    const refused = await run('save', '--dir', 'secret', '--policy', 'secret.yaml', `${host}/team/app:1.4`);
    assert.match(
      refused.stderr,
      /^Error: the Secret seals has an entry \.dockerconfigjson that is no docker configuration$/m,
    );
  });

  it('takes an image from a layout under the name that policies know', async () => {
    writeFileSync(join(cwd, 'files/hello'), 'from a layout');
    assert.equal((await run('image', 'pack', 'files', 'oci-layout:build:v1')).code, 0);
    const unnamed = await run('save', '--dir', 'kit4', 'oci-layout:build:v1');
    assert.equal(unnamed.code, 1);
    assert.match(unnamed.stderr, /has no name that policies know/);
    const named = await run(
      'save',
      '--no-network',
      '--dir',
      'kit4',
      '--as',
      'registry.example.com/x:2',
      'oci-layout:build:v1',
    );
    assert.equal(named.code, 0, named.stderr);
    assert.match(named.stdout, /^registry\.example\.com\/x:2@sha256:[0-9a-f]{64}\n$/);
  });

  it('opens no socket for a policy or trusted root behind an address, and says at once that a kit cannot hold them', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const address = { url: `https://127.0.0.1:${port}/p.cel`, sha256sum: '0'.repeat(64) };
      const behind = JSON.parse(policy('sealed', `${host}/team/*`)) as { spec: Record<string, unknown> };
      behind.spec['policy'] = { type: 'cel', remote: address };
      writeFileSync(join(cwd, 'remote.yaml'), JSON.stringify(behind));
      const root = Buffer.from('{"signatures":[],"signed":{}}').toString('base64');
      const trustRoot = {
        apiVersion: 'policy.sigstore.dev/v1alpha1',
        kind: 'TrustRoot',
        metadata: { name: 'acme' },
        spec: { remote: { mirror: `http://127.0.0.1:${port}`, root } },
      };
      const logged = policy('sealed', `${host}/team/*`, { ctlog: { trustRootRef: 'acme' } });
      writeFileSync(join(cwd, 'trust.yaml'), `${JSON.stringify(trustRoot)}\n---\n${logged}`);
      const saved = await run('save', '--dir', 'kit9', '--policy', 'remote.yaml', `${host}/team/app:1.4`);
      assert.equal(saved.code, 0, saved.stderr);
      assert.match(saved.stderr, /is not fetched here: write it as data/);
      for (const files of [[], ['--policy', 'remote.yaml'], ['--policy', 'trust.yaml']]) {
        const decided = await run('policy', 'explain', '--kit', 'kit9', ...files, `${host}/team/app:1.4`);
        assert.notEqual(decided.code, 0);
        assert.match(decided.stderr, /write it as data|give the trusted root that it publishes/);
      }
      assert.deepEqual(asked, []);
      const without = await run('save', '--dir', 'kit10', '--policy', 'trust.yaml', `${host}/team/app:1.4`);
      assert.notEqual(without.code, 0, 'a kit without the trusted root that its policies need');
    } finally {
      server.close();
    }
  });

  it('writes JSON', async () => {
    const saved = await run('save', '--json', '--dir', 'kit5', '--policy', 'policies.yaml', `${host}/team/app:1.4`);
    const { images, ...rest } = JSON.parse(saved.stdout) as { readonly images: readonly { readonly digest: string }[] };
    const digest = images[0]?.digest;
    assert.deepEqual(images, [{ name: `${host}/team/app`, tag: '1.4', digest, platform: null, evidence: 1 }]);
    assert.deepEqual(rest, {
      dir: 'kit5',
      policies: ['1-policies.yaml'],
      trustedRoot: false,
      trustRoots: [],
      warnings: [],
    });
  });

  it('refuses what is wrong before anything is written', async () => {
    for (const [argv, message] of [
      [['save', `${host}/team/app:1.4`], /required flag\(s\) "dir" not set/],
      [['save', '--dir', 'kit6', '--policy', 'bad.yaml', `${host}/team/app:1.4`], /unknown field/],
      [['save', '--dir', 'kit6', `${host}/team/nothing:1`], /has no tag '1'/],
      [['save', '--dir', 'kit6', '--platform', 'linux', `${host}/team/app:1.4`], /is no platform/],
      [['save', '--dir', 'files', `${host}/team/app:1.4`], /it has other files and no oci-layout/],
      [['save', '--dir', 'build', `${host}/team/app:1.4`], /was not saved here/],
      [['policy', 'explain', '--kit', 'build', `${host}/team/app:1.4`], /is a layout and no kit/],
    ] as const) {
      const ran = await run(...argv);
      assert.notEqual(ran.code, 0, argv.join(' '));
      assert.match(ran.stderr, message);
    }
  });
});

describe('load', () => {
  it('puts all images of a kit below a registry or prefix, each with its evidence', async () => {
    const images = ['app', 'web'].map((name) => `${host}/team/${name}:1.4`);
    assert.equal((await run('save', '--dir', 'kit7', ...images)).code, 0);
    const loaded = await run('load', '--dir', 'kit7', '--to', `${host}/mirror`);
    assert.equal(loaded.code, 0, loaded.stderr);
    assert.match(
      loaded.stdout,
      new RegExp(`^${host}/mirror/team/app:1\\.4@sha256:[0-9a-f]{64}\n${host}/mirror/team/web:1\\.4@`),
    );
    writeFileSync(join(cwd, 'us.pub'), encodePublicKey(us.publicKey));
    const verified = await run('verify', '--key', 'us.pub', '--insecure-ignore-tlog', `${host}/mirror/team/web:1.4`);
    assert.equal(verified.code, 0, verified.stderr);
    const one = await run('load', '--dir', 'kit7', `${host}/x:1`);
    assert.match(one.stderr, /the kit holds 2 images/);
  });

  it('puts one image where it is told to, or into a layout', async () => {
    assert.equal((await run('save', '--dir', 'kit8', `${host}/team/app:1.4`)).code, 0);
    for (const target of [`${host}/one/app:v9`, 'oci-layout:loaded:v9']) {
      const loaded = await run('load', '--json', '--dir', 'kit8', target);
      assert.equal(loaded.code, 0, loaded.stderr);
      const { images } = JSON.parse(loaded.stdout) as {
        images: readonly { from: string; tag: string; evidence: number }[];
      };
      assert.deepEqual(
        images.map(({ from, tag, evidence }) => [from, tag, evidence]),
        [[`${host}/team/app:1.4`, 'v9', 1]],
      );
      const verified = await run('verify', '--key', 'us.pub', '--insecure-ignore-tlog', target);
      assert.equal(verified.code, 0, verified.stderr);
    }
  });

  it('refuses what is wrong', async () => {
    for (const [argv, message] of [
      [['load', 'localhost:1/x'], /required flag\(s\) "dir" not set/],
      [['load', '--dir', 'nowhere', 'localhost:1/x'], /there is no such directory/],
      [['load', '--dir', 'build'], /does not say what its image is called/],
      [['load', '--dir', 'kit7', '--to', 'team/x'], /expected REGISTRY/],
      [['load', '--dir', 'kit7', '--to', `${host}/m`, `${host}/x:1`], /not both/],
      [['load', '--no-network', '--dir', 'kit8', `${host}/x:1`], /--no-network/],
    ] as const) {
      const ran = await run(...argv);
      assert.notEqual(ran.code, 0, argv.join(' '));
      assert.match(ran.stderr, message);
    }
  });
});
