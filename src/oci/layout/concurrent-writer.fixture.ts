// SPDX-License-Identifier: Apache-2.0
// A process of its own that writes referrers into a layout: PATH DIGEST SIZE NAME COUNT. It prints each digest once it is written.
import { writeSync } from 'node:fs';
import { digestOf, parseDigest } from '../digest.ts';
import { MediaType } from '../media-type.ts';
import { openLayout } from './open-layout.ts';

const [path = '', digest = '', size = '', name = '', count = ''] = process.argv.slice(2);
const layout = await openLayout(path);
const subject = { mediaType: MediaType.imageManifest, digest: parseDigest(digest), size: Number(size) };
const config = { mediaType: MediaType.empty, digest: digestOf(new TextEncoder().encode('{}')), size: 2 };
const writers = Array.from({ length: Number(count) }, async (_, n) => {
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config,
    layers: [],
    subject,
    annotations: { n: `${name} ${n}` },
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const { descriptor } = await layout.putManifest(bytes, MediaType.imageManifest);
  writeSync(1, `${descriptor.digest}\n`);
});
await Promise.all(writers);
