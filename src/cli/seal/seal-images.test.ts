// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SealSubjects } from '../../image/index.ts';
import { digestOf, MediaType, MemoryRepository } from '../../oci/index.ts';
import type { OpenedImage } from '../flags/opened-images.ts';
import { lookAhead } from './seal-images.ts';

const images: readonly OpenedImage[] = ['one', 'other'].map((image) => ({
  image,
  repository: new MemoryRepository(image),
  target: 'v1',
  byDigest: false,
}));

const subject = (image: string): SealSubjects => [
  { mediaType: MediaType.imageManifest, digest: digestOf(new TextEncoder().encode(image)), size: image.length },
];

describe('images that are looked up ahead', () => {
  it('are the first alone, at once and once: the others are resolved when they are sealed', async () => {
    const asked: string[] = [];
    const subjectsOf = lookAhead(images, async ({ image }) => {
      asked.push(image);
      return subject(image);
    });
    assert.deepEqual(asked, ['one']);
    const found = [];
    for (const image of images) found.push(await subjectsOf(image));
    assert.deepEqual(found, [subject('one'), subject('other')]);
    assert.deepEqual(asked, ['one', 'other']);
  });

  it('say what is wrong when their turn comes, and end nothing before', async () => {
    const subjectsOf = lookAhead(images, async ({ image }) => {
      throw new Error(`${image} is not there`);
    });
    await new Promise((later) => setImmediate(later));
    for (const { image } of images)
      await assert.rejects(
        subjectsOf(images.find((one) => one.image === image) as OpenedImage),
        new Error(`${image} is not there`),
      );
  });

  it('may be none', () => {
    assert.doesNotThrow(() => lookAhead([], () => assert.fail('nobody is to be asked for')));
  });
});
