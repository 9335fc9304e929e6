// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { openLayout, RegistryError } from '../../oci/index.ts';
import { parseFlags } from '../arguments/parse-flags.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { createContext } from '../create-context.ts';
import { RecordingHost } from '../recording-host.fixture.ts';
import { GLOBAL_FLAGS } from './global.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS, type RegistryFlagValues } from './registry.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

let cwd: string;
let requests: { path: string; headers: IncomingHttpHeaders }[];
let server: Server;
let host: string;

/** A registry that has nothing, and asks who is there. */
before(async () => {
  server = createServer((request, response) => {
    requests.push({ path: request.url ?? '', headers: request.headers });
    const known = request.headers.authorization !== undefined;
    response.writeHead(known ? 404 : 401, known ? {} : { 'www-authenticate': 'Basic realm="here"' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = [];
  cwd = mkdtempSync(join(tmpdir(), 'bulla-registry-flags-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function world(global: readonly string[] = [], env: Record<string, string> = {}): CommandContext {
  const parts = { signal: new AbortController().signal, stdout: () => undefined };
  const recorded = new RecordingHost({ cwd, env: { HOME: cwd, DOCKER_CONFIG: cwd, ...env } });
  return createContext(recorded, parseFlags(global, GLOBAL_FLAGS).flags, parts);
}
const flags = (...argv: string[]): RegistryFlagValues => parseFlags(argv, REGISTRY_FLAGS).flags;
const code = (expected: string) => (error: unknown) => error instanceof CliError && error.code === expected;
const pull = { actions: 'pull' } as const;

describe('openRepository', () => {
  const targets: readonly [string, string, boolean][] = [
    ['HOST/app', 'latest', false],
    ['HOST/app:v1', 'v1', false],
    [`HOST/app@${DIGEST}`, DIGEST, true],
    [`HOST/app:v1@${DIGEST}`, DIGEST, true],
  ];
  for (const [image, target, byDigest] of targets) {
    it(`opens ${image} at ${target} and asks nothing yet`, async () => {
      const opened = await openRepository(world(), image.replace('HOST', host), flags(), pull);
      assert.equal(opened.repository.name, `${host}/app`);
      assert.equal(opened.target, target);
      assert.equal(opened.byDigest, byDigest);
      assert.deepEqual(requests, []);
    });
  }

  it('shows user and password where the registry asks', async () => {
    const opened = await openRepository(
      world(),
      `${host}/app`,
      flags('--registry-username', 'ann', '--registry-password', 'pw'),
      pull,
    );
    assert.equal(await opened.repository.resolve('v1'), undefined);
    const shown = requests.map(({ headers }) => headers.authorization);
    assert.deepEqual(shown, [undefined, `Basic ${Buffer.from('ann:pw').toString('base64')}`]);
    assert.match(requests[0]?.headers['user-agent'] ?? '', /^bulla\/\d/);
  });

  it('is refused where nobody is known', async () => {
    const opened = await openRepository(world(), `${host}/app`, flags(), pull);
    await assert.rejects(
      opened.repository.resolve('v1'),
      (error) => error instanceof RegistryError && error.code === 'unauthorized',
    );
  });

  for (const [argv, text] of [
    [['--registry-username', 'ann'], /belong together/],
    [['--registry-password', 'pw'], /belong together/],
    [['--registry-token', 't', '--registry-username', 'ann'], /stands alone/],
  ] as const) {
    it(`refuses ${argv.join(' ')}`, async () => {
      await assert.rejects(openRepository(world(), `${host}/app`, flags(...argv), pull), (error) => {
        assert.ok(error instanceof CliError);
        assert.equal(error.code, 'usage');
        assert.match(error.message, text);
        assert.doesNotMatch(error.message, /pw/);
        return true;
      });
    });
  }

  it('takes empty flags for none, as scripts give them', async () => {
    const opened = await openRepository(
      world(),
      `${host}/app`,
      flags('--registry-username', '', '--registry-password='),
      pull,
    );
    assert.equal(opened.target, 'latest');
  });

  it('--no-network refuses a registry before any socket, and opens a layout', async () => {
    const context = world(['--no-network']);
    await assert.rejects(openRepository(context, `${host}/app`, flags(), pull), code('network-forbidden'));
    assert.deepEqual(requests, []);
    const layout = await openRepository(context, 'oci-layout:saved:v1', flags(), { actions: 'push', create: true });
    assert.equal(layout.repository.name, 'saved');
    assert.equal(layout.target, 'v1');
  });

  it('opens the one image of a layout, also as --local-image names it', async () => {
    const layout = await openLayout(join(cwd, 'saved'), { create: true });
    const image = new TextEncoder().encode(
      `{"schemaVersion":2,"mediaType":"${MANIFEST}","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`,
    );
    const { descriptor } = await layout.putManifest(image, MANIFEST, { tag: 'v1' });
    for (const [name, options] of [
      ['oci-layout:saved', pull],
      ['saved', { ...pull, layout: true }],
    ] as const) {
      const opened = await openRepository(world(), name, flags(), options);
      assert.equal(opened.target, descriptor.digest);
      assert.equal(opened.byDigest, true);
    }
  });

  it('refuses a layout that is not there, unless it is to be made', async () => {
    await assert.rejects(openRepository(world(), 'oci-layout:nope', flags(), pull), /no OCI layout/);
    const made = await openRepository(world(), 'oci-layout:nope', flags(), { actions: 'push', create: true });
    assert.equal(made.target, 'latest');
  });
});

describe('openEvidence', () => {
  it('is beside the image unless COSIGN_REPOSITORY says otherwise', async () => {
    assert.equal(await openEvidence(world(), flags(), 'pull'), undefined);
    assert.equal(await openEvidence(world([], { COSIGN_REPOSITORY: '' }), flags(), 'pull'), undefined);
    const evidence = await openEvidence(world([], { COSIGN_REPOSITORY: `${host}/seals` }), flags(), 'pull');
    assert.equal(evidence?.name, `${host}/seals`);
  });

  for (const name of ['seals.example/x:tag', `seals.example/x@${DIGEST}`]) {
    it(`refuses ${name.slice(0, 24)}`, async () => {
      await assert.rejects(openEvidence(world([], { COSIGN_REPOSITORY: name }), flags(), 'pull'), code('usage'));
    });
  }

  it('says which variable it is that is malformed', async () => {
    const context = world([], { COSIGN_REPOSITORY: 'seals.example/BAD' });
    const message = /^COSIGN_REPOSITORY: 'seals\.example\/BAD' is not an image reference/;
    await assert.rejects(openEvidence(context, flags(), 'pull'), { code: 'usage', message });
  });

  it('opens no socket with --no-network', async () => {
    const context = world(['--no-network'], { COSIGN_REPOSITORY: `${host}/seals` });
    await assert.rejects(openEvidence(context, flags(), 'pull'), code('network-forbidden'));
  });
});
