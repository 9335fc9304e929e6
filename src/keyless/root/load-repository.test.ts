// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { KeylessError } from '../error.ts';
import { loadPackedRepository } from './load-repository.ts';
import { newKey, TestRepository } from './tuf-repository.fixture.ts';
import { unpackRepository } from './unpack-repository.ts';

const NOW = new Date();
const ROOT = readFileSync(join(import.meta.dirname, '../../../test/golden/_stack/trusted_root.json'), 'utf8');

/** An archive of tar, compressed. */
function archive(files: Iterable<readonly [name: string, content: Uint8Array, type?: string]>): Uint8Array {
  const blocks: Buffer[] = [];
  for (const [name, content, type = '0'] of files) {
    const header = Buffer.alloc(512);
    // long paths go on in a second field
    const cut = name.length > 100 ? name.lastIndexOf('/', 100) : -1;
    header.write(name.slice(cut + 1), 0, 100);
    if (cut > 0) header.write(name.slice(0, cut), 345);
    header.write('0000644\0', 100);
    header.write(`${content.byteLength.toString(8).padStart(11, '0')}\0`, 124);
    header.write('        ', 148);
    header.write(type, 156);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, Buffer.from(content), Buffer.alloc((512 - (content.byteLength % 512)) % 512));
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

const packed = (repository: TestRepository, prefix = 'repository/'): Uint8Array =>
  archive([...repository.files].map(([name, bytes]) => [`${prefix}${name}`, bytes] as const));
const load = (repository: TestRepository, change: object = {}): ReturnType<typeof loadPackedRepository> =>
  loadPackedRepository(
    {
      root: repository.root(),
      mirror: packed(repository),
      targets: 'targets',
      target: 'trusted_root.json',
      ...change,
    },
    { now: NOW },
  );
const fails = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof KeylessError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

describe('the TUF repository in an archive', () => {
  it('gives the trusted root that it publishes, whatever folder it lies in', async () => {
    const repository = new TestRepository({ 'trusted_root.json': ROOT });
    for (const prefix of ['repository/', './', '', 'a/b/'])
      assert.ok((await load(repository, { mirror: packed(repository, prefix) })).logs.length > 0, prefix);
  });

  it('gives the target that is named', async () => {
    const repository = new TestRepository({ 'other.json': ROOT });
    assert.ok((await load(repository, { target: 'other.json' })).logs.length > 0);
    await assert.rejects(load(repository), fails('trust-unavailable', /has no trusted_root\.json/));
  });

  it('follows its roots from the first', async () => {
    const repository = new TestRepository({ 'trusted_root.json': ROOT });
    repository.publish({ rotate: true });
    assert.ok((await load(repository)).logs.length > 0);
  });

  it('is refused when another root comes first', async () => {
    const repository = new TestRepository({ 'trusted_root.json': ROOT });
    const other = new TestRepository({ 'trusted_root.json': ROOT });
    await assert.rejects(load(repository, { root: other.root() }), fails('trust-rejected', /not to be trusted/));
  });

  it('is refused when its targets are signed by somebody else', async () => {
    const repository = new TestRepository({ 'trusted_root.json': ROOT });
    repository.publish({ signers: { targets: newKey() } });
    await assert.rejects(load(repository), fails('trust-rejected', /not to be trusted/));
  });

  it('is refused when the target is another one than was signed', async () => {
    const repository = new TestRepository({ 'trusted_root.json': ROOT });
    for (const name of repository.files.keys())
      if (name.endsWith('trusted_root.json')) repository.files.set(name, Buffer.from(ROOT.replace('{', ' ')));
    await assert.rejects(load(repository), fails('trust-rejected', /not to be trusted/));
  });

  it('is refused when it has expired', async () => {
    const repository = new TestRepository({ 'trusted_root.json': ROOT });
    repository.publish({ expires: { timestamp: new Date('2020-01-01T00:00:00Z') } });
    await assert.rejects(load(repository), fails('trust-expired', /timestamp\.json .* has expired/));
  });

  it('has targets in a path, and in none that climbs', async () => {
    const repository = new TestRepository({ 'trusted_root.json': ROOT });
    await assert.rejects(load(repository, { targets: '../x' }), fails('setting-malformed', /expected a path/));
  });
});

describe('an archive', () => {
  const refused = (bytes: Uint8Array, message: RegExp): Promise<void> =>
    assert.rejects(unpackRepository(bytes), fails('trust-rejected', message));

  it('that is not compressed, or no archive, is refused', async () => {
    await refused(Buffer.from('hello'), /not compressed with gzip/);
    await refused(gzipSync(Buffer.alloc(2048, 1)), /not an archive of tar/);
    await refused(archive([]), /no timestamp\.json/);
  });

  it('that unpacks to more than is read is refused', () =>
    refused(gzipSync(Buffer.alloc(40 * 1024 * 1024)), /unpacks to more than/));

  it('with a path that climbs is refused', () =>
    refused(archive([['../timestamp.json', new Uint8Array(1)]]), /climbs/));

  it('that ends in a file is refused', async () => {
    const header = Buffer.alloc(512);
    header.write('timestamp.json');
    header.write('00000010000\0', 124);
    header.write('        ', 148);
    header.write('0', 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    await refused(gzipSync(header), /middle of a file/);
  });

  it('with too many entries is refused', () =>
    refused(archive(Array.from({ length: 5100 }, (_, at) => [`${at}`, new Uint8Array()] as const)), /more than 5000/));

  it('gives no links, and files of long names', async () => {
    const long = `${'d/'.repeat(60)}file.json`;
    const files = await unpackRepository(
      archive([
        ['timestamp.json', Buffer.from('{}')],
        ['link.json', new Uint8Array(), '2'],
        ['x', Buffer.from(`${long.length + 10} path=${long}\n`), 'x'],
        ['short', Buffer.from('1')],
        ['y', Buffer.from(`${long}2\0`), 'L'],
        ['short', Buffer.from('2')],
      ]),
    );
    assert.deepEqual([...files.keys()], ['timestamp.json', long, `${long}2`]);
  });
});
