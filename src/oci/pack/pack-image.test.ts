// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { appendFile, chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { digestOf } from '../digest.ts';
import { decodeManifest } from '../manifest.ts';
import { MediaType } from '../media-type.ts';
import type { BlobSource } from '../repository.ts';
import { gather } from '../repository.contract.ts';
import { packImage, type PackOptions } from './pack-image.ts';
import { readTar, type ReadEntry } from './read-tar.fixture.ts';
import { tarDirectory } from './tar-directory.ts';

const scratch = await mkdtemp(join(tmpdir(), 'bulla-pack-test-'));
process.env['TMPDIR'] = scratch; // what is left there is left by these tests
after(async () => rm(scratch, { recursive: true, force: true }));
let made = 0;
const freshDirectory = async (): Promise<string> => {
  const path = join(scratch, `${made++}`);
  await mkdir(path);
  return path;
};

const sample = async (): Promise<string> => {
  const path = await freshDirectory();
  await mkdir(join(path, 'bin'));
  await mkdir(join(path, 'empty'));
  await writeFile(join(path, 'bin', 'serve'), '#!/bin/sh\n');
  await chmod(join(path, 'bin', 'serve'), 0o755);
  await chmod(join(path, 'empty'), 0o700);
  await writeFile(join(path, 'übung.txt'), 'grün');
  await chmod(join(path, 'übung.txt'), 0o640);
  await symlink('bin/serve', join(path, 'run'));
  await symlink('/nowhere', join(path, 'dangling'));
  return path;
};

const contentOf = async (blob: BlobSource): Promise<Buffer> => Buffer.concat(await gather(blob.open()));
const pack = async (
  path: string,
  options?: PackOptions,
): Promise<{ layer: Buffer; config: Buffer; manifest: Uint8Array }> => {
  const packed = await packImage(path, options);
  try {
    return {
      layer: await contentOf(packed.blobs[0]),
      config: await contentOf(packed.blobs[1]),
      manifest: packed.manifest,
    };
  } finally {
    await packed.close();
  }
};
const spools = async (): Promise<readonly string[]> =>
  (await readdir(scratch)).filter((name) => name.startsWith('bulla-pack-'));

describe('packImage', () => {
  test('makes a manifest that names the layer and the config by what they are', async () => {
    const packed = await packImage(await sample());
    const manifest = decodeManifest(packed.manifest, MediaType.imageManifest);
    assert.deepEqual(packed.descriptor, {
      mediaType: MediaType.imageManifest,
      digest: digestOf(packed.manifest),
      size: packed.manifest.byteLength,
    });
    for (const [at, descriptor] of [manifest.layers[0], manifest.config].entries()) {
      const blob = packed.blobs[at];
      assert.ok(blob !== undefined && descriptor !== undefined);
      const content = await contentOf(blob);
      assert.deepEqual([descriptor.digest, descriptor.size], [digestOf(content), content.byteLength]);
      assert.deepEqual([blob.digest, blob.size], [digestOf(content), content.byteLength]);
    }
    assert.deepEqual(
      [manifest.layers[0]?.mediaType, manifest.config?.mediaType],
      [MediaType.imageLayerGzip, MediaType.imageConfig],
    );
    await packed.close();
  });

  test('packs files, directories and links in the order of their names, with modes and without owners', async () => {
    const entries = readTar(gunzipSync((await pack(await sample())).layer));
    const shown = ({ path, type, mode, owner, target, mtime, content }: ReadEntry): string =>
      [path, type, mode.toString(8), owner, mtime, target, new TextDecoder().decode(content).trim()].join('|');
    assert.deepEqual(entries.map(shown), [
      `bin/|5|${umasked(0o777)}|0:0 :|0||`,
      'bin/serve|0|755|0:0 :|0||#!/bin/sh',
      'dangling|2|777|0:0 :|0|/nowhere|',
      'empty/|5|700|0:0 :|0||',
      'run|2|777|0:0 :|0|bin/serve|',
      'übung.txt|0|640|0:0 :|0||grün',
    ]);
  });

  test('makes the same bytes of the same files, whenever they were written', async () => {
    const [one, two] = [await sample(), await sample()];
    await utimes(join(two, 'übung.txt'), 1000, 1000);
    assert.deepEqual(await pack(two), await pack(one));
  });

  test('names nothing of the machine in the compressed layer', async () => {
    const { layer } = await pack(await sample());
    assert.deepEqual([...layer.subarray(0, 10)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  });

  test('writes the config that it was asked for', async () => {
    const { config, layer } = await pack(await sample(), {
      os: 'plan9',
      architecture: 'mips',
      entrypoint: ['/bin/serve'],
      command: ['--port', '80'],
      env: ['PATH=/bin', 'EMPTY='],
      labels: { b: '2', a: '1' },
      sourceDateEpoch: 1_700_000_000,
    });
    assert.equal(
      config.toString(),
      `{"created":"2023-11-14T22:13:20Z","architecture":"mips","os":"plan9","config":{"Env":["PATH=/bin","EMPTY="],"Entrypoint":["/bin/serve"],"Cmd":["--port","80"],"Labels":{"a":"1","b":"2"}},"rootfs":{"type":"layers","diff_ids":["${digestOf(gunzipSync(layer))}"]},"history":[{"created":"2023-11-14T22:13:20Z","created_by":"bulla image pack"}]}`,
    );
    assert.ok(readTar(gunzipSync(layer)).every(({ mtime }) => mtime === 1_700_000_000));
  });

  test('is for linux on this machine, created at no time, unless told otherwise', async () => {
    const config: unknown = JSON.parse((await pack(await sample())).config.toString());
    assert.ok(typeof config === 'object' && config !== null && 'os' in config && 'architecture' in config);
    assert.deepEqual([config.os, 'created' in config], ['linux', false]);
    if (process.arch === 'x64') assert.equal(config.architecture, 'amd64');
  });

  test('packs a file that is larger than any buffer, of which parts repeat', async () => {
    const path = await freshDirectory();
    for (let n = 0; n < 20; n++) await appendFile(join(path, 'large'), Buffer.alloc(1_000_003, n));
    const [entry] = readTar(gunzipSync((await pack(path)).layer));
    assert.equal(digestOf(entry?.content ?? new Uint8Array()), digestOf(await readFile(join(path, 'large'))));
  });

  test('gives a layer that can be opened again, until it is closed', async () => {
    const packed = await packImage(await sample());
    assert.deepEqual(await contentOf(packed.blobs[0]), await contentOf(packed.blobs[0]));
    await packed.close();
    await packed.close();
    await assert.rejects(contentOf(packed.blobs[0]));
  });

  test('can be unpacked by tar', { skip: spawnSync('tar', ['--version']).status !== 0 }, async () => {
    const [path, unpacked, archive] = [await sample(), await freshDirectory(), join(scratch, 'layer.tar.gz')];
    await writeFile(join(path, 'n'.repeat(120)), 'long');
    await writeFile(archive, (await pack(path)).layer);
    await promisify(execFile)('tar', ['-xzpf', archive, '-C', unpacked]);
    assert.deepEqual(await pack(unpacked), await pack(path));
  });
});

describe('packImage refuses', () => {
  const refused = async (
    path: string,
    expected: { code: string; message: RegExp },
    options?: PackOptions,
  ): Promise<void> => {
    const before = await spools();
    await assert.rejects(packImage(path, options), { name: 'PackFault', ...expected });
    assert.deepEqual(await spools(), before, 'nothing is left in the temporary directory');
  };

  test('to write where there is no place for a layer, and names that place', async () => {
    const path = join(scratch, 'no-such-place');
    process.env['TMPDIR'] = path;
    try {
      const message =
        /^cannot write the layer to the temporary directory .*no-such-place: ENOENT \(TMPDIR names another\)$/;
      await assert.rejects(packImage(scratch), { code: 'spool-failed', message });
    } finally {
      process.env['TMPDIR'] = scratch;
    }
  });

  test('a directory that is not there, or is none', async () => {
    await refused(join(scratch, 'absent'), { code: 'directory-missing', message: /absent' is not there$/ });
    const path = join(await freshDirectory(), 'file');
    await writeFile(path, '');
    await refused(path, { code: 'directory-missing', message: /file' is no directory$/ });
  });

  test('an empty directory', async () => {
    await refused(await freshDirectory(), { code: 'directory-empty', message: /^there is nothing in '/ });
  });

  test('a pipe, without waiting for it, and a socket', async () => {
    const path = await sample();
    await promisify(execFile)('mkfifo', [join(path, 'pipe')]);
    await refused(path, {
      code: 'file-unsupported',
      message: /pipe' is a pipe, only files, directories and links are packed/,
    });
    await rm(join(path, 'pipe'));
    const server = createServer().listen(join(path, 'socket'));
    await once(server, 'listening');
    await refused(path, { code: 'file-unsupported', message: /is a socket/ });
    server.close();
  });

  test('a device', async () => {
    await refused('/dev', { code: 'file-unsupported', message: /only files, directories and links/ });
  });

  test('a name that would remove files of another layer', async () => {
    const path = await sample();
    await writeFile(join(path, 'bin', '.wh.passwd'), '');
    await refused(path, { code: 'name-unsupported', message: /\.wh\.passwd' would remove a file/ });
  });

  test('a name that is no UTF-8', async (context) => {
    const path = await sample();
    try {
      await writeFile(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0x61])]), '');
    } catch {
      context.skip('this file system has no such names');
      return;
    }
    await refused(path, { code: 'name-unsupported', message: /is not UTF-8/ });
  });

  test('a file that nobody may read', { skip: process.getuid?.() === 0 }, async () => {
    const path = await sample();
    await chmod(join(path, 'bin', 'serve'), 0);
    await refused(path, { code: 'file-unreadable', message: /cannot read .*serve': EACCES/ });
  });

  for (const [why, options, message] of [
    ['a setting without a name', { env: ['=x'] }, /the environment setting "" is not NAME=VALUE/],
    [
      'a setting without a value, of which it shows no more than a name',
      { env: ['x'.repeat(99)] },
      /setting "x{40}" is not/,
    ],
    ['a time before 1970', { sourceDateEpoch: -1 }, /SOURCE_DATE_EPOCH is -1/],
    ['a time that is no number', { sourceDateEpoch: Number.NaN }, /SOURCE_DATE_EPOCH is NaN/],
    ['a time in milliseconds', { sourceDateEpoch: Date.now() }, /expected seconds since 1970/],
  ] as const) {
    test(why, async () => refused(await sample(), { code: 'option-malformed', message }, options));
  }
});

test('a file that grows or shrinks while it is packed fails the archive', async () => {
  for (const size of [3_000_001, 1000]) {
    const path = await freshDirectory();
    await writeFile(join(path, 'log'), new Uint8Array(3_000_000));
    const archive = tarDirectory(path, { mtime: 0 })[Symbol.asyncIterator]();
    await archive.next();
    await writeFile(join(path, 'log'), new Uint8Array(size));
    const rest = async (): Promise<void> => {
      while ((await archive.next()).done !== true);
    };
    await assert.rejects(rest, {
      name: 'PackFault',
      code: 'file-changed',
      message: /log' was changed while it was packed/,
    });
  }
});

test('the place where the archive is written is left out of it', async () => {
  const path = await sample();
  await mkdir(join(path, 'spool'));
  await writeFile(join(path, 'spool', 'layer.tar.gz'), 'growing');
  const archive = Buffer.concat(await gather(tarDirectory(path, { mtime: 0, except: join(path, 'spool') })));
  assert.ok(readTar(archive).every((entry) => !entry.path.startsWith('spool')));
});

function umasked(mode: number): string {
  return (mode & ~process.umask()).toString(8);
}
