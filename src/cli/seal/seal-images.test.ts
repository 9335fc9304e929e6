// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SealSubjects } from '../../image/index.ts';
import { digestOf, MediaType, MemoryRepository } from '../../oci/index.ts';
import type { OpenedImage } from '../flags/opened-images.ts';
import { lookUp } from './seal-images.ts';

const images: readonly OpenedImage[] = ['one', 'other'].map((image) => ({
  image,
  repository: new MemoryRepository(image),
  target: 'v1',
  byDigest: false,
}));

const subject = (image: string): SealSubjects => [
  { mediaType: MediaType.imageManifest, digest: digestOf(new TextEncoder().encode(image)), size: image.length },
];

describe('images that are looked up', () => {
  it('are so when they are sealed, but for the first, which is asked for once where there is time', async () => {
    for (const [early, expected] of [
      [true, ['one']],
      [false, []],
    ] as const) {
      const asked: string[] = [];
      const { begin, subjectsOf } = lookUp(images, async ({ image }) => {
        asked.push(image);
        return subject(image);
      });
      if (early) begin();
      assert.deepEqual(asked, expected);
      const found = [];
      for (const image of images) found.push(await subjectsOf(image));
      assert.deepEqual(found, [subject('one'), subject('other')]);
      assert.deepEqual(asked, ['one', 'other']);
    }
  });

  it('say what is wrong when their turn comes, and end nothing before', async () => {
    const { begin, subjectsOf } = lookUp(images, async ({ image }) => {
      throw new Error(`${image} is not there`);
    });
    begin();
    await new Promise((later) => setImmediate(later));
    for (const image of images) await assert.rejects(subjectsOf(image), new Error(`${image.image} is not there`));
  });

  it('may be none', () => {
    const { begin } = lookUp([], () => assert.fail('nobody is to be asked for'));
    assert.doesNotThrow(begin);
  });
});
