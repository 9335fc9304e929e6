// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openLayout, type Digest } from '../../oci/index.ts';
import { serveRegistry, type RunningRegistry } from '../../registry/index.ts';
import { runRecorded, type Ran, type RecordingHostOptions } from '../recording-host.fixture.ts';

let cwd: string;
let registry: RunningRegistry;
let host: string;
before(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'bulla-pack-'));
  mkdirSync(join(cwd, 'service'));
  writeFileSync(join(cwd, 'service/server.sh'), '#!/bin/sh\necho hello\n', { mode: 0o755 });
  registry = await serveRegistry({ data: join(cwd, 'registry'), port: 0, writeOnce: ['**:once'] });
  host = new URL(registry.url).host;
});
after(async () => {
  await registry.close();
  rmSync(cwd, { recursive: true, force: true });
});

const pack = (argv: readonly string[], options: RecordingHostOptions = {}): Promise<Ran> =>
  runRecorded(['image', 'pack', ...argv], { cwd, env: { HOME: cwd, DOCKER_CONFIG: cwd }, ...options });

describe('image pack', () => {
  it('pushes a folder as an image and prints what it is', async () => {
    const { code, stdout, stderr } = await pack(['service', `${host}/team/app:v1`]);
    assert.equal(code, 0, stderr);
    const [, digest] = /^.*\/team\/app:v1@(sha256:[0-9a-f]{64})\n$/.exec(stdout) ?? [];
    assert.equal((await registry.repository('team/app').resolve('v1'))?.digest, digest);
    assert.equal(stderr, '');
  });

  it('makes the same digest of the same files', async () => {
    const first = await pack(['service', `${host}/team/same:a`, '--json']);
    const second = await pack(['service', 'oci-layout:same:b', '--json']);
    const digests = [first, second].map(({ stdout }) => (JSON.parse(stdout) as { digest: string }).digest);
    assert.equal(digests[0], digests[1]);
  });

  it('puts what flags say into the image', async () => {
    const argv = [
      'service',
      'oci-layout:config:v1',
      '--platform',
      'linux/arm64',
      '--entrypoint',
      '/server.sh',
      '--entrypoint',
      '--loud',
    ];
    const more = ['--cmd', 'x', '--env', 'A=b=c', '--label', 'org.example.team=platform', '--json'];
    const { stdout } = await pack([...argv, ...more], { env: { SOURCE_DATE_EPOCH: '1700000000' } });
    const document = JSON.parse(stdout) as {
      repository: string;
      tag: string;
      digest: Digest;
      reference: string;
      layerSize: number;
    };
    assert.equal(document.repository, 'config');
    assert.equal(document.reference, `config:v1@${document.digest}`);
    assert.ok(document.layerSize > 0);
    const layout = await openLayout(join(cwd, 'config'));
    const manifest = JSON.parse(Buffer.from((await layout.manifest('v1'))?.bytes ?? []).toString()) as {
      config: { digest: Digest };
    };
    const config = JSON.parse(Buffer.from((await layout.blob(manifest.config.digest, 1e6)) ?? []).toString()) as Record<
      string,
      unknown
    >;
    assert.equal(config['architecture'], 'arm64');
    assert.equal(config['created'], '2023-11-14T22:13:20Z');
    assert.deepEqual(config['config'], {
      Env: ['A=b=c'],
      Entrypoint: ['/server.sh', '--loud'],
      Cmd: ['x'],
      Labels: { 'org.example.team': 'platform' },
    });
  });

  it('opens no socket for a layout', async () => {
    assert.equal((await pack(['service', 'oci-layout:offline:v1', '--no-network'])).code, 0);
  });

  it('draws its progress on a terminal and leaves stdout to the digest', async () => {
    const { stdout, stderr } = await pack(['service', `${host}/team/bar:v1`], { terminal: true });
    assert.match(stdout, /^[^\u001b]*@sha256:[0-9a-f]{64}\n$/);
    assert.match(stderr, /100%/);
    assert.ok(stderr.endsWith('\r\u001b[K'));
  });

  it('says that a tag is written once', async () => {
    assert.equal((await pack(['service', `${host}/team/app:once`])).code, 0);
    assert.equal((await pack(['service', `${host}/team/app:once`])).code, 0, 'the same digest again is no move');
    const { code, stdout, stderr } = await pack(['service', `${host}/team/app:once`, '--label', 'a=b']);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^Error: .*denied.*written once.*\n$/);
  });

  for (const [what, argv, code, text] of [
    ['a folder that is not there', ['nope', 'oci-layout:x:v1'], 1, /nope/],
    ['a reference that is none', ['service', 'UPPER/x'], 1, /not an image reference/],
    ['a digest', ['service', `oci-layout:x@sha256:${'0'.repeat(64)}`], 1, /name a tag/],
    ['a platform that is none', ['service', 'oci-layout:x:v1', '--platform', 'arm'], 1, /expected OS\/ARCH/],
    ['a label without a name', ['service', 'oci-layout:x:v1', '--label', '=v'], 1, /expected NAME=VALUE/],
    ['a variable without a name', ['service', 'oci-layout:x:v1', '--env', '=v'], 1, /NAME=VALUE/],
    ['one argument', ['service'], 1, /requires at least 2 arg\(s\), only received 1/],
    ['a registry that is not there', ['service', '127.0.0.1:1/x:v1', '--timeout', '20s'], 2, /127\.0\.0\.1:1/],
    ['a registry without network', ['service', '127.0.0.1:1/x:v1', '--no-network'], 1, /--no-network/],
  ] as const) {
    it(`refuses ${what}, and leaves nothing`, async () => {
      const ran = await pack(argv);
      assert.equal(ran.code, code, ran.stderr);
      assert.equal(ran.stdout, '');
      assert.match(ran.stderr, text);
      assert.equal((ran.stderr.match(/^Error: /gm) ?? []).length, 1);
      assert.ok(!existsSync(join(cwd, 'x')));
    });
  }

  it('refuses a time that is no number', async () => {
    assert.match(
      (await pack(['service', 'oci-layout:x:v1'], { env: { SOURCE_DATE_EPOCH: 'now' } })).stderr,
      /SOURCE_DATE_EPOCH is 'now'/,
    );
  });
});
