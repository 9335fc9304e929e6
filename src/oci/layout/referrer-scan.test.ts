// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Descriptor } from '../descriptor.ts';
import { digestHex, digestOf } from '../digest.ts';
import { MediaType } from '../media-type.ts';
import { LayoutDirectory } from './layout-directory.ts';
import { openLayout } from './open-layout.ts';
import { ReferrerScan } from './referrer-scan.ts';

const scratch = await mkdtemp(join(tmpdir(), 'bulla-scan-'));
after(async () => rm(scratch, { recursive: true, force: true }));

const bytesOf = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const config = { mediaType: MediaType.empty, digest: digestOf(bytesOf({})), size: 2 };
const imageBytes = (n: string, more: object = {}): Uint8Array =>
  bytesOf({ schemaVersion: 2, mediaType: MediaType.imageManifest, config, layers: [], annotations: { n }, ...more });

/** A layout of one image with eight seals, each of about 1,000 bytes. */
async function sealedLayout(
  name: string,
): Promise<{ directory: LayoutDirectory; subject: Descriptor; sealBytes: number }> {
  const path = join(scratch, name);
  const layout = await openLayout(path, { create: true });
  const subject = (await layout.putManifest(imageBytes('subject'), MediaType.imageManifest)).descriptor;
  let sealBytes = 0;
  for (let n = 0; n < 8; n++) {
    const bytes = imageBytes(`${n}`.repeat(1000), { subject });
    sealBytes = bytes.byteLength;
    await layout.putManifest(bytes, MediaType.imageManifest);
  }
  return { directory: await LayoutDirectory.at(path, false), subject, sealBytes };
}

describe('the search for referrers', () => {
  test('says that it read only as many files as it may', async () => {
    const { directory, subject } = await sealedLayout('files');
    const scan = new ReferrerScan(directory, { files: 8, bytes: 1_000_000 });
    assert.equal((await scan.of(subject.digest)).truncated, true);
    const enough = new ReferrerScan(directory, { files: 9, bytes: 1_000_000 });
    const found = await enough.of(subject.digest);
    assert.deepEqual([found.descriptors.length, found.truncated], [8, false]);
  });

  test('says that it read only as many bytes as it may, and goes on from there the next time', async () => {
    const { directory, subject, sealBytes } = await sealedLayout('bytes');
    const scan = new ReferrerScan(directory, { files: 100, bytes: 3 * sealBytes + subject.size });
    const counts: (readonly [number, boolean])[] = [];
    for (let search = 0; search < 4; search++) {
      const { descriptors, truncated } = await scan.of(subject.digest);
      counts.push([descriptors.length, truncated]);
    }
    assert.deepEqual(counts, [
      [3, true],
      [6, true],
      [8, false],
      [8, false],
    ]);
  });

  test('lists a small file whose content is not what its name says: it may have been a referrer', async () => {
    const { directory, subject } = await sealedLayout('damaged');
    const [victim, other] = (await new ReferrerScan(directory).of(subject.digest)).descriptors;
    const path = join(directory.root, 'blobs', 'sha256', digestHex(victim?.digest ?? subject.digest));
    const whole = await readFile(path);
    const zeros = new Uint8Array(whole.byteLength);
    const ofElse = imageBytes('0', { subject: { ...subject, digest: digestOf(zeros) } });
    for (const content of [
      new Uint8Array(),
      whole.subarray(0, 20),
      whole.subarray(0, -1),
      zeros,
      bytesOf({}),
      ofElse,
    ]) {
      await writeFile(path, content);
      const scan = new ReferrerScan(directory);
      const { descriptors, truncated } = await scan.of(subject.digest);
      assert.deepEqual([descriptors.length, truncated], [8, false]);
      const damaged = descriptors.find(({ digest }) => digest === victim?.digest);
      assert.equal(damaged?.size, content.byteLength);
      const ofAnother = await scan.of(other?.digest ?? subject.digest);
      assert.deepEqual(
        ofAnother.descriptors.map(({ digest }) => digest),
        [victim?.digest],
      );
    }
  });
});
