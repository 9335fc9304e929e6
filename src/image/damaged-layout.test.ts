// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { bytesBlob, digestHex, digestOf, MediaType, openLayout, type Digest } from '../oci/index.ts';
import { generatePrivateKey, keySigner } from '../trust/index.ts';
import { listAttached, signImage, verifyImage, type Expectation } from './index.ts';

const scratch = await mkdtemp(join(tmpdir(), 'bulla-damaged-'));
after(async () => rm(scratch, { recursive: true, force: true }));

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A layout with a sealed image; `cut` leaves of a blob what half a copy of the layout would. */
async function sealed(name: string) {
  const path = join(scratch, name);
  const layout = await openLayout(path, { create: true });
  const config = utf8('{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}');
  await layout.putBlob(bytesBlob(config));
  const described = { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) };
  const manifest = { schemaVersion: 2, mediaType: MediaType.imageManifest, config: described, layers: [] };
  const image = (await layout.putManifest(utf8(JSON.stringify(manifest)), MediaType.imageManifest, { tag: 'v1' }))
    .descriptor;
  const signer = keySigner(await generatePrivateKey('ecdsa-p256'));
  const expected: Expectation = { signers: { kind: 'keys', keys: [signer.publicKey] } };
  const seal = async (): Promise<Digest> => {
    const known = new Set((await layout.referrers(image.digest)).descriptors.map(({ digest }) => digest));
    await signImage(layout, 'v1', { signer, now: new Date('2026-11-22T06:47:00Z') });
    const made = (await layout.referrers(image.digest)).descriptors.find(({ digest }) => !known.has(digest));
    assert.ok(made !== undefined);
    return made.digest;
  };
  const cut = async (digest: Digest, bytes: number): Promise<void> => {
    const file = join(path, 'blobs', 'sha256', digestHex(digest));
    await writeFile(file, (await readFile(file)).subarray(0, bytes));
  };
  return { path, image, expected, seal, cut };
}

describe('a layout that was copied by half', () => {
  for (const bytes of [0, 20, 600]) {
    it(`is undecided, not unsealed, where ${bytes} bytes of the seal are there`, async () => {
      const { path, expected, seal, cut } = await sealed(`seal-${bytes}`);
      const made = await seal();
      await cut(made, bytes);
      const layout = await openLayout(path);
      const verdict = await verifyImage(layout, 'v1', expected);
      assert.equal(verdict.kind, 'undecided');
      assert.equal(verdict.kind === 'undecided' && verdict.cause.code, 'digest-mismatch');
      assert.ok(verdict.kind === 'undecided' && verdict.cause.message.includes(made), 'the message names the file');
    });
  }

  it('hides no good seal beside the damaged one, and lists it with what is wrong', async () => {
    const { path, image, expected, seal, cut } = await sealed('two');
    const first = await seal();
    await seal();
    await cut(first, 20);
    const layout = await openLayout(path);
    assert.equal((await verifyImage(layout, 'v1', expected, { all: true })).kind, 'trusted');
    const { items } = await listAttached(layout, image.digest);
    assert.equal(items.length, 2);
    const damaged = items.find(({ manifest }) => manifest === first);
    assert.match(damaged?.fault ?? '', /has content of sha256:/);
  });
});
