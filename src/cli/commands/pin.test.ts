// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { signImage } from '../../image/index.ts';
import { openRemoteRepository, parseReference } from '../../oci/index.ts';
import { serveRegistry, type RunningRegistry } from '../../registry/index.ts';
import { encodePublicKey, generatePrivateKey, keySigner } from '../../trust/index.ts';
import { documentMembers, manualMembers } from '../manual-json.fixture.ts';
import { RecordingHost, runRecorded, type Ran, type RecordingHostOptions } from '../recording-host.fixture.ts';
import { runCommandLine } from '../run.ts';

const root = mkdtempSync(join(tmpdir(), 'bulla-pin-'));
const NOW = new Date('2026-06-01T00:00:00Z');
const us = keySigner(await generatePrivateKey('ecdsa-p256'));
let registry: RunningRegistry;
let host = '';
let cwd = '';
let runs = 0;

before(async () => {
  registry = await serveRegistry({ data: join(root, 'data'), port: 0 });
  host = `localhost:${new URL(registry.url).port}`;
  await push('app', 'sealed');
  await sign('app');
  await push('other', 'plain');
});
after(async () => {
  await registry.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  cwd = join(root, `run-${runs++}`);
  mkdirSync(join(cwd, 'deploy'), { recursive: true });
  write('policies.yaml', policy());
  write('deploy/app.yaml', pod('app:1.4'));
});

/** Packs an image and pushes it. @returns its digest */
async function push(name: string, text: string): Promise<string> {
  mkdirSync(join(root, 'files'), { recursive: true });
  writeFileSync(join(root, 'files/hello'), text);
  const { code, stdout } = await runRecorded(['image', 'pack', 'files', `${host}/team/${name}:1.4`], { cwd: root });
  assert.equal(code, 0);
  return /sha256:[0-9a-f]{64}/.exec(stdout)?.[0] ?? '';
}

async function sign(name: string): Promise<void> {
  const reference = parseReference(`${host}/team/${name}`);
  await signImage(openRemoteRepository(reference, { access: 'write' }), '1.4', { signer: us, now: NOW });
}

function policy(signer = us, spec: object = {}): string {
  return JSON.stringify({
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'sealed' },
    spec: {
      images: [{ glob: `${host}/**` }],
      authorities: [{ name: 'us', key: { data: encodePublicKey(signer.publicKey) } }],
      ...spec,
    },
  });
}

const pod = (image: string): string =>
  `# ours\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: "${host}/team/${image}" # the app\n`;
const write = (name: string, text: string): void => writeFileSync(join(cwd, name), text);
const read = (name: string): string => readFileSync(join(cwd, name), 'utf8');
const run = (...argv: readonly string[]): Promise<Ran> => runRecorded(argv, { cwd, now: NOW });
const pin = (...argv: readonly string[]): Promise<Ran> => run('pin', '--policy', 'policies.yaml', ...argv);

interface LockDocument {
  readonly paths: readonly string[];
  readonly images: readonly { readonly image: string; readonly digest: string; readonly evidence: readonly string[] }[];
}

const lock = (): LockDocument => JSON.parse(read('bulla.lock')) as LockDocument;

describe('pin', () => {
  it('writes the digest that was verified, keeps all else, and locks who sealed it', async () => {
    chmodSync(join(cwd, 'deploy/app.yaml'), 0o606);
    const { code, stdout, stderr } = await pin('deploy');
    assert.equal(code, 0, stderr);
    const [image] = lock().images;
    assert.match(stdout, new RegExp(`^✓ ${host}/team/app:1\\.4 pinned$`, 'm'));
    assert.match(stdout, /^ {4}at deploy\/app\.yaml:8:13$/m);
    assert.match(stdout, /^1 of 1 place changed in 1 file; 1 image in bulla\.lock$/m);
    assert.equal(read('deploy/app.yaml'), pod(`app:1.4@${image?.digest}`));
    assert.equal(statSync(join(cwd, 'deploy/app.yaml')).mode & 0o777, 0o606);
    assert.deepEqual(lock(), {
      version: 1,
      paths: ['deploy'],
      images: [
        {
          image: `${host}/team/app:1.4`,
          digest: image?.digest,
          reasons: ['met'],
          sealedBy: [{ kind: 'key', key: us.publicKey.hint }],
          policyHashes: (JSON.parse((await pin('--json')).stdout) as { locked: { policyHashes: string[] }[] }).locked[0]
            ?.policyHashes,
          evidence: image?.evidence,
        },
      ],
    });
    assert.equal(image?.evidence.length, 1);
    assert.deepEqual(readdirSync(join(cwd, 'deploy')), ['app.yaml']);
  });

  it('changes nothing the second time, and needs no PATH then', async () => {
    await pin('deploy');
    const [file, locked] = [read('deploy/app.yaml'), read('bulla.lock')];
    const { code, stdout } = await pin();
    assert.deepEqual([code, read('deploy/app.yaml'), read('bulla.lock')], [0, file, locked]);
    assert.match(stdout, /kept$/m);
    assert.match(stdout, /^0 of 1 place changed in 0 files; /m);
  });

  it('leaves what is refused and exits 1, what is undecided and exits 2, and pins the rest', async () => {
    write('deploy/other.yaml', pod('other:1.4'));
    const refused = await pin('deploy');
    assert.equal(refused.code, 1);
    assert.equal(read('deploy/other.yaml'), pod('other:1.4'));
    assert.match(read('deploy/app.yaml'), /@sha256:/);
    assert.match(refused.stdout, /^✗ .*\/team\/other:1\.4 refused$/m);
    assert.match(refused.stdout, /would pass with: /);
    assert.equal(lock().images.length, 1);

    write('deploy/other.yaml', pod('app:1.4').replaceAll(host, 'localhost:1'));
    write('policies.yaml', policy(us, { images: [{ glob: '**' }] }));
    const undecided = await pin();
    assert.equal(undecided.code, 2);
    assert.match(undecided.stdout, /^\? localhost:1\/team\/app:1\.4 undecided$/m);
  });

  it('says what could not be read and exits 2', async () => {
    write('deploy/compose.yaml', 'services: {a: {image: "app:${TAG}"}}\n');
    const { code, stdout } = await pin('deploy');
    assert.equal(code, 2);
    assert.match(
      stdout,
      /^not read: deploy\/compose\.yaml:1:\d+: services\.a\.image: .*TAG has no value.*\[variable-unset\]$/m,
    );
  });

  it('says what it found and cannot write, and does not count it as pinned', async () => {
    write('deploy/Dockerfile', `ARG TAG=1.4\nFROM ${host}/team/app:\${TAG} AS x\n`);
    const { code, stdout } = await pin('deploy');
    assert.equal(code, 0);
    assert.match(stdout, /trusted, and left: its text has variables or escapes$/m);
    assert.match(stdout, /1 left as it is; 1 image in bulla\.lock$/m);
    assert.equal((await pin('--check')).code, 1);
  });

  it('--dry-run prints a patch and writes nothing', async () => {
    const { code, stdout, stderr } = await pin('--dry-run', 'deploy');
    assert.equal(code, 0);
    assert.equal(read('deploy/app.yaml'), pod('app:1.4'));
    assert.equal(existsSync(join(cwd, 'bulla.lock')), false);
    assert.match(stdout, /^--- a\/deploy\/app\.yaml\n\+\+\+ b\/deploy\/app\.yaml\n@@ /);
    assert.match(stdout, /^--- \/dev\/null\n\+\+\+ b\/bulla\.lock\n/m);
    assert.match(stderr, /would change/);
    const changed = stdout.split('\n').filter((line) => /^[-+] /.test(line) && !/^[-+]{3}/.test(line));
    for (const line of changed.filter((one) => one.includes('team/app:1.4"'))) assert.match(line, /image/);
    const applied = spawnSync('git', ['apply', '-'], { cwd, input: stdout, encoding: 'utf8' });
    if (applied.error !== undefined) return;
    assert.equal(applied.status, 0, applied.stderr);
    const patched = [read('deploy/app.yaml'), read('bulla.lock')];
    write('deploy/app.yaml', pod('app:1.4'));
    rmSync(join(cwd, 'bulla.lock'));
    await pin('deploy');
    assert.deepEqual([read('deploy/app.yaml'), read('bulla.lock')], patched);
  });

  it('writes JSON', async () => {
    const document = JSON.parse((await pin('--json', '--dry-run', 'deploy')).stdout) as {
      exitCode: number;
      written: boolean;
      diff: string;
      images: { image: string; action: string; becomes: string; places: { file: string; line: number }[] }[];
    };
    assert.deepEqual([document.exitCode, document.written, document.images.length], [0, false, 1]);
    assert.deepEqual([document.images[0]?.action, document.images[0]?.places[0]?.line], ['pinned', 8]);
    assert.match(document.diff, /^--- a\/deploy/);
    assert.match(document.images[0]?.becomes ?? '', /app:1\.4@sha256:[0-9a-f]{64}$/);
  });

  it('--update takes what the tag is now where that is trusted, and says so where not', async () => {
    const first = await push('moving', 'one');
    await sign('moving');
    write('deploy/app.yaml', pod('moving:1.4'));
    assert.equal((await pin('deploy')).code, 0);
    const second = await push('moving', 'two');
    assert.notEqual(first, second);
    assert.equal((await pin()).code, 0);
    assert.ok(read('deploy/app.yaml').includes(first));

    const refused = await pin('--update');
    assert.equal(refused.code, 1);
    assert.ok(read('deploy/app.yaml').includes(first));
    assert.match(refused.stdout, new RegExp(`kept\\n.*at .*\\n {4}✗ .*/team/moving:1\\.4 refused\\n.*${second}`));

    await sign('moving');
    const dry = await pin('--update', '--dry-run');
    assert.ok(
      dry.stdout.includes(
        `-    image: "${host}/team/moving:1.4@${first}" # the app\n+    image: "${host}/team/moving:1.4@${second}" # the app\n`,
      ),
    );
    assert.equal((await pin('--update')).code, 0);
    assert.equal(read('deploy/app.yaml'), pod(`moving:1.4@${second}`));
    assert.equal(lock().images[0]?.digest, second);
    assert.equal((await pin('--check')).code, 0);
  });

  it('says what policies that only warn have to say', async () => {
    write('policies.yaml', policy(keySigner(await generatePrivateKey('ecdsa-p256')), { mode: 'warn' }));
    const { code, stdout } = await pin('deploy');
    assert.equal(code, 0);
    assert.match(stdout, /pinned\n.*\n.*at deploy.*\n {4}warning: sealed: /);
    assert.match((await pin('--check')).stdout, /^ {4}warning: sealed: /m);
  });

  it('writes nothing once it was interrupted', async () => {
    const killed = new RecordingHost({ cwd, now: NOW });
    const running = runCommandLine(['pin', '--policy', 'policies.yaml', 'deploy'], killed);
    while (killed.listeners === 0) await new Promise(setImmediate);
    killed.signal('SIGINT');
    assert.equal(await running, 130);
    assert.equal(read('deploy/app.yaml'), pod('app:1.4'));
    assert.equal(existsSync(join(cwd, 'bulla.lock')), false);
  });

  it('says which images it waited for where time was up, and writes nothing', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    try {
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      write('policies.yaml', policy(us, { images: [{ glob: '**' }] }));
      const text = `apiVersion: v1\nkind: Pod\nspec: {containers: [{image: "127.0.0.1:${port}/slow/app:1"}]}\n`;
      write('deploy/slow.yaml', text);
      const { code, stdout, stderr } = await pin('--timeout', '1500ms', 'deploy');
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^\? 127\.0\.0\.1:\d+\/slow\/app:1 undecided\n {4}at deploy\/slow\.yaml:3:/);
      assert.match(stderr, /Error: pin deploy: did not finish within 1\.5s \(--timeout\)/);
      assert.equal(read('deploy/app.yaml'), pod('app:1.4'));
      assert.equal(existsSync(join(cwd, 'bulla.lock')), false);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });

  it('keeps what the lock has of an image on which nothing can be found out', async () => {
    await pin('deploy');
    const locked = read('bulla.lock');
    const { code } = await pin('--no-network');
    assert.deepEqual([code, read('bulla.lock')], [2, locked]);
  });
});

describe('pin --check', () => {
  beforeEach(async () => {
    assert.equal((await pin('deploy')).code, 0);
  });
  const drifts = async (...argv: readonly string[]): Promise<readonly unknown[]> => {
    const { code, stdout } = await pin('--check', '--json', ...argv);
    const document = JSON.parse(stdout) as { exitCode: number; drifts: { code: string }[] };
    assert.equal(document.exitCode, code);
    return [code, ...document.drifts.map((drift) => drift.code)];
  };

  it('exits 0 where all is as it was, and writes nothing', async () => {
    const { code, stdout } = await pin('--check');
    assert.equal(code, 0);
    assert.match(stdout, /^1 of 1 pinned image in 1 place trusted, as the lock says$/m);
    assert.deepEqual(await drifts('deploy'), [0]);
  });
  it('names a file that was changed by hand', async () => {
    write('deploy/app.yaml', pod('app:1.4'));
    assert.deepEqual(await drifts(), [1, 'not-pinned', 'not-used']);
    const { stdout } = await pin('--check');
    assert.match(stdout, /has no digest: bulla pin adds it \[not-pinned\]\n {4}at deploy\/app\.yaml:8:13$/m);
  });
  it('names an image that was added by hand', async () => {
    write('deploy/more.yaml', pod(`other:1.4@${await push('other', 'plain')}`));
    assert.deepEqual(await drifts(), [1, 'not-locked']);
  });
  it('names a change of policies', async () => {
    write('policies.yaml', policy(us, { authorities: [{ static: { action: 'pass' } }] }));
    assert.deepEqual(await drifts(), [1, 'policy-changed', 'evidence-gone', 'signer-gone']);
  });
  it('refuses what the policies trust no more, whatever the lock says', async () => {
    write('policies.yaml', policy(keySigner(await generatePrivateKey('ecdsa-p256'))));
    assert.deepEqual(await drifts(), [1]);
    assert.match((await pin('--check')).stdout, /^✗ .*refused$/m);
  });
  it('exits 2 where it cannot be found out', async () => {
    assert.deepEqual(await drifts('--no-network'), [2]);
    const { stdout } = await pin('--check', '--no-network');
    assert.match(stdout, /^0 of 1 pinned image in 1 place trusted, 0 differences from the lock$/m);
  });
  it('writes the members that the manual shows, and no other', async () => {
    write('deploy/more.yaml', pod('app:1.4'));
    write('deploy/unread.yaml', 'a: {{ x }}\n');
    const shown = manualMembers('pin');
    const written = documentMembers(JSON.parse((await pin('--json', '--dry-run')).stdout));
    const checked = documentMembers(JSON.parse((await pin('--json', '--check')).stdout));
    const found = written.union(checked);
    assert.deepEqual([...found.difference(manualMembers('pin', 'check', 'policy explain'))], []);
    // of an identity, which nobody here has
    assert.deepEqual(
      [...shown.difference(found)],
      ['issuer', 'subject'].filter((name) => !found.has(name)),
    );
  });
  it('needs no network with a kit', async () => {
    const image = `${host}/team/app@${lock().images[0]?.digest}`;
    assert.equal((await run('save', '--dir', 'kit', '--policy', 'policies.yaml', image)).code, 0);
    const { code, stdout, stderr } = await run('pin', '--check', '--no-network', '--kit', 'kit');
    assert.equal(code, 0, stdout + stderr);
    write('deploy/more.yaml', pod(`other:1.4@sha256:${'0'.repeat(64)}`));
    assert.equal((await run('pin', '--check', '--no-network', '--kit', 'kit')).code, 1);
  });
});

describe('pin refuses', () => {
  const usage = async (argv: readonly string[], message: RegExp, options: RecordingHostOptions = {}): Promise<void> => {
    const { code, stderr, stdout } = await runRecorded(['pin', ...argv], { cwd, now: NOW, ...options });
    assert.deepEqual([code, stdout], [64, '']);
    assert.match(stderr, message);
  };
  const withPolicy = ['--policy', 'policies.yaml'];

  it('to guess what is to be pinned, or by which policies', async () => {
    await usage(withPolicy, /name the files or folders to pin: there is no bulla\.lock/);
    await usage(['deploy'], /--policy is required/);
    await usage([...withPolicy, 'nowhere'], /open nowhere: no such file or directory/);
    await usage([...withPolicy, ''], /the name of a file is empty/);
    await usage([...withPolicy, '-'], /standard input cannot be pinned/);
    await usage([...withPolicy, '--check'], /there is no bulla\.lock/);
    await usage([...withPolicy, '--check', '--update', 'deploy'], /leave --update and --dry-run out/);
  });
  it('a policy that cannot be read', async () => {
    write('policies.yaml', 'kind: [');
    await usage([...withPolicy, 'deploy'], /policies\.yaml:1/);
  });
  it('what lies outside of the folder of the lock', async () => {
    await usage([...withPolicy, '..'], /\.\. lies outside of the folder of bulla\.lock/);
    await usage([...withPolicy, '/etc/passwd'], /lies outside/);
    symlinkSync('/etc', join(cwd, 'elsewhere'));
    await usage([...withPolicy, 'elsewhere'], /elsewhere lies outside/);
    write('bulla.lock', '{"version":1,"paths":["elsewhere"],"images":[]}');
    await usage(withPolicy, /elsewhere lies outside/);
    write('bulla.lock', '{"version":1,"paths":["../run-0"],"images":[]}');
    await usage(withPolicy, /paths\[0\] of the lock is "\.\.\/run-0"/);
  });
  it('a lock that is none, is of another version, or is no file', async () => {
    write('bulla.lock', '{');
    await usage([...withPolicy, 'deploy'], /^Error: bulla\.lock: the lock is not JSON/);
    for (const mark of ['<<<<<<< HEAD', '>>>>>>> main']) {
      write('bulla.lock', `{\n${mark}\n}\n`);
      await usage(
        [...withPolicy, 'deploy'],
        /bulla\.lock has a conflict of two branches in it\nhint: .*bulla pin writes/,
      );
    }
    write('bulla.lock', '{"version":2}');
    await usage([...withPolicy, 'deploy'], /^Error: bulla\.lock: .*version 2/);
    rmSync(join(cwd, 'bulla.lock'));
    symlinkSync('policies.yaml', join(cwd, 'bulla.lock'));
    await usage([...withPolicy, 'deploy'], /not a regular file/);
  });
  it('to forget a part of what the lock is about', async () => {
    mkdirSync(join(cwd, 'more'));
    write('more/a.yaml', pod('app:1.4'));
    assert.equal((await pin('deploy', 'more')).code, 0);
    await usage([...withPolicy, 'more'], /bulla\.lock is about deploy too, which is not named/);
    assert.equal((await pin('.')).code, 0);
    assert.deepEqual(lock().paths, ['.']);
  });
  it('to follow a link out of a folder', async () => {
    writeFileSync(join(root, 'outside.yaml'), pod('app:1.4'));
    symlinkSync(join(root, 'outside.yaml'), join(cwd, 'deploy/link.yaml'));
    const { code, stdout } = await pin('deploy');
    assert.equal(code, 2);
    assert.match(stdout, /link\.yaml:1:1: a symbolic link, which is not followed/);
    assert.equal(readFileSync(join(root, 'outside.yaml'), 'utf8'), pod('app:1.4'));
    assert.match(read('deploy/app.yaml'), /@sha256:/);
  });
});
