// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { hash } from 'bcryptjs';
import { Layout } from '../golden/layout.ts';
import { containersEnvironment, findClient, interop, runClient } from './clients.ts';
import {
  ARM64,
  BASE_LAYOUT,
  BULLA,
  elementsOf,
  Lab,
  MULTI,
  sameContent,
  SINGLE,
  succeed,
  type LabRegistry,
} from './lab.ts';

// The clients that people have push to our registry and pull from it: over plain HTTP, over TLS with an authority of their own, and
// with a password.

const lab = new Lab();
after(() => lab.close());

const TLS = join(import.meta.dirname, 'tls');
const USER = 'ann';
const SECRET = 'open sesame';

/** How a registry is reached. */
interface Way {
  readonly name: string;
  readonly tls: boolean;
  readonly password: boolean;
  serve(): Promise<LabRegistry>;
}

const started = new Map<string, Promise<LabRegistry>>();

function once(name: string, start: () => Promise<LabRegistry>): () => Promise<LabRegistry> {
  return () => {
    const running = started.get(name) ?? start();
    started.set(name, running);
    return running;
  };
}

const TLS_FLAGS = ['--tls-cert', join(TLS, 'server.crt'), '--tls-key', join(TLS, 'server.key')];

const WAYS: readonly Way[] = [
  { name: 'plain HTTP', tls: false, password: false, serve: once('http', () => lab.serveBulla()) },
  { name: 'TLS', tls: true, password: false, serve: once('tls', () => lab.serveBulla(TLS_FLAGS)) },
  {
    name: 'TLS and a password',
    tls: true,
    password: true,
    serve: once('password', async () => {
      const file = join(lab.folder(), 'htpasswd');
      writeFileSync(file, `${USER}:${await hash(SECRET, 5)}\n`);
      return await lab.serveBulla([...TLS_FLAGS, '--htpasswd', file]);
    }),
  },
];

/** A folder as `--cert-dir` takes it. */
function certDirectory(): string {
  const folder = lab.folder();
  copyFileSync(join(TLS, 'ca.crt'), join(folder, 'ca.crt'));
  return folder;
}

for (const way of WAYS) {
  describe(`over ${way.name}`, () => {
    interop('skopeo copies an image with all its platforms there and back', ['skopeo'], async ([skopeo]) => {
      const { host } = await way.serve();
      const home = lab.folder();
      const flags = (side: 'src' | 'dest' | ''): readonly string[] => {
        const prefix = side === '' ? '--' : `--${side}-`;
        return [
          ...(way.tls ? [`${prefix}cert-dir=${certDirectory()}`] : [`${prefix}tls-verify=false`]),
          ...(way.password ? [`${prefix}creds=${USER}:${SECRET}`] : []),
        ];
      };
      const image = `docker://${host}/skopeo/app:1`;
      await succeed(skopeo, ['copy', '--all', ...flags('dest'), `oci:${BASE_LAYOUT}:multi`, image], home);
      await succeed(skopeo, ['copy', '--all', ...flags('src'), image, 'oci:back:multi'], home);
      sameContent(new Layout(join(home, 'back')), MULTI);
      const byDigest = image.replace(':1', `@${ARM64}`);
      await succeed(skopeo, ['copy', ...flags('src'), byDigest, 'oci:one:arm64'], home);
      sameContent(new Layout(join(home, 'one')), ARM64);
      const inspected = await succeed(skopeo, ['inspect', '--raw', ...flags(''), image], home);
      assert.equal(inspected.stdout, Buffer.from(new Layout(BASE_LAYOUT).blob(MULTI) ?? []).toString());
      const { Tags } = JSON.parse(
        (await succeed(skopeo, ['list-tags', ...flags(''), image.replace(':1', '')], home)).stdout,
      ) as {
        Tags: readonly string[];
      };
      assert.deepEqual(Tags, ['1']);
      await succeed(
        skopeo,
        ['copy', '--all', ...flags('src'), ...flags('dest'), image, image.replace('app:1', 'again:2')],
        home,
      );
    });

    interop('crane pushes, copies, lists, validates and pulls', ['crane'], async ([crane]) => {
      const { host } = await way.serve();
      const home = lab.folder();
      const env = way.tls ? { SSL_CERT_FILE: join(TLS, 'ca.crt') } : {};
      if (way.password) await succeed(crane, ['auth', 'login', host, '-u', USER, '-p', SECRET], home, env);
      const image = `${host}/crane/app:1`;
      await succeed(crane, ['push', '--index', BASE_LAYOUT, image], home, env);
      await succeed(crane, ['copy', image, `${host}/crane/other:2`], home, env);
      await succeed(crane, ['tag', image, 'latest'], home, env);
      assert.equal((await succeed(crane, ['ls', `${host}/crane/app`], home, env)).stdout, '1\nlatest\n');
      const digest = (await succeed(crane, ['digest', image], home, env)).stdout;
      assert.equal((await succeed(crane, ['digest', `${host}/crane/other:2`], home, env)).stdout, digest);
      await succeed(crane, ['validate', '--remote', `${host}/crane/app@${SINGLE}`], home, env);
      await succeed(crane, ['pull', '--format', 'oci', `${host}/crane/other@${MULTI}`, 'back'], home, env);
      sameContent(new Layout(join(home, 'back')), MULTI);
      assert.match((await succeed(crane, ['catalog', host], home, env)).stdout, /^crane\/app$/m);
    });

    interop(
      'oras pushes, attaches, discovers, copies with all that is attached, and pulls',
      ['oras'],
      async ([oras]) => {
        const { host } = await way.serve();
        const home = lab.folder();
        writeFileSync(join(home, 'notes.txt'), 'what is new\n');
        writeFileSync(join(home, 'sbom.json'), '{}\n');
        const flags = [
          // unless told, oras takes plain HTTP for localhost
          ...(way.tls ? ['--plain-http=false', '--ca-file', join(TLS, 'ca.crt')] : ['--plain-http']),
          ...(way.password ? ['--username', USER, '--password', SECRET] : []),
        ];
        const image = `${host}/oras/notes:1`;
        await succeed(oras, ['push', ...flags, '--artifact-type', 'text/notes', image, 'notes.txt:text/plain'], home);
        await succeed(
          oras,
          ['attach', ...flags, '--artifact-type', 'example/sbom', image, 'sbom.json:application/json'],
          home,
        );
        const discover = ['discover', ...flags, '--format', 'json'];
        const found = await succeed(oras, [...discover, image], home);
        const { referrers = [] } = JSON.parse(found.stdout) as {
          referrers?: readonly { readonly artifactType: string }[];
        };
        assert.deepEqual(
          referrers.map(({ artifactType }) => artifactType),
          ['example/sbom'],
        );
        const both = flags.flatMap((flag) => (flag.startsWith('--') ? [flag.replace('--', '--from-')] : [flag]));
        await succeed(
          oras,
          ['cp', '-r', ...both, ...flags.map((flag) => flag.replace(/^--/, '--to-')), image, `${host}/oras/copy:1`],
          home,
        );
        const copied = await succeed(
          oras,
          [...discover, '--artifact-type', 'example/sbom', `${host}/oras/copy:1`],
          home,
        );
        assert.match(copied.stdout, /example\/sbom/);
        await succeed(oras, ['pull', ...flags, '-o', 'back', `${host}/oras/copy:1`], home);
        assert.equal(readFileSync(join(home, 'back', 'notes.txt'), 'utf8'), 'what is new\n');
      },
    );

    interop('buildah and podman push to each other through it', ['buildah', 'podman'], async ([buildah, podman]) => {
      const { host } = await way.serve();
      const home = lab.folder();
      const env = containersEnvironment(home);
      const flags = [
        ...(way.tls ? ['--cert-dir', certDirectory()] : ['--tls-verify=false']),
        ...(way.password ? ['--creds', `${USER}:${SECRET}`] : []),
      ];
      mkdirSync(join(home, 'context'));
      writeFileSync(join(home, 'context', 'greeting'), 'hello from buildah\n');
      writeFileSync(join(home, 'context', 'Dockerfile'), 'FROM scratch\nCOPY greeting /greeting\n');
      const image = `${host}/built/greeting:1`;
      await succeed(buildah, ['bud', '-t', image, 'context'], home, env);
      await succeed(buildah, ['push', ...flags, image], home, env);
      await succeed(
        buildah,
        ['push', '--format', 'v2s2', ...flags, image, `docker://${host}/built/greeting:docker`],
        home,
        env,
      );
      await succeed(buildah, ['rmi', '--all', '--force'], home, env);
      await succeed(podman, ['pull', ...flags, image], home, env);
      assert.equal(await fileIn(podman, image, 'greeting', home, env), 'hello from buildah\n');
      await succeed(podman, ['push', ...flags, image, `${host}/built/again:1`], home, env);
      await succeed(podman, ['rmi', '--all', '--force'], home, env);
      await succeed(podman, ['pull', ...flags, `${host}/built/greeting:docker`], home, env);
      await succeed(buildah, ['pull', ...flags, `${host}/built/again:1`], home, env);
      assert.equal(await fileIn(podman, `${host}/built/again:1`, 'greeting', home, env), 'hello from buildah\n');
    });

    interop(
      'both cosigns and bulla seal and verify there',
      ['cosign-2', 'cosign-3', 'crane'],
      async ([two, three, crane]) => {
        const { host } = await way.serve();
        const home = lab.folder();
        const env = { COSIGN_PASSWORD: 'pw', ...(way.tls ? { SSL_CERT_FILE: join(TLS, 'ca.crt') } : {}) };
        if (way.password) await succeed(crane, ['auth', 'login', host, '-u', USER, '-p', SECRET], home, env);
        await succeed(crane, ['push', '--index', BASE_LAYOUT, `${host}/sealed/app:1`], home, env);
        const image = `${host}/sealed/app@${SINGLE}`;
        const flags = [
          ...(way.tls ? ['--registry-cacert', join(TLS, 'ca.crt')] : []),
          ...(way.password ? ['--registry-username', USER, '--registry-password', SECRET] : []),
        ];
        await lab.bulla(['generate-key-pair'], { home });
        const made = await lab.bulla(['sign', '--key', 'cosign.key', '--format', 'both', ...flags, image], { home });
        assert.equal(made.code, 0, made.stderr);
        const verified = await lab.bulla(['verify', '--key', 'cosign.pub', ...flags, image], { home });
        assert.equal(verified.code, 0, verified.stderr);
        // the docker configuration that crane wrote serves bulla as well
        if (way.password) {
          const stored = await lab.bulla(['verify', '--key', 'cosign.pub', ...flags.slice(0, 2), image], { home });
          assert.equal(stored.code, 0, stored.stderr);
        }
        const log = ['--tlog-upload=false', '--yes'];
        const other = `${host}/sealed/app@${ARM64}`;
        await succeed(two, ['sign', '--key', 'cosign.key', ...log, ...flags, other], home, env);
        const offline = ['--use-signing-config=false', ...log];
        await succeed(three, ['sign', '--key', 'cosign.key', ...offline, ...flags, other], home, env);
        const both = await lab.bulla(['verify', '--all', '--key', 'cosign.pub', ...flags, other], { home });
        assert.equal(elementsOf(both).length, 2, both.stderr);
        for (const cosign of [two, three]) {
          await succeed(
            cosign,
            ['verify', '--key', 'cosign.pub', '--insecure-ignore-tlog', ...flags, image],
            home,
            env,
          );
        }
      },
    );
  });
}

/** The content of a file in an image, without running it. */
async function fileIn(
  podman: string,
  image: string,
  file: string,
  home: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const created = await succeed(podman, ['create', image, '/nothing'], home, env);
  await succeed(podman, ['cp', `${created.stdout.trim()}:/${file}`, 'copied'], home, env);
  await succeed(podman, ['rm', created.stdout.trim()], home, env);
  return readFileSync(join(home, 'copied'), 'utf8');
}

describe('who has no password gets nothing', () => {
  const [, , way] = WAYS;
  const refused = async (program: string, args: readonly string[], env = {}): Promise<void> => {
    const run = await runClient(program, args, { home: lab.folder(), env });
    assert.notEqual(run.code, 0, args.join(' '));
    assert.match(run.stderr, /unauthorized|authentication required|401|credential not found/i, run.stderr);
  };
  const env = { SSL_CERT_FILE: join(TLS, 'ca.crt') };

  interop('skopeo, crane and oras are told so', ['skopeo', 'crane', 'oras'], async ([skopeo, crane, oras]) => {
    const { host } = (await way?.serve()) ?? { host: '' };
    const inspect = ['inspect', `--cert-dir=${certDirectory()}`];
    const tls = ['--plain-http=false', '--ca-file', join(TLS, 'ca.crt')];
    await refused(skopeo, [...inspect, `docker://${host}/skopeo/app:1`]);
    await refused(skopeo, [...inspect, `--creds=${USER}:wrong`, `docker://${host}/skopeo/app:1`]);
    await refused(crane, ['digest', `${host}/crane/app:1`], env);
    await refused(oras, ['discover', ...tls, `${host}/oras/notes:1`]);
    await refused(oras, ['repo', 'tags', ...tls, '-u', USER, '-p', 'wrong', `${host}/oras/notes`]);
  });

  interop(
    'a certificate of an unknown authority is refused by who was not given it',
    ['skopeo', 'oras'],
    async ([skopeo, oras]) => {
      const { host } = (await way?.serve()) ?? { host: '' };
      for (const [program, args] of [
        [skopeo, ['inspect', `docker://${host}/skopeo/app:1`]],
        [oras, ['repo', 'tags', '--plain-http=false', `${host}/oras/notes`]],
        [BULLA, ['tree', `${host}/skopeo/app:1`]],
      ] as const) {
        const run = await runClient(program, args, { home: lab.folder() });
        assert.notEqual(run.code, 0);
        assert.match(run.stderr, /certificate/);
      }
    },
  );
});

test('docker pushes and pulls', async (context) => {
  const docker = findClient('docker');
  const home = lab.folder();
  const answers = docker !== undefined && (await runClient(docker, ['info'], { home })).code === 0;
  if (docker === undefined || !answers) {
    context.skip('left out: no docker daemon answers here');
    return;
  }
  const { host } = await lab.serveBulla();
  writeFileSync(join(home, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  const image = `${host}/docker/app:1`;
  await succeed(docker, ['build', '-t', image, '.'], home);
  await succeed(docker, ['push', image], home);
  await succeed(docker, ['rmi', image], home);
  await succeed(docker, ['pull', image], home);
  await succeed(docker, ['rmi', image], home);
  assert.ok(existsSync(join(home, 'Dockerfile')));
});
